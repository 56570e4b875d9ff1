"""Measure answering on labelled questions and on passages, by the product's own path.

Labelled questions: each label of the training file becomes an article with the training texts as its question
variants, and each test text is decided as a customer's question. Passages: each paragraph becomes an article without
question variants, and each question is to find its own.

Everything is built in memory and fitted on the training file, or the passages, alone.
"""

from __future__ import annotations

import datetime as dt
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.encoder.encoder import TextEncoder
from bot.knowledge.answer import Answerer
from bot.knowledge.article import Article
from bot.knowledge.build import Background, Progress, assemble, background
from bot.knowledge.build import answerer as make_answerer
from bot.knowledge.examples import EvaluationError, Example, SquadFile
from bot.knowledge.metrics import AnswerScores, Asked, RankScores, score_answers, score_ranks
from bot.language import detect

if TYPE_CHECKING:
    from bot.settings import Settings

# As long as a title or question variant of an article may be.
MAX_CHARACTERS = 300
DEPTH = 10
_WARM_UP = 10
# So many texts of a label tell its language.
_TELLING = 20
_SHOWN = 5

Step = Callable[[int], None]


@dataclass(frozen=True)
class AnswersReport:
    """What `decide_each` found.

    Attributes:
        scores: See there.
        clarified: Share of all rows on which the bot asked back.
        choice_right: Share of these with the right label among the choices; None if there are none.
        rows: What was decided on each test row, in order.
    """

    scores: AnswerScores
    clarified: float
    choice_right: float | None
    rows: tuple[Asked, ...]


@dataclass(frozen=True)
class Labelled:
    """Training examples as a knowledge base.

    Attributes:
        articles: One for each label.
        labels: Of each article, by its id.
        off_topic: Training texts out of scope.
        language: Of most articles.
    """

    articles: tuple[Article, ...]
    labels: dict[str, str]
    off_topic: tuple[str, ...]
    language: str


def answerer_over(
    articles: Sequence[Article],
    off_topic: Sequence[str],
    settings: Settings,
    encoder: TextEncoder,
    progress: Progress = lambda stage, done, total: None,
    built_with: TextEncoder | None = None,
) -> Answerer:
    """An Answerer over articles in memory, with everything the product fits on articles fitted on these.

    Args:
        articles: At least one.
        off_topic: Texts no article answers, beside the bot's own examples.
        settings: Give the precision of the thresholds, and those examples.
        encoder: Encodes questions when they are asked.
        progress: As in `ensure_index`.
        built_with: Encodes the articles, where their vectors are kept somewhere; default: `encoder`.
    """
    own = background(settings)
    everything = Background((*own.off_topic, *off_topic), own.messages)
    index = assemble(articles, everything, encoder if built_with is None else built_with, progress)
    return make_answerer(settings, index, encoder)


# Labelled questions --------------------------------------------------------------------------------------------------


def as_knowledge_base(train: Sequence[Example]) -> Labelled:
    """Make an article of each label: titled with its words, asked for with its texts.

    Raises:
        EvaluationError: There are fewer than two labels.
    """
    variants: dict[str, list[str]] = {}
    for example in train:
        if example.label and example.text:
            variants.setdefault(example.label, []).append(example.text[:MAX_CHARACTERS].strip())
    if len(variants) < 2:
        raise EvaluationError(
            f"The training file has {len(variants)} labels with texts; it must have at least 2.",
            "Give texts of several labels: there is nothing to decide between.",
        )
    samples = {label: "\n".join(texts[:_TELLING]) for label, texts in variants.items()}
    language = _most(map(detect, samples.values()))
    articles = tuple(
        _article(f"label-{number}", _words(label), texts, detect(samples[label], language))
        for number, (label, texts) in enumerate(variants.items(), 1)
    )
    return Labelled(
        articles,
        {article.id: label for article, label in zip(articles, variants, strict=True)},
        tuple(example.text for example in train if example.label is None and example.text),
        language,
    )


