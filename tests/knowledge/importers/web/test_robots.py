"""What robots.txt may and may not be, and what it means."""

from __future__ import annotations

import dataclasses
import time
from http.server import BaseHTTPRequestHandler

import pytest

from bot.knowledge.importers.source import Document, Unread
from tests.knowledge.importers.web.site import QUICK, Reply, Site


def test_it_is_asked_for_first_and_once(site: Site) -> None:
    site.sitemap("/sitemap.xml", "/a", "/b")
    site.page("/a")
    site.page("/b", "Other")
    site.read("/sitemap.xml")
    assert [asked.path for asked in site.asked] == ["/robots.txt", "/sitemap.xml", "/a", "/b"]


@pytest.mark.parametrize(
    ("rules", "allowed"),
    [
        ("", True),
        ("User-agent: *\nDisallow:", True),
        ("User-agent: *\nDisallow: /", False),
        ("User-agent: *\nDisallow: /a", False),
        ("User-agent: *\nDisallow: /b", True),
        ("User-agent: *\nDisallow: /*.html$", False),
        ("User-agent: *\nDisallow: /\nAllow: /a.html", True),
        ("User-agent: RefillImporter\nDisallow: /", False),
        ("User-agent: refillimporter\nDisallow: /", False),
        ("User-agent: OtherBot\nDisallow: /", True),
        ("User-agent: *\nDisallow: /\n\nUser-agent: RefillImporter\nAllow: /", True),
        ("\ufeffUser-agent: *\nDisallow: /", False),
        ("<html>not a robots.txt</html>", True),
    ],
)
def test_its_rules_are_kept(site: Site, rules: str, allowed: bool) -> None:
    site.robots(rules)
    site.page("/a.html")
    (found,) = site.read("/a.html")
    assert isinstance(found, Document if allowed else Unread)
    assert site.paths == (["/a.html"] if allowed else [])


def test_a_forbidden_page_is_said_so(site: Site) -> None:
    site.robots("User-agent: *\nDisallow: /a")
    found = site.none("/a")
    assert found.reason == "help.test/robots.txt forbids to read it."
    assert "RefillImporter" in found.remedy


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451])
def test_without_one_all_is_allowed(site: Site, status: int) -> None:
    site.routes["/robots.txt"] = Reply(status=status)
    site.page("/a")
    assert site.one("/a").title == "Title"


@pytest.mark.parametrize("status", [500, 502, 503, 204])
def test_one_that_cannot_be_read_forbids_all(site: Site, status: int) -> None:
    site.routes["/robots.txt"] = Reply(status=status)
    site.page("/a")
    assert f"robots.txt cannot be read, which forbids all: The server answers {status}" in site.none("/a").reason
    assert site.paths == []


def test_one_that_does_not_come_forbids_all(site: Site) -> None:
    def silent(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(3)

    site.routes["/robots.txt"] = silent
    site.page("/a")
    limits = dataclasses.replace(QUICK, read_seconds=0.5)
    assert "in time" in site.none("/a", limits=limits).reason
    assert site.paths == []


def test_its_redirects_are_followed(site: Site) -> None:
    site.routes["/robots.txt"] = Reply(status=301, headers={"Location": "/rules"})
    site.routes["/rules"] = Reply("User-agent: *\nDisallow: /a", "text/plain")
    site.page("/a")
    assert "forbids to read it" in site.none("/a").reason


def test_its_redirects_are_checked(site: Site) -> None:
    site.routes["/robots.txt"] = Reply(status=301, headers={"Location": f"http://10.0.0.1:{site.port}/robots.txt"})
    site.page("/a")
    assert "a private address" in site.none("/a").reason
    assert site.paths == []


def test_only_its_first_500_kib_count(site: Site) -> None:
    site.robots("User-agent: *\nDisallow: /a\n" + "# long\n" * 150_000 + "Disallow: /b\n")
    site.page("/a")
    site.page("/b")
    assert "forbids" in site.none("/a").reason
    assert site.one("/b").title == "Title"


def test_many_wildcards_are_matched_in_time(site: Site) -> None:
    site.robots("User-agent: *\n" + f"Disallow: /{'*a' * 200}b\n" * 500)
    path = "/" + "a" * 1_500
    site.page(path)
    began = time.monotonic()
    assert site.one(path).title == "Title"
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(("delay", "longest", "least", "most"), [(0.2, 10, 0.18, 5), (60, 0.1, 0.08, 5)])
def test_the_pause_it_asks_for_is_kept_up_to_a_limit(
    site: Site, delay: float, longest: float, least: float, most: float
) -> None:
    site.robots(f"User-agent: *\nCrawl-delay: {delay}")
    site.page("/a")
    site.read("/a", limits=dataclasses.replace(QUICK, longest_pause_seconds=longest))
    first, second = site.asked
    assert least < second.began - first.ended < most


def test_each_host_has_its_own(site: Site) -> None:
    site.robots("User-agent: *\nAllow: /")
    site.routes["/a"] = Reply(status=302, headers={"Location": site.url("/b", "other.test")})
    site.page("/b")
    site.read("/a", network=site.network(other_test="127.0.0.1"))
    assert [asked.headers["host"].split(":")[0] for asked in site.asked if asked.path == "/robots.txt"] == [
        "help.test",
        "other.test",
    ]
