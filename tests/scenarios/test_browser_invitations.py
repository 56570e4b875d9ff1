"""Invitations in a real browser: on which page, when, how often, and what comes of them."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Response, expect
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.conversation.models import now
from bot.people.roles import SYSTEM
from bot.success.accounts import ensure_account
from bot.success.invitations import made
from bot.success.models import InvitationOutcome
from tests.customers.signing import Website
from tests.embedding import host as hosts
from tests.embedding.axe import violations
from tests.embedding.chat import Chat
from tests.embedding.host import Host
from tests.embedding.shop import Shop, open_shop

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CANARY = "canary"
RULES = f"""
[invitations.{CANARY}-risk]
en = "Shall we talk about your plan?"
pages = ["/account/*"]
after = 0
[invitations.{CANARY}-risk.segment]
plans = ["{CANARY}-plan"]
accounts = ["{CANARY}-account"]

[invitations.prices]
en = "Any *question* about [prices](https://example.com/prices)?"
tr = "Fiyatlar hakkında sorunuz mu var?"
pages = ["/prices/*"]
after = 5
most = 2

[invitations.docs]
en = "Cannot find it?"
pages = ["/docs/*"]
after = 0
"""
DAY = 24 * 3600 * 1000
MODULE = Path(__file__).parents[2] / "bot/channels/webchat/widget/invitations.js"
CASES = json.loads((Path(__file__).parents[1] / "success/invitations/pages.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def website() -> Website:
    """Who vouches for customers."""
    return Website()


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """A website on an origin of its own."""
    with hosts.serving() as host:
        yield host


@pytest.fixture(scope="module")
def shop(host: Host, website: Website, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The product with the rules above."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "refill.toml").write_text(RULES, "utf-8")
    (folder / "var").mkdir()
    keys = folder / "var" / "identity.json"
    keys.write_text(json.dumps({"keys": [key.to_json() for key in website.keys.values()]}), "utf-8")
    keys.chmod(0o600)
    with open_shop(folder, webchat__origins=host.origins) as shop:
        host.refill = shop.url
        yield shop


@pytest.fixture(autouse=True)
def _no_complaints(request: pytest.FixtureRequest) -> Iterator[None]:
    """No page may log an error."""
    found: list[str] = []
    if "page" in request.fixturenames:
        page: Page = request.getfixturevalue("page")

        def note(message: ConsoleMessage) -> None:
            if message.type == "error":
                found.append(message.text)

        page.context.on("console", note)
        page.context.on("weberror", lambda error: found.append(str(error.error)))
    yield
    assert found == []


def visit(page: Page, host: Host, path: str) -> None:
    """Load a page, and wait until the widget is there."""
    page.goto(f"{host.url}{path}/plain.html")
    expect(page.locator("[data-launcher]")).to_be_visible()


def bubble(page: Page) -> Locator:
    """The invitation."""
    return page.locator("[data-invitation]")


def wait(page: Page, seconds: float) -> None:
    """Let the page's clock go on."""
    page.clock.run_for(int(seconds * 1000))


def expect_none(page: Page, seconds: float = 10) -> None:
    """None is shown for so long."""
    wait(page, seconds)
    expect(bubble(page)).to_have_count(0)


def identify(page: Page, website: Website, sub: str, **claims: str) -> None:
    """The website says who the visitor is."""
    assert page.evaluate("token => Refill.identify({token})", website.token(sub, **claims))


def test_shown_on_its_page_after_its_time_and_answered(page: Page, shop: Shop, host: Host) -> None:
    page.clock.install()
    visit(page, host, "/elsewhere")
    expect_none(page)
    visit(page, host, "/prices/teams")
    expect_none(page, 4)
    page.locator("#order").focus()
    wait(page, 2)
    expect(bubble(page)).to_contain_text("Any question about prices?")
    expect(bubble(page).locator("em")).to_have_text("question")
    expect(page.locator("#order")).to_be_focused()
    expect(page.locator("[data-invitation-status]")).to_contain_text("Message from Crema")
    bubble(page).locator("[data-invitation-reply]").click()
    expect(bubble(page)).to_have_count(0)
    chat = Chat(page)
    chat.expect_answers("Any question about prices")
    expect(chat.part("text")).to_be_focused()
    chat.ask("Which one is cheap?", 2)
    chat.expect_answers("Any question about prices", "You wrote: Which one is cheap?")
    stored = [
        ("bot", "Any *question* about [prices](https://example.com/prices)?"),
        ("customer", "Which one is cheap?"),
        ("bot", "You wrote: Which one is cheap?"),
    ]
    assert shop.stored() == stored
    page.reload()
    chat.expect_answers("Any question about prices", "You wrote: Which one is cheap?")
    chat.part("close").click()
    page.clock.fast_forward(40 * DAY)
    visit(page, host, "/prices/teams")
    expect_none(page)
    visit(page, host, "/docs")
    wait(page, 1)
    expect(bubble(page)).to_contain_text("Cannot find it?")
    page.locator("[data-launcher]").click()
    chat.expect_answers("Cannot find it?")  # A conversation of its own.
    chat.ask("No", 2)
    assert shop.stored() == [("bot", "Cannot find it?"), ("customer", "No"), ("bot", "You wrote: No")]


