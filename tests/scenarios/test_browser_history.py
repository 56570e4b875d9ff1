"""In a real browser: who has read what, earlier conversations, the menu, the transcript, title, sound, emoji."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.app import create_app
from bot.channels.webchat.state import WebchatState
from bot.conversation.changes import Changes, bells
from bot.conversation.delivery import Bell, Delivery
from bot.conversation.models import Conversation
from bot.conversation.service import ConversationService
from bot.conversation.store import ConversationStore
from bot.desk.pages import COOKIE
from bot.handoff.queues import default_queues
from bot.handoff.routing import Routing
from bot.knowledge.answer import Answerer
from bot.people import sessions
from bot.people.models import Person
from bot.serve import _serving, listen
from tests.conversation.fakes import ScriptedDialogue, domain_replies
from tests.customers.signing import Website
from tests.desk.rig import new_desk
from tests.knowledge.fakes import WordEncoder, article, index_of
from tests.scenarios.test_browser_people import PERSON, Shop, part, say, script

pytestmark = [pytest.mark.browser, pytest.mark.slow]

HOST = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Prices</title>
<link rel="icon" href="/static/favicon.svg"><script src="/widget.js" async %s></script></head>
<body><h1>Prices</h1></body></html>"""
# Stands in for the browser's sounds: counts the tones, never plays.
SILENT = """
window.tones = 0;
window.AudioContext = class {
  state = "suspended"; currentTime = 0; destination = {};
  async resume() { this.state = "running"; }
  async suspend() { this.state = "suspended"; }
  createGain() {
    const gain = { setValueAtTime() {}, linearRampToValueAtTime() {}, exponentialRampToValueAtTime() {} };
    return { gain, connect: (next) => next };
  }
  createOscillator() {
    return { frequency: {}, connect: (next) => next, start: () => (window.tones += 1), stop() {} };
  }
};
"""
# A page that the visitor does not look at.
HIDE = """(hidden) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
  const state = hidden ? "hidden" : "visible";
  Object.defineProperty(document, "visibilityState", { configurable: true, get: () => state });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


class DeskShop(Shop):
    """The chat with a scripted bot, and the desk behind it."""

    async def _run(self) -> None:
        self.delivery = Delivery()
        self.changes = Changes(self.engine, bells(self.delivery))
        store = ConversationStore(self.changes, Routing(queues=self.queues), say=domain_replies().reply)
        service = ConversationService(store, ScriptedDialogue(script), domain_replies(), self.delivery)
        answerer = Answerer(index_of(article("refund-a-sale", "Open **Sales**.")), WordEncoder())
        self.website = Website()
        webchat = WebchatState(service, store, self.delivery, lambda: answerer, identity=self.website.trusted)
        services: dict[str, Any] = {"changes": self.changes, "delivery": self.delivery, "queues": self.queues}
        desk = new_desk(self.engine, say=domain_replies().reply, answerer=lambda: answerer, **services)
        app = create_app(webchat, cast(Any, None), lambda: True, desk)
        listener = listen("127.0.0.1", 0, "server.port")
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        over = asyncio.Event()
        async with _serving(app, listener):
            await service.start()
            self._stop.set_result((asyncio.get_running_loop(), over))
            await over.wait()
            webchat.closing = desk.closing = True
            self.delivery.receive(Bell(""))
            await service.stop(5)

    def sign_in(self, context: BrowserContext) -> Page:
        """A page of the desk, Ada's."""
        with Session(self.engine) as session, session.begin():
            token = sessions.start(session, session.get_one(Person, self.ada.id))
        context.add_cookies([{"name": COOKIE, "value": token, "url": self.url}])
        page = context.new_page()
        page.goto(f"{self.url}/desk/cases/{self.case()}")
        expect(page.locator("html[data-inbox=ready]")).to_be_attached()
        return page

    def kept(self) -> Conversation:
        """The newest conversation as it is stored."""
        with Session(self.engine) as session:
            return session.scalars(select(Conversation).order_by(Conversation.created_at.desc())).first()  # type: ignore[return-value]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[DeskShop]:
    """A shop whose people are always there."""
    shop = DeskShop(tmp_path, default_queues())
    try:
        yield shop
    finally:
        shop.close()


