"""The widget on a page of a website: its script tag, `window.Refill`, who the visitor is, frames, and what it draws."""

from __future__ import annotations

import datetime as dt
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bot.attachments.faces import set_face, squared
from bot.conversation.models import Conversation
from bot.customers.models import Visitor
from bot.handoff import cases
from bot.handoff.queues import default_queues
from bot.people.models import Person
from tests.attachments.samples import picture
from tests.scenarios.test_browser_people import PERSON, Shop, complaints, notices, opened, part, say

pytestmark = [pytest.mark.browser, pytest.mark.slow]
assert complaints  # A fixture, used by every test here.

RICH = """Here is **how**, or see [the plans](https://example.com/plans):

1. Open *Sales*.
2. Type `refund 12`.

| Plan | Tills | Price for each till and month | Support |
|---|---|---|---|
| Starter | 2 | 29 | by mail and in the chat |

```
printer --reset --all --and-a-line-that-is-far-too-long-for-a-panel
```

AVeryLongWordThatNobodyWouldEverWriteButSomebodyPastesAnywayBecauseItIsAKeyOrAnAddress1234567890"""
NO_LOCKS = "Object.defineProperty(Navigator.prototype, 'locks', { value: undefined })"
NO_STORAGE = "for (const name of ['localStorage', 'sessionStorage']) " + (
    "Object.defineProperty(window, name, { get() { throw new DOMException('no', 'SecurityError'); } })"
)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop whose people are always there."""
    with opened(tmp_path, default_queues()) as shop:
        yield shop


def visit(page: Page, shop: Shop, data: str = "", head: str = "") -> None:
    """Open a page of a website with the widget on it.

    Args:
        data: Attributes of its script tag.
        head: Put before it.
    """
    html = f"""<!doctype html><html lang="en"><head><title>Shop</title><link rel="icon" href="data:,">{head}
        <script src="/widget.js" async {data}></script></head>
        <body><h1>Shop</h1><input aria-label="Search"><button id="own">Own</button></body></html>"""
    page.route(f"{shop.url}/host", lambda route: route.fulfill(body=html, content_type="text/html"))
    page.goto(f"{shop.url}/host")


def ask(page: Page, call: str, *values: Any) -> Any:
    """Call the widget from its page."""
    return page.evaluate(f"(values) => window.Refill.{call}(...values)", list(values))


def listen(page: Page, *names: str) -> None:
    """Note the events of some names in `window.heard`."""
    page.evaluate(
        """(names) => {
            window.heard = [];
            for (const name of names) window.Refill.on(name, (detail) => window.heard.push([name, detail]));
        }""",
        list(names),
    )


def kept(page: Page, shop: Shop) -> Any:
    """What the browser keeps of the session."""
    return json.loads(page.evaluate(f"localStorage.getItem('refill.session {shop.url}')") or "null")


def count(shop: Shop, model: type[Visitor] | type[Conversation]) -> int:
    """Rows of a table."""
    with Session(shop.engine) as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def end_identities(shop: Shop) -> None:
    """Let every identity token be over."""
    with Session(shop.engine) as session, session.begin():
        for visitor in session.scalars(select(Visitor)):
            visitor.identified_until = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)


@pytest.fixture
def device(chromium: Browser) -> Iterator[BrowserContext]:
    """Another browser."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    yield context
    context.close()


# The script tag and the page's own script


def test_page_talks_to_the_widget(page: Page, shop: Shop) -> None:
    early = "window.Refill = []; window.early = []; Refill.push(['on', 'ready', () => early.push('ready')], ['open'])"
    requests: list[str] = []
    page.on("request", lambda request: requests.append(f"{request.method} {request.url.removeprefix(shop.url)}"))
    visit(page, shop, "data-launcher=none", f"<script>{early}</script>")
    expect(part(page, "text")).to_be_focused()
    assert page.evaluate("window.early") == ["ready"]
    assert requests == ["GET /host", "GET /widget.js", "GET /api/v1/widget?language=en"]
    expect(page.locator("button[data-launcher]")).to_be_hidden()

    listen(page, "open", "close", "message")
    say(page, "hello")
    expect(page.locator(".message.bot")).to_contain_text("You wrote: hello")
    page.locator("#own").click()
    page.evaluate("window.Refill.close()")
    expect(part(page, "panel")).to_be_hidden()
    ask(page, "open")
    page.keyboard.press("Escape")
    expect(part(page, "panel")).to_be_hidden()
    expect(page.locator("#own")).to_be_focused()
    heard = page.evaluate("window.heard")
    assert [name for name, _ in heard if name != "message"] == ["close", "open", "close"]
    told = [(detail["author"], detail["text"]) for name, detail in heard if name == "message"]
    assert told == [("customer", "hello"), ("bot", "You wrote: hello")]

    page.add_script_tag(url=f"{shop.url}/widget.js")
    expect(page.locator("refill-chat")).to_have_count(1)


