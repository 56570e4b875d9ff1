"""Word files as documents: headings, paragraphs, lists and tables, without pictures."""

from __future__ import annotations

import io
import zipfile

from bot.knowledge.importers.html import read_html
from bot.knowledge.importers.source import Document, Unreadable

MAX_UNPACKED_BYTES = 100 * 1024 * 1024
MAX_PARTS = 5_000


def read_docx(raw: bytes, key: str, name: str) -> Document:
    """A document from a Word file.

    Args:
        raw: The file.
        key: Of the document.
        name: Title if the text has no heading.

    Raises:
        Unreadable: It is not a Word file, or unpacks to more than MAX_UNPACKED_BYTES.
    """
    import mammoth

    _check_zip(raw)
    lost = 0

    def leave_out(image: object) -> list[object]:
        nonlocal lost
        lost += 1
        return []

    try:
        styles = "p[style-name='Title'] => h1:fresh"
        html = mammoth.convert_to_html(io.BytesIO(raw), convert_image=leave_out, style_map=styles).value
    except Exception as error:  # A broken file fails anywhere in the converter.
        raise Unreadable("It is not a valid DOCX file.", "Open it in a word processor and save it anew.") from error
    page = read_html(html)
    return Document(key, page.title or name, page.body, lost_images=lost)


def _check_zip(raw: bytes) -> None:
    """Refuse what would grow beyond measure when it is unpacked, before anything is."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            parts = archive.infolist()
            if len(parts) > MAX_PARTS or sum(part.file_size for part in parts) > MAX_UNPACKED_BYTES:
                size = f"{MAX_UNPACKED_BYTES // 2**20} MiB"
                raise Unreadable(f"It unpacks to more than {size}.", "Save it without its pictures.")
            for part in parts:
                # Word writes no document type; entities declared in one can grow as a bomb does.
                xml = part.filename.endswith((".xml", ".rels"))
                if xml and b"<!DOCTYPE" in archive.read(part).replace(b"\0", b""):
                    raise Unreadable("It declares a document type.", "Save it anew in a word processor.")
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise Unreadable("It is not a valid DOCX file.", "Open it in a word processor and save it anew.") from error
