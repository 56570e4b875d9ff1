"""Images of articles: which are taken, what is said of the others, who gets them."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image as Pillow

from bot.knowledge.answer import Answerer
from bot.knowledge.images import MAX_BYTES, ImageProblem, Images, link_images, named
from bot.knowledge.loader import load_knowledge_base
from bot.knowledge.render import to_html
from tests.knowledge.fakes import WordEncoder, article, index_of, put


def picture(kind: str = "PNG", size: tuple[int, int] = (64, 36), color: int = 0) -> bytes:
    """A small image."""
    file = io.BytesIO()
    Pillow.new("L", size, color).save(file, kind)
    return file.getvalue()


def claiming(side: int) -> bytes:
    """The beginning of a PNG that claims to be so many pixels wide and high."""
    header = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


def place(root: Path, name: str, data: bytes, audience: str = "public") -> Path:
    """Put a file among a knowledge base's images."""
    file = root / "knowledge_base" / audience / "images" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file


@pytest.fixture
def images(tmp_path: Path) -> Images:
    """Of an empty knowledge base."""
    return Images(tmp_path / "knowledge_base")


@pytest.mark.parametrize(
    ("name", "kind", "media_type"),
    [
        ("till.png", "PNG", "image/png"),
        ("till-2.jpg", "JPEG", "image/jpeg"),
        ("till_3.jpeg", "JPEG", "image/jpeg"),
        ("4.webp", "WEBP", "image/webp"),
        ("till.gif", "GIF", "image/gif"),
    ],
)
def test_size_and_kind_are_read_from_the_file(
    tmp_path: Path, images: Images, name: str, kind: str, media_type: str
) -> None:
    place(tmp_path, name, picture(kind, (640, 360)))
    found = images.load(name, "public")
    assert (found.media_type, found.width, found.height) == (media_type, 640, 360)
    assert found.path == f"/help/images/{name}?w=640&h=360&v={found.digest}"
    assert images.find(name, "internal") is None


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("gone.png", None, "There is no image public/images/gone.png"),
        ("../../refill.png", None, "is no name for an image"),
        ("Till.png", None, "is no name for an image"),
        ("till.svg", b"<svg/>", "is no name for an image"),
        ("", None, "is no name for an image"),
        ("till.png", picture("JPEG"), "is a JPEG by its content"),
        ("till.png", b"<html>", "is no PNG, JPEG, WebP or GIF"),
        ("till.png", b"", "is no PNG, JPEG, WebP or GIF"),
        ("till.png", claiming(20_000), "far too large"),
        ("till.png", picture() + b"x" * MAX_BYTES, "2,000,000 are the most"),
        ("till.png", picture(size=(5001, 1)), "5001 × 1 pixels"),
    ],
)
def test_what_cannot_be_shown_is_named(
    tmp_path: Path, images: Images, name: str, data: bytes | None, told: str
) -> None:
    if data is not None:
        place(tmp_path, name, data)
    with pytest.raises(ImageProblem) as caught:
        images.load(name, "public")
    assert told in caught.value.message
    assert caught.value.remedy
    assert images.find(name, "public") is None


def test_a_changed_file_has_another_path(tmp_path: Path, images: Images) -> None:
    file = place(tmp_path, "till.png", picture(size=(10, 10)))
    before = images.load("till.png", "public")
    assert images.load("till.png", "public") is before
    place(tmp_path, "till.png", picture(size=(20, 10)))
    os.utime(file, (1, 1))
    after = images.load("till.png", "public")
    assert (after.width, after.digest == before.digest) == (20, False)
    file.unlink()
    assert images.find("till.png", "public") is None


def test_only_images_of_the_knowledge_base_are_named() -> None:
    text = "![A](images/a.png) ![](../images/b.gif 'T') ![C](https://c.example/images/c.png)\n\n`![D](images/d.png)`"
    assert list(named(f"{text}\n\n- ![**E**](../../images/sub/e.png)")) == [
        ("A", "a.png"),
        ("", "b.gif"),
        ("**E**", "sub/e.png"),
    ]


def test_links_become_paths_and_what_is_not_there_becomes_text(tmp_path: Path, images: Images) -> None:
    place(tmp_path, "a.png", picture())
    path = images.load("a.png", "public").path
    text = '![A](images/a.png) ![A](<../images/a.png> "T") ![B](images/b.png) ![C](https://c.example/c.png)'
    assert link_images(text, lambda name: images.find(name, "public")) == (
        f"![A]({path}) ![A]({path}) B ![C](https://c.example/c.png)"
    )


# In articles


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("Open it.\n\n![The [new] till](images/till.png)", "is written in a way that is not known"),
        ("Open it.\n\n![The till][1]\n\n[1]: images/till.png", "is written in a way that is not known"),
        ("Open it.\n\n![The till](images/gone.png)", "There is no image public/images/gone.png"),
        ("Open it.\n\n![](images/till.png)", "has no text that says what it shows"),
        ("Open it.\n\n![ ](../images/till.png)", "has no text that says what it shows"),
        ("Open it.\n\n![The till](images/inside.png)", "There is no image public/images/inside.png"),
        ("Open it.\n\n![The till](images/till.bmp)", "is no name for an image"),
    ],
)
def test_an_article_with_a_broken_image_is_named_by_its_line(tmp_path: Path, body: str, told: str) -> None:
    place(tmp_path, "till.png", picture())
    place(tmp_path, "inside.png", picture(), "internal")
    put(tmp_path, "good")
    file = put(tmp_path, "bad", body)
    found = load_knowledge_base(tmp_path / "knowledge_base")
    assert [article.id for article in found.articles] == ["good"]
    (error,) = found.errors
    assert told in error.message
    assert error.line == file.read_text("utf-8").splitlines().index(body.splitlines()[-1]) + 1
    assert error.remedy


def test_articles_show_the_images_of_their_own_audience(tmp_path: Path) -> None:
    place(tmp_path, "till.png", picture())
    place(tmp_path, "inside.png", picture(), "internal")
    put(tmp_path, "shown", "![The till](images/till.png) ![Elsewhere](https://a.example/b.png)")
    put(tmp_path, "inside", "![Inside](images/inside.png)", audience="internal")
    found = load_knowledge_base(tmp_path / "knowledge_base")
    assert found.errors == ()
    answerer = Answerer(index_of(*found.articles), WordEncoder(), images=Images(tmp_path / "knowledge_base"))
    html = {one.id: to_html(answerer.with_links(one.body, one, "internal")) for one in answerer.articles("internal")}
    assert 'alt="The till" width="64" height="36" loading="lazy"' in html["shown"]
    assert html["shown"].count("<img") == 1
    assert html["inside"] == "<p>Inside</p>\n"
    assert answerer.image("inside.png") is None


def test_an_answer_shows_the_image_of_its_passage(tmp_path: Path) -> None:
    place(tmp_path, "till.png", picture())
    made = article("refund-a-sale", "Open **Sales**.\n\n![The till](images/till.png)")
    answers = [
        Answerer(index_of(made), WordEncoder(), images=images).article_answer("refund-a-sale")
        for images in (Images(tmp_path / "knowledge_base"), None)
    ]
    texts = [answer.answer or "" for answer in answers if answer]
    assert "![The till](/help/images/till.png?w=64&h=36&v=" in texts[0]
    assert texts[1].endswith("The till")
