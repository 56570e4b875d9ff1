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
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.encoder.encoder import Vectors
from bot.knowledge import head as heads
from bot.knowledge.head import FLOOR, Head
from bot.knowledge.index import Shelf
from bot.knowledge.keywords import terms
from bot.knowledge.retriever import Candidate, Mix, Query, mixed, rank
from bot.settings import LANGUAGES

Floats = NDArray[np.float64]

# Assumed shares of the questions that come in; the rest can be answered, some of them asked in the words of a variant.
SHARE_NOT_COVERED = 0.12
SHARE_OFF_TOPIC = 0.08
SHARE_VERBATIM = 0.1
MAX_QUERIES = 2000
CHOICES = 3
_QUESTION_WEIGHTS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_HEAD_WEIGHTS = (0.0, 0.1, 0.2, 0.4, 0.8, 1.2, 2.0, 3.0)
_FOLDS = 4
_ABOUT = 0.005
# With fewer subjects than this a fit says nothing, and that of the shipped knowledge base is used.
MIN_SUBJECTS = 10
FEATURES = 24
_SEARCHES = 4
# What the scores of the second and fourth subject would be if there were any: typical of unrelated articles, centred
# vectors.
_UNRELATED = (0.32, 0.27)


@dataclass(frozen=True)
class Calibration:
    """What turns a ranking into probabilities.

    Attributes:
        mix: For `rank`.
        mean, scale: Standardise the features, shape (FEATURES,).
        top: Coefficients and, last, intercept for "the first subject is right".
        among: The same for "one of the first CHOICES subjects is right".
        points: Cross-validated (probability, right, weight) of the first kind, for choosing thresholds.
        among_points: The same of the second kind.
    """

    mix: Mix
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
        mix = Mix(float(values["mix"]["question"]), float(values["mix"]["head"]))
        return cls(mix, mean, scale, top, among, points, among_points)

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
    """What the probability is read from, shape (FEATURES,); candidates are ranked and not empty."""
    first, *others = candidates
    scores = [candidate.score for candidate in candidates[:10]]
    scores += np.linspace(*_UNRELATED, CHOICES + 1)[len(scores) :].tolist()
    other_question = max((candidate.question_score for candidate in others), default=_UNRELATED[0])
    other_chunk = max((candidate.chunk_score for candidate in others), default=_UNRELATED[0])
    other_words = max((candidate.words for candidate in others), default=0.0)
    other_head = max((candidate.head for candidate in others), default=FLOOR)
    agreeing = sum(
        (
            first.question_score >= other_question,
            first.chunk_score >= other_chunk,
            first.words >= other_words,
            first.head >= other_head,
        )
    )
    return np.array(
        [
            scores[0],
            first.question_score,
            first.chunk_score,
            first.question_score - other_question,
            first.chunk_score - other_chunk,
            scores[0] - scores[1],
            scores[0] - scores[CHOICES],
            scores[0] - np.mean(scores[1 : CHOICES + 1]),
            (scores[0] - np.mean(scores[1:])) / (np.std(scores[1:]) + 1e-3),
            np.mean(scores[1:6]),
            max(0.0, other_question - first.question_score),
            max(0.0, other_chunk - first.chunk_score),
            first.question_hits / 10,
            # Next to a variant's own words the odds rise faster than in proportion.
            first.question_score**2,
            first.chunk_score**2,
            first.question_score * first.chunk_score,
            first.words,
            first.words - other_words,
            first.head,
            np.exp(first.head),
            np.exp(first.head) - np.exp(other_head),
            float(first.same_language),
            # How many of the searches agree on the first.
            agreeing,
            float(agreeing == _SEARCHES),
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
class OffTopic:
    """Texts no article answers, as they are searched for."""

    texts: Sequence[str]
    vectors: Vectors
    languages: Sequence[str]


@dataclass(frozen=True)
class Fitted:
    """What is fitted on the articles an audience may see."""

    calibration: Calibration
    head: Head | None


@dataclass(frozen=True)
class _Asked:
    """One question asked for the fit: who wrote it (group), what is right (None: nothing), what was found."""

    group: str
    subject: str | None
    kind: str
    found: list[Candidate]


class _Variants:
    """Every question variant of some shelves, with classifiers that did not see it or did not see its subject."""

    def __init__(self, shelves: Sequence[Shelf], parts: tuple[int, ...]) -> None:
        self._shelves = shelves
        self._parts = parts
        self.places = [
            (number, row) for number, shelf in enumerate(shelves) for row in range(len(shelf.question_texts))
        ]
        articles = [shelves[number].articles[shelves[number].question_owners[row]] for number, row in self.places]
        self.subjects = [article.subject for article in articles]
        self._languages = [LANGUAGES[code] for shelf in shelves for code in shelf.question_languages.tolist()]
        self._texts = [shelves[number].question_texts[row][1] for number, row in self.places]
        self._vectors: Vectors = np.concatenate([shelf.question_vectors for shelf in shelves]).astype(np.float32)
        self._twins: dict[str, set[tuple[int, int]]] = {}
        for place, text in zip(self.places, self._texts, strict=True):
            self._twins.setdefault(text, set()).add(place)
        self.head: Head | None = None
        self._without_text: list[Head | None] = []
        self._without_subject: list[Head | None] = []
        self._text_folds = np.array(_folds(self._texts, self.subjects))
        self._subject_folds = np.array(_folds(self.subjects, [""] * len(self.subjects)))
        if heads.worthwhile(self.subjects):
            names = np.array(self.subjects)
            self.head = heads.train(self._vectors, self.subjects)
            for folds, trained in (
                (self._text_folds, self._without_text),
                (self._subject_folds, self._without_subject),
            ):
                for fold in range(_FOLDS):
                    kept = folds != fold
                    several = len(set(names[kept].tolist())) > 1
                    trained.append(heads.train(self._vectors[kept], names[kept].tolist()) if several else None)

    def ask(self, number: int, kind: str, mix: Mix) -> _Asked:
        """What is found for a variant, as a kind of question: `covered`, `verbatim` or `not_covered`."""
        subject, text = self.subjects[number], self._texts[number]
        head = self.head
        if head is not None and kind == "covered":
            head = self._without_text[self._text_folds[number]]
        elif head is not None and kind == "not_covered":
            head = self._without_subject[self._subject_folds[number]]
        query = _query(self._vectors[number], self._parts, self._languages[number], text, head)
        found = rank(
            self._shelves,
            query,
            mix,
            skip_questions=self._twins[text] if kind == "covered" else (),
            skip_subjects={subject} if kind == "not_covered" else (),
        )
        return _Asked(subject, None if kind == "not_covered" else subject, kind, found)


def _folds(keys: Sequence[str], groups: Sequence[str]) -> list[int]:
    """A fold for each key, equal keys in the same, those of a group spread evenly."""
    folds: dict[str, int] = {}
    counts: dict[str, int] = {}
    order = list(range(len(keys)))
    random.Random(0).shuffle(order)  # noqa: S311  (no secret)
    for place in order:
        if keys[place] not in folds:
            group = groups[place]
            counts[group] = counts.get(group, -1) + 1
            folds[keys[place]] = counts[group] % _FOLDS
    return [folds[key] for key in keys]


def _query(vector: Vectors, parts: tuple[int, ...], language: str, text: str, head: Head | None) -> Query:
    return Query(vector, parts or (len(vector),), language, tuple(terms(text)), told_by(head, vector))


def told_by(head: Head | None, vector: Vectors) -> Mapping[str, float]:
    """A classifier's log probability of each subject it knows; empty without one."""
    if head is None:
        return {}
    return dict(zip(head.subjects, head.log_probabilities(vector[None])[0].tolist(), strict=True))


def fit(shelves: Sequence[Shelf], off_topic: OffTopic, parts: tuple[int, ...] = ()) -> Fitted:
    """Fit on the shelves' own question variants and on off-topic texts; see the module's docstring.

    Below MIN_SUBJECTS subjects the calibration is STANDARD.

    Args:
        shelves: What will be searched.
        off_topic: Texts no article answers.
        parts: Dimensions of the parts of a vector; empty: it has only one.
    """
    if not any(len(shelf.question_texts) for shelf in shelves):
        return Fitted(STANDARD, None)
    variants = _Variants(shelves, parts)
    if len(set(variants.subjects)) < MIN_SUBJECTS:
        return Fitted(STANDARD, variants.head)
    numbers = range(len(variants.places))
    if len(numbers) > MAX_QUERIES:
        numbers = sorted(random.Random(0).sample(numbers, MAX_QUERIES))  # type: ignore[assignment]  # noqa: S311
    anyhow = STANDARD.mix
    covered = [variants.ask(number, "covered", anyhow) for number in numbers]
    mix = _best_mix(covered, with_head=variants.head is not None)
    others = [variants.ask(number, kind, anyhow) for kind in ("not_covered", "verbatim") for number in numbers[::2]]
    for vector, language, text in zip(off_topic.vectors, off_topic.languages, off_topic.texts, strict=True):
        found = rank(shelves, _query(vector, parts, language, text, variants.head), anyhow)
        others.append(_Asked(f"off topic {text}", None, "off_topic", found))
    asked = [_Asked(one.group, one.subject, one.kind, mixed(one.found, mix)) for one in covered + others if one.found]
    return Fitted(_calibrated(asked, mix), variants.head)


def _best_mix(covered: Sequence[_Asked], with_head: bool) -> Mix:
    """The weights with which most questions in other words find their subject first.

    The classifiers asked here saw fewer variants than the one in use: of mixes that are about as good, the one that
    trusts it most is taken.
    """
    width = max(len(one.found) for one in covered)
    scores = np.full((3, len(covered), width), -100.0)
    right = np.zeros((len(covered), width), dtype=bool)
    for row, one in enumerate(covered):
        for place, found in enumerate(one.found):
            scores[:, row, place] = found.question_score, found.chunk_score, 1 - found.head / FLOOR
            right[row, place] = found.subject == one.subject
    mixes = [Mix(q, h) for h in (_HEAD_WEIGHTS if with_head else (0.0,)) for q in _QUESTION_WEIGHTS]

    def hits(mix: Mix) -> int:
        weighed = mix.question * scores[0] + (1 - mix.question) * scores[1] + mix.head * scores[2]
        return int(right[np.arange(len(covered)), weighed.argmax(axis=1)].sum())

    right_first = {mix: hits(mix) for mix in mixes}
    enough = max(right_first.values()) - _ABOUT * len(covered)
    return max((mix for mix in mixes if right_first[mix] >= enough), key=lambda mix: (mix.head, right_first[mix]))


def _calibrated(asked: Sequence[_Asked], mix: Mix) -> Calibration:
    table = np.stack([features(one.found) for one in asked])
    groups = [one.group for one in asked]
    shares = {"not_covered": SHARE_NOT_COVERED, "off_topic": SHARE_OFF_TOPIC}
    shares |= {"verbatim": SHARE_VERBATIM}
    shares |= {"covered": 1 - sum(shares.values())}
    counts = {kind: max(1, sum(one.kind == kind for one in asked)) for kind in shares}
    weights = np.array([shares[one.kind] / counts[one.kind] * len(asked) for one in asked])
    mean, scale = table.mean(axis=0), table.std(axis=0) + 1e-9
    standard = (table - mean) / scale
    fits = []
    for depth in (1, CHOICES):
        right = np.array([one.subject in [found.subject for found in one.found[:depth]] for one in asked])
        line, held_out = _regress(standard, right, weights, groups)
        rows = zip(held_out, right, weights, strict=True)
        fits.append((line, tuple((round(float(p), 4), float(hit), round(float(w), 4)) for p, hit, w in rows)))
    (top, points), (among, among_points) = fits
    return Calibration(mix, tuple(mean.tolist()), tuple(scale.tolist()), top, among, points, among_points)


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


# The fit of the shipped knowledge base (November 2026) without a classifier, the number of hits, which says nothing
# where there is little to hit, and the language. It has no points: the settings' precision is then read as a
# probability.
STANDARD = Calibration(
    mix=Mix(0.4, 0.0),
    mean=(
        *(0.465, 0.606, 0.371, 0.166, 0.035, 0.116, 0.170, 0.145, 5.534, 0.301, 0.022, 0.020),
        *(0.0, 0.441, 0.154, 0.230, 0.273, 0.055, 0.0, 0.0, 0.0, 0.0, 2.881, 0.293),
    ),
    scale=(
        *(0.143, 0.273, 0.129, 0.263, 0.094, 0.112, 0.123, 0.116, 4.555, 0.063, 0.045, 0.040),
        *(1.0, 0.388, 0.110, 0.143, 0.175, 0.142, 1.0, 1.0, 1.0, 1.0, 0.908, 0.455),
    ),
    top=(
        *(0.983, 0.707, 0.819, 0.081, 0.317, 0.868, 0.565, -1.079, 0.296, -0.559, -0.041, 0.083),
        *(0.0, 0.666, -0.540, -0.262, -0.177, 0.599, 0.0, 0.0, 0.0, 0.0, 0.001, -0.047, 1.702),
    ),
    among=(
        *(1.828, 1.960, 0.613, -0.005, 0.395, -0.212, 1.151, -1.070, -0.111, -0.693, 0.066, 0.047),
        *(0.0, -0.244, -0.281, -0.937, -0.280, 0.578, 0.0, 0.0, 0.0, 0.0, 0.046, -0.066, 2.391),
    ),
    points=(),
    among_points=(),
)
