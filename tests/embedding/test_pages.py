"""The widget on pages of all kinds: closed policies, hostile styles and scripts, another direction, small screens."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.embedding.chat import Chat
from tests.embedding.conftest import Complaints
from tests.embedding.host import Host
from tests.embedding.pixels import Picture, different, picture
from tests.embedding.shop import Shop

pytestmark = [pytest.mark.browser, pytest.mark.slow]

STYLES = """() => [...document.querySelectorAll("html, head, body, body *")]
  .filter((one) => one.localName !== "refill-chat")
  .flatMap((one) => ["", "::before", "::after"].map((pseudo) => {
    const style = getComputedStyle(one, pseudo);
    return [one.localName + pseudo, ...Array.from(style, (name) => `${name}: ${style.getPropertyValue(name)}`)];
  }))"""
SHIFTS = """() => {
  window.shifts = [];
  // What moves right after the visitor did something is no shift (https://web.dev/articles/cls).
  const own = (list) => list.getEntries().filter((one) => !one.hadRecentInput).map((one) => one.value);
  new PerformanceObserver((list) => window.shifts.push(...own(list)))
    .observe({ type: "layout-shift", buffered: true });
}"""


@pytest.mark.parametrize("name", ["plain", "strict", "nonce", "hostile-css", "hostile-js", "arabic"])
def test_whole_conversation(page: Page, shop: Shop, host: Host, name: str) -> None:
    page.goto(f"{host.site if name == 'plain' else host.url}/{name}.html")
    chat = Chat(page)
    chat.open()
    chat.ask("How do I refund a sale?")
    expect(page.locator(".sources a")).to_have_attribute("href", f"{shop.url}/help/refund-a-sale?lang=en")
    expect(chat.answers.first.locator("table td").first).to_have_text("Bean")
    drawer = chat.answers.first.get_by_role("img", name="The drawer of the till")
    drawer.scroll_into_view_if_needed()
    expect(drawer).to_have_js_property("naturalWidth", 800)
    page.locator("[data-thumb=up]").first.click()
    chat.ask("a choice", 2)
    page.get_by_role("button", name="This one").click()
    chat.expect_sent("How do I refund a sale?", "a choice", "This one")
    chat.part("person").click()
    expect(chat.part("case-text")).to_be_visible(timeout=15_000)
    shop.claim()
    shop.reply("Hello, Ada here.")
    expect(page.locator(".message.agent .author")).to_contain_text("Ada")
    shop.resolve()
    page.get_by_role("radio", name="5 very good").check()
    expect(page.locator(".rating .thanks")).to_be_visible()
    page.reload()
    expect(page.locator(".message.agent .bubble")).to_have_text("Hello, Ada here.")


def test_origin_that_is_not_allowed_gets_no_chat(page: Page, shop: Shop, host: Host, complaints: Complaints) -> None:
    page.goto(f"{host.site.replace('localhost', 'elsewhere.localhost')}/plain.html")
    expect(page.locator("h1")).to_be_visible()
    expect(Chat(page).part("launcher")).to_be_hidden()
    assert page.evaluate("typeof Refill.open") == "function"
    complaints.forgive("403", "may not be used on")


def test_host_keeps_its_styles_and_its_layout(page: Page, shop: Shop, host: Host) -> None:
    page.route("**/widget.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
    page.goto(f"{host.url}/plain.html")
    before: list[Any] = page.evaluate(STYLES)
    names: list[str] = page.evaluate("Object.getOwnPropertyNames(window)")
    page.unroute("**/widget.js")
    page.add_init_script(f"({SHIFTS})()")
    page.goto(f"{host.url}/plain.html")
    chat = Chat(page)
    expect(chat.part("launcher")).to_be_visible()
    assert page.evaluate(STYLES) == before
    assert set(page.evaluate("Object.getOwnPropertyNames(window)")) - set(names) <= {"Refill", "shifts"}
    chat.open()
    chat.ask("refund")
    chat.part("close").click()
    assert page.evaluate(STYLES) == before
    assert page.evaluate("window.shifts") == []
    assert page.evaluate("document.title") == "A shop"


def test_hostile_styles_change_no_pixel(page: Page, shop: Shop, host: Host) -> None:
    seen: dict[str, list[Picture]] = {"plain": [], "hostile-css": []}
    page.emulate_media(reduced_motion="reduce")
    for name, pictures in seen.items():
        page.goto(f"{host.url}/{name}.html")
        chat = Chat(page)
        expect(chat.part("launcher")).to_be_visible()
        for part in ("launcher", "panel"):
            if part == "panel":
                chat.open()
                chat.part("text").evaluate("(one) => one.blur()")  # Its caret blinks.
            box = chat.part(part).bounding_box()
            assert box
            # Without the corners: the host shows behind them.
            pictures.append(picture(page, box, inside=16))
        chat.part("close").click()
    for plain, hostile in zip(*seen.values(), strict=True):
        assert plain.shape == hostile.shape
        assert different(plain, hostile) == 0


@pytest.mark.parametrize(("width", "height"), [(360, 740), (768, 1024), (1280, 800)])
def test_every_width(page: Page, shop: Shop, host: Host, width: int, height: int) -> None:
    page.set_viewport_size({"width": width, "height": height})
    page.goto(f"{host.url}/plain.html")
    before = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
    chat = Chat(page)
    chat.open()
    chat.ask("How do I refund a sale?")
    box = chat.part("panel").bounding_box()
    assert box
    if width < 480:
        assert box == {"x": 0, "y": 0, "width": width, "height": height}
    else:
        assert box["x"] >= 0
        assert box["y"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["y"] + box["height"] <= height
    for name in ("close", "text", "person", "send"):
        expect(chat.part(name)).to_be_in_viewport(ratio=1)
    # What is wider than the panel scrolls in a box of its own.
    assert chat.part("scroller").evaluate("(one) => one.scrollWidth - one.clientWidth") == 0
    chat.part("close").click()
    assert page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]") == before


def test_calls_made_before_the_script_is_there(page: Page, shop: Shop, host: Host) -> None:
    page.goto(f"{host.url}/early.html")
    chat = Chat(page)
    page.wait_for_function("window.heard.some(([name]) => name === 'ready')")
    expect(chat.part("launcher")).to_be_hidden()
    page.locator("#help").click()
    expect(chat.part("panel")).to_be_visible()
    expect(chat.part("panel")).to_have_attribute("lang", "tr")
    box = chat.part("panel").bounding_box()
    assert box
    assert box["x"] < 100, "data-position=left"
    chat.ask("merhaba")
    page.evaluate("Refill.close()")
    expect(chat.part("panel")).to_be_hidden()
    names = [name for name, _ in page.evaluate("window.heard")]
    assert [name for name in names if name not in ("unread", "message")] == ["ready", "open", "close"]
    assert names.count("message") >= 1
    page.evaluate("Refill.shutdown()")
    page.evaluate("Refill.open()")
    expect(chat.messages).to_have_count(0)


def test_arabic_page_mirrors_the_launcher_only(page: Page, shop: Shop, host: Host) -> None:
    """No language of the chat is written from right to left yet: it stays readable, on the side it was told to be."""
    page.goto(f"{host.url}/arabic.html")
    chat = Chat(page)
    chat.open()
    assert chat.part("text").evaluate("(one) => getComputedStyle(one).direction") == "ltr"
    box = chat.part("panel").bounding_box()
    assert box
    assert box["x"] + box["width"] <= 1280


@pytest.mark.parametrize("site", [False, True], ids=["another origin", "another site"])
def test_chat_in_a_frame(page: Page, shop: Shop, host: Host, site: bool) -> None:
    """To another site's frame the browser may lend no storage: the conversation lasts as long as the page."""
    page.goto(f"{host.site if site else host.url}/frame.html")
    chat = Chat(page.frame_locator("iframe"))
    chat.ask("one")
    if not site:
        page.reload()
    chat.ask("two", 2)
    chat.expect_sent("one", "two")
    chat.expect_answers("You wrote: one", "You wrote: two")
