"""The trained head as it runs: an ONNX graph of 8-bit weights, on one thread, without torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.encoder.encoder import Reading
from bot.errors import TaggingError
from bot.tagging.sentences import Span

# Weight of the whole beside the sentence that says most. Chosen on examples left out: more hears too much in sentences
# torn from their message.
_WHOLE = 2 / 3
Floats = NDArray[np.float32]


class Graph:
    """A head that was exported. Threads may share it.

    Args:
        model: The graph; inputs and outputs as in `bot.tagging.head.export`.

    Raises:
        TaggingError: It cannot be loaded.
    """

    def __init__(self, model: bytes) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise TaggingError(
                f"The tagger's graph cannot be loaded: {error}", "Run `refill train --force`."
            ) from error

    def run(self, readings: Sequence[Reading]) -> tuple[Floats, Floats]:
        """Logits of each reading, (readings, outputs), and weights of its tokens, (readings, tokens, outputs)."""
        states, mask = padded([reading.states for reading in readings])
        logits, weights = self._session.run(["logits", "weights"], {"states": states, "mask": mask})
        return logits, weights

    def read(self, windows: Sequence[Reading], spans: Sequence[Span]) -> tuple[Floats, Floats]:
        """A message as a whole and sentence by sentence.

        Args:
            windows: What the encoder read of it.
            spans: Its sentences.

        Returns:
            Logits of shape (outputs,), and how much each token of all windows counts, (tokens, outputs).
        """
        logits, weights = self.run(windows)
        parts = sentence_readings(windows, spans)
        # Apart from the whole: padded to its length they would cost as much as it.
        said = self.run(parts)[0] if parts else logits[:0]
        # A window's weights count as much as its logits say.
        joined = [weights[row, : len(window.places)] * _sigmoid(logits[row]) for row, window in enumerate(windows)]
        return combine(logits, said), np.concatenate(joined)


def padded(items: Sequence[NDArray[Any]]) -> tuple[Floats, Floats]:
    """Arrays of different lengths as one, padded with zeros, and the mask (items, longest) of what is not padding."""
    width = max(len(item) for item in items)
    stacked = np.zeros((len(items), width, *items[0].shape[1:]), dtype=np.float32)
    mask = np.zeros((len(items), width), dtype=np.float32)
    for row, item in enumerate(items):
        stacked[row, : len(item)] = item
        mask[row, : len(item)] = 1
    return stacked, mask


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


def combine(windows: Floats, parts: Floats) -> Floats:
    """Logits of a message, shape (outputs,), from those of its windows and of its sentences, each (n, outputs)."""
    whole = np.asarray(windows.max(axis=0))
    return whole if not len(parts) else np.asarray(_WHOLE * whole + (1 - _WHOLE) * parts.max(axis=0))


def _sigmoid(values: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(1 / (1 + np.exp(-values)))
