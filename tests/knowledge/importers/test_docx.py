"""Word files as Markdown, and those that cannot be read."""

from __future__ import annotations

import io
import zipfile

import pytest

from bot.knowledge.importers import docx as module
from bot.knowledge.importers.docx import read_docx
from bot.knowledge.importers.source import Unreadable
from tests.knowledge.importers.files import docx

TABLE = "<w:tbl>{}</w:tbl>".format(
    "".join(
        f"<w:tr>{''.join(f'<w:tc><w:p><w:r><w:t>{cell}</w:t></w:r></w:p></w:tc>' for cell in row)}</w:tr>"
        for row in (("Plan", "Price"), ("Solo", "29|30"))
    )
)
BOMB = b"".join(
    [
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "',
        b"lol" * 1000,
        b'"><!ENTITY b "',
        b"&a;" * 1000,
        b'">]><x>&b;</x>',
    ]
)


def test_headings_tables_and_words() -> None:
    raw = docx([("Title", "Close the day"), ("", "Count."), ("Heading1", "Plans")], TABLE)
    document = read_docx(raw, "day.docx", "Day")
    assert document.title == "Close the day"
    assert document.body == "Count.\n\n## Plans\n\n| Plan | Price |\n| --- | --- |\n| Solo | 29\\|30 |"


def test_without_a_heading_the_name_is_the_title() -> None:
    assert read_docx(docx([("", "Count.")]), "day.docx", "Day").title == "Day"


def test_pictures_are_left_out_and_counted() -> None:
    drawing = (
        '<w:p><w:r><w:drawing><wp:inline xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing">'
        '<a:graphic xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"><a:graphicData>'
        '<pic:pic xmlns:pic="http://schemas.openxmlformats.org/drawingml/2006/picture"><pic:blipFill>'
        '<a:blip xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" r:embed="r1"/>'
        "</pic:blipFill></pic:pic></a:graphicData></a:graphic></wp:inline></w:drawing></w:r></w:p>"
    )
    document = read_docx(docx([("", "Count.")], drawing), "day.docx", "Day")
    assert (document.body, document.lost_images) == ("Count.", 1)


def not_word() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("hello.txt", "Hello")
    return made.getvalue()


@pytest.mark.parametrize(
    ("raw", "message", "remedy"),
    [
        (b"not a zip", "It is not a valid DOCX file.", "save it anew"),
        (docx([("", "x")])[:-40], "It is not a valid DOCX file.", "save it anew"),
        (not_word(), "It is not a valid DOCX file.", "save it anew"),
        (docx([("", "x")], "<w:p>"), "It is not a valid DOCX file.", "save it anew"),
        (docx([], "<w:p>" * 5000 + "</w:p>" * 5000), "It is not a valid DOCX file.", "save it anew"),
        (docx([("", "x")], parts={"word/more.xml": BOMB}), "It declares a document type.", "save"),
        (docx([("", "x")], parts={"a.xml": BOMB.decode().encode("utf-16")}), "It declares a document type.", "save"),
    ],
    ids=["no zip", "cut off", "no word", "bad xml", "deep", "entities", "entities in utf-16"],
)
def test_what_cannot_be_read_is_said(raw: bytes, message: str, remedy: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read_docx(raw, "day.docx", "Day")
    assert caught.value.message == message
    assert remedy in caught.value.remedy.lower()


def test_a_file_that_grows_beyond_measure_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = docx([("", "x")], parts={"word/media/big": b"\0" * 300_000})
    assert len(raw) < 5_000
    monkeypatch.setattr(module, "MAX_UNPACKED_BYTES", 200_000)
    monkeypatch.setattr(zipfile.ZipFile, "read", None)
    with pytest.raises(Unreadable, match="It unpacks to more than"):
        read_docx(raw, "day.docx", "Day")


def test_a_file_of_too_many_parts_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PARTS", 5)
    with pytest.raises(Unreadable, match="It unpacks to more than"):
        read_docx(docx([("", "x")], parts={"a": b"", "b": b""}), "day.docx", "Day")