def test_script_tag_says_how_it_looks(page: Page, shop: Shop) -> None:
    visit(page, shop, 'data-position="left" data-theme="dark" data-language="th-TH" data-open')
    expect(part(page, "panel")).to_be_visible()
    box = part(page, "panel").bounding_box()
    assert box
    assert box["x"] < 100
    expect(part(page, "panel")).to_have_css("background-color", "rgb(25, 34, 30)")
    expect(part(page, "panel")).to_have_attribute("lang", "th")
    assert page.evaluate("document.activeElement === document.body"), "opened by itself, it took the focus"
    part(page, "close").click()
    page.reload()
    expect(part(page, "launcher")).to_be_visible()
    expect(part(page, "panel")).to_have_count(0)


def test_wrong_calls_are_told_and_harm_nothing(page: Page, shop: Shop, complaints: list[str]) -> None:
    visit(page, shop)
    listen(page, "error", "identity")
    ask(page, "push", ["dance"], ["on", "dance", None], ["invite", {"id": 1}])
    for wrong in ({}, {"token": "a.b.c"}, {"token": shop.website.token(aud="other")}):
        assert ask(page, "identify", wrong) is None
    assert [name for name, _ in page.evaluate("window.heard")] == ["error"] * 3
    assert page.evaluate("window.heard.at(-1)[1].code") == "identity_refused"
    part(page, "launcher").click()
    say(page, "hello")
    expect(page.locator(".message.bot")).to_be_visible()
    assert len([text for text in complaints if text.startswith("Refill: ")]) == 6
    complaints.clear()


# Who the visitor is


def test_history_follows_a_customer_and_nobody_else(
    page: Page, shop: Shop, device: BrowserContext, complaints: list[str]
) -> None:
    visit(page, shop)
    part(page, "launcher").click()
    say(page, "before I signed in")
    expect(page.locator(".message.bot")).to_be_visible()
    listen(page, "identity")
    customer = ask(page, "identify", {"token": shop.website.token("ann", name="Ann", email="ann@example.com")})
    assert (customer["id"], customer["name"]) == ("ann", "Ann")
    assert page.evaluate("window.heard")[0][0] == "identity"
    assert "ann@example.com" not in page.evaluate("JSON.stringify(localStorage)")

    other = device.new_page()
    visit(other, shop)
    ask(other, "identify", {"token": shop.website.token("ann")})
    part(other, "launcher").click()
    expect(other.locator(".message.customer .bubble")).to_have_text(["before I signed in"])
    say(other, "from my phone")
    expect(page.locator(".message.customer .bubble")).to_have_text(["before I signed in", "from my phone"])

    first = kept(page, shop)["visitor"]["id"]
    ask(page, "identify", {"token": shop.website.token("bea")})
    expect(page.locator(".message")).to_have_count(0)
    expect(part(page, "welcome")).to_be_visible()
    say(page, "hello from Bea")
    expect(page.locator(".message.bot")).to_contain_text("hello from Bea")
    assert kept(page, shop)["visitor"]["id"] != first
    expect(other.locator(".message.customer .bubble")).to_have_count(2)

    bearer = kept(page, shop)["visitor"]["token"]
    with page.expect_response(lambda response: response.request.method == "DELETE"):
        ask(page, "shutdown")
    expect(part(page, "panel")).to_be_hidden()
    assert kept(page, shop) is None
    me = page.request.get(f"{shop.url}/api/v1/visitors/me", headers={"authorization": f"Bearer {bearer}"})
    assert me.status == 404
    part(page, "launcher").click()
    expect(page.locator(".message")).to_have_count(0)
    complaints[:] = [text for text in complaints if "409 (Conflict)" not in text]


def test_a_token_that_is_outdated_is_replaced_by_a_new_one(page: Page, shop: Shop, complaints: list[str]) -> None:
    visit(page, shop)
    customer = page.evaluate(
        "([old, fresh]) => window.Refill.identify({ token: old, refresh: () => Promise.resolve(fresh) })",
        [shop.website.token("ann", iat=int(time.time()) - 60, exp=int(time.time()) - 5), shop.website.token("ann")],
    )
    assert customer["id"] == "ann"
    complaints[:] = [text for text in complaints if "401" not in text]