def test_limits_hold_over_reloads(page: Page, shop: Shop, host: Host) -> None:
    page.clock.install()
    visit(page, host, "/prices")
    wait(page, 6)
    expect(bubble(page)).to_be_visible()
    visit(page, host, "/elsewhere")
    expect_none(page)
    visit(page, host, "/prices")
    expect(bubble(page)).to_be_visible()  # It came along, and is shown at once.
    page.keyboard.press("Escape")
    expect(bubble(page)).to_have_count(0)
    visit(page, host, "/docs")
    expect_none(page)
    page.clock.fast_forward(DAY)
    visit(page, host, "/prices")
    expect_none(page)
    visit(page, host, "/docs")
    wait(page, 1)
    expect(bubble(page)).to_contain_text("Cannot find it?")
    bubble(page).locator("[data-invitation-close]").click()
    for seen in (True, False):
        visit(page, host, "/elsewhere")
        page.clock.fast_forward(8 * DAY)
        visit(page, host, "/prices")
        wait(page, 6)
        expect(bubble(page)).to_have_count(int(seen))
        if seen:
            bubble(page).locator("[data-invitation-close]").click()


def test_not_now_is_respected(page: Page, shop: Shop, host: Host) -> None:
    page.clock.install()
    visit(page, host, "/docs")
    other = page.context.new_page()
    wait(page, 1)
    bubble(page).locator("[data-invitation-not-now]").click()
    expect(bubble(page)).to_have_count(0)
    visit(other, host, "/prices")
    expect_none(other)
    page.evaluate("Refill.invite({id: 'sale', text: 'Everything must go'})")
    expect_none(page)
    page.clock.fast_forward(29 * DAY)
    visit(page, host, "/docs")
    expect_none(page)
    page.clock.fast_forward(2 * DAY)
    visit(page, host, "/docs")
    wait(page, 1)
    expect(bubble(page)).to_be_visible()


def test_the_websites_own_stays_in_the_browser(page: Page, shop: Shop, host: Host) -> None:
    page.clock.install()
    visit(page, host, "/elsewhere")
    page.evaluate("Refill.invite({id: 'cart', text: '<b>Forgot</b> your cup?', after: 3})")
    expect_none(page, 2)
    wait(page, 2)
    expect(bubble(page)).to_contain_text("<b>Forgot</b> your cup?")
    page.locator("[data-launcher]").click()
    chat = Chat(page)
    chat.expect_answers("<b>Forgot</b> your cup?")
    chat.ask("Yes", 2)
    assert shop.stored() == [("customer", "Yes"), ("bot", "You wrote: Yes")]
    chat.part("close").click()
    page.evaluate("Refill.invite({id: 'cart', text: 'Forgot your cup?'})")
    expect_none(page)


def test_never_in_between(page: Page, shop: Shop, host: Host) -> None:
    page.clock.install()
    visit(page, host, "/prices")
    page.locator("main textarea").focus()
    expect_none(page)
    page.locator("main textarea").blur()
    wait(page, 2)
    expect(bubble(page)).to_be_visible()
    Chat(page).open()
    expect(bubble(page)).to_have_count(0)
    page.evaluate("Refill.invite({id: 'x', text: 'Hello'})")
    page.clock.fast_forward(2 * DAY)
    expect_none(page)
    page.locator("[data-close]").click()
    wait(page, 2)
    expect(bubble(page)).to_contain_text("Hello")


def test_pages_without_loading(page: Page, shop: Shop, host: Host) -> None:
    page.clock.install()
    visit(page, host, "/elsewhere")
    page.evaluate("history.pushState(null, '', '/docs/a')")
    wait(page, 1)
    expect(bubble(page)).to_contain_text("Cannot find it?")
    page.evaluate("history.pushState(null, '', '/elsewhere')")
    expect(bubble(page)).to_have_count(0)
    page.clock.fast_forward(2 * DAY)
    page.evaluate("Refill.setContext({page: '/prices/x'})")
    expect_none(page, 4)
    wait(page, 2)
    expect(bubble(page)).to_contain_text("Any question")


