"""Gaps of the knowledge base: questions without a good answer, put together by meaning, most wanted first.

Clusters are those of Taylor and Butina (J. Chem. Inf. Comput. Sci. 1999, 39, 747): the question with most others near
it comes first and takes them along, then the next of those left. Here the members are gathered once more around the
mean of what was found, which joins questions of several languages. Nothing depends on the order of the questions.

How near is near is read off the knowledge base itself, from its question variants: the similarity at which clusters
come closest to its subjects. See docs/gaps.md.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bot.encoder.encoder import TextEncoder, Vectors
from bot.knowledge.index import Shelf

Reason = Literal["no_answer", "no_choice", "thumb_down", "did_not_help", "handed_off", "rephrased"]
Kind = Literal["no_article", "not_found", "not_helpful", "answered_by_now"]
Labels = NDArray[np.int64]

# The two cases where there was no answer at all; with the others there was a bad one.
_UNANSWERED = ("no_answer", "no_choice")
EXAMPLES = 3
# So many of a gap's questions are asked again to find the nearest article.
PROBES = 5
# An article that is more likely than not the right one is there, but was not found.
LIKELY = 0.5
# Two questions of one language and different subjects are so near in 2 of 1,000 cases on the shipped knowledge base,
# with the default encoder, without companions, and vectors as it gives them.
ASKS_AGAIN = 0.9

# What is tried for "near". A mixed cluster misleads more than a divided one, so precision counts twice (F0.5).
_NEAR = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6)
_BETA = 0.5
# With fewer subjects of two variants or more, what was found for the shipped knowledge base is used.
MIN_SUBJECTS = 10
STANDARD_NEAR = 0.4
# The fewer subjects, the lower the similarity that keeps them apart: with 1,700 of the 4,900 variants of the shipped
# knowledge base it came out as 0.35.
MAX_VARIANTS = 6000
_BLOCK = 256


@dataclass(frozen=True)
class Question:
    """A question that got no answer or a bad one.

    Attributes:
        text: As it was asked.
        language: It was asked in.
        reason: Why it counts.
        conversation: It was asked in.
        asked_at: When.
        article_id: The top article then; None if nothing was found.
        confidence: Of the decision then.
    """

    text: str
    language: str
    reason: Reason
    conversation: str
    asked_at: dt.datetime
    article_id: str | None = None
    confidence: float = 0.0


@dataclass(frozen=True)
class Gap:
    """Questions that ask the same, none of which got a good answer.

    Attributes:
        questions: The one that says it best first.
    """

    questions: tuple[Question, ...]

    @property
    def conversations(self) -> int:
        """Different conversations the questions come from."""
        return len({question.conversation for question in self.questions})

    @property
    def languages(self) -> tuple[str, ...]:
        """Of the questions, the most frequent first."""
        return tuple(language for language, _ in _ranked(question.language for question in self.questions))

    @property
    def reasons(self) -> dict[str, int]:
        """How many questions count for which reason, the most frequent first."""
        return dict(_ranked(question.reason for question in self.questions))

    @property
    def first(self) -> dt.datetime:
        """When it was asked first."""
        return min(question.asked_at for question in self.questions)

    @property
    def last(self) -> dt.datetime:
        """When it was asked last."""
        return max(question.asked_at for question in self.questions)

    @property
    def wordings(self) -> tuple[Question, ...]:
        """The questions without repetitions, the one that says it best first."""
        first: dict[str, Question] = {}
        for question in self.questions:
            first.setdefault(_plain(question.text), question)
        return tuple(first.values())

    @property
    def examples(self) -> tuple[Question, ...]:
        """At most EXAMPLES wordings, of as many languages as there are."""
        first: dict[str, Question] = {}
        for question in self.wordings:
            first.setdefault(question.language, question)
        rest = [question for question in self.wordings if first[question.language] is not question]
        return (*first.values(), *rest)[:EXAMPLES]


@dataclass(frozen=True)
class Nearest:
    """What the knowledge base has for a question now.

    Attributes:
        article_id: The top article, in its original language; None if nothing was found.
        probability: That it answers the question.
        answered: The bot would answer with it.
    """

    article_id: str | None
    probability: float
    answered: bool


@dataclass(frozen=True)
class Verdict:
    """What kind of gap it is, and the article to look at.

    Attributes:
        kind: `no_article` is near; `not_found`: an article is there but was not found; `not_helpful`: an article
            answered but did not help; `answered_by_now`.
        article_id: The nearest article; None if nothing was found.
        probability: That it answers the questions, a mean.
    """

    kind: Kind
    article_id: str | None
    probability: float


def _ranked(values: Iterable[str]) -> list[tuple[str, int]]:
    """Each value with how often it comes, the most frequent first."""
    return sorted(Counter(values).items(), key=lambda pair: (-pair[1], pair[0]))


def _plain(text: str) -> str:
    """What makes two texts the same wording."""
    return " ".join(text.casefold().split())


def find_gaps(questions: Sequence[Question], vectors: Vectors, near: float = STANDARD_NEAR) -> list[Gap]:
    """Put questions together by meaning, most wanted first: by conversations, then questions, then the newest.

    Args:
        questions: In any order.
        vectors: Of each, the main encoder's, centred as in search, shape (len(questions), dimensions).
        near: Least cosine of what belongs together; see `fit_near`.

    Raises:
        ValueError: The vectors are not one for each question, or `near` is no cosine.
    """
    if len(vectors) != len(questions):
        raise ValueError(f"There must be a vector for each question: {len(questions)}. There are {len(vectors)}.")
    if not questions:
        return []
    order = sorted(range(len(questions)), key=lambda row: _key(questions[row]))
    wordings: dict[tuple[str, str], list[int]] = {}
    for row in order:
        wordings.setdefault((questions[row].language, _plain(questions[row].text)), []).append(row)
    members = list(wordings.values())
    table = _unit(vectors[[rows[0] for rows in members]])
    weights = np.array([len(rows) for rows in members])
    labels = cluster(table, weights, near)
    gaps = []
    by_label = np.argsort(labels, kind="stable")
    for group in np.split(by_label, np.flatnonzero(np.diff(labels[by_label])) + 1):
        closeness = table[group] @ (weights[group] @ table[group])
        ranked = group[np.argsort(-closeness, kind="stable")]
        gaps.append(Gap(tuple(questions[row] for wording in ranked for row in members[wording])))
    return sorted(
        gaps, key=lambda gap: (-gap.conversations, -len(gap.questions), -gap.last.timestamp(), _key(gap.questions[0]))
    )


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    result: Vectors = (vectors / np.maximum(lengths, 1e-6)).astype(np.float32)
    return result


def _key(question: Question) -> tuple[str, ...]:
    """An order of questions that is their own."""
    moment = question.asked_at.astimezone(dt.UTC).isoformat()
    place = (question.conversation, question.reason, question.article_id or "", f"{question.confidence:.6f}")
    return (question.language, _plain(question.text), question.text, moment, *place)


def cluster(vectors: Vectors, weights: Labels, near: float) -> Labels:
    """The number of each row's cluster; rows of the same number belong together.

    It takes time in proportion to the square of the rows, and memory in proportion to the rows.

    Args:
        vectors: Unit vectors, shape (n, dimensions).
        weights: How often each row counts, shape (n,).
        near: Least cosine with a cluster's first row, then with its mean.

    Raises:
        ValueError: `near` is not between 0 and 1.
    """
    if not 0 < near < 1:
        raise ValueError(f"near must be between 0 and 1. Currently, it is {near}.")
    size = len(vectors)
    counts = weights.astype(np.float32)
    density = np.concatenate(
        [(vectors[start : start + _BLOCK] @ vectors.T >= near) @ counts for start in range(0, size, _BLOCK)]
    )
    order = np.lexsort((np.arange(size), -density))
    labels = np.full(size, -1, dtype=np.int64)
    alone = density <= counts  # Nothing else is near: a cluster of its own.
    labels[alone] = np.flatnonzero(alone)
    order = order[~alone[order]]
    for start in range(0, len(order), _BLOCK):
        rows = order[start : start + _BLOCK]
        rows = rows[labels[rows] < 0]
        for row, cosines in zip(rows, vectors[rows] @ vectors.T, strict=True):
            if labels[row] < 0:
                # What is near to the mean is not far from the first row.
                around = np.flatnonzero((labels < 0) & (cosines >= near / 2))
                first = around[cosines[around] >= near]
                mean = _unit((counts[first] @ vectors[first])[np.newaxis])[0]
                labels[around[vectors[around] @ mean >= near]] = row
                labels[row] = row
    return labels


def fit_near(shelves: Sequence[Shelf]) -> float:
    """The similarity at which clusters of question variants come closest to the subjects they belong to.

    Closest is the highest B-cubed F0.5 (Bagga and Baldwin 1998); of equals, the higher similarity.

    Args:
        shelves: Of the knowledge base.
    """
    by_subject: dict[str, list[tuple[int, int]]] = {}
    for number, shelf in enumerate(shelves):
        for row, (article, _) in enumerate(shelf.question_texts):
            by_subject.setdefault(shelf.articles[article].subject, []).append((number, row))
    subjects = sorted(subject for subject, places in by_subject.items() if len(places) > 1)
    if len(subjects) < MIN_SUBJECTS:
        return STANDARD_NEAR
    step = max(1, -(-sum(len(by_subject[subject]) for subject in subjects) // MAX_VARIANTS))
    places = [(subject, place) for subject in subjects[::step] for place in by_subject[subject]]
    vectors = _unit(np.stack([shelves[number].questions.reconstruct(row) for _, (number, row) in places]))
    truth = np.unique([subject for subject, _ in places], return_inverse=True)[1]
    once = np.ones(len(places), dtype=np.int64)
    scores = {near: f_score(cluster(vectors, once, near), truth) for near in _NEAR}
    return max(scores, key=lambda near: (scores[near], near))


def f_score(labels: Labels, truth: Labels, beta: float = _BETA) -> float:
    """B-cubed F of clusters: of the rows put together with a row, and of those that should be, how many are both.

    Args:
        labels: Cluster of each row, shape (n,).
        truth: Where each row belongs, shape (n,).
        beta: Weight of recall against precision.
    """
    pairs, both = np.unique(np.stack([labels, truth]), axis=1, return_counts=True)
    put, size_put = np.unique(labels, return_counts=True)
    belong, size_belong = np.unique(truth, return_counts=True)
    precision = float((both**2 / size_put[np.searchsorted(put, pairs[0])]).sum() / len(labels))
    recall = float((both**2 / size_belong[np.searchsorted(belong, pairs[1])]).sum() / len(labels))
    return (1 + beta**2) * precision * recall / (beta**2 * precision + recall)


def assess(gap: Gap, nearest: Callable[[str, str], Nearest]) -> Verdict:
    """What kind of gap it is.

    Args:
        gap: To look at.
        nearest: Finds what the knowledge base has now, by text and language.
    """
    bad = [question for question in gap.questions if question.reason not in _UNANSWERED]
    if 2 * len(bad) >= len(gap.questions):
        article_id = _ranked(question.article_id or "" for question in bad)[0][0]
        confidences = [question.confidence for question in bad if (question.article_id or "") == article_id]
        return Verdict("not_helpful", article_id or None, sum(confidences) / len(confidences))
    found = [nearest(question.text, question.language) for question in gap.wordings[:PROBES]]
    totals: dict[str, float] = {}
    for one in found:
        if one.article_id:
            totals[one.article_id] = totals.get(one.article_id, 0.0) + one.probability
    if not totals:
        return Verdict("no_article", None, 0.0)
    best = min(totals, key=lambda article_id: (-totals[article_id], article_id))
    probability = totals[best] / len(found)
    if 2 * sum(one.answered for one in found) > len(found):
        return Verdict("answered_by_now", best, probability)
    return Verdict("not_found" if probability >= LIKELY else "no_article", best, probability)


def asks_again(encoder: TextEncoder, earlier: str, later: str) -> bool:
    """Whether a question says what an earlier one said, in other words or the same."""
    one, other = encoder.encode([earlier, later], "query")
    return bool(one @ other >= ASKS_AGAIN)