@pytest.fixture(autouse=True)
def complaints(page: Page) -> Iterator[list[str]]:
    """No page may log an error or a warning."""
    found: list[str] = []
    page.context.on("console", lambda m: found.append(m.text) if m.type in ("error", "warning") else None)
    page.context.on("weberror", lambda error: found.append(str(error.error)))
    yield found
    assert found == []


def host(page: Page, shop: DeskShop, data: str = "", path: str = "/prices?secret=1#place") -> None:
    """A website of the same origin with the chat in it."""
    page.route("**/prices*", lambda route: route.fulfill(body=HOST % data, content_type="text/html"))
    page.goto(shop.url + path)
    expect(part(page, "launcher")).to_be_attached()


def opened(page: Page, shop: DeskShop, data: str = "") -> None:
    """The website with its chat open."""
    host(page, shop, data)
    part(page, "launcher").click()
    expect(part(page, "panel")).to_be_visible()


def ask(page: Page, text: str) -> None:
    """Write something, and wait for what the bot says to it."""
    before = page.locator(".message.bot").count()
    say(page, text)
    expect(page.locator(".message.bot")).to_have_count(before + 1)


def choose(page: Page, name: str) -> None:
    """Take something from the menu."""
    part(page, "menu").click()
    page.locator(f"[role=menu] [data-{name}]").click()


def tones(*tabs: Page) -> int:
    """How many tones were played in all tabs together, since each was loaded."""
    return sum(tab.evaluate("window.tones") for tab in tabs)


def test_seen_marks_go_both_ways(page: Page, shop: DeskShop) -> None:
    opened(page, shop)
    ask(page, "Hello")
    expect(part(page, "receipt")).to_have_count(0)  # The bot's answer says enough.
    ask(page, PERSON)
    expect(page.locator(".message.customer").last.locator("[data-receipt]")).to_have_text("Sent")
    desk = shop.sign_in(page.context)
    expect(page.locator(".message.customer").last.locator("[data-receipt]")).to_have_text("Seen")
    say(page, "Are you there?")
    expect(part(page, "receipt")).to_have_count(1)
    expect(page.locator(".message.customer").last.locator("[data-receipt]")).to_have_text("Seen")
    desk.evaluate(HIDE, True)
    say(page, "Hello?")
    expect(page.locator(".message.customer").last.locator("[data-receipt]")).to_have_text("Sent")
    expect(desk.locator("#entries")).to_contain_text("Hello?")
    expect(page.locator(".message.customer").last.locator("[data-receipt]")).to_have_text("Sent")
    desk.evaluate(HIDE, False)
    expect(page.locator(".message.customer").last.locator("[data-receipt]")).to_have_text("Seen")

    expect(desk.locator("#seen")).to_have_count(0)
    page.bring_to_front()
    part(page, "close").click()
    shop.reply("Hello, Ada here.")
    expect(part(page, "badge")).to_have_text("1")
    expect(desk.locator(".by-agent")).to_contain_text("Ada here")
    expect(desk.locator("#seen")).to_have_count(0)
    part(page, "launcher").click()
    expect(desk.locator(".by-agent #seen")).to_contain_text("Seen")
    expect(part(page, "receipt")).to_have_count(0)  # A person has answered.
    desk.reload()
    expect(desk.locator(".by-agent #seen")).to_contain_text("Seen")


def test_earlier_conversations_in_two_tabs(page: Page, shop: DeskShop) -> None:
    opened(page, shop)
    choose(page, "earlier")
    expect(part(page, "overlay")).to_contain_text("There are no earlier conversations yet.")
    page.keyboard.press("Escape")
    expect(part(page, "text")).to_be_focused()
    ask(page, "My first question")
    ask(page, PERSON)
    choose(page, "new")
    expect(part(page, "welcome")).to_be_visible()
    ask(page, "Something else")
    other = page.context.new_page()
    opened(other, shop)
    expect(other.locator(".message.customer .bubble")).to_have_text(["Something else"])
    shop.reply("A word of Ada's")
    page.bring_to_front()
    choose(page, "earlier")
    rows = page.locator("[data-conversation]")
    expect(rows).to_have_count(2)
    expect(rows.first).to_be_focused()
    expect(rows.first).to_contain_text("My first question")  # Something was said there last.
    expect(rows.first).to_contain_text("Ada")
    expect(rows.first).to_contain_text("1 new")
    expect(rows.nth(1)).to_have_attribute("aria-current", "true")
    page.keyboard.press("Enter")
    expect(page.locator(".message.agent")).to_contain_text("A word of Ada's")
    expect(other.locator(".message.agent")).to_contain_text("A word of Ada's")
    say(page, "Thank you")
    expect(other.locator(".message.customer").last).to_contain_text("Thank you")
    choose(page, "earlier")
    expect(rows.first).not_to_contain_text("new")


