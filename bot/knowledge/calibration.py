"""The probability that the top subject answers a question, fitted on the knowledge base itself.

Every question variant is asked as if it were a customer's question: with itself left out of the search (a question in
other words), as it stands (one in the article's own words), and with its whole subject left out (a question about the
product that no article answers). Texts that have nothing to do with the product complete the picture. A logistic
regression on what the search found gives the probability; thresholds are read off cross-validated probabilities for
the precision that is wanted.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.encoder.encoder import Vectors
from bot.knowledge.index import Shelf
from bot.knowledge.retriever import Candidate, rank

Floats = NDArray[np.float64]

# Assumed shares of the questions that come in; the rest can be answered.
SHARE_NOT_COVERED = 0.2
SHARE_OFF_TOPIC = 0.1
# On top of these, asked in the very words of a variant: they teach the fit what that looks like, and count for no
# threshold.
SHARE_VERBATIM = 0.1
MAX_QUERIES = 3000
CHOICES = 3
_WEIGHTS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
_FOLDS = 5
# With fewer subjects than this a fit says nothing, and that of the shipped knowledge base is used.
MIN_SUBJECTS = 10
# What the score of a further subject would be if there were one: typical of unrelated articles, centred vectors.
_UNRELATED = (0.32, 0.27)


@dataclass(frozen=True)
class Calibration:
    """What turns a ranking into probabilities.

    Attributes:
        question_weight: For `rank`.
        mean, scale: Standardise the features, shape (features,).
        top: Coefficients and, last, intercept for "the first subject is right".
        among: The same for "one of the first CHOICES subjects is right".
        points: Cross-validated (probability, right, weight) of the first kind, for choosing thresholds.
        among_points: The same of the second kind.
    """

    question_weight: float
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    top: tuple[float, ...]
    among: tuple[float, ...]
    points: tuple[tuple[float, float, float], ...]
    among_points: tuple[tuple[float, float, float], ...]

    def to_json(self) -> dict[str, Any]:
        """A form for the index's manifest."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Calibration:
        """Back from `to_json`."""
        mean, scale, top, among = (tuple(map(float, values[name])) for name in ("mean", "scale", "top", "among"))
        points, among_points = (
            tuple((float(p), float(right), float(weight)) for p, right, weight in values[name])
            for name in ("points", "among_points")
        )
        return cls(float(values["question_weight"]), mean, scale, top, among, points, among_points)

    def probabilities(self, candidates: Sequence[Candidate]) -> tuple[float, float]:
        """(the first is right, one of the first CHOICES is right) for a ranking; zero for an empty one."""
        if not candidates:
            return 0.0, 0.0
        row = (features(candidates) - np.array(self.mean)) / np.array(self.scale)
        top, among = (
            float(1 / (1 + np.exp(-(row @ np.array(line[:-1]) + line[-1])))) for line in (self.top, self.among)
        )
        return top, max(top, among)


def features(candidates: Sequence[Candidate]) -> Floats:
    """What the probability is read from, shape (features,); candidates are ranked and not empty."""
    first = candidates[0]
    second = candidates[1] if len(candidates) > 1 else None
    later = candidates[CHOICES] if len(candidates) > CHOICES else None
    best_question = max(candidate.question_score for candidate in candidates)
    other_question = max((candidate.question_score for candidate in candidates[1:]), default=_UNRELATED[0])
    best_chunk = max(candidate.chunk_score for candidate in candidates)
    return np.array(
        [
            first.score,
            first.question_score,
            first.chunk_score,
            first.score - (second.score if second else _UNRELATED[0]),
            first.score - (later.score if later else _UNRELATED[1]),
            best_question - first.question_score,
            best_chunk - first.chunk_score,
            first.question_hits / 10,
            # Next to a variant's own words the odds rise faster than in proportion.
            first.question_score**2,
            first.question_score - other_question,
        ]
    )


def threshold(points: Sequence[tuple[float, float, float]], precision: float) -> float:
    """The least probability from which on, at least `precision` of the points are right (weighted).

    Returns:
        A probability, or a value above 1 when no threshold reaches the precision.
    """
    if not 0 < precision < 1:
        raise ValueError(f"precision must be between 0 and 1. Currently, it is {precision}.")
    right = total = 0.0
    best = 1.01
    by_probability = itertools.groupby(sorted(points, reverse=True), key=lambda point: point[0])
    for probability, group in by_probability:
        for _, hit, weight in group:
            right += hit * weight
            total += weight
        if right / total >= precision:
            best = probability
    return best


@dataclass(frozen=True)
class _Query:
    """One question asked for the fit: who wrote it (group), what is right (None: nothing), how it is ranked."""

    group: str
    subject: str | None
    kind: str
    ranked: Callable[[float], list[Candidate]]


