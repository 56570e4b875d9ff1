"""The whole way, from an address to documents, over real connections."""

from __future__ import annotations

import dataclasses
import datetime as dt
import gzip
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from bot.knowledge.importers.source import Document, Unread, Unreadable
from bot.knowledge.importers.web import pages
from tests.knowledge.importers.files import articles, bring, snapshot
from tests.knowledge.importers.web.site import QUICK, Reply, Site, xml


def titles(found: list[Document | Unread]) -> list[str]:
    return [one.title for one in found if isinstance(one, Document)]


def problems(found: list[Document | Unread]) -> list[Unread]:
    return [one for one in found if isinstance(one, Unread)]


def test_one_page(site: Site) -> None:
    site.page("/refund", "Refund a sale", "Open **Sales**.", Last_Modified="Sun, 01 Mar 2026 10:00:00 GMT")
    found = site.one("/refund")
    assert found.key == site.url("/refund")
    assert (found.title, found.updated, found.url) == ("Refund a sale", dt.date(2026, 3, 1), None)


def test_a_sitemap(site: Site) -> None:
    site.sitemap("/sitemap.xml", "/a 2026-03-01", "/b", "/gone")
    site.page("/a", "A", Last_Modified="Sun, 01 Feb 2026 10:00:00 GMT")
    site.page("/b", "B")
    found = site.read("/sitemap.xml")
    assert titles(found) == ["A", "B"]
    assert isinstance(found[0], Document)
    assert found[0].updated == dt.date(2026, 3, 1)
    (gone,) = problems(found)
    assert (gone.key, gone.withdrawn, gone.several) == (site.url("/gone"), True, False)
    assert "404" in gone.reason


def test_a_site_whose_robots_names_sitemaps(site: Site) -> None:
    site.robots(
        f"Sitemap: {site.url('/one.xml')}\nSitemap: {site.url('/two.xml.gz')}\nSitemap: {site.url('/none.xml')}"
    )
    site.page("/", "Home")
    site.sitemap("/one.xml", "/a")
    site.routes["/two.xml.gz"] = Reply(gzip.compress(xml("/b", base=site.url("")).encode()), "application/x-gzip")
    site.page("/a", "A")
    site.page("/b", "B")
    found = site.read("/")
    assert titles(found) == ["A", "B"]
    (missing,) = problems(found)
    assert (missing.key, missing.several) == (site.url("/none.xml"), True)


def test_a_site_with_a_sitemap_in_the_usual_place(site: Site) -> None:
    site.page("/", "Home")
    site.page("/a", "A")
    site.sitemap("/sitemap.xml", "/a")
    assert titles(site.read("/")) == ["A"]


def test_a_site_without_a_sitemap_is_a_page(site: Site) -> None:
    site.page("/", "Home")
    assert site.one("/").title == "Home"
    site.page("/sitemap.xml", "An application that answers everything")
    assert site.one("/").title == "Home"
    found = site.none("/", kind="sitemap")
    assert "leads to a sitemap" in found.reason
    assert found.several


def test_only_the_pages_below_an_address(site: Site) -> None:
    site.page("/help", "Help")
    site.sitemap("/sitemap.xml", "/help", "/help/a", "/helpless", "/blog/b")
    for path in ("/help/a", "/helpless", "/blog/b"):
        site.page(path, path)
    assert titles(site.read("/help", kind="sitemap")) == ["Help", "/help/a"]
    assert titles(site.read("/help")) == ["Help"]
    assert titles(site.read("/help", kind="html")) == ["Help"]


@pytest.mark.parametrize("kind", ["text/html", "application/xml", "text/plain", "application/octet-stream"])
def test_a_sitemap_is_known_by_its_content(site: Site, kind: str) -> None:
    site.page("/a", "A")
    site.routes["/s"] = Reply(xml("/a", base=site.url("")), kind)
    assert titles(site.read("/s")) == ["A"]
    site.routes["/s"] = Reply(gzip.compress(site.url("/a").encode()), kind)
    assert titles(site.read("/s")) == ["A"]


def test_what_is_neither_a_page_nor_a_sitemap(site: Site) -> None:
    site.routes["/s"] = Reply("hello", "text/plain")
    assert "neither a page nor a sitemap" in site.none("/s").reason


def test_an_index_with_a_loop(site: Site) -> None:
    site.sitemap("/index.xml", "/one.xml", "/index.xml", "/two.xml", "/one.xml", tag="sitemap")
    site.sitemap("/one.xml", "/a", "/b")
    site.sitemap("/two.xml", "/b", "/a", "/index.xml")
    site.page("/a", "A")
    site.page("/b", "B")
    found = site.read("/index.xml")
    assert titles(found) == ["A", "B"]
    assert site.paths == ["/index.xml", "/one.xml", "/a", "/b", "/two.xml", "/index.xml"]
    assert [problem.key for problem in problems(found)] == [site.url("/index.xml")], "a sitemap is not a page"


def test_an_index_without_an_end(site: Site) -> None:
    for number in range(9):
        site.sitemap(f"/{number}.xml", f"/{number + 1}.xml", tag="sitemap")
    found = site.none("/0.xml")
    assert found.key == site.url("/3.xml")
    assert "more than 3 deep" in found.reason
    assert found.several


