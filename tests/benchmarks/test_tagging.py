"""The benchmark from corpus to results, with a head that is trained in a moment."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from benchmarks import tagging
from benchmarks.tagging import Bench, folds_of, gathered, run_curves, run_cv, run_held_out, spread, write
from benchmarks.tagging_baselines import METHODS, Verdicts
from benchmarks.tagging_corpus import Corpus, digest, group_of
from bot.encoder.encoder import Encoder, Reading
from bot.settings import Settings
from bot.tagging.build import Trained, calibrate, is_held_out, logits_of
from bot.tagging.examples import Example
from bot.tagging.graph import Graph
from bot.tagging.head import OUTPUTS, Head, export, fit, material
from bot.tagging.metrics import score
from bot.tagging.recipe import Recipe
from bot.tagging.tags import TAGS

DIMENSIONS = 24


def vector(word: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The same for the same word."""
    return np.random.default_rng(zlib.crc32(word.encode())).normal(size=DIMENSIONS).astype(np.float32)


def reading(text: str) -> Reading:
    words = list(re.finditer(r"\w+", text))
    states = np.stack([np.zeros(DIMENSIONS, dtype=np.float32), *(vector(word.group()) for word in words)])
    return Reading(states, np.array([(0, 0), *(word.span() for word in words)]))


def corpus(count: int, begin: int = 0) -> Corpus:
    """Messages that name their tag, which is also the evidence; every seventeenth names none."""
    examples = []
    for number in range(begin, begin + count):
        name = (*TAGS, "")[number % (len(TAGS) + 1)]
        text = f"hello {number % 9} {name or 'there'} bye"
        start = text.index(name or "there")
        evidence = {name: ((start, start + len(name)),)} if name else {}
        examples.append(
            Example(
                f"{text} {number}",
                ("en", "tr")[number % 2],
                frozenset(evidence),
                name == "outage",
                ("negative", "neutral", "positive")[number % 3],
                evidence,
                f"en/x/{number // 2}",
            )
        )
    readings = [(reading(example.text),) for example in examples]
    vectors = np.stack([windows[0].states.mean(axis=0) for windows in readings])
    return Corpus(examples, readings, vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def train_at_once(
    examples: Sequence[Example],
    read: Callable[[Sequence[str]], list[tuple[Reading, ...]]],
    folder: Path,
    recipe: Recipe,
    progress: object,
    threads: int,
) -> Trained:
    """As `train_on`, without an encoder's layers."""
    torch.manual_seed(0)
    head = Head([], DIMENSIONS)
    held_out = tuple(example for example in examples if is_held_out(example))
    learnt = [example for example in examples if not is_held_out(example)]
    readings = read([example.text for example in (*learnt, *held_out)])
    fit(head, [material(example, windows[0]) for example, windows in zip(learnt, readings, strict=False)], recipe)
    graph = export(head)
    logits = logits_of(Graph(graph), held_out, readings[len(learnt) :])
    return Trained(graph, calibrate(held_out, logits), held_out, logits)


@pytest.fixture
def bench(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(tagging, "train_on", train_at_once)
    recipe = Recipe(epochs=30, head_rate=0.05)
    made = Bench(
        settings, cast(Encoder, None), corpus(340), corpus(68, 1000), recipe, 2, tmp_path / "x" / "s.npz", tmp_path
    )
    # Some texts are kept for calibration in every fold and draw.
    assert len(made.corpus.kept.examples) > 20
    return made


def test_folds_keep_groups_together_and_ask_everything_once() -> None:
    whole = corpus(60)
    asked: list[int] = []
    for learnt, part in folds_of(whole, 5):
        asked += part.tolist()
        groups = [{group_of(whole.examples[row]) for row in rows} for rows in (learnt, part)]
        assert groups[0].isdisjoint(groups[1])
    assert sorted(asked) == list(range(60))


def test_what_folds_said_is_put_in_the_order_of_the_corpus() -> None:
    rows = np.array([3, 1, 0, 2])
    values = rows[:, None] / 4
    parts = [Verdicts(values[:3] > 0.4, values[:3], True), Verdicts(values[3:] > 0.4, values[3:], True)]
    found = gathered(parts, np.argsort(rows))
    assert found.probabilities.ravel().tolist() == [0, 0.25, 0.5, 0.75]
    assert found.carried.ravel().tolist() == [False, False, True, True]


def test_spread_is_that_of_the_folds_and_none_where_one_has_no_score() -> None:
    true = np.zeros((2, len(TAGS) + 1), dtype=np.bool_)
    true[:, TAGS.index("goal")] = True
    half = true.copy()
    half[0] = False
    parts = [score(said, true, said[:, :-1].astype(float), ["en", "en"]) for said in (true, half)]
    found = spread(parts)
    assert found["signals_micro_f1"] == pytest.approx((1 - 2 / 3) / 2)
    assert found["topics_micro_f1"] is None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_cross_validation_and_the_held_out_set(bench: Bench, tmp_path: Path) -> None:
    run_cv(bench)
    run_held_out(bench)

    for part in ("cv", "held_out"):
        methods = bench.results[part]["methods"]
        assert list(methods) == ["Refill", *METHODS]
        assert methods["Refill"]["topics_micro_f1"] > 0.9
        assert methods["Refill"]["signals_micro_f1"] > 0.9
        assert methods["nearest neighbour"]["ece"] is None
    assert bench.results["cv"]["examples_by_tag"]["goal"] == 20
    evidence = bench.results["cv"]["evidence"]
    assert evidence["all"]["quotes"] == evidence["en"]["quotes"] + evidence["tr"]["quotes"] > 200
    assert evidence["all"]["nested"] == 1

    with np.load(bench.save) as saved:
        assert str(saved["digest"]) == digest(bench.corpus.examples)
        assert saved["probabilities"].shape == saved["logits"].shape == (340, len(OUTPUTS))
        assert set(saved["folds"].tolist()) == {0, 1}
        right = saved["carried"] == bench.corpus.true
    assert right.mean() > 0.98
    for name in ("tagging-confusion.png", "tagging-calibration.png"):
        assert (tmp_path / name).stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_learning_curves_grow_and_leave_out_sizes_that_take_all(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tagging, "SIZES", (5, 5000, None))
    run_curves(bench)
    curves = bench.results["curves"]["methods"]

    assert list(curves) == ["Refill", *(method for method in METHODS if method != "keyword rules")]
    assert [len(points) for points in curves.values()] == [2] * len(curves)
    few, all_of_them = curves["Refill"]
    assert few["examples"] < all_of_them["examples"] == 170
    assert few["signals_micro_f1"] <= all_of_them["signals_micro_f1"]
    assert (tmp_path / "tagging-curves.png").exists()


def test_a_run_of_one_part_leaves_the_others_results(bench: Bench, tmp_path: Path) -> None:
    class Named:
        fingerprint = "abc"

    bench.encoder = cast(Encoder, Named())
    target = tmp_path / "results" / "tagging.json"
    bench.results = {"cv": {"folds": 5}}
    write(bench, target, 9.7)
    bench.results = {"latency": {"lengths": [0.123456]}}
    write(bench, target, 3.2)

    found = json.loads(target.read_text("utf-8"))
    assert found["cv"] == {"folds": 5}
    assert found["latency"] == {"lengths": [0.1235]}
    assert (found["seconds"], found["encoder"]) == (3, "abc")
