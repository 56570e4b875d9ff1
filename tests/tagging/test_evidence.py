"""The shortest stretch that holds the weight."""

from __future__ import annotations

import numpy as np

from bot.tagging.evidence import candidates, choose
from bot.tagging.sentences import Span

TEXT = "Hi there. The printer is dead again, and we open two more cafés in May."


def words(text: str) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    places, at = [[0, 0]], 0
    for word in text.split():
        start = text.index(word, at)
        at = start + len(word)
        places.append([start, at])
    return np.array([*places, [0, 0]])


def chosen(*carrying: str) -> str:
    places = words(TEXT)
    weights = np.array([float(TEXT[start:end] in carrying) for start, end in places]) + 0.01
    span = choose(candidates(TEXT, "en"), places, weights)
    return TEXT[span.start : span.end]


def test_the_clause_that_carries_it_is_shown() -> None:
    assert chosen("printer", "dead") == "The printer is dead again"
    assert chosen("two", "more", "cafés") == "and we open two more cafés in May."


def test_what_two_clauses_carry_is_shown_whole() -> None:
    assert chosen("printer", "cafés") == "The printer is dead again, and we open two more cafés in May."


def test_the_whole_text_stands_for_itself_where_nothing_can_be_cut() -> None:
    assert candidates("  ? ", "en") == [Span(2, 3)]
    assert candidates("dead again", "en") == [Span(0, 10)]


def test_frame_tokens_are_no_evidence() -> None:
    places = np.array([[0, 0], [0, 3], [4, 8], [0, 0]])
    weights = np.array([0.9, 0.02, 0.06, 0.02])
    assert choose([Span(0, 3), Span(4, 8)], places, weights) == Span(4, 8)
