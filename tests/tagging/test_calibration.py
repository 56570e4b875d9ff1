"""From logits to probabilities and tags."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bot.tagging.calibration import Calibration, fit
from bot.tagging.tags import SIGNALS, TAGS, TOPICS

OUTPUTS = len(TAGS) + 3


def sample(rows: int, slope: float, shift: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Logits, and targets that are true as often as slope × logit + shift says."""
    rng = np.random.default_rng(7)
    logits = rng.normal(-2, 3, (rows, OUTPUTS))
    likely = 1 / (1 + np.exp(-(slope * logits + shift)))
    return logits, (rng.random(logits.shape) < likely).astype(float)


def test_overconfident_logits_are_brought_down() -> None:
    logits, targets = sample(3000, 0.5, -0.5)
    found = fit(logits, targets, np.ones_like(targets))
    assert np.mean(found.slope[: len(TAGS)]) == pytest.approx(0.5, abs=0.05)
    probabilities = found.probabilities(logits)
    high = probabilities > 0.8
    assert probabilities[high].mean() == pytest.approx(targets[high].mean(), abs=0.03)


def test_tags_share_a_slope_and_have_shifts_of_their_own() -> None:
    logits, targets = sample(2000, 1.0, 0.0)
    targets[:, 0] = 0
    found = fit(logits, targets, np.ones_like(targets))
    assert len(set(found.slope[: len(TAGS)])) == 1
    assert found.shift[0] < min(found.shift[1 : len(TAGS)])


def test_what_is_not_known_counts_for_nothing() -> None:
    logits, targets = sample(800, 1.0, 0.0)
    known = np.ones_like(targets)
    known[400:] = 0
    wrong = targets.copy()
    wrong[400:] = 1 - wrong[400:]
    assert fit(logits, wrong, known) == fit(logits, targets, known)


def test_thresholds_are_where_f1_is_greatest() -> None:
    logits, targets = sample(4000, 1.0, 0.0)
    found = fit(logits, targets, np.ones_like(targets))

    def f1(least: float) -> float:
        said = found.probabilities(logits)[:, : len(TOPICS)] >= least
        true = targets[:, : len(TOPICS)] > 0
        return float(2 * (said & true).sum() / (said.sum() + true.sum()))

    assert f1(found.topic) >= max(f1(least) for least in (0.26, 0.36, 0.5, 0.6)) - 1e-3


def test_tags_and_urgency_go_by_their_thresholds() -> None:
    plain = Calibration((1.0,) * OUTPUTS, (0.0,) * OUTPUTS, 0.3, 0.5, 0.7)
    carried = plain.carried(np.full(OUTPUTS, 0.5))
    assert carried.tolist() == [True] * (len(TOPICS) + len(SIGNALS)) + [False]
    assert plain.carried(np.full(OUTPUTS, 0.4)).sum() == len(TOPICS)


def test_it_is_kept_as_json() -> None:
    plain = Calibration((1.0,) * OUTPUTS, (0.5,) * OUTPUTS, 0.3, 0.5, 0.7)
    assert Calibration.from_json(plain.to_json()) == plain
