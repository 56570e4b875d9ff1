"""Limits of single requests, against a server that keeps none."""

from __future__ import annotations

import dataclasses
import gzip
import time
import zlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler

import pytest

from bot import __version__
from bot.errors import KnowledgeError
from bot.knowledge.importers.source import Unreadable
from bot.knowledge.importers.web import Limits
from bot.knowledge.importers.web.fetch import gunzip
from tests.knowledge.importers.web.site import QUICK, Reply, Site

HASTY = dataclasses.replace(QUICK, read_seconds=0.5, request_seconds=1)


def test_we_say_who_we_are_and_nothing_else(site: Site) -> None:
    site.page("/a", Set_Cookie="id=1")
    site.page("/b")
    site.sitemap("/sitemap.xml", "/a", "/b")
    site.read("/sitemap.xml")
    for asked in site.asked:
        assert asked.headers["user-agent"] == f"RefillImporter/{__version__}"
        assert set(asked.headers) == {"host", "user-agent", "accept", "accept-encoding", "connection"}


def test_redirects_are_followed_to_a_limit(site: Site) -> None:
    for number in range(9):
        site.routes[f"/{number}"] = Reply(status=302, headers={"Location": f"/{number + 1}"})
    site.page("/9")
    assert site.one("/4").key == site.url("/9")
    assert "more than 5 times" in site.none("/3").reason


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_loop_ends(site: Site, status: int) -> None:
    site.routes["/a"] = Reply(status=status, headers={"Location": "/a"})
    assert "more than 5 times" in site.none("/a").reason
    assert len(site.paths) == 6


@pytest.mark.parametrize(
    "location", ["", "http://", "http://[", "mailto:a@b.test", "//user:x@help.test/", "http://\\/"]
)
def test_a_redirect_to_nowhere_is_reported(site: Site, location: str) -> None:
    site.routes["/a"] = Reply(status=302, headers={"Location": location} if location else {})
    assert site.none("/a").remedy


@pytest.mark.parametrize("status", [204, 304, 401, 403, 404, 410, 429, 500, 503, 599])
def test_other_answers_are_reported(site: Site, status: int) -> None:
    site.routes["/a"] = Reply(status=status)
    found = site.none("/a")
    assert str(status) in found.reason
    assert found.remedy


def test_a_page_may_be_compressed(site: Site) -> None:
    page = b"<h1>Title</h1><p>Text</p>"
    site.routes["/a"] = Reply(gzip.compress(page), headers={"Content-Encoding": "gzip"})
    assert site.one("/a").body == "Text"


@pytest.mark.parametrize("encoding", ["br", "zstd", "deflate", "gzip, gzip", "compress"])
def test_a_page_must_not_be_compressed_otherwise(site: Site, encoding: str) -> None:
    site.routes["/a"] = Reply(zlib.compress(b"<h1>Title</h1>"), headers={"Content-Encoding": encoding})
    assert "not asked for" in site.none("/a").reason


def test_a_bomb_is_not_unpacked(site: Site) -> None:
    """250 KB that would be 256 MB."""
    packer = zlib.compressobj(9, wbits=31)
    megabyte = b" " * (1 << 20)
    bomb = b"".join([packer.compress(megabyte) for _ in range(256)]) + packer.flush()
    site.routes["/a"] = Reply(bomb, headers={"Content-Encoding": "gzip"})
    began = time.monotonic()
    assert "more than 5,242,880 bytes" in site.none("/a").reason
    assert time.monotonic() - began < 5


def test_damaged_compression_is_reported(site: Site) -> None:
    whole = gzip.compress(b"<h1>Title</h1>" * 100)
    for damaged in (whole[:40], b"no gzip", whole[:20] + b"\0" * 20 + whole[40:]):
        site.routes["/a"] = Reply(damaged, headers={"Content-Encoding": "gzip"})
        assert "compression is damaged" in site.none("/a").reason


def test_many_small_parts_are_unpacked_in_time() -> None:
    """Each part of a gzip file may be empty: 200,000 of them in 4 MB."""
    began = time.monotonic()
    assert gunzip(gzip.compress(b"", mtime=0) * 200_000 + gzip.compress(b"end"), 10) == b"end"
    assert time.monotonic() - began < 10
    with pytest.raises(Unreadable, match="more than 10 bytes"):
        gunzip(gzip.compress(b"x" * 6) + gzip.compress(b"y" * 6), 10)


def test_an_endless_body_ends(site: Site) -> None:
    sent = []

    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/html")
        handler.end_headers()
        while True:
            handler.wfile.write(b"x" * 65_536)
            sent.append(65_536)

    site.routes["/a"] = endless
    assert "more than 5,242,880 bytes" in site.none("/a").reason
    assert sum(sent) < 30_000_000


def _say_nothing(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(3)


def _drip_body(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "text/html")
    handler.end_headers()
    for _ in range(60):
        handler.wfile.write(b"x")
        time.sleep(0.1)


def _drip_header(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    for _ in range(60):
        handler.wfile.write(b"x")
        time.sleep(0.1)


def _go_on_and_on(handler: BaseHTTPRequestHandler) -> None:
    for _ in range(300):
        handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.02)


@pytest.mark.parametrize("slow", [_say_nothing, _drip_body, _drip_header, _go_on_and_on])
def test_a_slow_server_is_left(site: Site, slow: Callable[[BaseHTTPRequestHandler], None]) -> None:
    site.routes["/a"] = slow
    began = time.monotonic()
    assert "in time" in site.none("/a", limits=HASTY).reason
    assert time.monotonic() - began < 2.5


def _hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


def _lie(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100\r\n\r\nshort")
    handler.close_connection = True


def _speak_otherwise(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"220 mail.test ESMTP\r\n")


def _shout(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"x" * 200_000 + b"\r\n\r\n")


@pytest.mark.parametrize("odd", [_hang_up, _lie, _speak_otherwise, _shout])
def test_a_server_that_breaks_the_protocol_is_reported(
    site: Site, odd: Callable[[BaseHTTPRequestHandler], None]
) -> None:
    site.routes["/a"] = odd
    assert "cannot be asked" in site.none("/a", limits=HASTY).reason


@pytest.mark.parametrize("kind", ["image/png", "application/json", "application/zip", "text/css", "video/mp4"])
def test_other_kinds_are_not_read(site: Site, kind: str) -> None:
    site.routes["/a"] = Reply(b"x", kind)
    assert kind in site.none("/a").reason


def test_a_pause_is_kept_and_requests_never_overlap(site: Site) -> None:
    site.sitemap("/sitemap.xml", "/a", "/b", "/c")
    for path in ("/a", "/b", "/c"):
        site.page(path)
    site.read("/sitemap.xml", limits=dataclasses.replace(QUICK, pause_seconds=0.1))
    gaps = [after.began - before.ended for before, after in zip(site.asked, site.asked[1:], strict=False)]
    assert len(gaps) == 4
    assert min(gaps) >= 0.08


@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan")])
@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Limits)])
def test_every_limit_is_a_limit(name: str, value: float) -> None:
    with pytest.raises(KnowledgeError, match=f"{name} must be greater than 0"):
        dataclasses.replace(Limits(), **{name: value})  # type: ignore[arg-type]