def test_shutdown_ends_the_session_of_an_anonymous_visitor(page: Page, shop: Shop) -> None:
    visit(page, shop)
    part(page, "launcher").click()
    say(page, "hello")
    expect(page.locator(".message.bot")).to_be_visible()
    bearer = kept(page, shop)["visitor"]["token"]
    with page.expect_response(f"{shop.url}/api/v1/visitors/me"):
        ask(page, "shutdown")
    me = page.request.get(f"{shop.url}/api/v1/visitors/me", headers={"authorization": f"Bearer {bearer}"})
    assert me.status == 404


def test_identity_that_ends_is_renewed_or_hides_what_was_said(page: Page, shop: Shop, complaints: list[str]) -> None:
    visit(page, shop)
    page.evaluate("window.tokens = []")
    page.evaluate(
        """(token) => window.Refill.identify({ token, refresh: () => Promise.resolve(window.tokens.shift()) })""",
        shop.website.token("ann"),
    )
    part(page, "launcher").click()
    say(page, "one")
    expect(page.locator(".message.bot")).to_contain_text("one")
    page.evaluate("(token) => window.tokens.push(token)", shop.website.token("ann"))
    end_identities(shop)
    say(page, "two")
    expect(page.locator(".message.bot").last).to_contain_text("two")
    expect(part(page, "ended")).to_be_hidden()
    assert page.evaluate("window.tokens") == []

    listen(page, "error")
    end_identities(shop)
    say(page, "three")
    expect(part(page, "ended")).to_be_visible()
    expect(page.locator(".message.bot")).to_have_count(0)
    assert page.evaluate("window.heard[0][1].code") == "identity_expired"
    ask(page, "identify", {"token": shop.website.token("ann")})
    expect(part(page, "ended")).to_be_hidden()
    expect(page.locator(".message.customer .bubble")).to_contain_text(["one", "two", "three"])
    expect(page.locator(".message.bot").last).to_contain_text("three")  # It was sent by itself.

    end_identities(shop)
    page.reload()
    expect(part(page, "ended")).to_be_visible()
    part(page, "ended").get_by_role("button").click()
    expect(part(page, "ended")).to_be_hidden()
    say(page, "somebody else")
    expect(page.locator(".message")).to_have_count(2)
    complaints[:] = [text for text in complaints if "401 (Unauthorized)" not in text]


def test_identity_is_renewed_a_minute_before_it_ends(page: Page, shop: Shop) -> None:
    visit(page, shop)
    page.evaluate(
        """([first, second]) => {
            window.asked = 0;
            window.Refill.identify({ token: first, refresh: () => ((window.asked += 1), { token: second }) });
        }""",
        [shop.website.token("ann", exp=int(time.time()) + 61), shop.website.token("ann")],
    )
    page.wait_for_function("window.asked === 1")
    page.wait_for_function(
        "(key) => Date.parse(JSON.parse(localStorage.getItem(key)).until) > Date.now() + 3_000_000",
        arg=f"refill.session {shop.url}",
    )
    assert page.evaluate("window.asked") == 1


@pytest.mark.parametrize("script", ["", NO_LOCKS], ids=["locks", "no locks"])
def test_two_tabs_that_begin_at_once_begin_one_conversation(page: Page, shop: Shop, script: str) -> None:
    page.context.add_init_script(script)
    other = page.context.new_page()
    for tab in (page, other):
        visit(tab, shop)
        part(tab, "launcher").click()
        part(tab, "text").fill("hello")
    for tab in (page, other):
        part(tab, "send").evaluate("(send) => void setTimeout(() => send.click(), 300)")
    for tab in (page, other):
        expect(tab.locator(".message.customer")).to_have_count(2)
        expect(tab.locator('.message.customer[data-state="stored"]')).to_have_count(2)
    assert (count(shop, Visitor), count(shop, Conversation)) == (1, 1)


def test_without_storage_the_chat_lasts_as_long_as_the_page(page: Page, shop: Shop) -> None:
    page.add_init_script(NO_STORAGE)
    visit(page, shop)
    part(page, "launcher").click()
    for text in ("hello", "again"):
        say(page, text)
        expect(page.locator(".message.bot").last).to_contain_text(text)
    part(page, "close").click()
    part(page, "launcher").click()
    expect(page.locator(".message")).to_have_count(4)
    assert (count(shop, Visitor), count(shop, Conversation)) == (1, 1)


# In a frame, and full screen


def wait_heard(page: Page, name: str) -> None:
    """Wait until the page around the frame has heard of an event."""
    page.evaluate(
        """async (name) => {
            while (!window.heard.flat().includes(name)) await new Promise((resolve) => setTimeout(resolve, 20));
        }""",
        name,
    )


