"""How good tags are, against those people gave: what `refill evaluate tags` counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bot.tagging.tags import SIGNALS, TAGS, TOPICS

_BINS = 15
# Less is said of nearly every message and tag, and rightly so: it would hide how good the rest is.
_SAID = 0.05
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class TagScores:
    """F1 is 2 × right / (said + true). None where a score has nothing to count.

    Attributes:
        reactive_f1: Whether a message has a topic.
        any_signal_f1: Whether it has a signal.
        topics_micro_f1: Over all topics together.
        topics_macro_f1: Mean of the topics that occur.
        signals_micro_f1: Over all signals together.
        signals_macro_f1: Mean of the signals that occur.
        urgent_f1: Whether it is urgent.
        ece: Expected calibration error of tags said with a probability of at least 0.05, in 15 bins of equal width.
        messages: How many.
        by_tag: F1 of each tag that occurs or is said.
        by_language: The same of each language.
    """

    reactive_f1: float | None
    any_signal_f1: float | None
    topics_micro_f1: float | None
    topics_macro_f1: float | None
    signals_micro_f1: float | None
    signals_macro_f1: float | None
    urgent_f1: float | None
    ece: float | None
    messages: int
    by_tag: dict[str, float | None] = field(default_factory=dict)
    by_language: dict[str, TagScores] = field(default_factory=dict)


def score(
    said: Bools,
    true: Bools,
    probabilities: NDArray[np.float64],
    languages: Sequence[str],
) -> TagScores:
    """Score messages.

    Args:
        said: Shape (messages, TAGS and urgent): what the tagger said.
        true: The same shape: what people said.
        probabilities: Shape (messages, TAGS).
        languages: Of each message.
    """
    total = _score(said, true, probabilities)
    known = np.array(languages)
    parts = {
        language: _score(said[known == language], true[known == language], probabilities[known == language])
        for language in sorted(set(languages))
    }
    return TagScores(**{**vars(total), "by_language": parts})


def _score(said: Bools, true: Bools, probabilities: NDArray[np.float64]) -> TagScores:
    topics, signals = slice(0, len(TOPICS)), slice(len(TOPICS), len(TAGS))
    by_tag = {name: f1(said[:, column], true[:, column]) for column, name in enumerate(TAGS)}
    return TagScores(
        reactive_f1=f1(_any(said[:, topics]), _any(true[:, topics])),
        any_signal_f1=f1(_any(said[:, signals]), _any(true[:, signals])),
        topics_micro_f1=f1(said[:, topics], true[:, topics]),
        topics_macro_f1=_mean(by_tag[name] for name in TOPICS),
        signals_micro_f1=f1(said[:, signals], true[:, signals]),
        signals_macro_f1=_mean(by_tag[name] for name in SIGNALS),
        urgent_f1=f1(said[:, -1], true[:, -1]),
        ece=calibration_error(probabilities, true[:, : len(TAGS)]),
        messages=len(said),
        by_tag=by_tag,
    )


def f1(said: Bools, true: Bools) -> float | None:
    """2 × right / (said + true); None where nothing is said and nothing is true."""
    count = int(said.sum() + true.sum())
    return float(2 * (said & true).sum() / count) if count else None


def calibration_error(probabilities: NDArray[np.float64], true: Bools) -> float | None:
    """Expected calibration error (Naeini et al., 2015): |mean probability − share of true| over the bins, weighed."""
    considered = probabilities >= _SAID
    if not considered.any():
        return None
    values, right = probabilities[considered], true[considered]
    bins = np.minimum((values * _BINS).astype(int), _BINS - 1)
    error = 0.0
    for chosen in (bins == number for number in set(bins.tolist())):
        error += chosen.sum() * abs(values[chosen].mean() - right[chosen].mean())
    return float(error / len(values))


def _any(flags: Bools) -> Bools:
    return np.asarray(flags.any(axis=1))


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