def test_a_customer_on_two_devices(chromium: Browser, page: Page, shop: DeskShop) -> None:
    opened(page, shop)
    page.evaluate("(token) => Refill.identify({token})", shop.website.token())
    ask(page, "From the laptop")
    ask(page, PERSON)
    context = chromium.new_context(viewport={"width": 360, "height": 740}, has_touch=True)
    phone = context.new_page()
    opened(phone, shop)
    phone.evaluate("(token) => Refill.identify({token})", shop.website.token())
    shop.reply("From Ada")
    expect(page.locator(".message.agent")).to_contain_text("From Ada")
    choose(phone, "earlier")
    phone.locator("[data-conversation]").click()
    expect(phone.locator(".message.agent")).to_contain_text("From Ada")
    say(phone, "From the phone")
    expect(page.locator(".message.customer").last).to_contain_text("From the phone")
    choose(phone, "forget")
    part(phone, "confirm").get_by_role("button", name="Forget").click()
    expect(phone.locator(".message")).to_have_count(0)
    choose(phone, "earlier")
    expect(part(phone, "overlay")).to_contain_text("There are no earlier conversations yet.")
    say(page, "Still here")
    expect(page.locator(".message.customer").last).to_contain_text("Still here")
    context.close()


def test_menu_with_the_keyboard(page: Page, shop: DeskShop) -> None:
    opened(page, shop)
    menu = page.get_by_role("menu")
    part(page, "menu").focus()
    page.keyboard.press("ArrowDown")
    # What makes no sense yet is passed over.
    expect(page.get_by_role("menuitem", name="Earlier conversations")).to_be_focused()
    expect(page.get_by_role("menuitem", name="New conversation")).to_be_disabled()
    expect(page.get_by_role("menuitem", name="Forget me on this device")).to_be_disabled()
    page.keyboard.press("s")
    sound = page.get_by_role("menuitemcheckbox", name="Sound for new messages")
    expect(sound).to_be_focused()
    expect(sound).to_have_attribute("aria-checked", "true")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("menuitem", name="Earlier conversations")).to_be_focused()
    page.keyboard.press("End")
    expect(sound).to_be_focused()
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(part(page, "panel")).to_be_visible()
    expect(part(page, "menu")).to_be_focused()
    part(page, "menu").click()
    page.locator("h1").click(force=True)
    expect(menu).to_be_hidden()


def test_transcript_is_saved(page: Page, shop: DeskShop) -> None:
    opened(page, shop)
    ask(page, "Is there <b>milk</b>?")
    with page.expect_download() as saved:
        choose(page, "download")
    assert saved.value.suggested_filename.startswith("conversation-")
    assert saved.value.suggested_filename.endswith(".html")
    html = Path(saved.value.path()).read_text("utf-8")
    assert "Is there &lt;b&gt;milk&lt;/b&gt;?" in html
    assert "You wrote: Is there" in html
    assert '<html lang="en">' in html


def test_forgetting(page: Page, shop: DeskShop) -> None:
    opened(page, shop)
    ask(page, "Hello")
    choose(page, "forget")
    part(page, "confirm").get_by_role("button", name="Keep").click()
    expect(page.locator(".message")).to_have_count(2)
    with page.expect_request("**/visitors/me") as ended:
        choose(page, "forget")
        part(page, "confirm").get_by_role("button", name="Forget").click()
    assert ended.value.method == "DELETE"
    expect(page.locator(".message")).to_have_count(0)
    expect(part(page, "text")).to_be_focused()
    assert page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('refill.'))") == []
    ask(page, "Hello again")
    choose(page, "earlier")
    expect(page.locator("[data-conversation]")).to_have_count(1)


