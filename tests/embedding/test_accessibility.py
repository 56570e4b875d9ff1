"""The widget for everyone: axe-core in every state, the keyboard alone, twice the size, no motion."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.embedding.axe import violations
from tests.embedding.chat import PATIENCE, Chat
from tests.embedding.conftest import Complaints
from tests.embedding.host import Host
from tests.embedding.shop import Shop

pytestmark = [pytest.mark.browser, pytest.mark.slow]

FILE: FilePayload = {"name": "receipt.txt", "mimeType": "text/plain", "buffer": b"Two coffees, one paid."}
PERSON = {"en": "a person", "tr": "temsilci", "zh": "人工", "th": "เจ้าหน้าที่"}
# The element with the focus, where it is, and whether one sees that it has it.
FOCUS = """() => {
  let one = document.activeElement;
  while (one?.shadowRoot?.activeElement) one = one.shadowRoot.activeElement;
  const rings = [one, one.parentElement].map((each) => getComputedStyle(each));
  const box = one.getBoundingClientRect();
  return {
    name: one.getAttribute("aria-label") || one.innerText || one.localName,
    part: Object.keys(one.dataset).join(" "),
    ring: rings.some(({ outlineStyle, outlineWidth }) => outlineStyle !== "none" && parseFloat(outlineWidth) > 0),
    inside: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
  };
}"""


class States:
    """What axe finds in each state.

    Attributes:
        found: The first state each violation was found in.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        self.found: dict[str, str] = {}

    def look(self, state: str) -> None:
        """Examine the page as it is now."""
        for violation in violations(self._page):
            self.found.setdefault(violation, state)


@contextmanager
def offline(page: Page) -> Iterator[None]:
    """Without the network for as long as the context lasts."""
    page.context.set_offline(True)
    yield
    page.context.set_offline(False)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_any_state(
    page: Page, shop: Shop, host: Host, complaints: Complaints, scheme: str
) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    page.goto(f"{host.url}/plain.html")
    chat, states = Chat(page), States(page)
    expect(chat.part("launcher")).to_be_visible()
    states.look("closed")
    page.evaluate("Refill.invite({ id: 'hello', text: 'Shall we help with the **prices**?' })")
    expect(chat.part("invitation")).to_be_visible()
    states.look("invitation")
    chat.part("invitation-close").click()
    chat.open()
    states.look("empty")
    chat.ask("How do I refund a sale?")
    states.look("answer")
    page.locator("[data-thumb=down]").click()
    states.look("thumb down")
    chat.ask("a choice", 2)
    states.look("choices")
    chat.part("emoji").click()
    states.look("emoji")
    page.keyboard.press("Escape")
    chat.part("menu").click()
    states.look("menu")
    chat.part("earlier").click()
    expect(chat.part("conversation").first).to_be_visible()
    states.look("earlier conversations")
    page.keyboard.press("Escape")
    chat.part("menu").click()
    chat.part("forget").click()
    expect(chat.part("confirm")).to_be_visible()
    states.look("confirm")
    page.keyboard.press("Escape")
    chat.part("text").fill("x" * 3990)
    states.look("counter")
    chat.part("text").fill("")
    chat.part("file-input").set_input_files(FILE)
    expect(chat.part("files")).to_contain_text("receipt.txt")
    states.look("file chosen")
    expect(chat.part("send")).to_be_enabled(timeout=PATIENCE)
    chat.say("see the file")
    expect(chat.answers).to_have_count(3, timeout=PATIENCE)
    states.look("file sent")
    with offline(page):
        expect(chat.part("connection")).to_be_visible()
        chat.say("later")
        expect(chat.own("queued")).to_have_count(1)
        states.look("offline")
    expect(chat.own("queued")).to_have_count(0, timeout=PATIENCE)
    page.route("**/messages", lambda route: route.fulfill(status=422, json={"error": {"code": "invalid_input"}}))
    chat.say("refused")
    expect(chat.own("failed")).to_have_count(1)
    states.look("error")
    page.unroute("**/messages")
    chat.own("failed").get_by_role("button").click()
    shop.hold_the_slow()
    chat.say("slow")
    expect(chat.part("typing")).to_be_visible(timeout=PATIENCE)
    states.look("typing")
    shop.answer_the_slow()
    chat.part("person").click()
    expect(chat.part("case-text")).to_be_visible(timeout=PATIENCE)
    states.look("case")
    chat.part("leave").click()
    states.look("contact")
    shop.claim()
    shop.reply("Hello, is the light **blue**?")
    expect(page.locator("refill-chat .message.agent")).to_be_visible()
    states.look("person")
    shop.resolve()
    page.get_by_role("radio", name="1 very bad").check()
    expect(page.get_by_role("button", name="Send comment")).to_be_visible()
    states.look("rating")
    page.set_viewport_size({"width": 360, "height": 740})
    states.look("phone")
    complaints.forgive("net::ERR_INTERNET_DISCONNECTED", "422")
    assert states.found == {}


