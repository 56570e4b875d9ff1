"""From a folder of articles to the current index, when anything changed."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from filelock import FileLock, Timeout

from bot.encoder.encoder import TextEncoder, for_retrieval
from bot.errors import KnowledgeError
from bot.knowledge.answer import Answerer
from bot.knowledge.article import Article, ArticleError, Audience
from bot.knowledge.calibration import OffTopic, fit
from bot.knowledge.centring import fit_centres
from bot.knowledge.images import Images
from bot.knowledge.index import (
    Embedded,
    Index,
    IndexDamaged,
    embed,
    read_index,
    read_manifest,
    texts_of,
    write_index,
)
from bot.knowledge.loader import KnowledgeBase, load_knowledge_base
from bot.knowledge.vectors import StoredEncoder, count_new, tidy
from bot.language import detect

if TYPE_CHECKING:
    from bot.settings import Settings

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Built:
    """What `ensure_index` found or made."""

    index: Index
    articles: int
    errors: tuple[ArticleError, ...]
    rebuilt: bool


def index_folder(settings: Settings) -> Path:
    """Where the index stands."""
    return settings.models / "index"


@dataclass(frozen=True)
class Background:
    """Texts beside the articles that the index learns from.

    Attributes:
        off_topic: Questions no article answers.
        messages: What customers write in general; they tell what is common to a language's questions.
    """

    off_topic: tuple[str, ...]
    messages: tuple[str, ...] = ()


def background(settings: Settings) -> Background:
    """The bot's own training examples; those of the intent `out_of_scope` are off topic.

    Raises:
        KnowledgeError: They cannot be read.
    """
    folder = settings.path("data", "nlu")
    messages = [text for file in sorted(folder.glob("*.yml")) for text in _examples(file)]
    return Background(_examples(folder / "out_of_scope.yml"), tuple(dict.fromkeys(messages)))


def _examples(file: Path) -> tuple[str, ...]:
    try:
        blocks = yaml.safe_load(file.read_text("utf-8"))["nlu"]
        lines = [line for block in blocks for line in block.get("examples", "").splitlines()]
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise KnowledgeError(
            f"{file} cannot be read as Rasa NLU data: {error}.",
            "It teaches the bot what it has no answer to; restore it.",
        ) from error
    return tuple(line.removeprefix("- ").strip() for line in lines if line.strip("- "))


@contextlib.contextmanager
def build_lock(settings: Settings, progress: Progress) -> Iterator[bool]:
    """Held by the one process that builds; another waits for it. Gives whether there was a wait."""
    settings.models.mkdir(parents=True, exist_ok=True)
    lock = FileLock(settings.models / "index.lock")
    waited = False
    try:
        lock.acquire(timeout=0)
    except Timeout:
        waited = True
        progress("waiting", 0, 1)
        lock.acquire()
        progress("waiting", 1, 1)
    try:
        yield waited
    finally:
        lock.release()


@dataclass(frozen=True)
class _Sources:
    """What an index is built from."""

    knowledge: KnowledgeBase
    background: Background

    @property
    def fingerprint(self) -> str:
        texts = "\n".join((*self.background.off_topic, "", *self.background.messages))
        return self.knowledge.fingerprint + hashlib.sha256(texts.encode()).hexdigest()[:16]


def _read_sources(settings: Settings) -> _Sources:
    return _Sources(load_knowledge_base(settings.knowledge_folder), background(settings))


def ensure_index(
    settings: Settings,
    encoder: TextEncoder,
    force: bool = False,
    progress: Progress = lambda stage, done, total: None,
) -> Built:
    """Read the current index, or build it when articles, encoder or format changed or it is damaged.

    Only texts without a stored vector are encoded. While another process builds, this one waits, then looks again.

    Args:
        settings: Name the knowledge base.
        encoder: For what has to be encoded.
        force: Build in any case, and encode every text again.
        progress: Called with the stage (`waiting`, `encoding`, `calibrating`), steps done now and steps in all.
    """
    encoder = for_retrieval(encoder)
    sources = _read_sources(settings)
    index = None if force else _current(settings, encoder, sources)
    rebuilt = False
    if index is None:
        with build_lock(settings, progress) as waited:
            if waited:
                sources = _read_sources(settings)
                index = None if force else _current(settings, encoder, sources)
            if index is None:
                index = _build(settings, encoder, sources, force, progress)
                rebuilt = True
    return Built(index, len(sources.knowledge.articles), sources.knowledge.errors, rebuilt)


def _current(settings: Settings, encoder: TextEncoder, sources: _Sources) -> Index | None:
    """The index as it stands, if it was built from these sources and can be read."""
    folder = index_folder(settings)
    try:
        if read_manifest(folder).get("knowledge") == sources.fingerprint:
            return read_index(folder, encoder.fingerprint)
    except IndexDamaged:
        pass  # It is built anew.
    return None


def _build(settings: Settings, encoder: TextEncoder, sources: _Sources, force: bool, progress: Progress) -> Index:
    folder = index_folder(settings)
    stored = StoredEncoder(encoder, folder / "vectors")
    if force:
        stored.clear()
    index = assemble(sources.knowledge.articles, sources.background, stored, progress)
    write_index(folder, index, encoder.fingerprint, sources.fingerprint)
    tidy(folder / "vectors", [stored])
    return read_index(folder, encoder.fingerprint)


def current_answerer(settings: Settings, encoder: TextEncoder) -> Answerer:
    """An Answerer over the index as it stands, whether or not articles changed since.

    Raises:
        IndexDamaged: There is none, or it cannot be read.
    """
    index = read_index(index_folder(settings), for_retrieval(encoder).fingerprint)
    return answerer(settings, index, encoder)


def assemble(
    articles: Sequence[Article],
    background: Background,
    encoder: TextEncoder,
    progress: Progress = lambda stage, done, total: None,
) -> Index:
    """The index of articles, in memory, with everything that is fitted on them.

    Args:
        articles: Of both audiences.
        background: Texts beside them.
        encoder: For what has to be encoded.
        progress: As in `ensure_index`.
    """
    audiences: Sequence[Audience] = ("public", "internal")
    texts = {
        audience: texts_of([article for article in articles if article.audience == audience]) for audience in audiences
    }
    total = count_new(encoder, itertools.chain.from_iterable(texts.values()))
    if total:
        progress("encoding", 0, total)
    embedded: dict[Audience, Embedded] = {
        audience: embed(part, encoder, lambda done: progress("encoding", done, total))
        for audience, part in texts.items()
    }
    base = embedded["public"] if embedded["public"].articles else embedded["internal"]
    messages = list(dict.fromkeys((*background.off_topic, *background.messages)))
    languages = [detect(text) for text in messages]
    vectors = encoder.encode(messages, "query")
    different = list({text: row for row, (_, text) in enumerate(base.question_texts)}.values())
    centres = fit_centres(
        (base.questions[different], [base.question_languages[row] for row in different]),
        (base.chunks, base.chunk_languages),
        (vectors, languages),
        encoder.parts,
    )
    shelves = {audience: part.shelf(centres) for audience, part in embedded.items()}
    count = len(dict.fromkeys(background.off_topic))
    unanswerable = OffTopic(
        messages[:count], centres.apply(vectors[:count], languages[:count], "query"), languages[:count]
    )
    index = Index(shelves, centres, {}, {}, build="")
    for done, audience in enumerate(audiences):
        progress("calibrating", int(done > 0), len(audiences))
        seen = [shelf for shelf in index.for_audience(audience) if shelf.articles]
        if audience == "internal" and not shelves["internal"].articles:
            index.calibration[audience], index.heads[audience] = index.calibration["public"], index.heads["public"]
            continue
        fitted = fit(seen, unanswerable, encoder.parts)
        index.calibration[audience], index.heads[audience] = fitted.calibration.to_json(), fitted.head
    progress("calibrating", 1, len(audiences))
    return index


def is_current(settings: Settings) -> bool:
    """Whether the index was built from the articles as they are now."""
    return bool(read_manifest(index_folder(settings)).get("knowledge") == _read_sources(settings).fingerprint)


def answerer(settings: Settings, index: Index, encoder: TextEncoder) -> Answerer:
    """An Answerer with the thresholds and links of the settings."""
    return Answerer(
        index,
        encoder,
        settings["answering.answer_precision"],
        settings["answering.clarify_coverage"],
        settings["server.base_url"],
        Images(settings.knowledge_folder),
    )