def test_addresses_of_other_sites_are_left_out(site: Site) -> None:
    one, two = site.url("/1", "other.test"), site.url("/2", "other.test")
    site.sitemap("/sitemap.xml", one, "/a", two, "ftp://x/", "http://u:p@help.test/", "http://help.test:25/")
    site.page("/a", "A")
    found = site.read("/sitemap.xml")
    assert titles(found) == ["A"]
    reasons = {problem.key: problem.reason for problem in problems(found)}
    assert f"2 of its addresses belong to another site, such as {one}" in reasons[site.url("/sitemap.xml")]
    assert len(reasons) == 4


def test_sitemaps_of_other_sites_are_left_out(site: Site) -> None:
    site.sitemap("/index.xml", site.url("/s.xml", "other.test"), tag="sitemap")
    assert "belongs to another site" in site.none("/index.xml").reason


def test_pages_that_lead_to_other_sites_are_left_out(site: Site) -> None:
    site.sitemap("/sitemap.xml", "/a")
    site.routes["/a"] = Reply(status=302, headers={"Location": site.url("/b", "other.test")})
    site.page("/b")
    found = site.none("/sitemap.xml", network=site.network(other_test="127.0.0.1"))
    assert "redirected to another site" in found.reason


def test_a_start_may_lead_to_another_site(site: Site) -> None:
    """A company's old address of its help centre: what it leads to is the site then."""
    site.routes["/"] = Reply(status=301, headers={"Location": site.url("/hc", "new.test")})
    site.page("/hc", "Home")
    site.sitemap("/sitemap.xml", site.url("/hc/a", "new.test"), site.url("/hc/b"))
    site.page("/hc/a", "A")
    found = site.read("/", kind="sitemap", network=site.network(new_test="127.0.0.1"))
    assert titles(found) == ["A"]
    assert "belong to another site" in problems(found)[0].reason


def test_each_page_once(site: Site) -> None:
    site.sitemap("/sitemap.xml", "/a", "/a#part", "/a", "/old", "/copy", "/a?x=1")
    canonical = f"<link rel=canonical href='{site.url('/a')}'>"
    site.page("/a", "A")
    site.page("/copy", "Copy", head=canonical)
    site.page("/a?x=1", "A, other", head="<link rel=canonical href=/x>")
    site.routes["/old"] = Reply(status=301, headers={"Location": "/a"})
    found = site.read("/sitemap.xml")
    assert titles(found) == ["A", "A, other"]
    (copy,) = problems(found)
    assert copy.key == site.url("/copy")
    assert f"names {site.url('/a')} as its own address" in copy.reason


def test_what_cannot_be_read_does_not_stop_the_rest(site: Site) -> None:
    site.robots("User-agent: *\nDisallow: /private")
    site.sitemap("/sitemap.xml", "/private", "/hidden", "/empty", "/picture", "/broken", "/a")
    site.page("/private")
    site.page("/hidden", head="<meta name=robots content=noindex>")
    site.routes["/empty"] = Reply("<h1>Title</h1>")
    site.routes["/picture"] = Reply(b"x", "image/png")
    site.routes["/broken"] = Reply(status=500)
    site.page("/a", "A")
    found = site.read("/sitemap.xml")
    assert titles(found) == ["A"]
    reasons = [problem.reason for problem in problems(found)]
    for reason, words in zip(reasons, ("forbids", "noindex", "no text", "image/png", "500"), strict=True):
        assert words in reason
    assert [problem.several for problem in problems(found)] == [False, False, False, False, True]


@pytest.mark.parametrize("text", ["ftp://help.test/", "https://user:x@help.test/", "http://0x7f.1/", "help.test"])
def test_a_wrong_address_is_refused_at_once(text: str) -> None:
    with pytest.raises(Unreadable):
        pages(text)


def test_a_broken_sitemap_is_reported(site: Site) -> None:
    site.routes["/s.xml"] = Reply("<urlset><url>", "application/xml")
    assert "not valid XML" in site.none("/s.xml").reason
    site.routes["/s.xml"] = Reply(
        "<!DOCTYPE urlset [<!ENTITY a 'b'>]><urlset><url><loc>&a;</loc></url></urlset>", "text/xml"
    )
    found = site.none("/s.xml")
    assert "document type" in found.reason
    assert found.several


def test_a_sitemap_that_is_a_bomb_is_not_unpacked(site: Site) -> None:
    site.routes["/s.xml.gz"] = Reply(gzip.compress(b"<urlset>" + b" " * 60_000_000, 9), "application/gzip")
    began = time.monotonic()
    assert "more than 52,428,800 bytes" in site.none("/s.xml.gz").reason
    assert time.monotonic() - began < 10


