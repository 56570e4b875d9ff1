"""One import: read a source to its end, check every document, merge all into the knowledge base."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import get_args

from bot.knowledge.article import Topic
from bot.knowledge.importers.merge import Merge
from bot.knowledge.importers.report import Entry, Options, Report
from bot.knowledge.importers.source import (
    MAX_BODY_CHARACTERS,
    MAX_DOCUMENTS,
    MAX_KEY_CHARACTERS,
    Document,
    Unread,
    Unreadable,
    clean_line,
    clean_text,
    https_address,
)
from bot.language import detect
from bot.settings import LANGUAGES


def import_documents(
    source: Iterable[Document | Unread],
    folder: Path,
    options: Options,
    progress: Callable[[str], None] = lambda text: None,
) -> Report:
    """Bring the documents of a source into the knowledge base.

    Args:
        source: Read to its end before anything is written.
        folder: Of the knowledge base.
        options: How.
        progress: Called with what is under way.

    Raises:
        KnowledgeError: Articles were imported under this name before, and the source has none of them.
    """
    report = Report()
    documents, seen = _read(source, options, report, progress)
    if documents:
        Merge(folder, options, report, progress).run(documents, seen)
    return report


def _read(
    source: Iterable[Document | Unread], options: Options, report: Report, progress: Callable[[str], None]
) -> tuple[dict[str, Document], set[str]]:
    """The documents that can be used, by key; and the keys of all that are still there."""
    documents: dict[str, Document] = {}
    seen: set[str] = set()

    def note(unread: Unread) -> None:
        report.entries.append(Entry("unread", unread.key, None, unread.reason, unread.remedy))
        report.looked_for_removed = report.looked_for_removed and not unread.several
        if not unread.withdrawn:
            seen.add(unread.key)

    for found in source:
        if isinstance(found, Unread):
            note(found)
            continue
        if len(documents) == MAX_DOCUMENTS:
            reason = f"There are more than {MAX_DOCUMENTS:,} documents; the rest was not read."
            note(Unread(found.key, reason, "Split the source, one --name each.", several=True))
            break
        try:
            document = _checked(found, options)
        except Unreadable as error:
            note(error.unread(found.key))
            continue
        if documents.setdefault(document.key, document) != document:
            note(Unread(document.key, "It is there twice, with different content.", "Keep one of them."))
        progress(f"{len(documents)} read")
    return documents, seen | documents.keys()


def _checked(document: Document, options: Options) -> Document:
    """A document within all limits, in the form in which an article's file gives it back.

    Raises:
        Unreadable: It cannot be brought within them.
    """
    key, body, title = clean_line(document.key, MAX_KEY_CHARACTERS + 1), clean_text(document.body), document.title
    if not key or len(key) > MAX_KEY_CHARACTERS:
        raise Unreadable(f"Its key must have 1 to {MAX_KEY_CHARACTERS} characters.", "Give it a shorter path or id.")
    if not body:
        raise Unreadable("It has no text.", "Write some, or leave it out.")
    if len(body) > MAX_BODY_CHARACTERS:
        raise Unreadable(f"It has more than {MAX_BODY_CHARACTERS:,} characters.", "Split it, one article per subject.")
    if unknown := [topic for topic in document.topics if topic not in get_args(Topic)]:
        raise Unreadable(f"Its topic is {clean_line(unknown[0])!r}.", f"Write one of {', '.join(get_args(Topic))}.")
    title = clean_line(title) or clean_line(body.split("\n")[0].strip("# ")) or key
    language = options.language or re.split("[-_]", (document.language or "").strip().lower())[0]
    language = language or detect(f"{title}\n{body[:2000]}")
    if language not in LANGUAGES:
        raise Unreadable(
            f"Its language is {clean_line(language)!r}. Refill answers in {', '.join(LANGUAGES)}.",
            "Leave it out, or name its language with --language if the source names a wrong one.",
        )
    questions = tuple(dict.fromkeys(line for question in document.questions if (line := clean_line(question))))
    return replace(
        document,
        key=key,
        title=title,
        body=body,
        url=https_address(document.url),
        language=language,
        questions=tuple(question for question in questions if question != title),
    )
