"""Tag a message: what it carries, how surely, and the words that show it."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.encoder.encoder import Encoder, Reading, clean
from bot.errors import TaggingError
from bot.tagging.calibration import Calibration
from bot.tagging.evidence import candidates, choose
from bot.tagging.sentences import Span, sentences
from bot.tagging.tags import SENTIMENTS, SIGNALS, TAGS, TOPICS, Sentiment, Tag, Tagged

GRAPH = "head.onnx"
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


class Tagger:
    """Reads messages with the shared encoder and its own head. Threads may share it.

    Args:
        encoder: That its head was trained on.
        graph: The head's ONNX file.
        calibration: From logits to tags.
        version: Names the model; stored with every tag.

    Raises:
        TaggingError: The graph cannot be loaded.
    """

    def __init__(self, encoder: Encoder, graph: Path, calibration: Calibration, version: str) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise TaggingError(f"The tagger's {graph.name} cannot be loaded: {error}", "Run `refill train`.") from error
        self._encoder = encoder
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
        parts = sentence_readings(windows, sentences(read, language))
        logits, weights = self._run([*windows, *parts])
        probabilities = self._calibration.probabilities(combine(logits[: len(windows)], logits[len(windows) :]))
        # A window's weights count as much as its logits say.
        joined = [weights[row, : len(window.places)] * _sigmoid(logits[row]) for row, window in enumerate(windows)]
        return Weighed(
            probabilities,
            self._calibration.carried(probabilities),
            np.concatenate([window.places for window in windows]),
            np.concatenate(joined),
        )

    def _run(self, readings: Sequence[Reading]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        width = max(len(reading.states) for reading in readings)
        states = np.zeros((len(readings), width, readings[0].states.shape[1]), dtype=np.float32)
        mask = np.zeros((len(readings), width), dtype=np.float32)
        for row, reading in enumerate(readings):
            states[row, : len(reading.states)] = reading.states
            mask[row, : len(reading.states)] = 1
        logits, weights = self._session.run(["logits", "weights"], {"states": states, "mask": mask})
        return logits, weights


def _sigmoid(values: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(1 / (1 + np.exp(-values)))


def sentence_readings(windows: Sequence[Reading], spans: Sequence[Span]) -> list[Reading]:
    """The tokens of each sentence, with the states they have in their window; none if there is only one sentence."""
    if len(spans) < 2:
        return []
    found = []
    for window in windows:
        starts, ends = window.places.T
        frame = starts == ends
        for span in spans:
            inside = ~frame & (starts >= span.start) & (starts < span.end)
            if inside.any():
                kept = inside | frame
                found.append(Reading(window.states[kept], window.places[kept]))
    return found


def combine(windows: NDArray[Any], parts: NDArray[Any]) -> NDArray[Any]:
    """Logits of a message, shape (outputs,), from those of its windows and of its sentences, each (n, outputs)."""
    whole = windows.max(axis=0)
    if not len(parts):
        return np.asarray(whole)
    return np.asarray(whole)


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
