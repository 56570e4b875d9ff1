"""What is counted: by hand on small tables, and against scikit-learn."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from sklearn.metrics import matthews_corrcoef, roc_auc_score

from bot.knowledge.metrics import (
    Asked,
    calibration_error,
    reliability,
    risk_coverage,
    score_answers,
    score_ranks,
)

KEYS = (
    "accuracy_no_rejection",
    "accuracy",
    "in_scope_accuracy",
    "oos_recall",
    "mcc",
    "coverage",
    "precision",
    "auroc",
    "aurc",
    "ece",
    "ms_per_question",
)
ROWS = (
    Asked("milk", "milk", 0.9, True),
    Asked("milk", "milk", 0.4, False, ("milk", "cups")),
    Asked("cups", "milk", 0.8, True),
    Asked("cups", "cups", 0.7, True),
    Asked("beans", None, 0.0, False),
    Asked(None, "cups", 0.6, True),
    Asked(None, "milk", 0.3, False),
    Asked(None, "milk", 0.2, False, ("milk", "cups")),
)


def random_rows(count: int, seed: int = 0) -> list[Asked]:
    """Rows whose top article is right as often as their confidence says."""
    random = np.random.default_rng(seed)
    rows = []
    for confidence in random.uniform(size=count):
        right = random.uniform() < confidence
        label = "milk" if right or random.uniform() < 0.5 else None
        rows.append(Asked(label, "milk" if right else "cups", float(confidence), bool(confidence > 0.6)))
    return rows


def test_the_keys_are_these_in_this_order() -> None:
    assert tuple(asdict(score_answers(ROWS, 1.0))) == KEYS
    assert tuple(asdict(score_ranks([1]))) == ("accuracy_at_1", "mrr_at_10", "recall_at_5")


def test_decisions_are_counted() -> None:
    scores = score_answers(ROWS, 12.5)
    assert scores.accuracy_no_rejection == 3 / 5
    assert scores.accuracy == 4 / 8
    assert scores.in_scope_accuracy == 2 / 5
    assert scores.oos_recall == 2 / 3
    assert scores.coverage == 3 / 5
    assert scores.precision == 2 / 4
    assert scores.ms_per_question == 12.5
    # Pairs of one row in scope and one out of scope: 0.9, 0.4, 0.8, 0.7, 0.0 against 0.6, 0.3, 0.2.
    assert scores.auroc == pytest.approx((3 + 2 + 3 + 3 + 0) / 15)


def test_asking_back_and_handing_off_are_one_label_for_the_correlation() -> None:
    labels = ["milk", "milk", "cups", "cups", "beans", "out", "out", "out"]
    said = ["milk", "out", "milk", "cups", "out", "cups", "out", "out"]
    assert score_answers(ROWS, 1.0).mcc == pytest.approx(matthews_corrcoef(labels, said))


def test_scores_agree_with_scikit_learn() -> None:
    rows = random_rows(500)
    scores = score_answers(rows, 1.0)
    assert scores.auroc == pytest.approx(
        roc_auc_score([row.label is not None for row in rows], [row.confidence for row in rows])
    )
    said = [row.top if row.answered else "out" for row in rows]
    assert scores.mcc == pytest.approx(matthews_corrcoef([row.label or "out" for row in rows], said))


def test_without_rows_to_count_a_score_is_none() -> None:
    inside = score_answers([Asked("milk", "milk", 0.2, False)], 1.0)
    assert (inside.oos_recall, inside.precision, inside.auroc) == (None, None, None)
    assert (inside.coverage, inside.accuracy, inside.accuracy_no_rejection, inside.mcc) == (0.0, 0.0, 1.0, 0.0)
    outside = score_answers([Asked(None, "milk", 0.2, False)], 1.0)
    assert (outside.accuracy_no_rejection, outside.in_scope_accuracy, outside.coverage) == (None, None, None)
    assert (outside.oos_recall, outside.accuracy, outside.auroc) == (1.0, 1.0, None)


def test_perfect_decisions_have_perfect_scores() -> None:
    rows = [Asked("milk", "milk", 1.0, True), Asked("cups", "cups", 1.0, True), Asked(None, "cups", 0.0, False)]
    scores = score_answers(rows, 1.0)
    assert (scores.accuracy, scores.mcc, scores.precision, scores.auroc, scores.ece) == (1.0, 1.0, 1.0, 1.0, 0.0)
    assert scores.aurc == pytest.approx((0 + 0 + 1 / 3) / 3)


def test_the_risk_rises_with_what_is_answered() -> None:
    coverage, risk = risk_coverage(ROWS)
    assert coverage.tolist() == [n / 8 for n in range(1, 9)]
    # From the most confident on, the rows are right, wrong, right, wrong, right, wrong, wrong, wrong.
    assert risk == pytest.approx([0, 1 / 2, 1 / 3, 2 / 4, 2 / 5, 3 / 6, 4 / 7, 5 / 8])
    assert score_answers(ROWS, 1.0).aurc == pytest.approx(risk.mean())


def test_rows_of_one_confidence_are_in_no_order() -> None:
    right, wrong = Asked("milk", "milk", 0.5, True), Asked("milk", "cups", 0.5, True)
    first = Asked("milk", "milk", 0.9, True)
    _, risk = risk_coverage([right, wrong, first])
    assert risk == pytest.approx([0, 0.25, 1 / 3])
    assert risk_coverage([wrong, right, first])[1] == pytest.approx(risk)


def test_calibration_is_measured_in_bins_of_equally_many_rows() -> None:
    rows = random_rows(600)
    confidence, right, weight = reliability(rows)
    assert confidence.shape == right.shape == weight.shape == (15,)
    assert weight == pytest.approx(1 / 15)
    assert (np.diff(confidence) > 0).all()
    assert calibration_error(rows) == pytest.approx(np.abs(confidence - right).mean())
    assert calibration_error(rows) < 0.08


def test_confidence_that_is_too_high_shows() -> None:
    rows = [Asked("milk", "milk" if number % 2 else "cups", 0.9, True) for number in range(300)]
    assert calibration_error(rows) == pytest.approx(0.4)


def test_fewer_rows_than_bins_have_a_bin_each() -> None:
    rows = [Asked("milk", "milk", 0.75, True), Asked(None, "milk", 0.25, False)]
    assert calibration_error(rows) == pytest.approx(0.25)


def test_out_of_scope_is_never_right() -> None:
    assert not Asked(None, None, 0.0, False).top_is_right


def test_places_are_scored() -> None:
    scores = score_ranks([1, 2, 5, 6, 10, 11, None, 1])
    assert scores.accuracy_at_1 == 2 / 8
    assert scores.mrr_at_10 == pytest.approx((1 + 1 / 2 + 1 / 5 + 1 / 6 + 1 / 10 + 1) / 8)
    assert scores.recall_at_5 == 4 / 8
