"""Read a page, or all pages a sitemap lists, one after another."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator
from http import HTTPStatus
from typing import Literal

import httpx

from bot.knowledge.importers.source import MAX_FILE_BYTES, Document, Unread, Unreadable
from bot.knowledge.importers.web.addresses import parse_address, same_site
from bot.knowledge.importers.web.fetch import IN_PARTS, Failed, Fetcher, LimitReached, Response, gunzip
from bot.knowledge.importers.web.limits import Limits
from bot.knowledge.importers.web.page import HTML, PDF, read_page, secure
from bot.knowledge.importers.web.robots import Robots
from bot.knowledge.importers.web.sitemap import Entry, looks_like_sitemap, read_sitemap
from bot.network import Network

Kind = Literal["auto", "html", "sitemap"]

_XML = ("application/xml", "text/xml", "text/plain")
_GZIP = ("application/gzip", "application/x-gzip", "application/octet-stream")


def pages(
    address: str, kind: Kind = "auto", limits: Limits | None = None, network: Network | None = None
) -> Iterator[Document | Unread]:
    """What a website offers, page by page, as robots.txt allows it.

    Args:
        address: Of a page, a sitemap, or a site (no path): then its robots.txt names the sitemaps, or else
            `/sitemap.xml` is one.
        kind: `html` for the one page; `sitemap` for a sitemap or, given a page, for all pages below its address that
            the site's sitemaps list; `auto` finds out.
        limits: How much may be taken.
        network: What may be reached.

    Raises:
        Unreadable: The address is not a public web address.
    """
    network = network or Network()
    return _Crawl(parse_address(address, network.ports), kind, limits or Limits(), network).run()


class _Crawl:
    """One import from one site."""

    def __init__(self, start: httpx.URL, kind: Kind, limits: Limits, network: Network) -> None:
        self._start = start
        self._kind = kind
        self._limits = limits
        self._ports = network.ports
        self._fetcher = Fetcher(limits, network)
        self._robots = Robots(self._fetcher, limits)
        self._below = "/"
        self._entries = 0
        self._pages = 0
        self._failures = 0
        self._sitemaps: set[str] = set()
        self._asked: set[str] = set()
        self._taken: dict[str, str] = {}
        page_bytes = dict.fromkeys(HTML, limits.page_bytes) | {PDF: MAX_FILE_BYTES}
        lists = dict.fromkeys((*_XML, *_GZIP), limits.sitemap_bytes)
        self._of_pages = page_bytes
        self._of_lists = lists | dict.fromkeys(HTML, limits.sitemap_bytes)
        self._of_any = lists | page_bytes

    def run(self) -> Iterator[Document | Unread]:
        with self._fetcher:
            try:
                yield from self._from_start()
            except LimitReached as error:
                yield error.unread(str(self._start), several=True)

    def _from_start(self) -> Iterator[Document | Unread]:
        try:
            first = self._get(self._start, self._of_pages if self._kind == "html" else self._of_any)
            listed = None if self._kind == "html" else self._list_in(first)
        except LimitReached:
            raise
        except Unreadable as error:
            yield error.unread(str(self._start), several=self._kind != "html")
            return
        self._start = first.url
        if listed is not None:
            yield from self._listed(first.url, listed, 1)
        elif self._kind == "html" or (self._kind == "auto" and self._start.path != "/"):
            yield from self._document(first, None)
        else:
            yield from self._site(first)

    def _site(self, first: Response) -> Iterator[Document | Unread]:
        """The pages of the sitemaps a site names."""
        self._below = self._start.path
        if named := self._robots.sitemaps(first.url):
            for address in named:
                yield from self._sitemap(address, 1)
            return
        place = first.url.copy_with(raw_path=b"/sitemap.xml")
        try:
            response = self._get(place, self._of_lists)
            listed = self._list_in(response)
        except LimitReached:
            raise
        except Unreadable:
            listed = None
        if listed is not None:
            yield from self._listed(place, listed, 1)
        elif self._kind == "auto":
            yield from self._document(first, None)
        else:
            yield Unread(
                str(self._start),
                f"Neither robots.txt nor {place} leads to a sitemap.",
                "Give the address of the sitemap itself, or import single pages.",
                several=True,
            )

    def _sitemap(self, address: str, depth: int) -> Iterator[Document | Unread]:
        """The pages of a sitemap that another file names."""
        try:
            place = self._parse(address)
            if str(place) in self._sitemaps:
                return
            if not same_site(place, self._start):
                raise Unreadable("The sitemap belongs to another site.", "Import that site by itself.")
            if depth > self._limits.sitemap_depth:
                raise Unreadable(
                    f"Sitemaps lead to sitemaps more than {self._limits.sitemap_depth} deep.",
                    "Give the address of this sitemap itself.",
                )
            response = self._get(place, self._of_lists)
            listed = self._list_in(response)
            if listed is None:
                raise Unreadable("It is not a sitemap.", "Correct its address in robots.txt or in the other sitemap.")
        except LimitReached:
            raise
        except Unreadable as error:
            yield error.unread(address, several=True)
            return
        self._sitemaps.add(str(place))
        yield from self._listed(response.url, listed, depth)

    def _listed(self, place: httpx.URL, listed: bytes, depth: int) -> Iterator[Document | Unread]:
        """The pages of a sitemap, and of those it names."""
        self._sitemaps.add(str(place))
        left = self._limits.sitemap_entries - self._entries
        try:
            entries = read_sitemap(listed, left + 1)
        except Unreadable as error:
            yield error.unread(str(place), several=True)
            return
        self._entries += len(entries)
        foreign: list[str] = []
        for entry in entries[:left]:
            if entry.is_sitemap:
                yield from self._sitemap(entry.address, depth + 1)
            else:
                yield from self._page(entry, foreign)
        if foreign:
            yield Unread(
                str(place),
                f"{len(foreign):,} of its addresses belong to another site, such as {foreign[0][:200]}.",
                "Import that site by itself, with a sitemap of its own.",
            )
        if len(entries) > left:
            raise LimitReached(f"The sitemaps list more than {self._limits.sitemap_entries:,} addresses.", IN_PARTS)

    def _page(self, entry: Entry, foreign: list[str]) -> Iterator[Document | Unread]:
        """A page a sitemap lists, unless it was asked for already."""
        try:
            url = self._parse(entry.address)
        except Unreadable as error:
            yield error.unread(entry.address)
            return
        if not same_site(url, self._start):
            foreign.append(entry.address)
            return
        if str(url) in self._asked or not _is_below(url, self._below):
            return
        if self._pages >= self._limits.pages:
            raise LimitReached(f"The site has more than {self._limits.pages:,} pages.", IN_PARTS)
        self._pages += 1
        self._asked.add(str(url))
        try:
            response = self._get(url, self._of_pages)
            if not same_site(response.url, self._start):
                raise Unreadable(f"It is redirected to another site, {response.url}.", "Import that site by itself.")
        except LimitReached:
            raise
        except Unreadable as error:
            yield _of_page(error, str(url))
            return
        if response.url != url and str(response.url) in self._asked:
            return
        self._asked.add(str(response.url))
        yield from self._document(response, entry.updated)

    def _document(self, response: Response, updated: dt.date | None) -> Iterator[Document | Unread]:
        """The document of a page, once for each address that pages name as their own."""
        url = str(response.url)
        try:
            if response.kind not in self._of_pages:
                raise Unreadable("It is neither a page nor a sitemap.", "Correct the address.")
            if response.kind in HTML and len(response.body) > self._limits.page_bytes:
                raise Unreadable(f"It has more than {self._limits.page_bytes:,} bytes.", "Split it.")
            document = read_page(response, updated, self._ports)
            if (other := self._taken.setdefault(document.key, url)) != url:
                raise Unreadable(
                    f"It names {document.key} as its own address, and so does {other}.",
                    "Nothing, if both are one page; else correct its <link rel=canonical>.",
                )
        except Unreadable as error:
            yield error.unread(url)
        else:
            yield document

    def _parse(self, address: str) -> httpx.URL:
        """An address of a sitemap, over https if the site is."""
        try:
            url = parse_address(str(self._start.join(address)), self._ports)
        except (httpx.InvalidURL, ValueError) as error:
            raise Unreadable("It is not a valid address.", "Correct it in the sitemap.") from error
        return secure(url) if self._start.scheme == "https" else url

    def _get(self, url: httpx.URL, most_bytes: dict[str, int]) -> Response:
        """Ask for an address; give up on a server that fails again and again."""
        try:
            response = self._fetcher.get(url, most_bytes, self._robots.permit)
        except Failed as error:
            self._failures = self._failures + 1 if error.is_trouble else 0
            if self._failures >= self._limits.failures:
                raise LimitReached(
                    f"The server failed {self._failures} times in a row. The last time: {error.message}",
                    "Import again later.",
                ) from error
            raise
        self._failures = 0
        return response

    def _list_in(self, response: Response) -> bytes | None:
        """The sitemap in a response, decompressed; None if there is none."""
        body = response.body
        if body.startswith(b"\x1f\x8b"):
            body = gunzip(body, self._limits.sitemap_bytes)
        return body if looks_like_sitemap(body) else None


def _is_below(url: httpx.URL, path: str) -> bool:
    return path == "/" or url.path == path or url.path.startswith(path.rstrip("/") + "/")


def _of_page(error: Unreadable, url: str) -> Unread:
    """What to report of a page that could not be fetched; its article may have another address as its key."""
    trouble = isinstance(error, Failed) and error.is_trouble
    gone = isinstance(error, Failed) and error.answered in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
    return dataclasses.replace(error.unread(url, several=trouble), withdrawn=gone)
