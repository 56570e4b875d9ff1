"""Which kinds of files there are, and whether a content is of the kind its name says.

Markup that browsers run (HTML, SVG), scripts, programs, archives and documents with macros are no kinds: no setting
lets them in.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from dataclasses import dataclass
from typing import Literal

import filetype

from bot.attachments.errors import FileEmpty, FileTooLarge, FileType
from bot.attachments.names import extension_of
from bot.attachments.pixels import pixels_of

_OFFICE = "application/vnd.openxmlformats-officedocument"
_OPEN = "application/vnd.oasis.opendocument"
# Beside tabs and the ends of lines and pages: the escape of coloured logs.
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
# Of an archive. What stands before each entry of its list, which is counted first: a long list takes seconds to read.
_MOST_ENTRIES = 20_000
_ENTRY = b"PK\x01\x02"
_LONGEST_LIST = 1 << 20
# Office programs write no other; of these alone a little can be unpacked without unpacking all of it.
_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True)
class Kind:
    """A kind of files.

    Attributes:
        media_type: As it is sent to browsers.
        form: What its content is checked as.
        mark: The main part of an Office document, which tells the kinds apart.
    """

    media_type: str
    form: Literal["signed", "text", "office", "open"]
    mark: str = ""


# By the extension of the name.
KINDS: dict[str, Kind] = {
    "png": Kind("image/png", "signed"),
    "jpg": Kind("image/jpeg", "signed"),
    "jpeg": Kind("image/jpeg", "signed"),
    "gif": Kind("image/gif", "signed"),
    "webp": Kind("image/webp", "signed"),
    "heic": Kind("image/heic", "signed"),
    "pdf": Kind("application/pdf", "signed"),
    "mp4": Kind("video/mp4", "signed"),
    "mov": Kind("video/quicktime", "signed"),
    "txt": Kind("text/plain", "text"),
    "log": Kind("text/plain", "text"),
    "csv": Kind("text/csv", "text"),
    "docx": Kind(f"{_OFFICE}.wordprocessingml.document", "office", "word/document.xml"),
    "xlsx": Kind(f"{_OFFICE}.spreadsheetml.sheet", "office", "xl/workbook.xml"),
    "pptx": Kind(f"{_OFFICE}.presentationml.presentation", "office", "ppt/presentation.xml"),
    "odt": Kind(f"{_OPEN}.text", "open"),
    "ods": Kind(f"{_OPEN}.spreadsheet", "open"),
    "odp": Kind(f"{_OPEN}.presentation", "open"),
}
# What reading a damaged archive raises.
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    OSError,
    RuntimeError,
    EOFError,
    ValueError,
    OverflowError,
)
# A browser needs four bytes for each.
MOST_PIXELS = 64_000_000
# What browsers show as pictures, everywhere.
PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


def media_type_of(name: str, data: bytes, allowed: frozenset[str]) -> str:
    """The media type of a file, if its kind is allowed and its content is of that kind.

    Args:
        name: Made safe.
        data: All of it.
        allowed: Extensions, of KINDS.

    Raises:
        FileEmpty: There is nothing in it.
        FileType: It is of no allowed kind, or not of the kind its name says.
        FileTooLarge: It is a picture that would fill the memory of whoever looks at it.
    """
    if not data:
        raise FileEmpty(f"'{name}' is empty.", "Choose a file with something in it.", rule="file_empty", name=name)
    extension = extension_of(name)
    kind = KINDS.get(extension)
    if kind is None or extension not in allowed:
        raise FileType(
            f"Files like '{name}' are not taken.",
            f"Send one of these kinds: {', '.join(sorted(allowed))}.",
            rule="file_type",
            name=name,
        )
    if not _is(kind, data):
        raise FileType(
            f"The content of '{name}' is not what its name says.",
            f"Save it as {extension.upper()}, or give it the extension of what it is.",
            rule="file_content",
            name=name,
        )
    if (pixels_of(kind.media_type, data) or 0) > MOST_PIXELS:
        raise FileTooLarge(
            f"'{name}' has more than {MOST_PIXELS:,} pixels.", "Send a smaller picture.", rule="file_large", name=name
        )
    return kind.media_type


def _is(kind: Kind, data: bytes) -> bool:
    if kind.form == "text":
        return _is_text(data)
    if kind.form == "signed":
        found = filetype.guess(data)
        return found is not None and found.mime == kind.media_type and pixels_of(found.mime, data) is not None
    if not data.startswith(b"PK\x03\x04") or data.count(_ENTRY) > _MOST_ENTRIES:
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            if len({name.lower() for name in names}) != len(names):
                return False
            return _is_open(kind, archive, names) if kind.form == "open" else _is_office(kind, archive, names)
    except _DAMAGED:
        return False


def _is_text(data: bytes) -> bool:
    """Text of any encoding has no control characters; only UTF-16 has bytes of zero, and says what it is."""
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = data.decode("utf-16" if wide else "utf-8")
    except UnicodeDecodeError:
        if wide:
            return False
        text = data.decode("latin-1")
    return _NO_TEXT.search(text) is None


def _is_office(kind: Kind, archive: zipfile.ZipFile, names: list[str]) -> bool:
    if kind.mark not in names or "[Content_Types].xml" not in names:
        return False
    types = _part(archive, "[Content_Types].xml").lower()
    macros = b"macroenabled" in types or b"vbaproject" in types
    return not macros and not any(name.lower().endswith("vbaproject.bin") for name in names)


def _is_open(kind: Kind, archive: zipfile.ZipFile, names: list[str]) -> bool:
    if "mimetype" not in names:
        return False
    macros = any(name.startswith(("Basic/", "Scripts/")) for name in names)
    return not macros and _part(archive, "mimetype").strip() == kind.media_type.encode()


def _part(archive: zipfile.ZipFile, name: str) -> bytes:
    """A part of an archive, of at most a megabyte: what it claims to unpack to is not to be trusted.

    Raises:
        BadZipFile: It is longer, or packed in another way than office programs do.
    """
    with archive.open(name) as part:
        if archive.getinfo(name).compress_type not in _PACKED:
            raise zipfile.BadZipFile(f"{name} is packed in another way")
        content = part.read(_LONGEST_LIST + 1)
    if len(content) > _LONGEST_LIST:
        raise zipfile.BadZipFile(f"{name} is too long")
    return content
