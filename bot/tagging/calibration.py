"""From the head's logits to probabilities, and from probabilities to tags; fitted on examples it was not trained on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.tagging.tags import SIGNALS, TAGS, TOPICS

Floats = NDArray[np.float64]
# Of the per-tag shifts; strong, for a tag has about fifty examples to fit on.
_PENALTY = 4.0
_GRID = np.round(np.arange(0.26, 0.62, 0.02), 2)


@dataclass(frozen=True)
class Calibration:
    """Platt scaling with one slope for all tags and a shift for each (Platt, 1999), and the thresholds.

    Attributes:
        slope: Factor of a logit, for each output.
        shift: Added to it, for each output.
        topic: Least probability of a topic.
        signal: Least probability of a signal.
        urgent: Least probability of urgency.
    """

    slope: tuple[float, ...]
    shift: tuple[float, ...]
    topic: float
    signal: float
    urgent: float

    def probabilities(self, logits: NDArray[Any]) -> Floats:
        """Of logits, in their shape (…, outputs)."""
        scaled = np.asarray(logits, dtype=np.float64) * np.array(self.slope) + np.array(self.shift)
        return np.asarray(1 / (1 + np.exp(-scaled)))

    def carried(self, probabilities: Floats) -> NDArray[np.bool_]:
        """Which tags a message carries and whether it is urgent; shape (…, TAGS and urgent)."""
        least = [*([self.topic] * len(TOPICS)), *([self.signal] * len(SIGNALS)), self.urgent]
        return np.asarray(probabilities[..., : len(least)] >= np.array(least))

    def to_json(self) -> dict[str, Any]:
        """For the manifest."""
        return asdict(self)

    @staticmethod
    def from_json(data: dict[str, Any]) -> Calibration:
        """From the manifest."""
        return Calibration(**{**data, "slope": tuple(data["slope"]), "shift": tuple(data["shift"])})


def fit(logits: NDArray[Any], targets: NDArray[Any], known: NDArray[Any]) -> Calibration:
    """Fit on examples the head has not seen.

    Args:
        logits: Shape (examples, outputs): TAGS, urgent, negative, positive.
        targets: The same shape, 0 or 1.
        known: The same shape; 0 where nobody knows.
    """
    outputs = logits.shape[1]
    slope, shift = np.ones(outputs), np.zeros(outputs)
    columns = list(range(len(TAGS)))
    common, shifts = _platt(logits[:, columns], targets[:, columns], known[:, columns])
    slope[columns], shift[columns] = common, shifts
    for column in range(len(TAGS), outputs):
        only = slice(column, column + 1)
        slope[column], (shift[column],) = _platt(logits[:, only], targets[:, only], known[:, only])
    free = Calibration(tuple(map(float, slope)), tuple(map(float, shift)), 0.5, 0.5, 0.5)
    probabilities = free.probabilities(logits)
    parts = (slice(0, len(TOPICS)), slice(len(TOPICS), len(TAGS)), slice(len(TAGS), len(TAGS) + 1))
    topic, signal, urgent = (_threshold(probabilities[:, p], targets[:, p], known[:, p]) for p in parts)
    return Calibration(free.slope, free.shift, topic, signal, urgent)


def _platt(logits: NDArray[Any], targets: NDArray[Any], known: NDArray[Any]) -> tuple[float, Floats]:
    """Slope and shift of each column that give the likeliest targets; columns' own shifts are penalised."""
    from scipy.optimize import minimize

    width = logits.shape[1]

    def loss(parameters: Floats) -> tuple[float, Floats]:
        slope, base, own = parameters[0], parameters[1], parameters[2:]
        scaled = slope * logits + base + own
        error = (1 / (1 + np.exp(-scaled)) - targets) * known
        value = (known * (np.logaddexp(0, scaled) - targets * scaled)).sum() + _PENALTY / 2 * (own**2).sum()
        gradient = np.concatenate([[(error * logits).sum(), error.sum()], error.sum(axis=0) + _PENALTY * own])
        return float(value), gradient

    found = minimize(loss, np.concatenate([[1.0, 0.0], np.zeros(width)]), jac=True, method="L-BFGS-B").x
    return float(found[0]), found[1] + found[2:]


def _threshold(probabilities: Floats, targets: NDArray[Any], known: NDArray[Any]) -> float:
    """The least probability with which F1, over all columns together, is greatest."""

    def f1(least: float) -> float:
        said = (probabilities >= least) & (known > 0)
        right = (said & (targets > 0)).sum()
        return float(2 * right / max(said.sum() + (targets * known).sum(), 1))

    return float(max(_GRID, key=lambda least: (round(f1(least), 4), -abs(least - 0.4))))