def test_page_around_a_frame_talks_to_the_chat(page: Page, shop: Shop) -> None:
    page.goto(f"{shop.url}/help")
    page.evaluate(
        """() => {
            window.heard = [];
            window.addEventListener("message", ({ data }) => window.heard.push([data.refill, data.name ?? null]));
            const frame = Object.assign(document.createElement("iframe"), { src: "/chat", width: 400, height: 600 });
            frame.title = "Chat";
            document.body.prepend(frame);
        }"""
    )
    wait_heard(page, "ready")
    frame = page.frame_locator("iframe")
    expect(frame.locator("[data-panel]")).to_be_visible()
    token = shop.website.token("ann")
    page.evaluate("(token) => frames[0].postMessage({ refill: 'identify', token }, '*')", token)
    wait_heard(page, "identity")
    frame.locator("[data-text]").fill("from a frame")
    frame.locator("[data-send]").click()
    expect(frame.locator(".message.bot")).to_contain_text("from a frame")
    frame.locator("[data-close]").click()
    wait_heard(page, "close")
    expect(frame.locator("[data-panel]")).to_be_visible()
    page.evaluate("window.heard = []; frames[0].postMessage({ refill: 'dance' }, '*')")
    page.evaluate("frames[0].postMessage('text', '*')")
    assert page.evaluate("window.heard") == []


def test_chat_that_fills_the_screen_puts_the_page_out_of_reach(page: Page, shop: Shop) -> None:
    visit(page, shop)
    inert = "document.body.inert"
    part(page, "launcher").click()
    expect(part(page, "panel")).to_have_attribute("aria-modal", "false")
    assert page.evaluate(inert) is False
    page.set_viewport_size({"width": 390, "height": 740})
    expect(part(page, "panel")).to_have_attribute("aria-modal", "true")
    assert page.evaluate(inert) is True
    part(page, "close").click()
    assert page.evaluate(inert) is False
    page.evaluate("document.body.inert = true")
    part(page, "launcher").click()
    part(page, "close").click()
    assert page.evaluate(inert) is True, "the website's own doing was undone"


# What is drawn


def test_rich_text_stays_in_its_bubble(page: Page, shop: Shop) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    visit(page, shop)
    part(page, "launcher").click()
    say(page, PERSON)
    expect(part(page, "case")).to_be_visible()
    shop.do(lambda session, number: cases.claim(session, number, shop.ada))
    expect(notices(page)).to_have_count(1)
    expect(part(page, "title")).to_have_text("Ada")
    expect(part(page, "face").locator(".face")).to_have_attribute("data-letters", "A")
    shop.reply(RICH)
    reply = page.locator(".message.agent").last
    expect(reply.locator("li")).to_have_count(2)
    link = reply.locator("a")
    expect(link).to_have_attribute("target", "_blank")
    expect(link).to_have_attribute("rel", "noopener noreferrer")
    expect(link).to_have_accessible_name("the plans (opens in a new tab)")
    frames = reply.locator(".sideways")
    expect(frames).to_have_count(2)
    for frame in frames.all():
        expect(frame).to_have_attribute("tabindex", "0")
        expect(frame).to_have_accessible_name("Scrolls sideways")
    for element in (part(page, "scroller"), reply.locator(".bubble")):
        assert element.evaluate("(element) => element.scrollWidth <= element.clientWidth")

    shop.reply("مرحبا، كيف يمكنني **مساعدتك**؟")
    shop.reply('<img src=x onerror="alert(1)"> <b>no</b>')
    bubbles = page.locator(".message.agent .bubble")
    expect(bubbles).to_have_count(3)
    expect(bubbles.nth(1)).to_have_css("direction", "rtl")
    expect(bubbles.nth(2)).to_contain_text('<img src=x onerror="alert(1)"> <b>no</b>')
    assert bubbles.locator("img, b").count() == 0

    shop.resolve()
    expect(part(page, "title")).to_have_text("Crema support")
    card = page.locator(".rating")
    card.get_by_role("radio", name="4 good").check()
    expect(card.locator(".thanks")).to_contain_text("Thank you!")
    time = page.locator(".message").last.locator("time")
    expect(time).to_be_in_viewport(ratio=1)


