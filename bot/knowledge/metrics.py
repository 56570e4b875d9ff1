"""What `refill evaluate` counts: how good decisions, probabilities and rankings are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
BINS = 15


@dataclass(frozen=True)
class Asked:
    """What was decided on one question.

    Attributes:
        label: The right one; None if the question is out of scope.
        top: Label of the top article; None if nothing was found.
        confidence: Probability that the top article is right.
        answered: Whether the decision was `answer`.
        choices: Labels offered to choose from; empty unless the decision was `clarify`.
    """

    label: str | None
    top: str | None
    confidence: float
    answered: bool
    choices: tuple[str, ...] = ()

    @property
    def top_is_right(self) -> bool:
        """Whether the top article is the right one; never so out of scope."""
        return self.label is not None and self.top == self.label


@dataclass(frozen=True)
class AnswerScores:
    """How good decisions are; None where there are no rows to count.

    Attributes:
        accuracy_no_rejection: Rows in scope whose top article is right, decision aside.
        accuracy: All rows that are answered with their label, or out of scope and not answered.
        in_scope_accuracy: Rows in scope that are answered with their label.
        oos_recall: Rows out of scope that are not answered.
        mcc: Matthews correlation of labels and decisions, out of scope being one label more, from -1 to 1. To ask back
            and to hand off both count as "out of scope".
        coverage: Rows in scope that are answered, rightly or not.
        precision: Answered rows, those out of scope among them, that are answered with their label.
        auroc: Probability that a row in scope has a higher confidence than one out of scope.
        aurc: Area under the risk-coverage curve, see `risk_coverage`; lower is better.
        ece: Expected calibration error, see `calibration_error`; lower is better.
        ms_per_question: Milliseconds of one decision, with the encoding of the question.
    """

    accuracy_no_rejection: float | None
    accuracy: float
    in_scope_accuracy: float | None
    oos_recall: float | None
    mcc: float
    coverage: float | None
    precision: float | None
    auroc: float | None
    aurc: float
    ece: float
    ms_per_question: float


@dataclass(frozen=True)
class RankScores:
    """How good rankings are.

    Attributes:
        accuracy_at_1: Questions whose passage stands first.
        mrr_at_10: Mean of 1 / place of the passage, 0 beyond the tenth.
        recall_at_5: Questions whose passage is among the first five.
    """

    accuracy_at_1: float
    mrr_at_10: float
    recall_at_5: float


def score_answers(rows: Sequence[Asked], ms_per_question: float) -> AnswerScores:
    """Score decisions.

    Args:
        rows: At least one.
        ms_per_question: Measured by the caller.
    """
    inside = [row for row in rows if row.label is not None]
    outside = [row for row in rows if row.label is None]
    answered = [row for row in rows if row.answered]
    right = [row for row in answered if row.top_is_right]
    rejected = sum(not row.answered for row in outside)
    return AnswerScores(
        accuracy_no_rejection=_share(sum(row.top_is_right for row in inside), len(inside)),
        accuracy=(len(right) + rejected) / len(rows),
        in_scope_accuracy=_share(len(right), len(inside)),
        oos_recall=_share(rejected, len(outside)),
        mcc=_mcc(rows),
        coverage=_share(sum(row.answered for row in inside), len(inside)),
        precision=_share(len(right), len(answered)),
        auroc=_auroc(rows),
        aurc=float(risk_coverage(rows)[1].mean()),
        ece=calibration_error(rows),
        ms_per_question=ms_per_question,
    )


def risk_coverage(rows: Sequence[Asked]) -> tuple[Floats, Floats]:
    """The curve of Geifman and El-Yaniv (2017): answer the most confident rows first, and count the errors so far.

    Rows of one confidence are in no order, so each of them has their mean error.

    Returns:
        Coverage (share of rows answered) and risk (share of them that are not right), shapes (rows,).
    """
    confidence = np.array([row.confidence for row in rows])
    wrong = np.array([not row.top_is_right for row in rows], dtype=np.float64)
    _, group = np.unique(-confidence, return_inverse=True)
    wrong = (np.bincount(group, wrong) / np.bincount(group))[np.sort(group)]
    counts = np.arange(1, len(rows) + 1)
    return counts / len(rows), np.cumsum(wrong) / counts


def reliability(rows: Sequence[Asked], bins: int = BINS) -> tuple[Floats, Floats, Floats]:
    """Confidence against truth, in bins of equally many rows by rising confidence.

    Returns:
        Mean confidence, share of rows whose top article is right, share of all rows; shapes (at most bins,).
    """
    ordered = sorted(rows, key=lambda row: row.confidence)
    parts = [part for part in np.array_split(np.arange(len(ordered)), bins) if len(part)]
    confidence = np.array([row.confidence for row in ordered])
    right = np.array([row.top_is_right for row in ordered], dtype=np.float64)
    return (
        np.array([confidence[part].mean() for part in parts]),
        np.array([right[part].mean() for part in parts]),
        np.array([len(part) / len(ordered) for part in parts]),
    )


def calibration_error(rows: Sequence[Asked]) -> float:
    """Expected calibration error: how far confidence and truth are apart over the bins of `reliability`, on average."""
    confidence, right, weight = reliability(rows)
    return float(np.abs(confidence - right) @ weight)


def score_ranks(places: Sequence[int | None]) -> RankScores:
    """Score rankings.

    Args:
        places: Place of each question's passage, from 1; None if it was not found. At least one.
    """
    found = [place or np.inf for place in places]
    return RankScores(
        accuracy_at_1=float(np.mean([place == 1 for place in found])),
        mrr_at_10=float(np.mean([1 / place if place <= 10 else 0.0 for place in found])),
        recall_at_5=float(np.mean([place <= 5 for place in found])),
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _mcc(rows: Sequence[Asked]) -> float:
    from sklearn.metrics import matthews_corrcoef

    # No label is empty, so the empty one can stand for "out of scope".
    labels = [row.label or "" for row in rows]
    said = [(row.top or "") if row.answered else "" for row in rows]
    return float(matthews_corrcoef(labels, said)) if len({*labels, *said}) > 1 else 0.0


def _auroc(rows: Sequence[Asked]) -> float | None:
    from sklearn.metrics import roc_auc_score

    inside = [row.label is not None for row in rows]
    if all(inside) or not any(inside):
        return None
    return float(roc_auc_score(inside, [row.confidence for row in rows]))
