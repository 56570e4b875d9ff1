"""Tables of questions and answers, in CSV or JSONL, as documents."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bot.knowledge.importers.markdown import plain_markdown
from bot.knowledge.importers.source import Document, Source, Unread, Unreadable, clean_line, https_address

COLUMNS = ("question", "answer", "title", "url", "language", "topic", "id")
_NEEDED = ("question", "answer")
_WANTED = f"Name the columns {' and '.join(_NEEDED)}; allowed as well: {', '.join(COLUMNS[2:])}."


@dataclass(frozen=True)
class _Row:
    line: int
    cells: dict[str, str]


def read_csv(text: str, place: str) -> Source:
    """Documents from a table whose first line names the columns, parted by commas, semicolons or tabs.

    Args:
        text: Of the file.
        place: Name of the file, for what could not be read.
    """
    return _documents(_csv_rows(text, place), place)


def read_jsonl(text: str, place: str) -> Source:
    """Documents from lines that are each a JSON object with the columns as keys."""
    return _documents(_jsonl_rows(text, place), place)


def _csv_rows(text: str, place: str) -> Iterator[_Row | Unread]:
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        if missing := [name for name in _NEEDED if name not in header]:
            found = ", ".join(name for name in header if name) or "none"
            reason = f"Line 1 has no column {' and no column '.join(missing)}. Found: {clean_line(found)}."
            yield Unread(place, reason, _WANTED, several=True)
            return
        for cells in reader:
            if len(cells) > len(header):
                reason = f"Line {reader.line_num} has {len(cells)} cells for {len(header)} columns."
                yield Unread(f"{place}:{reader.line_num}", reason, "Put cells with separators in quotes.", several=True)
            elif any(cell.strip() for cell in cells):
                yield _Row(reader.line_num, dict(zip(header, cells, strict=False)))
    except csv.Error as error:
        reason = f"Line {reader.line_num} is not valid CSV: {error}."
        yield Unread(place, reason, "Correct its quotes; what stands below it was not read.", several=True)


def _jsonl_rows(text: str, place: str) -> Iterator[_Row | Unread]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            values = None
        if not isinstance(values, dict):
            reason = f"Line {number} is not a JSON object."
            yield Unread(f"{place}:{number}", reason, 'Write {"question": …, "answer": …} on one line.', several=True)
        else:
            yield _Row(number, {name.lower(): str(cell) for name, cell in values.items() if cell is not None})


def _documents(rows: Iterable[_Row | Unread], place: str) -> Source:
    """One document for all rows with the same answer: their questions are its variants."""
    groups: dict[tuple[str, str], list[_Row]] = {}
    for row in rows:
        if isinstance(row, Unread):
            yield row
        elif empty := [name for name in _NEEDED if not row.cells.get(name, "").strip()]:
            reason = f"Line {row.line} has no {' and no '.join(empty)}."
            yield Unread(f"{place}:{row.line}", reason, "Fill it in, or delete the line.", several=True)
        else:
            groups.setdefault((row.cells["answer"].strip(), _cell([row], "language")), []).append(row)
    taken: dict[str, int] = {}
    for group in groups.values():
        questions = tuple(dict.fromkeys(clean_line(row.cells["question"]) for row in group))
        key = clean_line(_cell(group, "id") or questions[0])
        line = group[0].line
        if other := taken.setdefault(key, line) - line:
            reason = f"Line {line} has the {'id' if _cell(group, 'id') else 'question'} of line {line + other}"
            yield Unread(f"{place}:{line}", f"{reason}, but another answer.", "Keep one of them.", several=True)
            continue
        try:
            body, lost = plain_markdown(group[0].cells["answer"])
        except Unreadable as error:
            yield error.unread(key)
            continue
        yield Document(
            key,
            _cell(group, "title") or questions[0],
            body,
            url=https_address(_cell(group, "url")),
            language=_cell(group, "language") or None,
            questions=questions,
            topics=tuple(filter(None, re.split(r"[,;|\s]+", _cell(group, "topic")))),
            lost_images=lost,
        )


def _cell(rows: list[_Row], name: str) -> str:
    """The first cell of a column that is not empty."""
    return next((cell for row in rows if (cell := row.cells.get(name, "").strip())), "")