def test_identified_customers_are_remembered_on_all_devices(
    page: Page, chromium: Browser, shop: Shop, host: Host, website: Website
) -> None:
    with Session(shop.engine) as session, session.begin():
        ensure_account(session, f"{CANARY}-account")
    claims = {"account": f"{CANARY}-account", "plan": f"{CANARY}-plan"}
    visit(page, host, "/account")
    identify(page, website, "u1", **claims)
    expect(bubble(page)).to_contain_text("Shall we talk about your plan?")
    bubble(page).locator("[data-invitation-not-now]").click()
    expect(bubble(page)).to_have_count(0)
    for sub, expected in (("u1", 0), ("u2", 1)):
        device = chromium.new_context()
        there = device.new_page()
        visit(there, host, "/account")
        identify(there, website, sub, **claims)
        there.wait_for_load_state("networkidle")
        expect(bubble(there)).to_have_count(expected)
        if expected:  # Who signs out takes along what was theirs.
            there.evaluate("Refill.shutdown()")
            expect(bubble(there)).to_have_count(0)
        device.close()
    with Session(shop.engine) as session:
        told = [(row.customer_id, row.outcome) for row in session.scalars(select(InvitationOutcome))]
    assert [row for row in told if row[0]] == [("u1", "shown"), ("u1", "not_now"), ("u2", "shown")]


def test_made_for_one_customer(page: Page, shop: Shop, host: Host, website: Website) -> None:
    with Session(shop.engine) as session, session.begin():
        texts = {"en": "Your new till has arrived."}
        end = now() + dt.timedelta(days=1)
        made.create(session, SYSTEM, made.NewInvitation("play", "u7", None, texts, end))
    visit(page, host, "/elsewhere")
    identify(page, website, "u7")
    expect(bubble(page)).to_contain_text("Your new till has arrived.")
    bubble(page).locator(".invitation-text").click()
    chat = Chat(page)
    chat.expect_answers("Your new till has arrived.")
    chat.ask("Great!", 2)
    assert shop.stored()[:2] == [("bot", "Your new till has arrived."), ("customer", "Great!")]


def test_nothing_of_a_segment_reaches_a_page(page: Page, shop: Shop, host: Host, website: Website) -> None:
    said: list[Response] = []
    page.on("response", lambda answer: said.append(answer))
    visit(page, host, "/account")
    page.wait_for_load_state("networkidle")
    texts = [answer.text() for answer in said if answer.url.startswith(shop.url)]
    assert len(texts) == 2
    assert any("Cannot find it?" in text for text in texts)
    assert not [text for text in texts if CANARY in text or "Shall we talk" in text]
    identify(page, website, "u3", account=f"{CANARY}-account", plan=f"{CANARY}-plan")
    expect(bubble(page)).to_contain_text("Shall we talk about your plan?")
    invited = [answer.text() for answer in said if answer.url.endswith("/me/invitations?language=en")]
    assert len(invited) == 1
    assert "Shall we talk" in invited[0]
    assert CANARY not in invited[0]


@pytest.mark.parametrize("width", [360, 1280])
def test_fits_and_can_be_used_by_everybody(page: Page, shop: Shop, host: Host, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 640})
    visit(page, host, "/docs")
    box = bubble(page).bounding_box()
    launcher = page.locator("[data-launcher]").bounding_box()
    assert box
    assert launcher
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert box["y"] + box["height"] <= launcher["y"]
    assert [line for line in violations(page) if "refill-chat" in line] == []
    page.locator("main select").focus()
    for part in ("reply", "not-now", "close"):
        page.keyboard.press("Tab")
        expect(page.locator(f"[data-invitation-{part}]")).to_be_focused()
    page.keyboard.press("Escape")
    expect(bubble(page)).to_have_count(0)
    expect(page.locator("[data-launcher]")).to_be_focused()


def test_under_a_strict_policy(page: Page, shop: Shop, host: Host) -> None:
    page.goto(f"{host.url}/strict.html")
    expect(page.locator("[data-launcher]")).to_be_visible()
    page.evaluate("Refill.setContext({page: '/docs/x'})")
    expect(bubble(page).locator("p").nth(1)).to_have_text("Cannot find it?")
    assert bubble(page).evaluate("one => getComputedStyle(one).position") == "fixed"


def test_patterns_as_on_the_server(page: Page) -> None:
    source = MODULE.read_text("utf-8")
    rules = re.search(r"(/\*\* Whether a text is like.*?)/\*\* Whether the visitor", source, re.DOTALL)
    assert rules
    judge = (
        f"cases => {{ {rules[1].replace('export ', '')} return cases.map(c => fits(c.patterns, new URL(c.page))); }}"
    )
    assert page.evaluate(judge, CASES) == [case["fits"] for case in CASES]
