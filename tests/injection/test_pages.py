"""Hostile articles on the help pages, and hostile conversations in the file a visitor saves."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, ViewportSize
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from bot.conversation import events, transcript
from bot.conversation.store import ConversationStore
from bot.knowledge.render import to_html
from tests.conversation.fakes import new_database
from tests.desk.shop import served
from tests.injection.articles import library
from tests.injection.infected import say_all, typed
from tests.injection.payloads import BY_KIND, PAYLOADS
from tests.injection.watching import DESKTOP, PHONE, watched

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHOWN = PAYLOADS[::2]  # As articles of their own.
PLAIN = ["Refund a sale", "Two words", "Der Drucker"]
AT_ONCE = 16
PARTS = ["header", "main", "h1", "[data-launcher]"]
LOOK = """() => ({
  flaws: [...watch.strange(), ...watch.turned(), ...watch.outside(document.querySelector("main"))],
  places: `sideways ${watch.sideways()}`, kinds: watch.kinds(), noted: watch.found.splice(0),
})"""
# Shows pages in frames, and looks at each of them.
FRAMES = """async (paths) => {
  const frames = paths.map((path) => {
    const frame = document.createElement("iframe");
    frame.width = 900;
    frame.src = path;
    return frame;
  });
  const loaded = frames.map((frame) => new Promise((done) => frame.addEventListener("load", done)));
  document.body.replaceChildren(...frames);
  await Promise.all(loaded);
  return frames.map((frame) => {
    const { watch, document: shown } = frame.contentWindow;
    const main = shown.querySelector("main");
    return {
      flaws: [...watch.strange(), ...watch.turned(), ...watch.outside(main), ...watch.found.splice(0)],
      sideways: watch.sideways(), left: frame.contentWindow.location.pathname, kinds: watch.kinds(main),
      heading: shown.querySelector("h1")?.textContent.trim(),
    };
  });
}"""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """Address of the product with an article for each payload."""
    with tempfile.TemporaryDirectory() as folder:
        engine = new_database(Path(folder))
        answerer = library([*PLAIN, *SHOWN])
        with served(engine, answerer=lambda: answerer) as (_, url):
            yield url
        engine.dispose()


def test_articles(chromium: Browser, site: str) -> None:
    with watched(chromium, site) as browser:
        browser.page.goto(f"{site}/health")
        usual = browser.run(FRAMES, ["/help/article-0", "/help/article-1"])
        known = {kind for one in usual for kind in one["kinds"]}
        # What is wider than the page can be moved with the keyboard.
        known |= {f"{tag} {name}" for tag in ("table", "pre") for name in ("tabindex", "role", "aria-label")}
        for first in range(len(PLAIN), len(PLAIN) + len(SHOWN), AT_ONCE):
            numbers = range(first, min(first + AT_ONCE, len(PLAIN) + len(SHOWN)))
            for number, page in zip(numbers, browser.run(FRAMES, [f"/help/article-{n}" for n in numbers]), strict=True):
                payload = SHOWN[number - len(PLAIN)]
                assert page["flaws"] == [], payload
                assert (page["sideways"], page["left"]) == (0, f"/help/article-{number}"), payload
                title = " ".join(typed(payload).split())[:300]
                assert page["heading"].strip("\ufeff") == title.strip().strip("\ufeff")
                assert browser.unknown(page["kinds"], known) == [], payload
        assert browser.wrong() == []


def test_list_of_articles_and_addresses(chromium: Browser, site: str) -> None:
    with watched(chromium, site, PHONE) as browser:
        for path in ("/help", "/", "/help?lang=tr"):
            browser.page.goto(f"{site}{path}")
            shown = browser.run(LOOK)
            assert (shown["flaws"], shown["places"], browser.wrong()) == ([], "sideways 0", [])
        for payload in (*PAYLOADS[::50], *BY_KIND["attributes"][::8]):
            odd = quote(payload.encode("utf-8", "replace"), safe="")[:2000]
            for path in (f"/help?lang={odd}", f"/help/{odd}", f"/?{odd}#{odd}"):
                browser.page.goto(f"{site}{path}")
                assert browser.run("watch.strange()") + [one for one in browser.wrong() if "404" not in one] == []


def test_cleaned_markdown(chromium: Browser, site: str) -> None:
    """What the server makes of Markdown is harmless by itself, without any care of who shows it."""
    with watched(chromium, site) as browser:
        browser.page.goto(f"{site}/health")
        show = """(parts) => {
          document.body.innerHTML = parts.map((part) => `<div>${part}</div>`).join("");
          for (const link of document.querySelectorAll("a")) link.click();
          return [watch.strange(), watch.kinds()];
        }"""
        browser.page.evaluate("addEventListener('click', (event) => event.preventDefault(), true)")
        usual = [*browser.run("watch.kinds()"), "div"]
        strange, kinds = browser.run(show, [to_html(typed(payload)) for payload in PAYLOADS])
        assert strange + browser.wrong() == []
        assert browser.unknown(kinds, usual) == []


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_saved_conversation(chromium: Browser, engine: Engine, tmp_path: Path, size: ViewportSize) -> None:
    """The file runs from a visitor's disk, where no policy of ours holds."""
    identifier, _ = ConversationStore(engine).create("webchat", "public", "en")
    with Session(engine) as session, session.begin():
        conversation = events.locked(session, identifier)
        for payload in PAYLOADS:
            say_all(session, conversation, payload)
    with Session(engine) as session:
        html = transcript.render(session, identifier, "html", ZoneInfo("Asia/Bangkok"), "https://help.example/")
    (tmp_path / "conversation.html").write_text(html, "utf-8")
    with watched(chromium, "https://help.example", size) as browser:
        browser.page.goto((tmp_path / "conversation.html").as_uri())
        flaws = browser.run("[...watch.strange(), ...watch.turned()]")
        assert (flaws, browser.run("watch.sideways()"), browser.wrong()) == (["<base>"], 0, [])
        told = browser.page.locator("body").text_content() or ""
        assert told.count("</title><script>pwn(1)</script>") >= 3