def doubts(train: Sequence[Example], test: Sequence[Example]) -> list[str]:
    """What a reader of the result should know of the files, a line each."""
    labels: dict[str, set[str]] = {}
    for example in train:
        labels.setdefault(example.text, set()).add(example.label or "out of scope")
    torn = [text for text, found in labels.items() if len(found) > 1]
    known = {example.label for example in train if example.text}
    unknown = [example.label for example in test if example.label is not None and example.label not in known]
    long = sum(len(example.text) > MAX_CHARACTERS for example in train)
    empty = sum(not example.text for example in train)
    outside = sum(example.label is None for example in train)
    lines = [
        (unknown, f"{len(unknown)} test rows have a label the training file has not, and count as wrong: "),
        (torn, f"{len(torn)} training texts have several labels: "),
    ]
    found = [start + _named(values) for values, start in lines if values]
    if outside:
        found.append(f"{outside} training rows are out of scope; they teach what not to answer.")
    if long:
        found.append(f"{long} training texts are cut to {MAX_CHARACTERS} characters.")
    if empty:
        found.append(f"{empty} training rows have no text and are left out.")
    return found


def decide_each(
    answerer: Answerer, base: Labelled, test: Sequence[Example], step: Step = lambda done: None
) -> AnswersReport:
    """Decide on each test example as the product does, one at a time.

    Args:
        answerer: Over the articles of base, as `answerer_over` makes it.
        base: Tells the label of each article.
        test: As `read_examples` gives them; at least one.
        step: Called with the number of questions asked since the last call.
    """
    for example in test[:_WARM_UP]:
        # As long as a real question, and in no cache afterwards.
        answerer.decide(example.text[::-1], "public", base.language)
    rows = []
    seconds = 0.0
    for example in test:
        language = detect(example.text, base.language)
        begun = time.perf_counter()
        answer = answerer.decide(example.text, "public", language)
        seconds += time.perf_counter() - begun
        rows.append(
            Asked(
                example.label,
                base.labels[answer.article_id] if answer.article_id else None,
                answer.confidence,
                answer.decision == "answer",
                tuple(base.labels[choice.article_id] for choice in answer.alternatives),
            )
        )
        step(1)
    clarified = [row for row in rows if row.choices]
    return AnswersReport(
        score_answers(rows, 1000 * seconds / len(rows)),
        len(clarified) / len(rows),
        sum(row.label in row.choices for row in clarified) / len(clarified) if clarified else None,
        tuple(rows),
    )


# Passages ------------------------------------------------------------------------------------------------------------


def as_articles(passages: SquadFile, language: str | None = None) -> list[Article]:
    """Make an article of each paragraph, in order.

    All have the same title, which helps nothing: a real one would tell what the paragraph is about.

    Args:
        passages: At least one.
        language: Of all of them; default: detected.
    """
    language = language or _most(map(detect, passages.passages))
    return [_article(f"passage-{n}", "Paragraph", (), language, text) for n, text in enumerate(passages.passages, 1)]


def search_each(
    answerer: Answerer, articles: Sequence[Article], queries: SquadFile, step: Step = lambda done: None
) -> RankScores:
    """Look for each question's paragraph among all paragraphs as the product does.

    Args:
        answerer: Over the articles, as `answerer_over` makes it.
        articles: As `as_articles` made them of a file of the same shape as queries.
        queries: Its questions are asked; at least one.
        step: Called with the number of questions asked since the last call.
    """
    asked_in = _most(detect(question) for _, question in queries.questions)
    places = []
    for number, question in queries.questions:
        ranked = answerer.rank(question, "public", detect(question, asked_in))
        ids = [article.id for article, _ in ranked[:DEPTH]]
        wanted = articles[number].id
        places.append(ids.index(wanted) + 1 if wanted in ids else None)
        step(1)
    return score_ranks(places)


def _article(identifier: str, title: str, questions: Sequence[str], language: str, body: str = "") -> Article:
    values: dict[str, Any] = {
        "id": identifier,
        "title": title,
        "language": language,
        "audience": "public",
        "topics": ("how_to",),
        "questions": tuple(questions),
        "updated": dt.date(2000, 1, 1),
        "body": body or title,
    }
    return Article(**values)


def _words(label: str) -> str:
    """A label as a title: `cardArrival`, `card_arrival` and `card-arrival` are all two words."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", label)
    return (re.sub(r"[\W_]+", " ", parted).strip() or label)[:MAX_CHARACTERS].strip()


def _most(values: Iterable[str]) -> str:
    return Counter(values).most_common(1)[0][0]


def _named(values: Iterable[str]) -> str:
    """Some of the values, each once, to recognise them by."""
    different = list(dict.fromkeys(values))
    more = f" and {len(different) - _SHOWN} more" if len(different) > _SHOWN else ""
    return ", ".join(repr(value[:60]) for value in different[:_SHOWN]) + more
