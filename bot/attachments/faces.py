"""Pictures of the people of the team, as customers see them."""

from __future__ import annotations

import hashlib
import io

from PIL import Image, ImageOps, UnidentifiedImageError
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from bot.attachments.models import Picture
from bot.errors import FieldError, NotFound
from bot.people.models import Person

MOST_BYTES = 1_000_000
SIDE = 256  # Pixels.
# Of the file, and of what is unpacked at once: a JPEG can be unpacked smaller than it is.
_MOST_PIXELS, _MOST_UNPACKED = 40_000_000, 16_000_000
_FORMATS = ("PNG", "JPEG", "WEBP")
_MEDIA_TYPE = "image/jpeg"


def squared(data: bytes) -> bytes:
    """A picture made anew as a JPEG of SIDE by SIDE pixels, its middle; nothing else of the file is left.

    Args:
        data: A PNG, JPEG or WebP file.

    Raises:
        FieldError: It is too large, or no such picture.
    """
    if len(data) > MOST_BYTES:
        raise FieldError("picture", "picture_large", "The picture is larger than 1 MB.", "Take a smaller one.")
    wrong = FieldError("picture", "picture_kind", "This is no PNG, JPEG or WebP picture.", "Take another file.")
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise wrong
            image.draft("RGB", (2 * SIDE, 2 * SIDE))
            if image.width * image.height > _MOST_UNPACKED:
                raise FieldError("picture", "picture_large", "It has too many pixels.", "Take a smaller one.")
            upright = ImageOps.exif_transpose(image).convert("RGBA")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError, Warning) as error:
        raise wrong from error
    ground = Image.new("RGBA", upright.size, "white")
    ground.alpha_composite(upright)
    made = io.BytesIO()
    ImageOps.fit(ground.convert("RGB"), (SIDE, SIDE)).save(made, "JPEG", quality=85, optimize=True)
    return made.getvalue()


def set_face(session: Session, person: Person, made: bytes | None) -> None:
    """Give a person another picture, or none. One that nobody has any more is deleted.

    Args:
        session: Of the transaction.
        person: Locked.
        made: From `squared`; None for none.
    """
    before, person.picture = person.picture, None
    if made is not None:
        person.picture = hashlib.sha256(made).hexdigest()
        if session.get(Picture, person.picture) is None:
            session.add(Picture(digest=person.picture, media_type=_MEDIA_TYPE, data=made))
    session.flush()
    if before and not session.scalar(select(func.count()).select_from(Person).where(Person.picture == before)):
        session.execute(delete(Picture).where(Picture.digest == before))


def read_face(session: Session, digest: str) -> tuple[str, bytes]:
    """A picture's media type and its bytes.

    Raises:
        NotFound: There is none.
    """
    found = session.get(Picture, digest)
    if found is None:
        raise NotFound("There is no such picture.")
    return found.media_type, found.data