@pytest.mark.parametrize(("language", "scheme"), [("tr", "dark"), ("zh", "light"), ("th", "dark")])
def test_axe_finds_nothing_in_any_language(page: Page, shop: Shop, host: Host, language: str, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    chat, states = Chat(page), States(page)
    for path in ("/", "/help", "/help/refund-a-sale", "/chat"):
        page.goto(f"{shop.url}{path}?lang={language}")
        expect(chat.part("text" if path == "/chat" else "launcher")).to_be_visible()
        states.look(path)
    chat.ask(PERSON[language])
    expect(chat.part("case-text")).to_be_visible(timeout=PATIENCE)
    states.look("case")
    chat.part("menu").click()
    states.look("menu")
    assert states.found == {}


def test_keyboard_alone(page: Page, shop: Shop, host: Host) -> None:
    page.goto(f"{host.url}/plain.html")
    chat = Chat(page)
    expect(chat.part("launcher")).to_be_visible()

    def reach(part: str, key: str = "Tab") -> None:
        for _ in range(40):
            page.keyboard.press(key)
            focus = page.evaluate(FOCUS)
            assert focus["ring"], f"one does not see that the focus is on {focus}"
            assert focus["inside"], f"{focus} has the focus and is out of sight"
            if part in focus["part"].split() or part == focus["name"]:
                return
        raise AssertionError(f"{part} is not reached with {key}")

    reach("launcher")
    page.keyboard.press("Enter")
    expect(chat.part("text")).to_be_focused()
    page.keyboard.type("a choice")
    page.keyboard.press("Enter")
    expect(chat.answers).to_have_count(1, timeout=PATIENCE)
    reach("This one", "Shift+Tab")
    page.keyboard.press("Enter")
    expect(chat.answers).to_have_count(2, timeout=PATIENCE)
    expect(chat.part("text")).to_be_focused()
    page.keyboard.type("refund")
    page.keyboard.press("Enter")
    expect(chat.answers).to_have_count(3, timeout=PATIENCE)
    reach("thumb", "Shift+Tab")
    page.keyboard.press("Space")
    expect(page.locator("[data-thumb=down]")).to_have_attribute("aria-pressed", "true")
    reach("menu", "Shift+Tab")
    page.keyboard.press("Enter")
    expect(chat.part("new")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(chat.part("earlier")).to_be_focused()
    page.keyboard.press("Enter")
    expect(chat.part("conversation")).to_be_focused()
    page.keyboard.press("Escape")
    expect(chat.part("text")).to_be_focused()
    reach("emoji")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(chat.part("text")).to_have_value("😃")
    reach("person")
    page.keyboard.press("Enter")
    expect(chat.part("case-text")).to_be_visible(timeout=PATIENCE)
    shop.claim()
    shop.reply("Hello.")
    shop.resolve()
    rating = page.locator("refill-chat .rating input").first
    expect(rating).to_be_visible()
    page.keyboard.press("Shift+Tab")
    for _ in range(20):
        if rating.evaluate("(one) => one.getRootNode().activeElement?.closest('.rating') !== null"):
            break
        page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("refill-chat .rating .thanks")).not_to_be_empty(timeout=PATIENCE)
    page.keyboard.press("Escape")
    expect(chat.part("panel")).to_be_hidden()
    expect(chat.part("launcher")).to_be_focused()


@pytest.mark.parametrize(("width", "height"), [(640, 400), (320, 256)], ids=["200 %", "400 %"])
def test_zoom_loses_nothing(page: Page, shop: Shop, host: Host, width: int, height: int) -> None:
    page.set_viewport_size({"width": width, "height": height})
    page.goto(f"{host.url}/plain.html")
    chat = Chat(page)
    chat.open()
    chat.ask("How do I refund a sale?")
    for name in ("text", "send", "person", "menu", "close"):
        expect(chat.part(name)).to_be_in_viewport(ratio=1)
    scroller = chat.part("scroller")
    assert scroller.evaluate("(one) => one.scrollWidth - one.clientWidth") == 0
    assert scroller.evaluate("(one) => one.clientHeight") >= 40
    for name in ("menu", "emoji"):
        chat.part(name).click()
        opened = page.locator("refill-chat").get_by_role("menu" if name == "menu" else "dialog").last
        box = opened.bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["y"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["y"] + box["height"] <= height
        page.keyboard.press("Escape")
    chat.part("person").click()
    expect(chat.part("case-text")).to_be_visible(timeout=PATIENCE)
    for name in ("case-text", "leave", "text", "person"):
        chat.part(name).scroll_into_view_if_needed()
        expect(chat.part(name)).to_be_in_viewport(ratio=0.9)
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_nothing_moves_where_that_is_not_wanted(page: Page, shop: Shop, host: Host) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.goto(f"{host.url}/plain.html")
    chat = Chat(page)
    chat.open()
    shop.hold_the_slow()
    chat.say("slow")
    expect(chat.part("typing")).to_be_visible(timeout=PATIENCE)
    moving = chat.part("panel").evaluate("(one) => one.getRootNode().getAnimations().length")
    shop.answer_the_slow()
    assert moving == 0
