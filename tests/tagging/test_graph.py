"""The head as it runs: windows, sentences, padding."""

from __future__ import annotations

import numpy as np
import pytest

from bot.encoder.encoder import Reading
from bot.errors import TaggingError
from bot.tagging.graph import Graph, combine, sentence_readings
from bot.tagging.sentences import Span


def window(*places: tuple[int, int]) -> Reading:
    return Reading(np.arange(len(places) * 2, dtype=np.float32).reshape(-1, 2), np.array(places))


def test_sentences_keep_the_frame_of_their_window() -> None:
    given = window((0, 0), (0, 4), (5, 9), (10, 14), (0, 0))
    first, second = sentence_readings([given], [Span(0, 9), Span(10, 14)])
    assert first.states.tolist() == given.states[[0, 1, 2, 4]].tolist()
    assert second.places.tolist() == [[0, 0], [10, 14], [0, 0]]


def test_one_sentence_is_not_read_twice() -> None:
    assert sentence_readings([window((0, 0), (0, 4), (0, 0))], [Span(0, 4)]) == []


def test_without_sentences_the_greatest_window_counts() -> None:
    windows = np.array([[1.0, -2.0], [0.0, 3.0]], dtype=np.float32)
    assert combine(windows, np.zeros((0, 2), dtype=np.float32)).tolist() == [1.0, 3.0]


def test_the_whole_counts_twice_as_much_as_the_sentence_that_says_most() -> None:
    joined = combine(np.array([[3.0, -3.0]], dtype=np.float32), np.array([[0.0, 3.0], [-9.0, -9.0]], dtype=np.float32))
    assert joined == pytest.approx([2.0, -1.0])


def test_what_is_no_graph_is_refused() -> None:
    with pytest.raises(TaggingError, match=r"graph cannot be loaded: .*Run `refill train --force`\."):
        Graph(b"no graph")
