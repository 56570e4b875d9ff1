"""Messages, names, files, sources, page addresses and invitations, in the widget and on the chat's page."""

from __future__ import annotations

import json
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ViewportSize, expect
from sqlalchemy.orm import Session

from bot.conversation import events
from bot.conversation.models import Conversation
from bot.customers import visitors
from tests.conversation.fakes import new_database
from tests.desk.shop import Shop, served
from tests.injection.articles import library
from tests.injection.infected import address, say_all, typed
from tests.injection.payloads import BY_KIND, PAYLOADS, batches
from tests.injection.watching import DESKTOP, PHONE, Watched, watched

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PLAIN = ["How do I refund a sale?", "Der Drucker *druckt* nicht.", "Hello,\nthere are **two** lines\n\n1. One\n2. Two"]
AT_ONCE = 50  # Conversations the list shows.
PARTS = ["[data-panel]", "[data-scroller]", "[data-text]", "[data-launcher]"]
LOOK = """(parts) => {
  const root = document.querySelector("refill-chat").shadowRoot;
  const boxes = [...root.querySelectorAll(".bubble, .author, .sources, .choices, .file, .notice, .earlier li button")];
  return {
    flaws: [...watch.strange(), ...watch.turned(), ...watch.outside(root.querySelector("[data-panel]")),
      ...boxes.flatMap((box) => watch.outside(box))],
    places: [...watch.places(parts, root), `sideways ${watch.sideways()}`],
    kinds: watch.kinds(),
    messages: root.querySelectorAll(".message.customer").length,
  };
}"""
INVITE = """async (texts) => {
  const root = document.querySelector("refill-chat").shadowRoot, flaws = {};
  for (const [number, text] of texts.entries()) {
    for (const storage of [localStorage, sessionStorage]) storage.clear();
    Refill.invite({ id: `i-${number}-${Date.now()}`, text });
    const shown = () => root.querySelector("[data-invitation]");
    for (let tries = 0; !shown() && tries < 200; tries++) await new Promise((done) => setTimeout(done, 5));
    const rect = shown()?.getBoundingClientRect();
    const inside = rect && rect.left >= 0 && rect.right <= innerWidth && rect.top >= 0 && rect.bottom <= innerHeight;
    const close = root.querySelector("[data-invitation-close]");
    const own = close?.getBoundingClientRect();
    flaws[number] = [
      inside ? "inside" : `stands at ${JSON.stringify(rect)}`,
      own && root.elementFromPoint(own.x + own.width / 2, own.y + own.height / 2)?.closest("button") === close
        ? "can be closed" : "cannot be closed",
      ...watch.strange(), ...watch.turned(), ...watch.outside(shown() ?? document.body), `sideways ${watch.sideways()}`,
    ];
    close?.click();
    for (let tries = 0; shown() && tries < 200; tries++) await new Promise((done) => setTimeout(done, 5));
  }
  return flaws;
}"""


@dataclass(frozen=True)
class Seen:
    """What a visitor has: a long conversation, and many short ones; each with the payloads of its batch."""

    visitor: dict[str, str]
    thread: str
    payloads: tuple[str, ...]

    def session(self, base: str) -> str:
        """Script that lets a browser be this visitor's."""
        kept = {"visitor": self.visitor, "conversation": self.thread}
        key, value = json.dumps(f"refill.session {base}"), json.dumps(json.dumps(kept))
        return f"localStorage.clear(), sessionStorage.clear(), localStorage.setItem({key}, {value})"


