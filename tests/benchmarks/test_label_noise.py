"""Examples to look at again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.label_noise import doubts, pairs, parse, read_probabilities
from benchmarks.tagging_corpus import digest
from bot.encoder.encoder import Vectors
from bot.errors import TaggingError
from bot.tagging.examples import Example
from bot.tagging.tags import TAGS


def example(text: str, *tags: str, group: str = "") -> Example:
    return Example(text, "en", frozenset(tags), group=group)


def unit(*angles: float) -> Vectors:
    """Vectors at these angles, in degrees."""
    radians = np.deg2rad(angles)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def test_tags_a_model_contradicts_are_found_worst_first() -> None:
    random = np.random.default_rng(0)
    names = [TAGS[number % len(TAGS)] for number in range(20 * len(TAGS))]
    examples = [example(f"text {number}", name) for number, name in enumerate(names)]
    likely = np.array([[name == one for one in TAGS] for name in names])
    probabilities = np.where(likely, random.uniform(0.85, 0.99, likely.shape), random.uniform(0.01, 0.1, likely.shape))
    goal, renewal = TAGS.index("goal"), TAGS.index("renewal")
    wrong, missing = names.index("goal"), names.index("defect")
    probabilities[wrong, goal] = 0.004
    probabilities[missing, renewal] = 0.98

    found = doubts(examples, probabilities)

    assert [(doubt.text, doubt.tag, doubt.given) for doubt in found[:2]] == [
        (examples[wrong].text, "goal", True),
        (examples[missing].text, "renewal", False),
    ]
    assert found[0].probability == pytest.approx(0.004)
    assert [doubt.right for doubt in found] == sorted(doubt.right for doubt in found)


def test_near_texts_of_different_groups_are_found_nearest_first() -> None:
    examples = [
        example("a", "goal"),
        example("b", "goal"),
        example("c", group="en/x/1"),
        example("d", group="en/x/1"),
        example("e", "defect"),
    ]
    held_out = [example("f"), example("g")]
    found = pairs(examples, held_out, unit(0, 5, 30, 31, 60, 62, 61), 0.99)

    assert [(pair.one, pair.other, pair.held_out, pair.same_tags) for pair in found] == [
        ("e", "g", True, False),
        ("e", "f", True, False),
        ("a", "b", False, True),
    ]
    assert found[-1].cosine == pytest.approx(np.cos(np.deg2rad(5)), abs=1e-5)


def test_what_was_saved_must_be_of_these_examples(tmp_path: Path) -> None:
    examples = [example("a", "goal"), example("b")]
    file = tmp_path / "saved.npz"
    np.savez(file, digest=digest(examples), probabilities=np.full((2, len(TAGS) + 3), 0.25))

    assert read_probabilities(file, examples).shape == (2, len(TAGS))
    with pytest.raises(TaggingError, match="other examples"):
        read_probabilities(file, examples[:1])


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 not a zip", b"text"])
def test_what_cannot_be_read_says_what_to_run(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "saved.npz"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(TaggingError, match="--parts cv"):
        read_probabilities(file, [example("a")])


@pytest.mark.parametrize("arguments", [["--alike", "1.2"], ["--rows", "0"]])
def test_wrong_options_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(arguments)
    assert "Currently, it is" in capsys.readouterr().err
