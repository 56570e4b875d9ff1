"""What is counted, on tables small enough to count by hand."""

from __future__ import annotations

import numpy as np
import pytest

from bot.tagging.metrics import calibration_error, f1, score
from bot.tagging.tags import TAGS


def table(*rows: str) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """A row for each message: its tags and `urgent`, separated by spaces."""
    return np.array([[name in row.split() for name in (*TAGS, "urgent")] for row in rows])


TRUE = table("defect expansion urgent", "billing", "", "goal")
SAID = table("defect", "billing churn_risk", "how_to urgent", "goal")


def test_scores() -> None:
    found = score(SAID, TRUE, SAID[:, :-1].astype(np.float64) * 0.9, ["en", "en", "th", "th"])
    assert found.reactive_f1 == pytest.approx(2 * 2 / (3 + 2))
    assert found.any_signal_f1 == pytest.approx(2 * 1 / (2 + 2))
    assert found.topics_micro_f1 == pytest.approx(2 * 2 / (3 + 2))
    assert found.signals_micro_f1 == pytest.approx(2 * 1 / (2 + 2))
    assert found.topics_macro_f1 == pytest.approx((1 + 1 + 0) / 3)
    assert found.signals_macro_f1 == pytest.approx((1 + 0 + 0) / 3)
    assert found.urgent_f1 == 0
    assert found.by_tag["defect"] == 1
    assert found.by_tag["access"] is None


def test_languages_are_scored_apart() -> None:
    found = score(SAID, TRUE, SAID[:, :-1].astype(np.float64) * 0.9, ["en", "en", "th", "th"])
    assert list(found.by_language) == ["en", "th"]
    assert found.by_language["en"].reactive_f1 == 1
    assert found.by_language["th"].reactive_f1 == 0
    assert (found.messages, found.by_language["th"].messages) == (4, 2)


def test_f1_of_nothing_is_none() -> None:
    assert f1(np.zeros(3, dtype=bool), np.zeros(3, dtype=bool)) is None


def test_calibration_error() -> None:
    probabilities = np.array([[0.9] * 10, [0.01] * 10]).T
    true = np.zeros((10, 2), dtype=bool)
    true[:9, 0] = True
    assert calibration_error(probabilities, true) == pytest.approx(0.0)
    assert calibration_error(probabilities, ~true) == pytest.approx(0.8)
    assert calibration_error(probabilities[:, 1:], true[:, 1:]) is None
