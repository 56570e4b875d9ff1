"""PDF files as documents: headings, paragraphs and lists of their text."""

from __future__ import annotations

import io
import logging
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.knowledge.importers.source import MAX_BODY_CHARACTERS, Document, Unreadable, clean_line

if TYPE_CHECKING:
    from pypdf import PdfReader

MAX_PAGES = 2_000

_HEADING = 1.15  # a line this many times the size of most text is a heading
_GAP = 1.6  # lines further apart than this many times their size begin a paragraph
_BULLET = re.compile(r"^\s*[•‣▪●◦–·]\s*")
_NUMBER = re.compile(r"^\s*\d{1,2}[.)]\s")
_NO_SPACE = re.compile(r"[\u0e00-\u0e7f\u2e80-\u9fff\uff00-\uffef-]$")
_COMPATIBLE = re.compile(r"[\u2e80-\u2fdf\ufb00-\ufb06]")  # radicals for characters, ligatures for letters
_SHORT = 0.7  # a line shorter than this share of the longest ends where its writer ended it
_TITLE_OF_A_TOOL = re.compile(r"untitled|^microsoft |\.(docx?|indd|pdf|tex|odt)$", re.IGNORECASE)


@dataclass
class _Line:
    """A line of a page; size and distances in points."""

    text: str
    size: float
    height: float


def read_pdf(raw: bytes, key: str, name: str) -> Document:
    """A document from a PDF's text. Larger lines become headings; lines that stand on most pages are left out.

    Args:
        raw: The file.
        key: Of the document.
        name: Title if the file names none.

    Raises:
        Unreadable: It is broken, encrypted, has no text or is too long.
    """
    from pypdf import PdfReader
    from pypdf.errors import DependencyError

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # It reports what it could mend; we report what it could not.
    try:
        reader = PdfReader(io.BytesIO(raw))
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable("It is encrypted.", "Save a copy without a password.")
        if len(reader.pages) > MAX_PAGES:
            raise Unreadable(f"It has more than {MAX_PAGES:,} pages.", "Split it, one file per subject.")
        pages = _pages(reader)
        about = reader.metadata
        title = clean_line(str((about and about.title) or ""))
        updated = about.modification_date if about else None
    except Unreadable:
        raise
    except DependencyError as error:
        raise Unreadable("It is encrypted.", "Save a copy without a password.") from error
    except Exception as error:  # A broken file fails anywhere in the reader.
        raise Unreadable("It is not a valid PDF.", "Open it in a viewer and print it to a new PDF.") from error
    lines = _without_furniture(pages)
    if not lines:
        raise Unreadable("It has no text, only pictures.", "Run a text recognition (OCR) over it first.")
    title = "" if _TITLE_OF_A_TOOL.search(title) else title
    heading, body = _markdown(lines, title)
    return Document(key, title or heading or name, body, updated=updated.date() if updated else None)


def _pages(reader: PdfReader) -> list[list[_Line]]:
    pages: list[list[_Line]] = []
    characters = 0
    for page in reader.pages:
        lines: list[_Line] = []

        def visit(text: str, cm: Any, tm: Any, font: Any, size: float, lines: list[_Line] = lines) -> None:
            scale = (abs(tm[3]) or abs(tm[1]) or 1) * (abs(cm[3]) or abs(cm[1]) or 1)
            height = tm[5] * cm[3] + cm[5]
            for number, part in enumerate(text.split("\n")):
                if number or not lines:
                    lines.append(_Line("", 0, height))
                line = lines[-1]
                if part.strip():
                    line.size, line.height = max(line.size, size * scale), height
                line.text += part

        page.extract_text(visitor_text=visit)
        pages.append([made for line in lines if (made := _tidy(line)).text])
        characters += sum(len(line.text) for line in pages[-1])
        if characters > MAX_BODY_CHARACTERS:
            raise Unreadable(f"It has more than {MAX_BODY_CHARACTERS:,} characters.", "Split it, one file per subject.")
    return pages


def _tidy(line: _Line) -> _Line:
    plain = _COMPATIBLE.sub(lambda match: unicodedata.normalize("NFKC", match[0]), line.text)
    return _Line(clean_line(plain, MAX_BODY_CHARACTERS), round(line.size, 1), line.height)


def _without_furniture(pages: list[list[_Line]]) -> list[_Line]:
    """All lines but the running heads and feet: first and last lines that, numbers aside, stand on most pages."""
    edges = Counter(
        shape for page in pages for shape in {_shape(line) for line in (*page[:1], *page[-1:])} if len(pages) > 2
    )
    running = {shape for shape, count in edges.items() if count * 2 > len(pages)}
    return [
        line
        for page in pages
        for number, line in enumerate(page)
        if not (number in (0, len(page) - 1) and _shape(line) in running)
    ]


def _shape(line: _Line) -> str:
    return re.sub(r"\d+", "0", line.text)


def _markdown(lines: list[_Line], title: str) -> tuple[str, str]:
    """The one heading that is larger than all others, if there is one; and the rest as Markdown."""
    weights: Counter[float] = Counter()
    for line in lines:
        weights[line.size] += len(line.text)
    usual = weights.most_common(1)[0][0]
    heading_sizes = Counter(line.size for line in lines if line.size > usual * _HEADING)
    largest = max(heading_sizes, default=0.0)
    widest = max(_width(line.text) for line in lines)
    first = ""
    blocks: list[str] = []
    before = _Line("", 0, 0)
    for line in lines:
        follows = 0 <= before.height - line.height <= _GAP * line.size and before.size == line.size
        if line.size in heading_sizes:
            if line.size == largest and heading_sizes[largest] == 1 and title in ("", line.text):
                first = line.text
            elif follows and blocks:
                blocks[-1] += f" {line.text}"
            else:
                blocks.append(f"## {line.text}")
        elif _BULLET.match(line.text):
            blocks.append(_BULLET.sub("- ", line.text))
        elif not follows or _NUMBER.match(line.text):
            blocks.append(line.text)
        elif _width(before.text) < _SHORT * widest:
            blocks[-1] += f"\n{line.text}"
        else:
            blocks[-1] += line.text if _NO_SPACE.search(blocks[-1]) else f" {line.text}"
        before = line
    return first, "\n\n".join(blocks)


def _width(text: str) -> int:
    """In columns: Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
