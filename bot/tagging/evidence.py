"""Which of the customer's words carry a tag: the shortest clause or sentence that holds the head's weight."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.tagging.sentences import Span, clauses, sentences

# Share of the greatest weight a shorter stretch has to hold to be preferred. Chosen on the evidence in data/tags.
_ENOUGH = 0.75


def candidates(text: str, language: str) -> list[Span]:
    """Stretches that may be shown as evidence: clauses, neighbouring clauses together, sentences; of a text with
    nothing to cut, the whole."""
    found: dict[Span, None] = {}
    for sentence in sentences(text, language):
        parts = clauses(text, sentence, language)
        found.update(dict.fromkeys(parts))
        found.update(dict.fromkeys(Span(a.start, b.end) for a, b in itertools.pairwise(parts)))
        found[sentence] = None
    stripped = text.strip()
    start = text.find(stripped)
    return list(found) or [Span(start, start + len(stripped))]


def choose(spans: list[Span], places: NDArray[Any], weights: NDArray[Any]) -> Span:
    """The stretch to show.

    Args:
        spans: At least one.
        places: Of the tokens, shape (tokens, 2).
        weights: How much each token counts, shape (tokens,).
    """
    starts, ends = places.T
    inside = np.array([(ends > starts) & (starts >= span.start) & (starts < span.end) for span in spans])
    held = inside @ weights
    enough = held >= _ENOUGH * held.max()
    return min(
        (span for span, kept in zip(spans, enough, strict=True) if kept), key=lambda s: (s.end - s.start, s.start)
    )
