"""Pictures of people: made anew, whatever was sent."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from bot.attachments import faces
from bot.attachments.models import Picture
from bot.errors import FieldError, NotFound
from bot.handoff import team
from tests.attachments.samples import PDF, PNG, picture
from tests.desk.rig import add_person


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_a_picture_is_made_square_and_nothing_else_is_left(form: str) -> None:
    made = faces.squared(picture(form, (900, 300)) + b"<script>alert(1)</script>")
    assert b"script" not in made
    with Image.open(io.BytesIO(made)) as image:
        assert (image.format, image.size) == ("JPEG", (faces.SIDE, faces.SIDE))
        red, green, blue = image.convert("RGB").getpixel((5, 5))  # type: ignore[misc]
    assert red > 200 > 60 > green
    assert blue < 60


def test_what_can_be_seen_through_is_white() -> None:
    file = io.BytesIO()
    Image.new("RGBA", (10, 10), (0, 0, 0, 0)).save(file, "PNG")
    with Image.open(io.BytesIO(faces.squared(file.getvalue()))) as image:
        assert image.convert("L").getpixel((0, 0)) == 255


def test_a_photo_stands_upright_and_does_not_tell_where_it_was_taken() -> None:
    image = Image.new("RGB", (40, 40), "white")
    image.paste("black", (0, 0, 40, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # Turned by 90 degrees.
    exif[0x010F] = "A camera"
    file = io.BytesIO()
    image.save(file, "JPEG", exif=exif)
    made = faces.squared(file.getvalue())
    assert b"A camera" not in made
    with Image.open(io.BytesIO(made)) as upright:
        gray = upright.convert("L")
        assert gray.getpixel((250, 128)) < 40  # type: ignore[operator]
        assert gray.getpixel((5, 128)) > 215  # type: ignore[operator]


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "picture_kind"),
        (PDF, "picture_kind"),
        (picture("GIF"), "picture_kind"),
        (PNG[:45], "picture_kind"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "picture_kind"),
        (picture("PNG", (9000, 9000)), "picture_kind"),
        (b"a" * (faces.MOST_BYTES + 1), "picture_large"),
    ],
    ids=["empty", "pdf", "gif", "torn", "svg", "huge", "large"],
)
def test_other_files_are_not_taken(content: bytes, rule: str) -> None:
    with pytest.raises(FieldError) as error:
        faces.squared(content)
    assert (error.value.field, error.value.rule) == ("picture", rule)


def test_no_more_is_unpacked_than_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faces, "_MOST_UNPACKED", (2 * faces.SIDE + 1) ** 2)
    large = (4 * faces.SIDE, 4 * faces.SIDE)
    assert faces.squared(picture("JPEG", large))
    with pytest.raises(FieldError) as error:
        faces.squared(picture("PNG", large))
    assert error.value.rule == "picture_large"


def test_a_picture_nobody_has_any_more_is_deleted(engine: Engine) -> None:
    ada, lena = add_person(engine), add_person(engine, "lena@example.com")
    one, other = faces.squared(PNG), faces.squared(picture("PNG", color="blue"))

    def kept() -> int:
        return session.scalar(select(func.count()).select_from(Picture)) or 0

    with Session(engine) as session, session.begin():
        ada, lena = session.merge(ada), session.merge(lena)
        faces.set_face(session, ada, one)
        faces.set_face(session, lena, one)
        assert (kept(), ada.picture) == (1, lena.picture)
        digest = ada.picture or ""
        assert faces.read_face(session, digest) == ("image/jpeg", one)
        assert team.faces(session, [ada.id, "nobody"]) == {ada.id: f"/api/v1/faces/{digest}"}
        assert team.face_of_owner(session, f"agent:{ada.id}") == f"/api/v1/faces/{digest}"
        assert team.face_of_owner(session, "bot") is None
        faces.set_face(session, ada, other)
        assert kept() == 2
        faces.set_face(session, lena, None)
        assert (kept(), lena.picture) == (1, None)
        faces.set_face(session, ada, other)
        assert kept() == 1
        with pytest.raises(NotFound):
            faces.read_face(session, digest)
