"""What the pictures of tags show, and that they are drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.tagging_plots import confusion, draw_confusion, draw_curves, draw_reliability, reliability
from bot.tagging.metrics import Bools
from bot.tagging.tags import TAGS

GOAL, DEFECT, ACCESS = (TAGS.index(name) for name in ("goal", "defect", "access"))
NONE = len(TAGS)


def flags(*rows: set[int]) -> Bools:
    return np.array([[column in row for column in range(len(TAGS))] for row in rows], dtype=np.bool_)


def test_confusion_counts_what_is_said_instead_and_beside() -> None:
    true = flags({GOAL}, {GOAL}, {GOAL, DEFECT}, {GOAL}, set(), set())
    said = flags({GOAL}, {DEFECT}, {GOAL, DEFECT}, set(), {ACCESS}, set())
    shares = confusion(said, true)

    assert shares[GOAL, GOAL] == 0.5
    assert shares[GOAL, DEFECT] == 0.25
    assert shares[GOAL, NONE] == 0.25
    assert shares[DEFECT, DEFECT] == 1
    assert shares[DEFECT, GOAL] == 0
    assert shares[NONE, ACCESS] == 0.5
    assert shares[NONE, NONE] == 0.5
    assert np.isnan(shares[ACCESS]).all()


def test_reliability_leaves_out_what_is_hardly_said_and_bins_with_few() -> None:
    probabilities = np.array([0.01] * 50 + [0.31] * 20 + [0.72] * 5 + [1.0] * 10)
    true = np.array([False] * 50 + [True] * 5 + [False] * 15 + [True] * 15)
    mean, share, counts = reliability(probabilities, true)

    assert mean.round(6).tolist() == [0.31, 1.0]
    assert share.tolist() == [0.25, 1.0]
    assert counts.tolist() == [20, 10]


def test_reliability_of_nothing_is_empty() -> None:
    assert [part.tolist() for part in reliability(np.zeros(5), np.zeros(5, dtype=np.bool_))] == [[], [], []]


def test_pictures_are_drawn(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    probabilities = random.random((300, len(TAGS) + 1))
    true = random.random(probabilities.shape) < probabilities
    said = probabilities >= 0.5
    points = [{"examples_per_tag": size, "topics_micro_f1": 0.5, "signals_micro_f1": 0.6} for size in (10.0, 30.0)]

    draw_confusion(said[:, :-1], true[:, :-1], tmp_path / "images" / "confusion.png")
    draw_reliability(probabilities, true, tmp_path / "images" / "reliability.png")
    draw_curves({"Refill": points, "nearest neighbour": points}, tmp_path / "images" / "curves.png")

    for name, size in {"confusion": (1200, 1020), "reliability": (640, 600), "curves": (1100, 480)}.items():
        with Image.open(tmp_path / "images" / f"{name}.png") as picture:
            assert picture.size == size