def test_what_stands_last_stays_in_view(page: Page, shop: Shop, complaints: list[str]) -> None:
    page.set_viewport_size({"width": 768, "height": 560})
    visit(page, shop)
    part(page, "launcher").click()
    say(page, PERSON)
    expect(part(page, "case")).to_be_visible()
    shop.do(lambda session, number: cases.claim(session, number, shop.ada))
    expect(notices(page)).to_have_count(1)
    say(page, "Where is my order? It is late.")
    last = page.locator(".message").last
    expect(last).to_have_attribute("data-state", "stored")

    def reply_twice(session: Session, number: int) -> None:
        for text in ("I am looking for it. " * 4, "It has left the roastery. " * 4):
            cases.reply(session, number, shop.ada, text)

    shop.do(reply_twice)
    expect(page.locator(".message.agent")).to_have_count(2)
    expect(last.locator("time")).to_be_in_viewport(ratio=1)

    page.route("**/messages", lambda route: route.abort())
    part(page, "text").fill("1\n2\n3\n4")
    part(page, "text").press("Enter")
    again = last.get_by_role("button", name="Try again")
    expect(again).to_be_in_viewport(ratio=1)
    part(page, "text").fill("1\n2\n3\n4")
    expect(again).to_be_in_viewport(ratio=1)
    complaints.clear()


def test_message_that_failed_is_tried_again_by_itself(page: Page, shop: Shop, complaints: list[str]) -> None:
    visit(page, shop)
    part(page, "launcher").click()
    say(page, "one")
    expect(page.locator(".message.bot")).to_contain_text("one")
    page.route("**/messages", lambda route: route.abort())
    say(page, "two")
    expect(page.locator('.message.customer[data-state="failed"]')).to_contain_text("two")
    page.unroute("**/messages")
    expect(page.locator(".message.bot").last).to_contain_text("two", timeout=15_000)
    expect(page.locator('.message.customer[data-state="stored"]')).to_have_count(2)
    complaints.clear()


def test_faces_and_images_are_shown(page: Page, shop: Shop) -> None:
    with Session(shop.engine) as session, session.begin():
        set_face(session, session.get_one(Person, shop.ada.id), squared(picture("PNG", (90, 60))))
    png = picture("PNG", (400, 300))
    page.route("**/help/images/*", lambda route: route.fulfill(body=png, content_type="image/png"))
    visit(page, shop)
    part(page, "launcher").click()
    say(page, PERSON)
    expect(part(page, "case")).to_be_visible()
    shop.do(lambda session, number: cases.claim(session, number, shop.ada))
    shop.reply("![The till](/help/images/till.png?w=800&h=600&v=0123456789abcdef) ![x](https://example.com/x.png)")
    image = page.locator(".message.agent .bubble img")
    expect(image).to_have_count(1)
    expect(image).to_have_accessible_name("The till")
    expect(image).to_have_js_property("complete", True)
    box, bubble = image.bounding_box(), page.locator(".message.agent .bubble").bounding_box()
    assert box
    assert bubble
    assert bubble["x"] < box["x"]
    assert box["x"] + box["width"] < bubble["x"] + bubble["width"]
    assert box["height"] == pytest.approx(box["width"] * 0.75, abs=1)
    for place in (part(page, "face"), page.locator(".message.agent .author")):
        face = place.locator("img")
        expect(face).to_be_visible()
        expect(face).to_have_attribute("src", re.compile(f"^{shop.url}/api/v1/faces/[0-9a-f]{{64}}$"))
        expect(face).to_have_attribute("alt", "")


def test_limit_of_characters_is_the_servers(page: Page, shop: Shop) -> None:
    def shorter(route: Route) -> None:
        found = route.fetch()
        route.fulfill(response=found, json={**found.json(), "max_length": 20})

    page.route("**/api/v1/widget?*", shorter)
    visit(page, shop)
    part(page, "launcher").click()
    part(page, "text").fill("x" * 19)
    expect(part(page, "counter")).to_have_text("19 of 20 characters")
    part(page, "text").fill("x" * 21)
    expect(part(page, "send")).to_be_disabled()
    expect(part(page, "counter")).to_have_text("1 over the limit")


def test_after_a_choice_on_a_touch_screen_the_next_key_is_near(chromium: Browser, shop: Shop) -> None:
    context = chromium.new_context(
        viewport={"width": 390, "height": 740}, has_touch=True, is_mobile=True, locale="en-GB"
    )
    page = context.new_page()
    visit(page, shop)
    part(page, "launcher").tap()
    say(page, "a choice")
    page.get_by_role("button", name="This one").tap()
    expect(page.locator(".message.bot")).to_have_count(2)
    expect(part(page, "text")).not_to_be_focused()
    for _ in range(2):
        page.keyboard.press("Tab")
        near = part(page, "panel").evaluate(
            "(panel) => panel.getRootNode().activeElement?.matches('.composer *, .log *')"
        )
        assert near
    context.close()