@dataclass(frozen=True)
class Site:
    """The product, and its visitors: the first has nothing hostile."""

    url: str
    seen: tuple[Seen, ...]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Visitors with every payload in what they see."""
    with tempfile.TemporaryDirectory() as folder:
        engine = new_database(Path(folder))
        answerer = library(PLAIN)
        with served(engine, answerer=lambda: answerer) as (shop, url):
            groups = (tuple(PLAIN), *batches(PAYLOADS, AT_ONCE))
            yield Site(url, tuple(_visitor(shop, payloads) for payloads in groups))
        engine.dispose()


def _visitor(shop: Shop, payloads: tuple[str, ...]) -> Seen:
    with shop.desk.changes.transaction() as session:
        made, token = visitors.create(session, "")  # Our own pages.
        thread = _conversation(session, made.id)
        for payload in payloads:
            say_all(session, thread, payload)
            owner = {"owner": "agent", "name": typed(payload)[:200], "version": 1}
            events.append(session, thread, "owner", owner, "person:nobody", visible=True)
            short = _conversation(session, made.id)
            events.add_message(session, short, "customer", typed(payload), by="customer")
        return Seen({"id": made.id, "token": token}, thread.id, payloads)


def _conversation(session: Session, visitor: str) -> Conversation:
    made = Conversation(id=uuid.uuid4().hex, channel="webchat", audience="public", language="en", token_hash="x")
    made.visitor_id = visitor
    session.add(made)
    session.flush()
    return made


def _look(browser: Watched) -> dict[str, Any]:
    browser.page.wait_for_timeout(60)
    found: dict[str, Any] = browser.run(LOOK, PARTS)
    return found


def _open(browser: Watched, seen: Seen, path: str) -> None:
    page = browser.page
    page.goto(f"{browser.site}/health")
    page.evaluate(seen.session(browser.site))
    page.goto(f"{browser.site}{path}")
    if path == "/":
        page.locator("[data-launcher]").click()
    expect(page.locator(".message.customer")).to_have_count(len(seen.payloads))
    expect(page.locator(".message.agent")).to_have_count(len(seen.payloads))


@pytest.mark.parametrize(
    ("path", "size"), [("/", DESKTOP), ("/", PHONE), ("/chat", DESKTOP)], ids=["desktop", "phone", "page"]
)
def test_conversations_and_their_list(chromium: Browser, site: Site, path: str, size: ViewportSize) -> None:
    usual, *others = site.seen
    with watched(chromium, site.url, size) as browser:
        _open(browser, usual, path)
        plain = _look(browser)
        assert plain["flaws"] + browser.wrong() == []
        assert "sideways 0" in plain["places"]
        for seen in others if path == "/" else others[-4:]:
            _open(browser, seen, path)
            hostile = _look(browser)
            assert hostile["flaws"] + browser.wrong() == []
            assert hostile["places"] == plain["places"]
            assert browser.unknown(hostile["kinds"], plain["kinds"]) == []
            said = browser.page.locator(".message.customer .bubble").all_text_contents()
            assert said == [typed(payload) for payload in seen.payloads]
            browser.page.locator("[data-menu]").click()
            browser.page.locator("[data-earlier]").click()
            rows = browser.page.locator("[data-earlier-list] [data-conversation]")
            expect(rows).to_have_count(min(AT_ONCE, len(seen.payloads) + 1))
            listed = _look(browser)
            assert listed["flaws"] + browser.wrong() == []
            assert listed["places"] == plain["places"]


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_invitations(chromium: Browser, site: Site, size: ViewportSize) -> None:
    texts = [PLAIN[0], *(typed(payload)[:280] for payload in PAYLOADS[:: 2 if size is DESKTOP else 5])]
    with watched(chromium, site.url, size) as browser:
        browser.page.goto(site.url)
        expect(browser.page.locator("[data-launcher]")).to_be_visible()
        flaws = browser.run(INVITE, texts)
        usual = flaws["0"]
        assert {"inside", "can be closed"} <= set(usual)
        wrong = {texts[int(number)][:80]: seen for number, seen in flaws.items() if seen != usual}
        assert wrong == {}
        assert browser.wrong() == []


def test_addresses_titles_and_names(chromium: Browser, site: Site) -> None:
    """The widget reads where it is, and what the page and files are called; none of it becomes markup."""
    with watched(chromium, site.url) as browser:
        page = browser.page
        tell = """([payload, url]) => {
          history.replaceState(null, "", "?" + encodeURIComponent(payload) + "#" + payload);
          document.title = payload;
          Refill.setContext({ page: url, title: payload, values: { [payload.slice(0, 50)]: payload } });
        }"""
        _open(browser, site.seen[0], "/")
        for payload in PAYLOADS[::2]:
            browser.run(tell, [payload.encode("utf-8", "replace").decode(), address(payload)])
        choose = """(names) => {
          const input = document.querySelector("refill-chat").shadowRoot.querySelector("[data-file-input]");
          const files = new DataTransfer();
          for (const name of names) files.items.add(new File(["x".repeat(9)], name, { type: "text/plain" }));
          input.files = files.files;
          input.dispatchEvent(new Event("change", { bubbles: true }));
        }"""
        for names in batches((*BY_KIND["headers"], *BY_KIND["unicode"], *BY_KIND["events"], *BY_KIND["long"]), 20):
            browser.run(choose, [f"{name}.txt" for name in names])
            shown = _look(browser)
            assert shown["flaws"] == []
        for query in PAYLOADS[::20]:
            page.goto(f"{site.url}/chat?lang={address(query)[26:400]}")
            assert browser.run("watch.strange()") == []
        assert browser.wrong() == []


def test_policy_hides_nothing(chromium: Browser, site: Site) -> None:
    with watched(chromium, site.url, policy=True) as browser:
        for seen in site.seen[:4]:
            _open(browser, seen, "/")
        assert browser.wrong() == []
