"""How many pixels a picture claims to have, read from its first bytes; the picture itself is never unpacked."""

from __future__ import annotations

import struct
from collections.abc import Callable

# Of a JPEG, before its size is said; photos have about ten.
_MOST_SEGMENTS = 1000
# JPEG's marks that stand alone, and those that tell the size.
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def pixels_of(media_type: str, data: bytes) -> int | None:
    """Width times height; 0 where the format does not tell them at its beginning, None where it ought to.

    Args:
        media_type: As its first bytes say.
        data: All of the file.
    """
    read = _READERS.get(media_type)
    if read is None:
        return 0
    try:
        width, height = read(data)
    except (struct.error, ValueError):
        return None
    return width * height


def _png(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _gif(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", data, 6)
    return width, height


def _webp(data: bytes) -> tuple[int, int]:
    """Of a file with extras, without loss, or with loss."""
    kind = data[12:16]
    if kind == b"VP8X":
        wide, high = (int.from_bytes(data[at : at + 3], "little") for at in (24, 27))
        return wide + 1, high + 1
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    raise ValueError(f"There is no WebP of kind {kind!r}.")


def _jpeg(data: bytes) -> tuple[int, int]:
    at = 2
    for _ in range(_MOST_SEGMENTS):
        lead, mark = struct.unpack_from(">BB", data, at)
        if lead != 0xFF:
            break
        if mark == 0xFF:  # Filling.
            at += 1
        elif mark in _ALONE:
            at += 2
        elif mark in _FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        else:
            (length,) = struct.unpack_from(">H", data, at + 2)
            at += 2 + length
    raise ValueError("No segment of the JPEG tells its size.")


_READERS: dict[str, Callable[[bytes], tuple[int, int]]] = {
    "image/png": _png,
    "image/jpeg": _jpeg,
    "image/gif": _gif,
    "image/webp": _webp,
}
