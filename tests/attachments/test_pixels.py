"""How large pictures claim to be, without unpacking them."""

from __future__ import annotations

import io
import struct

import pytest
from PIL import Image

from bot.attachments.errors import FileTooLarge, FileType
from bot.attachments.kinds import KINDS, MOST_PIXELS, media_type_of
from bot.attachments.pixels import pixels_of
from tests.attachments.samples import PNG, RIGHT, picture

ALL = frozenset(KINDS)
TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "GIF": "image/gif", "WEBP": "image/webp"}


def saved(form: str, **options: object) -> bytes:
    """A picture of 300 by 20 pixels."""
    file = io.BytesIO()
    Image.effect_noise((300, 20), 90).convert("RGBA" if form == "WEBP" else "RGB").save(file, form, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("PNG", {}),
        ("GIF", {}),
        ("JPEG", {}),
        ("JPEG", {"progressive": True, "exif": b"Exif\0\0" + b"x" * 5000, "comment": b"c" * 60_000}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0"}),
    ],
)
def test_every_format_tells_its_size(form: str, options: dict[str, object]) -> None:
    assert pixels_of(TYPES[form], saved(form, **options)) == 300 * 20


def test_a_lossy_webp_without_extras() -> None:
    data = picture("WEBP", (300, 20))
    assert data[12:16] == b"VP8 "
    assert pixels_of("image/webp", data) == 300 * 20


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8",
        b"\xff\xd8\xff\xe0\0\0" * 5000,
        b"\xff\xd8" + b"\xff" * 100_000,
        b"\xff\xd8\xff\xe1\xff\xff",
        RIGHT["jpg"][:2] + b"x" * 100,
    ],
)
def test_a_jpeg_that_tells_nothing(data: bytes) -> None:
    assert pixels_of("image/jpeg", data) is None


def test_pictures_that_fill_the_memory_are_not_taken() -> None:
    side = int(MOST_PIXELS**0.5)
    for width, fits in ((side, True), (side + 1, False)):
        data = PNG[:16] + struct.pack(">II", width, side) + PNG[24:]
        if fits:
            assert media_type_of("a.png", data, ALL) == "image/png"
            continue
        with pytest.raises(FileTooLarge, match="more than 64,000,000 pixels") as error:
            media_type_of("a.png", data, ALL)
        assert error.value.rule == "file_large"
    with pytest.raises(FileType):
        media_type_of("a.jpg", RIGHT["jpg"][:30], ALL)