@pytest.mark.parametrize("data", ["", 'data-title="off"'])
def test_title_counts_and_comes_back(page: Page, shop: DeskShop, data: str) -> None:
    opened(page, shop, data)
    ask(page, PERSON)
    part(page, "close").click()
    shop.reply("One")
    expect(part(page, "badge")).to_have_text("1")
    shop.reply("Two")
    expect(part(page, "badge")).to_have_text("2")
    if data:
        expect(page).to_have_title("Prices")
        return
    expect(page).to_have_title("(2) Prices")
    page.evaluate("document.title = 'Plans'")
    shop.reply("Three")
    expect(page).to_have_title("(3) Plans")
    page.reload()
    expect(page).to_have_title("(3) Prices")
    part(page, "launcher").click()
    expect(page).to_have_title("Prices")
    page.evaluate(HIDE, True)
    page.evaluate(HIDE, False)
    expect(page).to_have_title("Prices")


def test_sound_once_and_only_where_it_is_wanted(page: Page, shop: DeskShop) -> None:
    page.context.add_init_script(SILENT)
    opened(page, shop)
    ask(page, PERSON)
    shop.reply("You are looking")
    expect(page.locator(".message.agent")).to_have_count(1)
    other = page.context.new_page()
    host(other, shop)
    other.locator("h1").click()
    assert tones(page, other) == 0
    part(page, "close").click()
    shop.reply("You are not")
    for tab in (page, other):
        expect(part(tab, "badge")).to_have_text("1")
    page.wait_for_function("localStorage.getItem(Object.keys(localStorage).find((key) => key.includes('rung')))")
    assert tones(page, other) == 2  # Two tones are one sound.
    page.bring_to_front()
    part(page, "launcher").click()
    choose(page, "sound")
    page.reload()
    part(page, "menu").click()
    expect(page.get_by_role("menuitemcheckbox")).to_have_attribute("aria-checked", "false")
    page.keyboard.press("Escape")
    part(page, "close").click()
    before = tones(page, other)
    shop.reply("Quietly")
    for tab in (page, other):
        expect(part(tab, "badge")).to_have_text("1")
    page.wait_for_timeout(300)
    assert tones(page, other) == before


def test_emoji(page: Page, shop: DeskShop) -> None:
    opened(page, shop)
    text = part(page, "text")
    text.fill("Good morning")
    text.press("Home")
    for _ in range(4):
        text.press("ArrowRight")
    part(page, "emoji").click()
    picker = page.get_by_role("dialog", name="Emoji")
    expect(picker.get_by_role("group", name="Hands")).to_be_visible()
    first = picker.get_by_role("button").first
    expect(first).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    expect(picker.get_by_role("button").nth(1)).to_be_focused()
    page.keyboard.press("Escape")
    expect(picker).to_have_count(0)
    expect(part(page, "emoji")).to_be_focused()
    page.keyboard.press("Enter")
    picker.get_by_role("button", name="👍").click()
    expect(text).to_have_value("Good👍 morning")
    expect(text).to_be_focused()
    expect(part(page, "panel")).to_be_visible()


def test_emoji_are_left_to_the_keyboard_of_touch_screens(chromium: Browser, page: Page, shop: DeskShop) -> None:
    context = chromium.new_context(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    phone = context.new_page()
    opened(phone, shop)
    expect(part(phone, "emoji")).to_be_hidden()
    context.close()


def test_context_goes_with_the_first_message(page: Page, shop: DeskShop) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/context" in request.url else None)
    host(page, shop)
    page.evaluate(
        "Refill.setContext({plan: 'Pro', seats: 3, trial: false, gone: null, deep: {a: 1}, long: 'x'.repeat(300)})"
    )
    part(page, "launcher").click()
    expect(part(page, "panel")).to_be_visible()
    assert asked == []
    with page.expect_response("**/context") as told:
        ask(page, PERSON)
    assert told.value.status == 204
    values = {"plan": "Pro", "seats": 3, "trial": False, "long": "x" * 200}
    assert shop.kept().context == {"page": f"{shop.url}/prices", "title": "Prices", "values": values}
    with page.expect_response("**/context") as told:
        page.evaluate("Refill.setContext({plan: 'Chain', long: null})")
    assert told.value.status == 204
    desk = shop.sign_in(page.context)
    desk.get_by_role("button", name="Summary, tags and customer").click()
    facts = desk.locator("#side .facts").filter(has_text="plan")
    expect(facts).to_contain_text("Chain")
    link = facts.get_by_role("link", name="Prices")
    expect(link).to_have_attribute("href", f"{shop.url}/prices")
    expect(desk.locator("#side")).to_contain_text("Told by the website, not verified")
