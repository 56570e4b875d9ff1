"""What the widget is told before it is used, the script it comes in, the logo."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.channels.webchat.brand import palette
from bot.channels.webchat.bundle import current_bundle
from bot.channels.webchat.pages import words
from bot.channels.webchat.site import MAX_LOGO, Logo, Site, site
from bot.channels.webchat.widget_config import branded
from bot.errors import SettingsError
from bot.settings import load_settings
from tests.channels.webchat.conftest import Chat, assert_error

CONFIG = "/api/v1/widget"
PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 20
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><circle r="4"/></svg>'


# The configuration


@pytest.mark.parametrize(
    ("asked", "browser", "language"),
    [
        ("tr", "th", "tr"),
        ("tr-TR", "th", "tr"),
        ("zh_Hans_CN", "", "zh"),
        ("TH", "", "th"),
        ("de-AT", "th;q=0.9", "th"),
        ("", "zh-TW,zh;q=0.9", "zh"),
        ("", "", "en"),
        ("<script>", "fr", "en"),
    ],
)
async def test_language_of_the_page_or_else_of_the_browser(chat: Chat, asked: str, browser: str, language: str) -> None:
    response = await chat.http.get(CONFIG, params={"language": asked}, headers={"accept-language": browser})
    body = response.json()
    assert (body["language"], body["tag"], body["direction"]) == (language, words(language)["tag"], "ltr")
    assert body["words"]["send"] == words(language)["chat"]["send"]
    assert "accept-language" in response.headers["vary"]
    assert response.headers["cache-control"] == "public, max-age=60"


async def test_brand_and_limits_are_those_of_the_settings(make_chat: Callable[..., Chat], tmp_path: Path) -> None:
    (tmp_path / "logo.svg").write_bytes(SVG)
    (tmp_path / "refill.toml").write_text(
        "[server]\nbase_url = 'https://support.example'\n[conversation]\nmax_length = 99\n[webchat]\n"
        "origins = 'https://b.example https://a.example'\nbrand_name = 'Ada & Söhne'\nbrand_color = '#ffcc00'\n"
        "logo = 'logo.svg'\nposition = 'left'\nattachments = false\nattachment_max_bytes = 5000\n",
        "utf-8",
    )
    body = (await make_chat(site(load_settings(tmp_path, {}))).http.get(CONFIG)).json()
    brand = body["brand"]
    assert (brand["name"], brand["position"]) == ("Ada & Söhne", "left")
    assert brand["light"] == palette("#ffcc00").light
    assert brand["dark"] == palette("#ffcc00").dark
    assert (body["max_length"], body["origins"]) == (99, ["https://a.example", "https://b.example"])
    assert (body["attachments"]["enabled"], body["attachments"]["max_bytes"]) == (False, 5000)
    assert "Ada & Söhne" in body["words"]["title"]
    assert "{brand}" not in str(body["words"])


def test_the_brands_name_stands_wherever_words_ask_for_it() -> None:
    said = {"title": "{brand} support", "list": ["by {brand}", {"deep": "{brand}"}], "plain": "{count} new"}
    assert branded(said, "A{brand}") == {
        "title": "A{brand} support",
        "list": ["by A{brand}", {"deep": "A{brand}"}],
        "plain": "{count} new",
    }


async def test_a_visitor_who_is_known_no_longer_still_gets_it_and_no_cache_keeps_it(chat: Chat) -> None:
    visitor = (await chat.http.post("/api/v1/visitors")).json()
    known = await chat.http.get(CONFIG, headers={"authorization": f"Bearer {visitor['token']}"})
    gone = await chat.http.get(CONFIG, headers={"authorization": "Bearer nobody"})
    assert known.status_code == gone.status_code == 200
    assert known.headers["cache-control"] == "no-store"
    assert "authorization" in known.headers["vary"]


# The script


async def test_script_comes_zipped_and_is_asked_for_by_its_tag(chat: Chat) -> None:
    plain = await chat.http.get("/widget.js", headers={"accept-encoding": "identity"})
    zipped = await chat.http.get("/widget.js", headers={"accept-encoding": "gzip, br"})
    assert plain.content == zipped.content == current_bundle().script
    assert "content-encoding" not in plain.headers
    assert zipped.headers["content-encoding"] == "gzip"
    assert int(zipped.headers["content-length"]) == len(gzip.compress(plain.content, 9, mtime=0))
    assert plain.headers["content-type"] == "text/javascript; charset=utf-8"
    assert (await chat.http.head("/widget.js")).headers["etag"] == plain.headers["etag"]
    again = await chat.http.get("/widget.js", headers={"if-none-match": plain.headers["etag"]})
    other = await chat.http.get("/widget.js", headers={"if-none-match": 'W/"another"'})
    assert (again.status_code, again.content, other.status_code) == (304, b"", 200)


async def test_script_may_be_loaded_by_every_website(make_chat: Callable[..., Chat]) -> None:
    response = await make_chat(Site()).http.get("/widget.js", headers={"origin": "https://stranger.example"})
    assert response.status_code == 200
    assert response.headers.get_list("access-control-allow-origin") == ["*"]
    assert response.headers["cross-origin-resource-policy"] == "cross-origin"
    assert response.headers["cache-control"].startswith("public, max-age=")
    assert "accept-encoding" in response.headers["vary"]


# The logo


@pytest.mark.parametrize(
    ("data", "media_type"),
    [(PNG, "image/png"), (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"), (SVG, "image/svg+xml")],
)
async def test_logo_runs_nothing(make_chat: Callable[..., Chat], tmp_path: Path, data: bytes, media_type: str) -> None:
    (tmp_path / "logo").write_bytes(data)
    chat = make_chat(site(load_settings(tmp_path, {"REFILL_WEBCHAT_LOGO": "logo"})))
    path = (await chat.http.get(CONFIG)).json()["brand"]["logo"]
    response = await chat.http.get(path)
    assert (response.content, response.headers["content-type"]) == (data, media_type)
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "sandbox" in response.headers["content-security-policy"]
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "immutable" in response.headers["cache-control"]
    assert_error(await chat.http.get(f"{CONFIG}/logo/{'0' * 16}"), 404, "not_found")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (None, "cannot be read"),
        (b"GIF89a", "no PNG, WebP or SVG"),
        (b"<html xmlns='http://www.w3.org/1999/xhtml'/>", "no PNG, WebP or SVG"),
        (b'<!DOCTYPE svg [<!ENTITY a "b">]><svg xmlns="http://www.w3.org/2000/svg">&a;</svg>', "no PNG, WebP or SVG"),
        (b"", "no PNG, WebP or SVG"),
        (PNG + b"x" * MAX_LOGO, "200,000 are the most"),
    ],
)
def test_a_logo_that_cannot_be_used_is_named(tmp_path: Path, data: bytes | None, told: str) -> None:
    if data is not None:
        (tmp_path / "logo.png").write_bytes(data)
    with pytest.raises(SettingsError) as caught:
        site(load_settings(tmp_path, {"REFILL_WEBCHAT_LOGO": "logo.png"}))
    assert told in caught.value.message
    assert "logo.png" in caught.value.message
    assert caught.value.remedy


def test_without_settings_it_is_the_default(tmp_path: Path) -> None:
    assert site(load_settings(tmp_path, {})) == Site()


def test_logos_of_one_content_have_one_address() -> None:
    def made(data: bytes) -> Any:
        return Logo(data, "image/png").digest

    assert made(PNG) == made(PNG) != made(PNG + b"x")
