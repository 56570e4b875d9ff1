"""Tag a message: what it carries, how surely, and the words that show it."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bot.encoder.encoder import Reading, clean
from bot.tagging.calibration import Calibration
from bot.tagging.evidence import candidates, choose
from bot.tagging.graph import Graph
from bot.tagging.sentences import Span, sentences
from bot.tagging.tags import SENTIMENTS, SIGNALS, TAGS, TOPICS, Sentiment, Tag, Tagged

_URGENT = len(TAGS)


@dataclass(frozen=True)
class Weighed:
    """What the head makes of a message.

    Attributes:
        probabilities: Of each output, shape (outputs,).
        carried: Which tags it carries and whether it is urgent, shape (TAGS and urgent,).
        places: Of its tokens in the cleaned text, shape (tokens, 2).
        weights: How much each token counts for each output, shape (tokens, outputs).
    """

    probabilities: NDArray[np.float64]
    carried: NDArray[np.bool_]
    places: NDArray[np.int64]
    weights: NDArray[np.float32]


class Reader(Protocol):
    """What the tagger needs of the encoder."""

    def read(self, text: str) -> tuple[Reading, ...]:
        """See `bot.encoder.encoder.Encoder.read`."""


class Tagger:
    """Reads messages with the shared encoder and its own head. Threads may share it.

    Args:
        encoder: That its head was trained on.
        graph: The head.
        calibration: From logits to tags.
        version: Names the model; stored with every tag.
    """

    def __init__(self, encoder: Reader, graph: Graph, calibration: Calibration, version: str) -> None:
        self._encoder = encoder
        self._graph = graph
        self._calibration = calibration
        self.version = version

    def tag(self, text: str, language: str) -> Tagged:
        """What a message carries.

        Args:
            text: As it was written.
            language: One of LANGUAGES; it tells where sentences end.

        Raises:
            EncoderError: It cannot be encoded.
        """
        read = clean(text)
        weighed = self.weigh(read, language)
        probabilities, carried = weighed.probabilities, weighed.carried
        spans = candidates(read, language) if carried[: len(TAGS)].any() else []
        tags = []
        for names in (TOPICS, SIGNALS):
            found = sorted((TAGS.index(name) for name in names), key=lambda column: -probabilities[column])
            for column in found:
                if carried[column]:
                    span = _in_original(choose(spans, weighed.places, weighed.weights[:, column]), text, read)
                    quote = text[span.start : span.end]
                    tags.append(Tag(TAGS[column], float(probabilities[column]), span.start, span.end, quote))
        negative, positive = map(float, probabilities[_URGENT + 1 :])
        return Tagged(
            tuple(tags),
            bool(carried[_URGENT]),
            float(probabilities[_URGENT]),
            _sentiment(negative, positive),
            language,
            self.version,
        )

    def weigh(self, text: str, language: str) -> Weighed:
        """What the head makes of a message, as a whole and sentence by sentence; arguments as in `tag`."""
        read = clean(text)
        windows = self._encoder.read(read)
        logits, weights = self._graph.read(windows, sentences(read, language))
        probabilities = self._calibration.probabilities(logits)
        return Weighed(
            probabilities,
            self._calibration.carried(probabilities),
            np.concatenate([window.places for window in windows]),
            weights,
        )


def _sentiment(negative: float, positive: float) -> Sentiment:
    if max(negative, positive) < 0.5:
        return SENTIMENTS[1]
    return SENTIMENTS[0] if negative >= positive else SENTIMENTS[2]


def _in_original(span: Span, text: str, read: str) -> Span:
    """A stretch of the cleaned text in the text as it was written; the same where cleaning changed nothing."""
    if text == read:
        return span
    # Cleaning composes letters with their marks, so the lengths of prefixes grow in step.
    lengths = [len(unicodedata.normalize("NFC", text[:end])) for end in range(len(text) + 1)]
    start = max(place for place, length in enumerate(lengths) if length <= span.start)
    end = max(place for place, length in enumerate(lengths) if length <= span.end)
    return Span(start, end)
