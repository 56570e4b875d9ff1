"""Files on this machine as documents: one file, or a folder with all below it."""

from __future__ import annotations

import json
import os
import stat
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Literal

from bot.errors import KnowledgeError
from bot.knowledge.importers.docx import read_docx
from bot.knowledge.importers.helpdesk import Helpdesk, read_pages, recognise
from bot.knowledge.importers.html import decode_html, read_html
from bot.knowledge.importers.markdown import read_markdown
from bot.knowledge.importers.pdf import read_pdf
from bot.knowledge.importers.source import (
    MAX_FILE_BYTES,
    Document,
    Source,
    Unread,
    Unreadable,
    decode,
)
from bot.knowledge.importers.table import read_csv, read_jsonl
from bot.settings import LANGUAGES

Format = Literal["markdown", "csv", "jsonl", "html", "zendesk", "intercom", "pdf", "docx"]

_ENDINGS: dict[str, Format | Literal["json"]] = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".txt": "markdown",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".pdf": "pdf",
    ".docx": "docx",
    ".json": "json",
}
_NO_FOLDER_LINKS = "Links are not followed. Import the place it leads to."


def read_path(path: Path, wanted: Format | None = None) -> Source:
    """Documents from a file or a folder.

    Args:
        path: A folder is read with all below it, apart from hidden files and links that lead out of it.
        wanted: Read a file as this, whatever its ending; of a folder, only the files of this kind.

    Raises:
        KnowledgeError: There is nothing at path.
    """
    if not path.exists():
        raise KnowledgeError(f"There is nothing at {path}.", "Name a file or a folder.")
    exports: dict[Helpdesk, list[tuple[str, object]]] = {}
    others: Counter[str] = Counter()
    root = path.resolve()
    single = root.is_file()
    for found in [root] if single else _files(root):
        if isinstance(found, Unread):
            yield found
            continue
        place = _place(found, root)
        kind = _ENDINGS.get(found.suffix.lower())
        if wanted:
            kind = _wanted(kind, wanted, single)
        if kind is None:
            others[found.suffix.lower() or "no ending"] += 1
            continue
        try:
            raw = _read(found)
            if kind in ("json", "zendesk", "intercom"):
                _add_export(exports, raw, place, wanted)
            else:
                yield from _READERS[kind](raw, place, single)
        except Unreadable as error:
            yield error.unread(place, several=kind not in ("markdown", "html", "pdf", "docx"))
    for helpdesk, pages in exports.items():
        yield from read_pages(pages, helpdesk)
    for ending, count in sorted(others.items()) if not wanted else ():
        reason = f"{count} file{'s' if count > 1 else ''} of a kind that is not read."
        yield Unread(f"*{ending}", reason, f"Kinds that are read: {', '.join(_ENDINGS)}.")


def _files(root: Path) -> Iterator[Path | Unread]:
    """Every file below a folder, in order of name, apart from hidden ones and links out of it."""
    denied: list[OSError] = []
    for place, folders, names in os.walk(root, onerror=denied.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in folders:
            if (Path(place) / name).is_symlink():
                yield Unread(_place(Path(place) / name, root), "It is a link to a folder.", _NO_FOLDER_LINKS)
        for name in sorted(names):
            file = Path(place) / name
            if name.startswith("."):
                continue
            if file.is_symlink() and not Path(os.path.realpath(file)).is_relative_to(root):
                yield Unread(_place(file, root), "It is a link that leads out of the folder.", _NO_FOLDER_LINKS)
            else:
                yield file
    for error in denied:
        place = _place(Path(error.filename), root)
        yield Unread(place, f"The folder cannot be read: {error.strerror}.", "Check its permissions.", several=True)


def _place(file: Path, root: Path) -> str:
    """A file's path within its source, in one spelling on every machine."""
    path = file.name if file == root else file.relative_to(root).as_posix()
    return unicodedata.normalize("NFC", path)


def _wanted(kind: str | None, wanted: Format, single: bool) -> Format | None:
    fits = kind == wanted or (kind == "json" and wanted in ("zendesk", "intercom"))
    return wanted if single or fits else None


def _read(file: Path) -> bytes:
    try:
        state = file.stat()
        if not stat.S_ISREG(state.st_mode):
            raise Unreadable("It is not a regular file.", "Leave it out.")
        if state.st_size > MAX_FILE_BYTES:
            limit = f"{MAX_FILE_BYTES // 2**20} MiB"
            raise Unreadable(f"It has {state.st_size / 2**20:.1f} MiB; at most {limit} are read.", "Split it.")
        return file.read_bytes()
    except OSError as error:
        raise Unreadable(f"It cannot be read: {error.strerror}.", "Check its permissions.") from error


def _add_export(
    exports: dict[Helpdesk, list[tuple[str, object]]], raw: bytes, place: str, wanted: Format | None
) -> None:
    try:
        value = json.loads(decode(raw))
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise Unreadable(f"It is not valid JSON{where}.", "Export it anew.") from error
    helpdesk = wanted if wanted in ("zendesk", "intercom") else recognise(value)
    if helpdesk is None:
        raise Unreadable(
            "It is neither a Zendesk nor an Intercom export.",
            'Zendesk: {"articles": […]}. Intercom: {"type": "list", "data": […]}. See docs/importing.md.',
        )
    exports.setdefault(helpdesk, []).append((place, value))


def _name(place: str) -> str:
    """A title for a text that has none: its file's name in words."""
    words = PurePosixPath(place).stem.replace("-", " ").replace("_", " ").strip() or place
    return words[0].upper() + words[1:]


def _language(place: str) -> str | None:
    """The language a folder is named after."""
    return next((part for part in reversed(PurePosixPath(place).parts[:-1]) if part in LANGUAGES), None)


def _with_language(document: Document, place: str) -> Document:
    return document if document.language else replace(document, language=_language(place))


def _markdown(raw: bytes, place: str, single: bool) -> Source:
    yield _with_language(read_markdown(decode(raw), place, _name(place)), place)


def _html(raw: bytes, place: str, single: bool) -> Source:
    page = read_html(decode_html(raw))
    yield _with_language(
        Document(
            place,
            page.title or _name(place),
            page.body,
            url=page.canonical,
            language=page.language,
            lost_images=page.lost_images,
        ),
        place,
    )


def _pdf(raw: bytes, place: str, single: bool) -> Source:
    yield _with_language(read_pdf(raw, place, _name(place)), place)


def _docx(raw: bytes, place: str, single: bool) -> Source:
    yield _with_language(read_docx(raw, place, _name(place)), place)


def _table(read: Callable[[str, str], Source]) -> Callable[[bytes, str, bool], Source]:
    """A reader of tables; in a folder, the rows' keys begin with their file's."""

    def rows(raw: bytes, place: str, single: bool) -> Source:
        for found in read(decode(raw), place):
            if isinstance(found, Document) and not single:
                found = replace(found, key=f"{place}:{found.key}")
            yield found

    return rows


_READERS: dict[str, Callable[[bytes, str, bool], Source]] = {
    "markdown": _markdown,
    "html": _html,
    "pdf": _pdf,
    "docx": _docx,
    "csv": _table(read_csv),
    "jsonl": _table(read_jsonl),
}