def test_no_more_pages_than_wanted(site: Site) -> None:
    site.sitemap("/sitemap.xml", *(f"/{number}" for number in range(5)))
    for number in range(5):
        site.page(f"/{number}", str(number))
    found = site.read("/sitemap.xml", limits=dataclasses.replace(QUICK, pages=3))
    assert titles(found) == ["0", "1", "2"]
    assert problems(found)[0].several
    assert "more than 3 pages" in problems(found)[0].reason
    assert site.paths == ["/sitemap.xml", "/0", "/1", "/2"]
    assert problems(site.read("/sitemap.xml", limits=dataclasses.replace(QUICK, pages=5))) == []


def test_no_more_entries_than_wanted(site: Site) -> None:
    site.sitemap("/index.xml", "/one.xml", "/two.xml", tag="sitemap")
    site.sitemap("/one.xml", "/a", "/b")
    site.sitemap("/two.xml", "/c", "/d")
    for name in "abcd":
        site.page(f"/{name}", name)
    found = site.read("/index.xml", limits=dataclasses.replace(QUICK, sitemap_entries=5))
    assert titles(found) == ["a", "b", "c"]
    assert "more than 5 addresses" in problems(found)[0].reason


def test_no_more_bytes_than_wanted(site: Site) -> None:
    site.sitemap("/sitemap.xml", "/a", "/b", "/c")
    for name in "abc":
        site.page(f"/{name}", name, "x" * 5_000)
    found = site.read("/sitemap.xml", limits=dataclasses.replace(QUICK, total_bytes=8_000))
    assert titles(found) == ["a"]
    assert "more than 8,000 bytes" in problems(found)[0].reason
    assert site.paths == ["/sitemap.xml", "/a", "/b"]


def test_a_page_has_a_limit_of_its_own(site: Site) -> None:
    site.page("/a", text="x" * 5_000)
    site.sitemap("/sitemap.xml", "/a")
    limits = dataclasses.replace(QUICK, page_bytes=4_000)
    for address in ("/a", "/sitemap.xml"):
        assert "more than 4,000 bytes" in site.none(address, limits=limits).reason


def test_no_more_time_than_wanted(site: Site) -> None:
    site.sitemap("/sitemap.xml", *(f"/{number}" for number in range(100)))
    for number in range(100):
        site.page(f"/{number}", str(number))
    began = time.monotonic()
    found = site.read("/sitemap.xml", limits=dataclasses.replace(QUICK, pause_seconds=0.05, total_seconds=1))
    assert time.monotonic() - began < 3
    assert 0 < len(titles(found)) < 25
    (late,) = problems(found)
    assert late.several
    assert "the most it may take" in late.reason


def test_a_server_that_stalls_at_the_end_of_time_is_reported_as_that(site: Site) -> None:
    def stall(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(2)

    site.routes["/a"] = stall
    found = site.none("/a", limits=dataclasses.replace(QUICK, total_seconds=0.6))
    assert "the most it may take" in found.reason


def test_a_server_that_is_down_is_left_alone(site: Site) -> None:
    site.sitemap("/sitemap.xml", *(f"/{number}" for number in range(50)))
    for number in range(50):
        site.routes[f"/{number}"] = Reply(status=503)
    site.page("/1", "One")
    found = site.read("/sitemap.xml", limits=dataclasses.replace(QUICK, failures=4))
    assert titles(found) == ["One"]
    assert "failed 4 times in a row" in problems(found)[-1].reason
    assert len(site.paths) == 1 + 2 + 4


def test_an_import_may_be_broken_off(site: Site) -> None:
    site.sitemap("/sitemap.xml", "/a", "/b")
    site.page("/a", "A")
    source = pages(site.url("/sitemap.xml"), limits=QUICK, network=site.network())
    assert isinstance(next(iter(source)), Document)
    source.close()  # type: ignore[attr-defined]
    assert site.paths == ["/sitemap.xml", "/a"]


def test_an_import_may_be_repeated(site: Site, tmp_path: Path) -> None:
    """A page that is gone is told from one that only fails today, whatever address its article goes by."""
    site.sitemap("/sitemap.xml", "/a?from=map", "/b", "/c")
    site.page("/a?from=map", "Refund a sale", "See <a href=/b>the other</a>.", head="<link rel=canonical href=/a>")
    site.page("/b", "Close a day", "Close the day in the evening.")
    site.page("/c", "Print a receipt", "Print the receipt again.")
    assert bring(tmp_path, *site.read("/sitemap.xml")).counts["added"] == 3
    before = snapshot(tmp_path)
    assert bring(tmp_path, *site.read("/sitemap.xml")).counts["unchanged"] == 3
    assert snapshot(tmp_path) == before
    site.routes["/a?from=map"] = Reply(status=503)
    del site.routes["/c"]
    report = bring(tmp_path, *site.read("/sitemap.xml"), prune=True)
    assert (report.counts["unchanged"], report.counts["deleted"], report.looked_for_removed) == (1, 0, False)
    site.page("/a?from=map", "Refund a sale", "See <a href=/b>the other</a>.", head="<link rel=canonical href=/a>")
    report = bring(tmp_path, *site.read("/sitemap.xml"), prune=True)
    assert (report.counts["unchanged"], report.counts["deleted"]) == (2, 1)
    assert [article.title for article in articles(tmp_path).values()] == ["Close a day", "Refund a sale"]
