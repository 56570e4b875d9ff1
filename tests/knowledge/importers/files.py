"""Small real PDF and DOCX files, made byte by byte, and what an import of them needs."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from bot.knowledge.article import Article, parse_article
from bot.knowledge.importers.report import Options, Report
from bot.knowledge.importers.run import import_documents
from bot.knowledge.importers.source import Document, Unread

_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
Line = tuple[int, int, str]


def pdf(pages: Sequence[Sequence[Line]], title: str = "") -> bytes:
    """A PDF in Helvetica; each line is its height on the page and its size, in points, and its text."""
    numbers = [4 + 2 * number for number in range(len(pages))]
    kids = " ".join(f"{number} 0 R" for number in numbers)
    objects = {
        1: "<< /Type /Catalog /Pages 2 0 R >>",
        2: f"<< /Type /Pages /Count {len(pages)} /Kids [{kids}] >>",
        3: "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    }
    for number, lines in zip(numbers, pages, strict=True):
        drawn = "\n".join(f"BT /F1 {size} Tf 1 0 0 1 72 {height} Tm ({text}) Tj ET" for height, size, text in lines)
        objects[number] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {number + 1} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        )
        objects[number + 1] = f"<< /Length {len(drawn.encode('cp1252'))} >>\nstream\n{drawn}\nendstream"
    about = max(objects) + 1
    objects[about] = f"<< /Title ({title}) /ModDate (D:20260302120000Z) >>"
    written = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, body in objects.items():
        offsets.append(len(written))
        written += f"{number} 0 obj\n{body}\nendobj\n".encode("cp1252")
    start = len(written)
    rows = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    written += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{rows}".encode()
    written += f"trailer << /Size {len(objects) + 1} /Root 1 0 R /Info {about} 0 R >>\n".encode()
    return bytes(written) + f"startxref\n{start}\n%%EOF\n".encode()


def encrypted(raw: bytes, password: str) -> bytes:
    """The same PDF, to be opened with a password."""
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(PdfReader(io.BytesIO(raw)))
    writer.encrypt(password, owner_password="owner", algorithm="RC4-128")
    made = io.BytesIO()
    writer.write(made)
    return made.getvalue()


def docx(paragraphs: Iterable[tuple[str, str]], more: str = "", parts: dict[str, bytes] | None = None) -> bytes:
    """A DOCX; each paragraph is its style (empty for plain text) and its text, more is further XML of the body."""
    body = "".join(
        f'<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>'
        if style
        else f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"
        for style, text in paragraphs
    )
    styles = "".join(
        f'<w:style w:type="paragraph" w:styleId="{name}"><w:name w:val="{shown}"/></w:style>'
        for name, shown in (("Title", "Title"), ("Heading1", "heading 1"))
    )
    types = "".join(
        f'<Override PartName="/word/{part}.xml" ContentType="application/vnd.openxmlformats-officedocument.'
        f'wordprocessingml.{kind}+xml"/>'
        for part, kind in (("document", "document.main"), ("styles", "styles"))
    )
    files = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" ContentType='
        f'"application/vnd.openxmlformats-package.relationships+xml"/>{types}</Types>',
        "_rels/.rels": _relationships("officeDocument", "word/document.xml"),
        "word/_rels/document.xml.rels": _relationships("styles", "styles.xml"),
        "word/styles.xml": f'<w:styles xmlns:w="{_WORD}">{styles}</w:styles>',
        "word/document.xml": f'<w:document xmlns:w="{_WORD}"><w:body>{body}{more}</w:body></w:document>',
    }
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        for name, raw in (parts or {}).items():
            archive.writestr(name, raw)
    return made.getvalue()


def _relationships(kind: str, target: str) -> str:
    return (
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="r1" Type="{_OFFICE}/{kind}" Target="{target}"/></Relationships>'
    )


def split(source: Iterable[Document | Unread]) -> tuple[list[Document], list[Unread]]:
    """What a source could read, and what it could not."""
    found = list(source)
    return [item for item in found if isinstance(item, Document)], [item for item in found if isinstance(item, Unread)]


def bring(root: Path, *documents: Document | Unread, name: str = "crema", **options: object) -> Report:
    """Import documents into `root/knowledge_base`."""
    return import_documents(documents, root / "knowledge_base", Options(name, **options))  # type: ignore[arg-type]


def articles(root: Path) -> dict[str, Article]:
    """Every article's file below `root/knowledge_base`, by its path there."""
    folder = root / "knowledge_base"
    return {
        file.relative_to(folder).as_posix(): parse_article(file.read_text("utf-8"), file)
        for file in sorted(folder.rglob("*.md"))
    }


def snapshot(root: Path) -> dict[str, bytes]:
    """Every file below root, with what stands in it."""
    return {file.relative_to(root).as_posix(): file.read_bytes() for file in root.rglob("*") if file.is_file()}
