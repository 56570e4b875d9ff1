"""A response as a document: its encoding, what it declares of itself, its main content."""

from __future__ import annotations

import codecs
import dataclasses
import datetime as dt
import re
import warnings
from email.utils import parsedate_to_datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin

import httpx
import webencodings

from bot.knowledge.importers.html import read_html
from bot.knowledge.importers.pdf import read_pdf
from bot.knowledge.importers.source import Document, Unreadable, clean_line, https_address
from bot.knowledge.importers.web.addresses import parse_address, same_site
from bot.knowledge.importers.web.fetch import AGENT, Response

if TYPE_CHECKING:
    from bs4 import BeautifulSoup

HTML = ("text/html", "application/xhtml+xml")
PDF = "application/pdf"
MAX_TAGS = 100_000
MAX_DEPTH = 200

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16le"), (codecs.BOM_UTF16_BE, "utf-16be"))
_DECLARED = re.compile(
    rb"<(?:meta|\?xml)\b[^>]{0,500}?(?:charset|encoding)\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE
)
_XML_DECLARATION = re.compile(r"\A\s*<\?xml[^>]{0,500}\?>")
_FOR_AN_AGENT = re.compile(r"\s*([\w-]+)\s*:(.*)", re.DOTALL)
_MAX_DAMAGE = 0.01


def read_page(response: Response, updated: dt.date | None, ports: frozenset[int]) -> Document:
    """A document from a page or a PDF; its key is the address the page calls its own, if that is of the same site.

    Args:
        response: The page.
        updated: As its sitemap says; else the server is asked.
        ports: That may stand in an address.

    Raises:
        Unreadable: It is not to be indexed, has no title or text, or is damaged.
    """
    if any(_hides(value) for value in response.values("x-robots-tag")):
        raise _hidden()
    updated = updated or _last_modified(response)
    if response.kind == PDF:
        name = clean_line(unquote(PurePosixPath(response.url.path).stem)) or response.url.host
        found = read_pdf(response.body, str(response.url), name)
        return dataclasses.replace(
            found, url=https_address(str(response.url)), updated=updated or found.updated, language=_language(response)
        )
    soup = _parse(_decode(response))
    for meta in soup.find_all("meta", attrs={"name": re.compile(rf"^\s*(robots|{AGENT})\s*$", re.IGNORECASE)}):
        if _forbids(str(meta.get("content") or "")):
            raise _hidden()
    address = _own_address(soup, response.url, ports)
    page = read_html(str(soup), _base(soup, response.url))
    title = page.title or clean_line(_content(soup, "og:title"))
    if not title:
        raise Unreadable("It has no title.", "Give it a heading (<h1>) or a <title>.")
    if not page.body:
        raise Unreadable(
            "It has no text; perhaps a script writes it.", "Save it in a browser and import the file, or use an export."
        )
    return Document(
        key=str(address),
        title=title,
        body=page.body,
        url=https_address(str(address)),
        language=page.language or _language(response),
        updated=updated,
        lost_images=page.lost_images,
    )


def _decode(response: Response) -> str:
    """Text in the encoding its first bytes, the server or the page name, in this order; else UTF-8, else Windows-1252.

    Raises:
        Unreadable: Too much of it is not in that encoding.
    """
    raw = response.body
    mark = next((name for bom, name in _BOMS if raw.startswith(bom)), None)
    declared = _DECLARED.search(raw[:4096])
    labels = (mark, response.charset, declared[1].decode("ascii", "replace") if declared else None)
    found = next((encoding for label in labels if label and (encoding := webencodings.lookup(label))), None)
    if found is None:
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            return raw.decode("cp1252", "replace")
    text = found.codec_info.decode(raw, "replace")[0].removeprefix("\ufeff")
    if text.count("\ufffd") > _MAX_DAMAGE * len(text):
        raise Unreadable(f"It says that its encoding is {found.name}, and it is not.", "Correct the page's charset.")
    return text


def _parse(text: str) -> BeautifulSoup:
    """A tree of bounded size and depth, without scripts, comments, and forms around the whole page.

    Raises:
        Unreadable: It has too many tags, or too many within one another, to be converted in reasonable time.
    """
    from bs4 import BeautifulSoup, Comment, UnusualUsageWarning
    from bs4.exceptions import ParserRejectedMarkup

    if text.count("<") > MAX_TAGS:
        raise Unreadable(f"It has more than {MAX_TAGS:,} tags.", "Split it, or save its text as a file.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusualUsageWarning)
        try:
            soup = BeautifulSoup(_XML_DECLARATION.sub("", text), "lxml")
        except ParserRejectedMarkup as error:
            raise Unreadable("It is not valid HTML.", "Copy its text into Markdown.") from error
    if _depth(soup) > MAX_DEPTH:
        raise Unreadable(f"Its tags are nested more than {MAX_DEPTH} deep.", "Simplify it, or save its text as a file.")
    for junk in soup.find_all(["script", "style", "noscript", "template"]):
        junk.decompose()
    for comment in soup.find_all(string=lambda string: isinstance(string, Comment)):
        comment.extract()
    for form in soup.find_all("form"):
        if form.find(["h1", "main", "article"]):
            form.unwrap()
    return soup


def _depth(soup: BeautifulSoup) -> int:
    """How many tags stand within one another at the most."""
    depths: dict[int, int] = {}
    for tag in soup.find_all(True):
        depths[id(tag)] = depths.get(id(tag.parent), 0) + 1
    return max(depths.values(), default=0)


def _hides(header: str) -> bool:
    """Whether an X-Robots-Tag header forbids indexing to us; `otherbot: noindex` does not."""
    named = _FOR_AN_AGENT.fullmatch(header)
    if named and named[1].lower() not in ("unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"):
        return named[1].lower() == AGENT.lower() and _forbids(named[2])
    return _forbids(header)


def _forbids(rules: str) -> bool:
    return not {"noindex", "none"}.isdisjoint(rule.strip().lower() for rule in rules.split(","))


def _hidden() -> Unreadable:
    return Unreadable(
        "It asks not to be indexed (noindex).", "If the page is yours, save it as a file and import that."
    )


def _own_address(soup: BeautifulSoup, url: httpx.URL, ports: frozenset[int]) -> httpx.URL:
    """The address a page names as its own, if it can be believed; else where it was found."""
    link = soup.find("link", rel="canonical")
    href = str(link.get("href") or "").strip() if link else ""
    try:
        address = parse_address(str(url.join(href)), ports) if href else url
    except (Unreadable, httpx.InvalidURL, ValueError):
        return url
    if not same_site(address, url):
        return url
    return secure(address) if url.scheme == "https" else address


def secure(url: httpx.URL) -> httpx.URL:
    """The same address over https, if it has no port of its own."""
    return url.copy_with(scheme="https") if url.scheme == "http" and url.port is None else url


def _base(soup: BeautifulSoup, url: httpx.URL) -> str:
    """What relative links of a page start from."""
    base = soup.find("base", href=True)
    try:
        return urljoin(str(url), str(base["href"]).strip()) if base else str(url)
    except ValueError:
        return str(url)


def _content(soup: BeautifulSoup, name: str) -> str:
    meta = soup.find("meta", attrs={"property": name})
    return str(meta.get("content") or "") if meta else ""


def _language(response: Response) -> str | None:
    """The first language the server names."""
    named = ",".join(response.values("content-language")).split(",")[0].strip()
    return named or None


def _last_modified(response: Response) -> dt.date | None:
    try:
        return parsedate_to_datetime(response.values("last-modified")[0]).date()
    except (IndexError, TypeError, ValueError):
        return None
