"""Thumbs under answers, in a real browser against the whole product."""

from __future__ import annotations

import json
import re
from typing import Literal

import pytest
from playwright.sync_api import Locator, Page, expect

from bot.channels.webchat.pages import words
from bot.settings import LANGUAGES
from tests.conftest import Product
from tests.scenarios.test_browser import Complaints, complaints, expect_answers, open_chat, say, width

pytestmark = [pytest.mark.browser, pytest.mark.rasa, pytest.mark.encoder, pytest.mark.slow]
assert complaints  # A fixture, used by every test here.

QUESTIONS = {
    "en": "How do I refund a sale?",
    "zh": "怎么退款？",
    "tr": "İade nasıl yapılır?",
    "th": "คืนเงินให้ลูกค้าอย่างไร",
}


def thumb(page: Page, way: str) -> Locator:
    """The button of a thumb under the only answer."""
    return page.locator(f'[data-thumb="{way}"]')


def expect_pressed(page: Page, up: bool, down: bool) -> None:
    """Which thumb is pressed."""
    expect(thumb(page, "up")).to_have_attribute("aria-pressed", str(up).lower())
    expect(thumb(page, "down")).to_have_attribute("aria-pressed", str(down).lower())


def stored(page: Page, product: Product) -> list[str | None]:
    """The thumbs of all messages, as the server has them."""
    kept = json.loads(page.evaluate(f"localStorage.getItem('refill.session {product.url}')"))
    return [m.thumb for m in product.running.webchat.store.messages_after(kept["conversation"], 0)]


def test_thumbs_stand_under_answers_only(page: Page, product: Product) -> None:
    open_chat(page, product)
    say(page, "hello")
    expect_answers(page)
    expect(page.locator(".thumbs")).to_have_count(0)
    say(page, QUESTIONS["en"])
    expect_answers(page, 2)
    expect(page.locator(".thumbs")).to_have_count(1)
    say(page, "printer")
    expect_answers(page, 3)
    expect(page.locator(".thumbs")).to_have_count(1)


@pytest.mark.parametrize("language", LANGUAGES)
def test_thumb_has_words_and_survives_a_reload(page: Page, product: Product, language: str) -> None:
    told = words(language)["chat"]
    open_chat(page, product, f"/?lang={language}")
    say(page, QUESTIONS[language])
    expect_answers(page)
    expect(page.get_by_role("group", name=told["helpful"])).to_be_visible()
    expect(thumb(page, "up")).to_have_accessible_name(told["thumb_up"])
    expect(thumb(page, "down")).to_have_accessible_name(told["thumb_down"])
    expect_pressed(page, False, False)
    thumb(page, "up").click()
    expect_pressed(page, True, False)
    # Within the log, whose additions are read out.
    expect(page.locator('[role="log"] .thanks')).to_have_text(told["thanks"])
    page.reload()
    expect_answers(page)
    expect_pressed(page, True, False)
    expect(page.locator(".thanks")).to_be_empty()


def test_thumb_is_changed_and_taken_back(page: Page, product: Product) -> None:
    open_chat(page, product)
    say(page, QUESTIONS["en"])
    expect_answers(page)
    steps: list[tuple[str, bool, bool]] = [
        ("up", True, False),
        ("down", False, True),
        ("down", False, False),
        ("up", True, False),
    ]
    for way, up, down in steps:
        with page.expect_response(re.compile("/thumb$")) as sent:
            thumb(page, way).click()
        assert sent.value.ok
        expect_pressed(page, up, down)
        assert stored(page, product) == [None, "up" if up else "down" if down else None]


def test_many_clicks_end_with_the_last_one(page: Page, product: Product) -> None:
    open_chat(page, product)
    say(page, QUESTIONS["en"])
    expect_answers(page)
    clicks = ("up", "down", "up", "up", "down", "up", "down")
    sent: list[str] = []
    page.on("requestfinished", lambda request: sent.append(request.url) if request.url.endswith("/thumb") else None)
    for way in clicks:
        thumb(page, way).click()
    for _ in range(100):
        if len(sent) == len(clicks):
            break
        page.wait_for_timeout(50)
    expect_pressed(page, False, True)
    assert stored(page, product) == [None, "down"]


def test_thumbs_work_with_the_keyboard_alone(page: Page, product: Product) -> None:
    open_chat(page, product)
    say(page, QUESTIONS["en"])
    expect_answers(page)
    page.locator(".sources a").focus()
    page.keyboard.press("Tab")
    expect(thumb(page, "up")).to_be_focused()
    page.keyboard.press("Tab")
    expect(thumb(page, "down")).to_be_focused()
    page.keyboard.press("Enter")
    expect_pressed(page, False, True)
    expect(thumb(page, "down")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator(".thanks button")).to_be_focused()


def test_thumb_down_leads_to_a_person(page: Page, product: Product) -> None:
    open_chat(page, product)
    say(page, QUESTIONS["en"])
    expect_answers(page)
    thumb(page, "down").click()
    person = page.locator(".thanks button")
    expect(person).to_have_text(words("en")["chat"]["person"])
    expect(person).to_be_in_viewport()
    person.click()
    expect(page.locator("[data-case]")).to_be_visible(timeout=20_000)


def test_thumb_that_cannot_be_sent_goes_again(page: Page, product: Product, complaints: Complaints) -> None:
    open_chat(page, product)
    say(page, QUESTIONS["en"])
    expect_answers(page)
    page.route("**/thumb", lambda route: route.abort())
    thumb(page, "up").click()
    expect(page.locator(".thanks")).to_have_text(words("en")["chat"]["thumb_failed"])
    expect_pressed(page, False, False)
    page.unroute("**/thumb")
    thumb(page, "up").click()
    expect_pressed(page, True, False)
    expect(page.locator(".thanks")).to_have_text(words("en")["chat"]["thanks"])
    complaints.forgive("net::ERR_FAILED")


Scheme = Literal["light", "dark"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_thumbs_fit_a_phone(page: Page, product: Product, language: str, scheme: Scheme) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.emulate_media(color_scheme=scheme)
    open_chat(page, product, f"/?lang={language}")
    say(page, QUESTIONS[language])
    expect_answers(page)
    thumb(page, "down").click()
    expect(page.locator(".thanks button")).to_be_in_viewport()
    assert width(page) == 360
    for button in (thumb(page, "up"), thumb(page, "down"), page.locator(".thanks button")):
        box = button.bounding_box()
        assert box
        assert box["height"] >= 44
        assert box["width"] >= 44
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360
