"""The desk's administration in a real browser: with and without scripts, wide and narrow, light and dark."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from bot.conversation.models import now
from bot.desk.words import words
from bot.outbox import webhooks
from bot.outbox.models import Outgoing
from bot.people import people, tokens
from bot.people.models import Person
from bot.people.roles import operator
from tests.desk.live import serving
from tests.desk.rig import PASSWORD, add_person, new_app, new_desk

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PAGES = ("people", "people/new", "tokens", "tokens/new", "webhooks", "webhooks/new", "deliveries", "audit", "settings")


@pytest.fixture
def desk(engine: Engine) -> Iterator[str]:
    """A desk with a team, a token, webhooks and deliveries, and its address."""
    add_person(engine, "grace@example.com", "administrator", name="Grace Hopper", languages=["en", "tr"])
    ada = add_person(engine, "ada@example.com", "agent", name="Ada Lovelace", languages=["en", "th"])
    add_person(engine, "somchai@example.com", "success_manager", name="สมชาย ใจดี", languages=["th"], capacity=4)
    left = add_person(engine, "li@example.com", "lead", name="李雷")
    by = operator("root")
    with Session(engine) as session, session.begin():
        session.get_one(Person, ada.id).online = True
        session.get_one(Person, ada.id).seen_at = now()
        session.get_one(Person, left.id).disabled_at = now()
        tokens.create_token(session, by, "Warehouse", ["conversations:read", "signals:write"], ["support"])
        tokens.create_token(session, by, "Reports", ["reports:read"], None, now() + dt.timedelta(days=80))
        shop, _ = webhooks.create(session, by, "https://shop.example.com/hooks/refill", ["case.*", "rating.*"], "Shop")
        webhooks.create(session, by, "https://chat.example.com/refill", ["*"])
        session.flush()
        for age, state, error in ((1, "delivered", None), (5, "pending", None), (60, "dead", "Connection refused.")):
            session.add(
                Outgoing(
                    id=f"{age:032}",
                    webhook_id=shop.id,
                    event="case.opened",
                    payload={},
                    state=state,
                    attempts=age % 13,
                    last_error=error,
                    last_status=200 if state == "delivered" else None,
                    created_at=now() - dt.timedelta(minutes=age),
                )
            )
    with serving(new_app(new_desk(engine))) as url:
        yield url


def sign_in(page: Page, url: str, email: str = "grace@example.com") -> None:
    """As somebody would, with the keyboard."""
    page.goto(f"{url}/desk/sign-in?next=/desk/settings")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="My settings")).to_be_visible()


def complaints(page: Page) -> list[str]:
    """What the browser complains about from now on: scripts that fail, what the content policy forbids."""
    found: list[str] = []
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("console", lambda message: found.append(message.text) if message.type in ("error", "warning") else None)
    return found


@pytest.mark.parametrize(
    ("scheme", "width", "language"),
    [("light", 1360, "en"), ("dark", 1360, "zh"), ("light", 360, "th"), ("dark", 360, "tr")],
)
def test_every_page_fits(
    chromium: Browser, desk: str, scheme: Literal["light", "dark"], width: int, language: str, tmp_path: Path
) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 800}, locale="en-GB", color_scheme=scheme)
    page = context.new_page()
    found = complaints(page)
    page.goto(f"{desk}/desk/sign-in")
    page.screenshot(path=tmp_path / f"sign-in-{scheme}-{width}.png")
    sign_in(page, desk)
    page.locator("#me > summary").click()
    page.locator(f"#me button[value={language}]").click()
    expect(page.locator("html")).to_have_attribute("lang", words(language).desk.tag)
    for name in PAGES:
        page.goto(f"{desk}/desk/{name}")
        page.screenshot(path=tmp_path / f"{name.replace('/', '-')}-{scheme}-{width}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.locator("#me > summary").click()
    page.screenshot(path=tmp_path / f"menu-{scheme}-{width}.png")
    available, sign_out = page.locator("#me [role=switch]").first, page.locator("form[action='/desk/sign-out'] button")
    expect(available).to_be_visible()
    expect(sign_out).to_be_visible()
    page.keyboard.press("Escape")
    expect(sign_out).to_be_hidden()
    expect(page.locator("#me > summary")).to_be_focused()
    context.close()
    assert found == []


def test_the_desk_works_without_scripts(chromium: Browser, desk: str, engine: Engine) -> None:
    context = chromium.new_context(java_script_enabled=False, locale="en-GB")
    page = context.new_page()
    sign_in(page, desk)
    page.locator("#me > summary").click()
    page.get_by_role("button", name="Dark").click()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.locator("#me > summary").click()
    page.get_by_role("switch", name=re.compile("Available")).click()
    with Session(engine) as session:
        assert not people.named(session, "grace@example.com").online
    page.goto(f"{desk}/desk/tokens")
    page.get_by_role("row", name=re.compile("Warehouse")).locator("summary").click()
    page.get_by_role("button", name="Revoke", exact=True).click()
    expect(page.get_by_text("The token is revoked.")).to_be_visible()
    page.locator("#me > summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in to the desk")).to_be_visible()
    context.close()


def test_somebody_is_added_with_the_keyboard(page: Page, desk: str) -> None:
    found = complaints(page)
    sign_in(page, desk)
    page.goto(f"{desk}/desk/people")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Add somebody")).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_label("E-mail").fill("ada@example.com")
    page.get_by_label("Name").fill("Ada")
    page.keyboard.press("Enter")
    expect(page.get_by_label("E-mail")).to_be_focused()
    expect(page.get_by_label("E-mail")).to_have_accessible_description(re.compile("already"))
    page.get_by_label("E-mail").fill("mary@example.com")
    page.keyboard.press("Enter")
    expect(page.get_by_text("It is shown only now")).to_be_visible()
    assert [text for text in found if "422" not in text] == []
