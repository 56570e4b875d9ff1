"""What a website's robots.txt lets us read (RFC 9309)."""

from __future__ import annotations

import httpx
from protego import Protego

from bot.knowledge.importers.source import Unreadable
from bot.knowledge.importers.web.fetch import AGENT, Failed, Fetcher, LimitReached
from bot.knowledge.importers.web.limits import Limits
from bot.knowledge.importers.web.network import Refused

MAX_BYTES = 500 * 1024  # What a reader must be able to read; the rest may be ignored (section 2.5).


class Robots:
    """The rules of every host that was asked for; each robots.txt is read once."""

    def __init__(self, fetcher: Fetcher, limits: Limits) -> None:
        self._fetcher = fetcher
        self._limits = limits
        self._rules: dict[str, Protego | Unreadable] = {}

    def permit(self, url: httpx.URL) -> None:
        """Return if an address may be read.

        Raises:
            Unreadable: Its host's robots.txt forbids it, or cannot be read, which forbids everything.
            LimitReached: The import has taken what it may take.
        """
        rules = self._of(url)
        if isinstance(rules, Unreadable):
            raise rules.with_traceback(None)
        if not rules.can_fetch(str(url), AGENT):
            raise Unreadable(
                f"{url.host}/robots.txt forbids to read it.",
                f"If the site is yours, allow {AGENT} in robots.txt, or import its pages as files.",
            )

    def sitemaps(self, url: httpx.URL) -> list[str]:
        """The sitemaps the host's robots.txt names, as written."""
        rules = self._of(url)
        return [] if isinstance(rules, Unreadable) else list(dict.fromkeys(rules.sitemaps))

    def _of(self, url: httpx.URL) -> Protego | Unreadable:
        place = str(url.copy_with(raw_path=b"/robots.txt"))
        if place not in self._rules:
            rules = self._rules[place] = self._read(httpx.URL(place))
            if isinstance(rules, Protego) and (delay := rules.crawl_delay(AGENT)):
                self._fetcher.pause = max(self._fetcher.pause, min(delay, self._limits.longest_pause_seconds))
        return self._rules[place]

    def _read(self, place: httpx.URL) -> Protego | Unreadable:
        try:
            return Protego.parse(self._fetcher.get(place, {"*": MAX_BYTES}).body.decode("utf-8-sig", "replace"))
        except LimitReached:
            raise
        except Refused as error:
            return error
        except Unreadable as error:
            answered = error.answered if isinstance(error, Failed) else None
            if answered is not None and 400 <= answered < 500:
                return Protego.parse("")
            if isinstance(error, Failed) and answered is None:
                return error
            return Failed(f"{place} cannot be read, which forbids all: {error.message}", error.remedy, answered)
