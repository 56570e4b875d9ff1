"""What the widget costs a page before anybody uses it: bytes, requests, time of the main thread."""

from __future__ import annotations

import gzip
import statistics
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.embedding import chrome
from tests.embedding.chat import Chat
from tests.embedding.host import Host
from tests.embedding.shop import Shop
from tests.needs import browser

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MOST_BYTES = 45_000
MOST_MILLISECONDS = 50.0
SLOWER = 4
LOADS = 4
SETTLE = 1.0


def test_bytes(shop: Shop) -> None:
    with httpx.stream("GET", f"{shop.url}/widget.js", headers={"accept-encoding": "gzip"}, trust_env=False) as answer:
        sent = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert len(gzip.decompress(sent)) > 10_000
    assert len(sent) <= MOST_BYTES


def test_no_request_before_first_use_but_two(page: Page, shop: Shop, host: Host) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(f"{request.method} {request.url}"))
    page.goto(f"{host.site}/plain.html")
    expect(Chat(page).part("launcher")).to_be_visible()
    page.wait_for_load_state("networkidle")
    ours = [line.partition("?")[0] for line in asked if shop.url in line]
    assert ours == [f"GET {shop.url}/widget.js", f"GET {shop.url}/api/v1/widget"]
    assert page.evaluate("Object.keys(localStorage).filter((name) => name.includes('token')).length") == 0
    assert page.context.cookies() == []


def test_main_thread(shop: Shop, host: Host, tmp_path: Path) -> None:
    """With the processor slowed down four times, the widget takes 50 ms of the page's main thread until it is at rest.

    Everything counts: parsing, running, the configuration, style, layout and paint. A script in its place that does
    nothing tells what adding and measuring takes. Of several loads the least counts: what else runs on the machine can
    only add to it.
    """
    with chrome.running(browser(), tmp_path) as chromium:
        loads = [chromium.cost(f"{host.url}/bare.html", f"{shop.url}/widget.js", SLOWER, SETTLE) for _ in range(LOADS)]
        empty = [chromium.cost(f"{host.url}/bare.html", f"{host.url}/empty.js", SLOWER, SETTLE) for _ in range(LOADS)]
    shown = [spent for spent, launcher in loads if launcher]
    assert len(shown) > LOADS // 2, "the launcher was not there in time"
    idle = [spent for spent, _ in empty]
    cost = min(shown) - min(idle)
    usual = statistics.median(shown) - statistics.median(idle)
    print(f"main thread, {SLOWER} times slower: {cost:.0f} ms, median {usual:.0f} ms")
    assert cost <= MOST_MILLISECONDS
