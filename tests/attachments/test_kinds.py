"""Which contents are what their names say."""

from __future__ import annotations

import io
import tracemalloc
import zipfile

import pytest

from bot.attachments.errors import FileEmpty, FileType
from bot.attachments.kinds import KINDS, media_type_of
from tests.attachments import samples
from tests.attachments.samples import PDF, PNG, RIGHT

ALL = frozenset(KINDS)
HTML = b"<!doctype html><script>alert(1)</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
EXE = b"MZ\x90\0\x03\0\0\0" + b"\0" * 60
ELF = b"\x7fELF\x02\x01\x01" + b"\0" * 60
MACROS = b'<Types><Override ContentType="application/vnd.ms-word.document.macroEnabled.main+xml"/></Types>'

OTHER = (
    "a.html",
    "a.htm",
    "a.xhtml",
    "a.svg",
    "a.svgz",
    "a.xml",
    "a.js",
    "a.mjs",
    "a.exe",
    "a.msi",
    "a.bat",
    "a.cmd",
    "a.ps1",
    "a.sh",
    "a.py",
    "a.jar",
    "a.zip",
    "a.rar",
    "a.7z",
    "a.tar.gz",
    "a.docm",
    "a.xlsm",
    "a.pptm",
    "a.doc",
    "a.xls",
    "a.lnk",
    "a.url",
    "a.iso",
    "a.dmg",
    "a.apk",
    "a.swf",
    "a.hta",
    "a.mht",
    "a.eml",
    "a.png.html",
    "a.png.exe",
    "png",
    "file",
)


def test_there_is_a_sample_of_each_kind() -> None:
    assert set(RIGHT) == ALL


@pytest.mark.parametrize("extension", RIGHT)
def test_right_ones_are_taken(extension: str) -> None:
    assert media_type_of(f"a.{extension}", RIGHT[extension], ALL) == KINDS[extension].media_type
    assert media_type_of(f"a.{extension.upper()}", RIGHT[extension], ALL) == KINDS[extension].media_type


@pytest.mark.parametrize("name", OTHER)
def test_other_kinds_are_not_taken(name: str) -> None:
    with pytest.raises(FileType, match="not taken") as error:
        media_type_of(name, b"text", ALL)
    assert error.value.rule == "file_type"


@pytest.mark.parametrize(
    ("extension", "content"),
    [
        ("png", HTML),
        ("png", SVG),
        ("png", RIGHT["jpg"]),
        ("png", b"\x89PNG"[:3]),
        ("png", EXE),
        ("jpg", PNG),
        ("gif", b"GI"),
        ("webp", b"RIFF\0\0\0\0AVI LIST" + b"\0" * 40),
        ("pdf", HTML),
        ("pdf", b"\n\n" + PDF),
        ("pdf", EXE),
        ("heic", RIGHT["mp4"]),
        ("mp4", RIGHT["heic"]),
        ("mov", PNG),
        ("txt", EXE),
        ("txt", ELF),
        ("txt", PNG),
        ("txt", b"a\0b"),
        ("txt", b"\xff\xfea"),
        ("txt", b"\xff\xfe\0\0"),
        ("csv", RIGHT["xlsx"]),
        ("log", b"\x08\x07"),
        ("docx", samples.archive(("a.txt", b"a"))),
        ("docx", RIGHT["xlsx"]),
        ("xlsx", RIGHT["pptx"]),
        ("docx", PDF + RIGHT["docx"]),
        ("docx", RIGHT["docx"][:60]),
        ("docx", b"PK\x03\x04" + b"\0" * 40),
        ("docx", samples.office("docx", MACROS)),
        ("docx", samples.office("docx", b"<Types/>", ("word/vbaProject.bin", b"x"))),
        ("xlsx", samples.office("xlsx", b"<Types/>", ("xl/VBAPROJECT.BIN", b"x"))),
        ("odt", RIGHT["ods"]),
        ("odt", samples.open_document("odt", ("Basic/Standard/Module1.xml", b"x"))),
        ("ods", samples.open_document("ods", ("Scripts/python/evil.py", b"x"))),
        ("odt", samples.archive(("content.xml", b"x"))),
        ("docx", samples.office("docx", b"<Types/>" + b" " * (1 << 20) + MACROS)),
        ("docx", samples.office("docx", MACROS, ("[content_types].xml", b"<Types/>"))),
        ("odt", samples.open_document("odt", ("MIMETYPE", b"x"))),
    ],
    # Archives carry the time they were made, which must not be part of a test's name.
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_contents_that_are_something_else_are_not_taken(extension: str, content: bytes) -> None:
    with pytest.raises(FileType, match="not what its name says") as error:
        media_type_of(f"a.{extension}", content, ALL)
    assert error.value.rule == "file_content"


@pytest.mark.parametrize("packed", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_nothing_large_is_unpacked(packed: int) -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", packed) as file:
        file.writestr("[Content_Types].xml", bytes(20_000_000))
        file.writestr("word/document.xml", b"<x/>")
    tracemalloc.start()
    try:
        with pytest.raises(FileType, match="not what its name says"):
            media_type_of("a.docx", bomb.getvalue(), ALL)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_a_long_list_of_parts_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = RIGHT["docx"] + b"PK\x01\x02" * 20_000
    assert media_type_of("a.docx", RIGHT["docx"], ALL)
    monkeypatch.delattr("zipfile.ZipFile.namelist")
    with pytest.raises(FileType, match="not what its name says"):
        media_type_of("a.docx", listed, ALL)


def test_damaged_archives_are_refused_as_such() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("[Content_Types].xml", b"<Types>" + bytes(range(200)))
        file.writestr("word/document.xml", b"<x/>")
    whole = made.getvalue()
    refused = 0
    for place in range(4, len(whole)):
        damaged = whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :]
        try:
            media_type_of("a.docx", damaged, ALL)
        except FileType:
            refused += 1
    assert refused > len(whole) / 2


@pytest.mark.parametrize(
    "content", [HTML, SVG, b"#!/bin/sh\necho", "ğ".encode("utf-16"), "ç".encode("latin-1"), b"BM is"]
)
def test_what_looks_like_something_else_is_text_all_the_same(content: bytes) -> None:
    assert media_type_of("a.txt", content, ALL) == "text/plain"


def test_an_empty_file_is_not_taken() -> None:
    with pytest.raises(FileEmpty, match="is empty"):
        media_type_of("a.txt", b"", ALL)


def test_only_allowed_kinds_are_taken() -> None:
    with pytest.raises(FileType, match="png"):
        media_type_of("a.pdf", PDF, frozenset({"png"}))
