"""Reading of sitemaps in all their forms, and of what only looks like one."""

from __future__ import annotations

import datetime as dt
import time

import pytest

from bot.knowledge.importers.source import Unreadable
from bot.knowledge.importers.web.sitemap import Entry, looks_like_sitemap, read_sitemap
from tests.knowledge.importers.web.site import xml

DAY = dt.date(2026, 3, 1)


def test_pages_and_their_dates() -> None:
    raw = xml(
        "https://a.test/1 2026-03-01", "https://a.test/2 2026-03-01T10:00:00+00:00", "https://a.test/3 2026"
    ).encode()
    assert looks_like_sitemap(raw)
    assert read_sitemap(raw, 10) == [
        Entry("https://a.test/1", DAY),
        Entry("https://a.test/2", DAY),
        Entry("https://a.test/3"),
    ]


def test_an_index() -> None:
    raw = xml("https://a.test/s.xml 2026-03-01", root="sitemapindex", tag="sitemap").encode()
    assert read_sitemap(raw, 10) == [Entry("https://a.test/s.xml", DAY, is_sitemap=True)]


def test_other_vocabularies_within_are_passed_over() -> None:
    raw = b"""<?xml version='1.0'?>
    <sm:urlset xmlns:sm="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:image="http://image.test" xmlns:x="http://x">
      <sm:url>
        <image:image><image:loc>https://a.test/picture.png</image:loc></image:image>
        <image:loc>https://a.test/other.png</image:loc>
        <sm:loc>
          https://a.test/?a=1&amp;b=<![CDATA[2&c=3]]>
        </sm:loc>
        <x:link rel="alternate" hreflang="tr" href="https://a.test/tr"/>
      </sm:url>
      <sm:url><sm:lastmod>2026-03-01</sm:lastmod></sm:url>
    </sm:urlset>"""
    assert looks_like_sitemap(raw)
    assert read_sitemap(raw, 10) == [Entry("https://a.test/?a=1&b=2&c=3")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "iso-8859-1"])
def test_encodings(encoding: str) -> None:
    declared = encoding.removesuffix("-sig")
    raw = xml("https://a.test/ü").replace("?>", f" encoding='{declared}'?>", 1).encode(encoding)
    assert read_sitemap(raw, 10) == [Entry("https://a.test/ü")]


def test_plain_text() -> None:
    raw = "\ufeffhttps://a.test/1\r\n\n  https://a.test/2  \n".encode()
    assert looks_like_sitemap(raw)
    assert read_sitemap(raw, 10) == [Entry("https://a.test/1"), Entry("https://a.test/2")]


def test_no_more_than_asked_for() -> None:
    addresses = [f"https://a.test/{number}" for number in range(20)]
    assert len(read_sitemap(xml(*addresses).encode(), 7)) == 7
    assert len(read_sitemap("\n".join(addresses).encode(), 7)) == 7


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"hello",
        b"<html><body>urlset</body></html>",
        b"<!doctype html><title>x</title>",
        b'<rss version="2.0"></rss>',
        b"\x89PNG",
    ],
)
def test_other_things_are_told_apart(raw: bytes) -> None:
    assert not looks_like_sitemap(raw)


LAUGHS = (
    """<?xml version="1.0"?><!DOCTYPE urlset [<!ENTITY a "ha">{more}]><urlset><url><loc>&{last};</loc></url></urlset>"""
)


@pytest.mark.parametrize(
    "raw",
    [
        LAUGHS.format(more="".join(f'<!ENTITY a{n} "{"&a;" * 10}">' for n in range(9)), last="a8"),
        LAUGHS.format(more="", last="a"),
        '<!DOCTYPE urlset [<!ENTITY x SYSTEM "file:///etc/passwd">]><urlset><url><loc>&x;</loc></url></urlset>',
        '<!DOCTYPE urlset SYSTEM "http://169.254.169.254/x.dtd"><urlset/>',
        '<!DOCTYPE urlset [<!ENTITY % x SYSTEM "http://127.0.0.1/x"> %x;]><urlset/>',
    ],
)
def test_document_types_and_entities_are_refused(raw: str) -> None:
    with pytest.raises(Unreadable, match="document type or entities"):
        read_sitemap(raw.encode(), 10)


@pytest.mark.parametrize(
    "raw",
    [
        b"<urlset><url><loc>https://a.test/",
        b"<urlset></sitemapindex>",
        b"<urlset>&undefined;</urlset>",
        b"<?xml version='1.0' encoding='no-such'?><urlset/>",
        b"<?xml version='1.0' encoding='gb18030'?><urlset/>",
        b"<urlset>\xff\xfe</urlset>",
        b"<urlset>\0</urlset>",
        b"<other/>",
    ],
)
def test_broken_ones_are_reported(raw: bytes) -> None:
    with pytest.raises(Unreadable) as caught:
        read_sitemap(raw, 10)
    assert caught.value.remedy


def test_large_ones_are_read_in_time() -> None:
    raw = xml(*(f"https://a.test/{number} 2026-03-01" for number in range(50_000))).encode()
    began = time.monotonic()
    assert len(read_sitemap(raw, 50_000)) == 50_000
    assert len(read_sitemap(b"<urlset>" + b"<url>" * 500_000 + b"</url>" * 500_000 + b"</urlset>", 50_000)) == 0
    assert time.monotonic() - began < 10
