"""From a folder of articles to the current index, when anything changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from bot.encoder.encoder import TextEncoder
from bot.errors import KnowledgeError
from bot.knowledge import calibration
from bot.knowledge.answer import Answerer
from bot.knowledge.article import Article, ArticleError, Audience
from bot.knowledge.calibration import Calibration
from bot.knowledge.centring import Centres, fit_centres
from bot.knowledge.index import (
    Embedded,
    Index,
    IndexDamaged,
    Shelf,
    count_texts,
    embed,
    read_index,
    read_manifest,
    write_index,
)
from bot.knowledge.loader import KnowledgeBase, load_knowledge_base
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


def off_topic_texts(settings: Settings) -> tuple[str, ...]:
    """The bot's own training examples of the intent `out_of_scope`: questions no article answers."""
    file = settings.path("data", "nlu", "out_of_scope.yml")
    try:
        blocks = yaml.safe_load(file.read_text("utf-8"))["nlu"]
        lines = [line for block in blocks for line in block["examples"].splitlines()]
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise KnowledgeError(
            f"{file} cannot be read as Rasa NLU data: {error}.",
            "It teaches the bot what it has no answer to; restore it.",
        ) from error
    return tuple(line.removeprefix("- ").strip() for line in lines if line.strip("- "))


def ensure_index(
    settings: Settings,
    encoder: TextEncoder,
    force: bool = False,
    progress: Progress = lambda stage, done, total: None,
) -> Built:
    """Read the current index, or build it when articles, encoder or format changed or it is damaged.

    Args:
        settings: Name the knowledge base.
        encoder: For what has to be encoded.
        force: Build in any case.
        progress: Called with the stage (`encoding`, `calibrating`), steps done now and steps in all.
    """
    folder = index_folder(settings)
    knowledge = load_knowledge_base(settings.knowledge_folder)
    off_topic = off_topic_texts(settings)
    fingerprint = _fingerprint(knowledge, off_topic)
    if not force:
        try:
            if read_manifest(folder).get("knowledge") == fingerprint:
                index = read_index(folder, encoder.fingerprint)
                return Built(index, len(knowledge.articles), knowledge.errors, rebuilt=False)
        except IndexDamaged:
            pass  # It is built anew below.
    shelves, centres, fitted = assemble(knowledge.articles, off_topic, encoder, progress)
    write_index(folder, shelves, centres, fitted.to_json(), encoder.fingerprint, fingerprint)
    index = read_index(folder, encoder.fingerprint)
    return Built(index, len(knowledge.articles), knowledge.errors, rebuilt=True)


def assemble(
    articles: Sequence[Article],
    off_topic: Sequence[str],
    encoder: TextEncoder,
    progress: Progress = lambda stage, done, total: None,
) -> tuple[dict[Audience, Shelf], Centres, Calibration]:
    """The searchable form of articles, with everything that is fitted on them.

    Args:
        articles: Of both audiences.
        off_topic: Texts no article answers.
        encoder: For what has to be encoded.
        progress: As in `ensure_index`.
    """
    total = count_texts(articles)
    embedded: dict[Audience, Embedded] = {}
    audiences: Sequence[Audience] = ("public", "internal")
    for audience in audiences:
        part = [article for article in articles if article.audience == audience]
        embedded[audience] = embed(part, encoder, lambda done: progress("encoding", done, total))
    progress("calibrating", 0, 1)
    others = encoder.encode(off_topic, "query")
    other_languages = [detect(text) for text in off_topic]
    base = embedded["public"] if embedded["public"].articles else embedded["internal"]
    centres = fit_centres(
        (base.questions, base.question_languages),
        (base.chunks, base.chunk_languages),
        (others, other_languages),
    )
    shelves = {audience: part.shelf(centres) for audience, part in embedded.items()}
    fitted = calibration.fit(
        [shelf for shelf in shelves.values() if shelf.articles],
        centres.apply(others, other_languages, "query"),
    )
    progress("calibrating", 1, 1)
    return shelves, centres, fitted


def is_current(settings: Settings) -> bool:
    """Whether the index was built from the articles as they are now."""
    knowledge = load_knowledge_base(settings.knowledge_folder)
    return read_manifest(index_folder(settings)).get("knowledge") == _fingerprint(knowledge, off_topic_texts(settings))


def _fingerprint(knowledge: KnowledgeBase, off_topic: Sequence[str]) -> str:
    return knowledge.fingerprint + hashlib.sha256("\n".join(off_topic).encode()).hexdigest()[:16]


def answerer(settings: Settings, index: Index, encoder: TextEncoder) -> Answerer:
    """An Answerer with the thresholds and links of the settings."""
    return Answerer(
        index,
        encoder,
        settings["answering.answer_precision"],
        settings["answering.clarify_coverage"],
        settings["server.base_url"],
    )