def _queries(shelves: Sequence[Shelf], off_topic: Vectors) -> list[_Query]:
    rows = [(number, row) for number, shelf in enumerate(shelves) for row in range(len(shelf.question_texts))]
    if len(rows) > MAX_QUERIES:
        rows = random.Random(0).sample(rows, MAX_QUERIES)  # noqa: S311  (a sample, not a secret)
    places: dict[str, set[tuple[int, int]]] = {}
    for number, shelf in enumerate(shelves):
        for row, (_, text) in enumerate(shelf.question_texts):
            places.setdefault(text, set()).add((number, row))
    queries: list[_Query] = []
    for number, row in rows:
        shelf = shelves[number]
        subject = shelf.articles[shelf.question_texts[row][0]].subject
        vector = shelf.questions.reconstruct(row)
        twins = places[shelf.question_texts[row][1]]

        def covered(weight: float, vector: Any = vector, twins: Any = twins) -> list[Candidate]:
            return rank(shelves, vector, weight, skip_questions=twins)

        def not_covered(weight: float, vector: Any = vector, subject: str = subject) -> list[Candidate]:
            return rank(shelves, vector, weight, skip_subjects={subject})

        def verbatim(weight: float, vector: Any = vector) -> list[Candidate]:
            return rank(shelves, vector, weight)

        queries.append(_Query(subject, subject, "covered", covered))
        queries.append(_Query(subject, subject, "verbatim", verbatim))
        queries.append(_Query(subject, None, "not_covered", not_covered))
    for number, vector in enumerate(off_topic):

        def ranked(weight: float, vector: Any = vector) -> list[Candidate]:
            return rank(shelves, vector, weight)

        queries.append(_Query(f"off topic {number}", None, "off_topic", ranked))
    return queries


def fit(shelves: Sequence[Shelf], off_topic: Vectors) -> Calibration:
    """Fit on the shelves' own question variants and on off-topic texts; see the module's docstring.

    Below MIN_SUBJECTS subjects it is STANDARD.

    Args:
        shelves: What will be searched.
        off_topic: Vectors, centred, of texts no article answers; shape (n, dimensions).
    """
    if len({article.subject for shelf in shelves for article in shelf.articles}) < MIN_SUBJECTS:
        return STANDARD
    queries = _queries(shelves, off_topic)
    covered = [query for query in queries if query.kind == "covered"]
    sample = covered[:: max(1, len(covered) // 400)]
    weight = max(_WEIGHTS, key=lambda weight: sum(_right(query, query.ranked(weight), 1) for query in sample))
    rankings = [(query, query.ranked(weight)) for query in queries]
    rankings = [(query, ranking) for query, ranking in rankings if ranking]
    table = np.stack([features(ranking) for _, ranking in rankings])
    groups = [query.group for query, _ in rankings]
    shares = {"not_covered": SHARE_NOT_COVERED, "off_topic": SHARE_OFF_TOPIC}
    shares |= {"covered": 1 - sum(shares.values()), "verbatim": SHARE_VERBATIM}
    counts = {kind: max(1, sum(query.kind == kind for query, _ in rankings)) for kind in shares}
    size = sum(query.kind != "verbatim" for query, _ in rankings)
    weights = np.array([shares[query.kind] / counts[query.kind] * size for query, _ in rankings])
    mean, scale = table.mean(axis=0), table.std(axis=0) + 1e-9
    standard = (table - mean) / scale
    fits = []
    for depth in (1, CHOICES):
        right = np.array([_right(query, ranking, depth) for query, ranking in rankings])
        line, held_out = _regress(standard, right, weights, groups)
        rows = [
            (round(float(p), 4), float(hit), round(float(w), 4))
            for (query, _), p, hit, w in zip(rankings, held_out, right, weights, strict=True)
            # Thresholds are for questions in other words; those in the article's own are always answered.
            if query.kind != "verbatim"
        ]
        fits.append((line, tuple(rows)))
    (top, points), (among, among_points) = fits
    return Calibration(weight, tuple(mean.tolist()), tuple(scale.tolist()), top, among, points, among_points)


def _right(query: _Query, ranking: Sequence[Candidate], depth: int) -> bool:
    return query.subject is not None and query.subject in [candidate.subject for candidate in ranking[:depth]]


def _regress(
    table: Floats, right: NDArray[np.bool_], weights: Floats, groups: Sequence[str]
) -> tuple[tuple[float, ...], Floats]:
    """Coefficients with the intercept last, and probabilities from folds that did not see a row's group."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold

    if right.all() or not right.any():
        constant = 4.0 if right.all() else -4.0
        line = (*[0.0] * table.shape[1], constant)
        return line, np.full(len(right), 1 / (1 + np.exp(-constant)))
    held_out = np.zeros(len(right))
    for train, test in GroupKFold(min(_FOLDS, len(set(groups)))).split(table, right, groups):
        if right[train].all() or not right[train].any():
            held_out[test] = right[train].mean()
            continue
        model = LogisticRegression(max_iter=1000).fit(table[train], right[train], weights[train])
        held_out[test] = model.predict_proba(table[test])[:, 1]
    model = LogisticRegression(max_iter=1000).fit(table, right, weights)
    return (*model.coef_[0].tolist(), float(model.intercept_[0])), held_out


# The fit of the shipped knowledge base (212 articles in four languages, November 2026), without the number of hits,
# which says nothing where there is little to hit. It has no points: the settings' precision is then read as a
# probability.
STANDARD = Calibration(
    question_weight=0.3,
    mean=(0.448, 0.612, 0.377, 0.121, 0.171, 0.029, 0.012, 0.317, 0.459, 0.192),
    scale=(0.134, 0.292, 0.118, 0.108, 0.118, 0.056, 0.030, 0.239, 0.391, 0.285),
    top=(-0.174, -0.642, 0.397, 1.288, 0.982, 0.150, -0.083, 0.0, 1.727, 0.012, 1.925),
    among=(0.295, 0.252, 0.213, -0.255, 1.813, 0.216, -0.008, 0.0, 0.761, -0.067, 2.307),
    points=(),
    among_points=(),
)
