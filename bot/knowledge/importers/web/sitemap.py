"""Sitemaps: lists of a site's pages as XML, or as text with one address a line (https://www.sitemaps.org/protocol.html).

The XML is read as a stream, with nothing kept but addresses and dates. A document type, and with it every entity, is
refused.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from bot.knowledge.importers.source import Unreadable, as_date

_MAX_FIELD_CHARACTERS = 4_096
_ROOT = re.compile(rb"<(?:[\w.-]+:)?(?:urlset|sitemapindex)[\s>/]")
_REMEDY = "Check it with a validator for sitemaps, or give the address of another sitemap."


@dataclass(frozen=True)
class Entry:
    """A line of a sitemap.

    Attributes:
        address: As written.
        updated: Date of the last change, if the sitemap says.
        is_sitemap: It is a further sitemap, not a page.
    """

    address: str
    updated: dt.date | None = None
    is_sitemap: bool = False


def looks_like_sitemap(body: bytes) -> bool:
    """Whether a response is a sitemap, whatever its content type, which many servers get wrong."""
    start = body[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    return start.startswith((b"http://", b"https://")) or (start.startswith(b"<") and _ROOT.search(start) is not None)


def read_sitemap(body: bytes, most: int) -> list[Entry]:
    """The entries of a sitemap, no more than most.

    Raises:
        Unreadable: It is not valid, or declares a document type.
    """
    if not body.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<"):
        return list(_lines(body, most))
    target = _Target(most)
    parser = DefusedXMLParser(target=target, forbid_dtd=True)
    try:
        parser.feed(body)
        parser.close()
    except DefusedXmlException as error:
        raise Unreadable("The sitemap declares a document type or entities.", "Remove its <!DOCTYPE>.") from error
    except (ParseError, ValueError, LookupError) as error:
        raise Unreadable(f"The sitemap is not valid XML: {error}.", _REMEDY) from error
    return target.entries


def _lines(body: bytes, most: int) -> Iterator[Entry]:
    for line in body.decode("utf-8-sig", "replace").splitlines():
        if address := line.strip():
            yield Entry(address)
            most -= 1
        if not most:
            return


class _Target:
    """Collects entries while the parser reads."""

    def __init__(self, most: int) -> None:
        self.entries: list[Entry] = []
        self._most = most
        self._open: list[str] = []
        self._fields: dict[str, str] = {}

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._open.append(tag)
        if len(self._open) == 1 and tag.rpartition("}")[2] not in ("urlset", "sitemapindex"):
            raise Unreadable("It is XML, but not a sitemap.", _REMEDY)
        if len(self._open) == 2:
            self._fields = {}

    def data(self, text: str) -> None:
        # `image:loc` has another namespace, and stands deeper.
        if len(self._open) == 3 and self._open[2].rpartition("}")[0] == self._open[1].rpartition("}")[0]:
            name = self._open[2].rpartition("}")[2]
            if name in ("loc", "lastmod"):
                self._fields[name] = (self._fields.get(name, "") + text)[:_MAX_FIELD_CHARACTERS]

    def end(self, tag: str) -> None:
        self._open.pop()
        address = self._fields.get("loc", "").strip()
        if len(self._open) == 1 and address and len(self.entries) < self._most:
            is_sitemap = tag.rpartition("}")[2] == "sitemap"
            self.entries.append(Entry(address, as_date(self._fields.get("lastmod")), is_sitemap))

    def close(self) -> None:
        """Nothing is left to do."""
