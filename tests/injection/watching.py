"""A browser that tells what a hostile text did: it ran, loaded something, led elsewhere, or broke what is around it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Dialog, Download, Page, Request, Route, ViewportSize

WATCH = Path(__file__).parent / "watch.js"
DESKTOP: ViewportSize = {"width": 1440, "height": 900}
PHONE: ViewportSize = {"width": 360, "height": 740}
# What cleaned Markdown may add to a page.
MARKDOWN = frozenset(
    {
        *[
            "p",
            "br",
            "strong",
            "em",
            "code",
            "pre",
            "blockquote",
            "ul",
            "ol",
            "li",
            "a",
            "hr",
            "h2",
            "h3",
            "h4",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
            "img",
        ]
    }
    | {"a href", "a rel", "a target", "a title", "ol start", "code class", "th style", "td style"}
)


@dataclass
class Watched:
    """A page, and what went wrong on it so far.

    Attributes:
        page: Whose every document runs `watch.js` first.
        found: Beside what the documents noted themselves: foreign requests, dialogs, downloads, pages that opened.
    """

    page: Page
    site: str
    found: list[str] = field(default_factory=list)

    def wrong(self) -> list[str]:
        """What happened since it was asked last."""
        noted = [*self.found, *self.run("watch.found.splice(0)")]
        self.found.clear()
        return noted

    def run(self, script: str, *given: Any) -> Any:
        """Evaluate an expression in the page."""
        return self.page.evaluate(script, *given)

    def unknown(self, kinds: Iterable[str], known: Iterable[str]) -> list[str]:
        """Kinds of elements and attributes that are neither known nor those of cleaned Markdown."""
        return sorted(set(kinds) - set(known) - MARKDOWN)


@contextmanager
def watched(chromium: Browser, site: str, size: ViewportSize = DESKTOP, policy: bool = False) -> Iterator[Watched]:
    """A fresh browser window.

    Args:
        chromium: The browser.
        site: Its own address; nothing else is loaded.
        size: Of the window.
        policy: Whether content policies hold. Without them nothing stands behind the escaping that is tested.
    """
    context = chromium.new_context(viewport=size, locale="en-GB", bypass_csp=not policy, accept_downloads=False)
    context.add_init_script(path=WATCH)
    made = Watched(context.new_page(), site)
    _listen(context, made)
    try:
        yield made
    finally:
        context.close()


def _listen(context: BrowserContext, made: Watched) -> None:
    home = urlsplit(made.site).netloc

    def only_home(route: Route, request: Request) -> None:
        if urlsplit(request.url).netloc == home or request.url.startswith(("data:", "blob:", "about:", "file:")):
            route.continue_()
        else:
            made.found.append(f"loads {request.url[:100]}")
            route.abort()

    def dialog(shown: Dialog) -> None:
        made.found.append(f"dialog: {shown.message[:60]}")
        shown.dismiss()

    def download(begun: Download) -> None:
        made.found.append(f"download: {begun.suggested_filename}")

    context.route("**/*", only_home)
    context.on("page", lambda opened: made.found.append(f"opens {opened.url[:100]}"))
    context.on("dialog", dialog)
    context.on("weberror", lambda error: made.found.append(f"error: {str(error.error)[:200]}"))
    made.page.on("download", download)
