"""Merge documents into the knowledge base: add articles, update them where they stand, leave alone what did not change.

Each article remembers in its front matter which document it comes from (`source`) and digests of what that gave at the
last import (`imported`: of title and text, then of each question). So a change at the source is told from one by hand,
wherever the article's file has been moved to.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import ValidationError

from bot.errors import KnowledgeError
from bot.knowledge.article import Article, ArticleError, Audience, article_text, parse_article
from bot.knowledge.importers.links import Places, relink
from bot.knowledge.importers.report import Entry, Options, Report, State
from bot.knowledge.importers.source import Document, clean_text, slug

_ID = re.compile(r"^id:\s*[\"']?([a-z0-9-]+)", re.MULTILINE)
_SOURCE = re.compile(r"^source:\s*[\"']?([a-z0-9-]+):", re.MULTILINE)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


class _Conflict(KnowledgeError):
    """An article must not be written or deleted without a person's word."""


@dataclass(frozen=True)
class _Existing:
    """An article imported earlier, in its file."""

    file: Path
    article: Article

    @property
    def edited(self) -> bool:
        """Whether title or text differ from what the last import wrote."""
        return not self.article.imported or _digest(self.article.title, self.article.body) != self.article.imported[0]


class Merge:
    """One import into one knowledge base."""

    def __init__(self, folder: Path, options: Options, report: Report, progress: Callable[[str], None]) -> None:
        self._folder = folder
        self._options = options
        self._report = report
        self._progress = progress
        self._ids: set[str] = set()
        self._given: dict[str, str] = {}
        self._existing: dict[str, _Existing] = {}
        self._broken: dict[str, _Conflict] = {}
        self._merged: dict[str, Article] = {}

    def run(self, documents: dict[str, Document], seen: set[str]) -> None:
        """Merge all documents, originals first; then look for what is gone."""
        self._scan()
        known = self._existing.keys() | self._broken.keys()
        if known and not known & seen:
            raise KnowledgeError(
                f"{len(known)} articles were imported as '{self._options.name}' before; this source has none of them.",
                "Give the source a name of its own with --name.",
            )
        ordered = sorted(documents.values(), key=lambda document: document.translation_of is not None)
        ids: dict[str, str] = {}
        places = Places()
        for document in ordered:
            ids[document.key] = self._id_of(document, ids)
            places.add(document.key, document.url, document.language or "", ids[document.key])
        for number, document in enumerate(ordered, 1):
            self._progress(f"{number} of {len(ordered)} merged")
            self._merge(self._relinked(document, places), ids[document.key])
        if self._report.looked_for_removed:
            for key in sorted(known - seen):
                self._gone(key)

    def _scan(self) -> None:
        """Learn which ids are taken, and which articles come from this source."""
        for file in sorted(self._folder.rglob("*.md")):
            try:
                text = file.read_text("utf-8-sig")
            except (OSError, UnicodeDecodeError):
                continue  # The loader names it.
            front = text.partition("\n---")[0]
            self._ids.update(_ID.findall(front)[:1], {file.stem})
            origin = _SOURCE.search(front)
            if origin is None or origin[1] != self._options.name:
                continue
            try:
                article = parse_article(text, file.relative_to(self._folder))
            except ArticleError as error:
                key = front[origin.end() :].split("\n")[0].strip("\"' ")
                self._given[key] = next(iter(_ID.findall(front)), file.stem)
                self._broken[key] = _Conflict(f"Its article is broken: {error.message}", error.remedy)
                continue
            key = (article.source or "").partition(":")[2]
            if other := self._existing.get(key):
                self._broken[key] = _Conflict(
                    f"It stands twice: {self._shown(other.file)} and {self._shown(file)}.", "Keep one of them."
                )
            else:
                self._existing[key] = _Existing(file, article)
                self._given[key] = article.id

    def _id_of(self, document: Document, ids: dict[str, str]) -> str:
        """The id an article has; for a new one, a name in words that no other has."""
        if given := self._given.get(document.key):
            return given
        if original := ids.get(document.translation_of or ""):
            name = f"{original[:90]}-{document.language}"
        else:
            name = slug(document.title) or slug(PurePosixPath(document.key).stem) or self._options.name
        if name in self._ids:
            name = f"{name[:80]}-{_digest(self._options.name, document.key)[:8]}"
        self._ids.add(name)
        return name

    def _relinked(self, document: Document, places: Places) -> Document:
        def resolve(address: str) -> str | None:
            return places.find(address, document.key, document.url, document.language or "")

        return replace(document, body=clean_text(relink(document.body, resolve, document.url)))

    def _merge(self, document: Document, identifier: str) -> None:
        existing = self._existing.get(document.key)
        try:
            if document.key in self._broken:
                raise self._broken[document.key]
            article = self._updated(document, existing) if existing else self._new(document, identifier)
            self._merged[document.key] = article
            if self._options.audience == "public" and article.audience == "internal":
                self._report.restricted += 1
            if existing and article == existing.article:
                self._note("unchanged", document.key, existing.file)
                return
            published = existing is not None and existing.article.audience != article.audience
            target = existing.file if existing and not published else self._target(article, existing)
            self._write(article, target, existing)
        except _Conflict as error:
            if existing:
                self._merged[document.key] = existing.article
            self._note("conflict", document.key, existing.file if existing else None, error.message, error.remedy)
            return
        except ValidationError as error:
            reason = str(error.errors(include_url=False)[0]["msg"])
            self._note("unread", document.key, None, f"It makes no article: {reason}.", "Correct it at its source.")
            return
        self._note("published" if published else "updated" if existing else "added", document.key, target)
        self._report.lost_images += document.lost_images

    def _audience(self, document: Document, now: Audience) -> Audience:
        return "public" if self._options.audience == "public" and not document.restricted else now

    def _original(self, document: Document, audience: Audience) -> str | None:
        """What a translation is one of; only if both have the same audience, else neither could be used."""
        original = self._merged.get(document.translation_of or "")
        return original.id if original and original.audience == audience else None

    def _new(self, document: Document, identifier: str) -> Article:
        audience = self._audience(document, "internal")
        return Article.model_validate(
            {
                "id": identifier,
                "title": document.title,
                "language": document.language,
                "audience": audience,
                "topics": document.topics or self._options.topics,
                "questions": document.questions,
                "updated": document.updated or dt.datetime.now(dt.UTC).date(),
                "url": document.url,
                "translation_of": self._original(document, audience),
                "source": f"{self._options.name}:{document.key}",
                "imported": _digests(document),
                "body": document.body,
            }
        )

    def _updated(self, document: Document, existing: _Existing) -> Article:
        """The article with what changed at the source since the last import; the rest as people left it."""
        old = existing.article
        theirs, *questions = _digests(document)
        audience = self._audience(document, old.audience)
        changes: dict[str, Any] = {
            "audience": audience,
            "questions": _merged_questions(document.questions, old),
            "url": document.url or (str(old.url) if old.url else None),
            "translation_of": old.translation_of or self._original(document, audience),
            "imported": (theirs, *questions),
        }
        if theirs not in (_digest(old.title, old.body), *old.imported[:1]):
            if existing.edited and not self._options.overwrite:
                raise _Conflict(
                    "It was edited by hand, and has changed at its source since.",
                    "Bring the change over by hand, or take the source's text with --overwrite.",
                )
            changes["title"], changes["body"] = document.title, document.body
            changes["updated"] = document.updated or dt.datetime.now(dt.UTC).date()
        return Article.model_validate({**old.model_dump(mode="json"), **changes})

    def _target(self, article: Article, existing: _Existing | None) -> Path:
        if existing:
            return self._folder.joinpath(article.audience, *existing.file.relative_to(self._folder).parts[1:])
        return self._folder / article.audience / article.language / self._options.name / f"{article.id}.md"

    def _write(self, article: Article, target: Path, existing: _Existing | None) -> None:
        """Write a file whole or not at all; move it where its audience changed."""
        moved = existing is not None and existing.file != target
        if (existing is None or moved) and target.exists():
            raise _Conflict(f"There is another file at {self._shown(target)}.", "Move it away.")
        if self._options.dry_run:
            return
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            scratch = target.with_name(f".{target.name}.new")
            scratch.write_text(article_text(article), "utf-8", newline="\n")
            os.replace(scratch, target)
            if existing and moved:
                existing.file.unlink()
        except OSError as error:
            raise _Conflict(
                f"Its file cannot be written: {error.strerror}.", "Check the folder's permissions."
            ) from error

    def _gone(self, key: str) -> None:
        """Report an article whose document is no longer there; delete it if that is wanted and nothing is lost."""
        existing = self._existing.get(key)
        broken = self._broken.get(key)
        file = existing.file if existing else None
        if not self._options.prune or broken or not existing:
            self._note("removed", key, file, "It is gone at its source.", "`--prune` deletes its article.")
        elif existing.edited:
            remedy = "Delete its file by hand, or remove `source` from it to keep it."
            self._note("conflict", key, file, "It is gone at its source, but was edited by hand.", remedy)
        else:
            try:
                if not self._options.dry_run:
                    existing.file.unlink(missing_ok=True)
            except OSError as error:
                self._note("conflict", key, file, f"It cannot be deleted: {error.strerror}.", "Delete it by hand.")
            else:
                self._note("deleted", key, file)

    def _note(self, state: State, key: str, file: Path | None, reason: str = "", remedy: str = "") -> None:
        self._report.entries.append(Entry(state, key, self._shown(file) if file else None, reason, remedy))

    def _shown(self, file: Path) -> str:
        return file.relative_to(self._folder).as_posix()


def _digests(document: Document) -> tuple[str, ...]:
    return (_digest(document.title, document.body), *(_digest(question) for question in document.questions))


def _merged_questions(offered: tuple[str, ...], old: Article) -> tuple[str, ...]:
    """The article's questions, without those the source has dropped, with those it has added since."""
    before = set(old.imported[1:])
    kept = [question for question in old.questions if _digest(question) not in before or question in offered]
    added = [question for question in offered if _digest(question) not in before and question not in kept]
    return (*kept, *added)
