"""The head learns a toy language: a word's own direction carries its tag."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bot.encoder.encoder import Reading
from bot.tagging.examples import Example
from bot.tagging.graph import Graph
from bot.tagging.head import OUTPUTS, Head, Material, export, fit, material, stack, targets_of
from bot.tagging.recipe import Recipe
from bot.tagging.tags import TAGS

WORDS = {"broken": "defect", "more": "expansion", "coffee": None, "the": None, "now": "urgent", "awful": "negative"}
DIMENSIONS = 8


def reading(text: str) -> Reading:
    """A token for each word, with a frame around them."""
    states, places, at = [np.zeros(DIMENSIONS)], [(0, 0)], 0
    for word in text.split():
        state = np.zeros(DIMENSIONS)
        state[list(WORDS).index(word)] = 1
        start = text.index(word, at)
        at = start + len(word)
        states.append(state)
        places.append((start, at))
    return Reading(np.array([*states, np.zeros(DIMENSIONS)], dtype=np.float32), np.array([*places, (0, 0)]))


def example(text: str, known: frozenset[str] | None = None) -> Material:
    words = text.split()
    tags = frozenset(tag for tag in (WORDS[word] for word in words) if tag in TAGS)
    evidence = {tag: tuple((text.index(w), text.index(w) + len(w)) for w in words if WORDS[w] == tag) for tag in tags}
    made = Example(
        text, "en", tags, "now" in words, "negative" if "awful" in words else "neutral", evidence if tags else {}
    )
    if known is not None:
        made = Example(made.text, "en", made.tags, made.urgent, made.sentiment, made.evidence, known=known)
    return material(made, reading(text))


def corpus(count: int = 240) -> list[Material]:
    rng = np.random.default_rng(3)
    return [example(" ".join(rng.choice(list(WORDS), size=rng.integers(2, 6)))) for _ in range(count)]


@pytest.fixture(scope="module")
def head() -> Head:
    torch.manual_seed(0)
    head = Head([], DIMENSIONS, dropout=0.0)
    fit(head, corpus(), Recipe(epochs=40, head_rate=3e-2, batch=16, dropout=0.0))
    return head


def logits_of(head: Head, *texts: str) -> NDArray[np.float32]:
    head.eval()
    with torch.inference_mode():
        return np.asarray(head(*stack([reading(text).states for text in texts]))[0].numpy())


def said(head: Head, text: str) -> set[str]:
    (logits,) = logits_of(head, text)
    return {name for name, logit in zip(OUTPUTS, logits, strict=True) if logit > 0}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the coffee", set()),
        ("the broken coffee", {"defect"}),
        ("more coffee now", {"expansion", "urgent"}),
        ("the awful broken coffee the more", {"defect", "expansion", "negative"}),
    ],
)
def test_it_learns_what_words_carry(head: Head, text: str, expected: set[str]) -> None:
    assert said(head, text) == expected


def test_the_weights_point_at_the_words_that_carry_a_tag(head: Head) -> None:
    states, mask = stack([reading("the coffee broken the more").states])
    with torch.inference_mode():
        _, weights = head(states, mask)
    assert int(weights[0, :, OUTPUTS.index("defect")].argmax()) == 3
    assert int(weights[0, :, OUTPUTS.index("expansion")].argmax()) == 5
    assert weights[0].sum(dim=0).numpy() == pytest.approx(1)


def test_padding_changes_nothing(head: Head) -> None:
    alone = logits_of(head, "broken coffee")[0]
    together = logits_of(head, "the the the more coffee now now", "broken coffee")[1]
    assert together == pytest.approx(alone, abs=1e-4)


def test_what_is_not_known_teaches_nothing() -> None:
    known = frozenset({"defect"})
    teaching = example("broken more now awful", known)
    columns = [OUTPUTS[column] for column in np.flatnonzero(teaching.known)]
    assert columns == ["defect"]
    torch.manual_seed(0)
    head = Head([], DIMENSIONS, dropout=0.0)
    before = logits_of(head, "broken more now awful")[0]
    fit(head, [teaching] * 32, Recipe(epochs=3, head_rate=1e-2, batch=16, decay=0.0, dropout=0.0, evidence=0.0))
    moved = np.abs(logits_of(head, "broken more now awful")[0] - before) > 1e-5
    assert [OUTPUTS[column] for column in np.flatnonzero(moved)] == ["defect"]


def test_progress_adds_up() -> None:
    head = Head([], DIMENSIONS)
    seen: list[tuple[int, int]] = []
    fit(head, corpus(50), Recipe(epochs=2, batch=16), lambda more, total: seen.append((more, total)))
    assert sum(more for more, _ in seen) == 100
    assert {total for _, total in seen} == {100}


def test_targets() -> None:
    targets, known = targets_of(Example("x", "en", frozenset({"goal"}), urgent=True, sentiment="positive"))
    assert {OUTPUTS[column] for column in np.flatnonzero(targets)} == {"goal", "urgent", "positive"}
    assert known.all()


def test_the_exported_graph_says_the_same(head: Head) -> None:
    texts = ["the broken coffee", "more", "the " * 9]
    graph = Graph(export(head))
    logits, weights = graph.run([reading(text) for text in texts])
    with torch.inference_mode():
        expected = head(*stack([reading(text).states for text in texts]))
    # Its weights are rounded to 8 bits.
    assert logits == pytest.approx(expected[0].numpy(), abs=0.5)
    assert ((logits > 0) == (expected[0].numpy() > 0)).all()
    assert weights == pytest.approx(expected[1].numpy(), abs=0.1)
