"""The watch sees: texts put into a page without care run, load, lead elsewhere, and break what is around them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from playwright.sync_api import Browser

from tests.desk.live import serving
from tests.injection.payloads import BY_KIND, PAYLOADS
from tests.injection.watching import Watched, watched

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# Each shows a payload as a careless template does.
CARELESS = {
    "text": "<body>{payload}",
    "attribute": '<body><input value="{payload}"><a href="{payload}">x</a>',
    "script": "<body><script>var told = \"{payload}\";</script><script>var told = '{payload}';</script>",
}
AT_ONCE = 20
# Follows links and presses buttons in each frame, and gives the names of those in which something ran.
TRY = """() => [...document.querySelectorAll("iframe")].filter((frame) => {
  try {
    for (const one of frame.contentDocument.querySelectorAll("a[href^=javascript], button")) one.click();
    return frame.contentWindow.watch.found.length;
  } catch {
    return true;
  }
}).map((frame) => Number(frame.name))"""
FLAW = """(html) => {
  document.body.innerHTML = `<div id="box" style="width:300px;overflow-x:auto">${html}</div>`;
  const box = document.getElementById("box");
  return { strange: watch.strange(), outside: watch.outside(box), turned: watch.turned(), sideways: watch.sideways() };
}"""


@pytest.fixture(scope="module")
def careless() -> Iterator[str]:
    """Address of a site that escapes nothing."""
    app = FastAPI()

    @app.get("/guarded")
    async def guarded() -> HTMLResponse:
        headers = {"content-security-policy": "script-src 'none'"}
        return HTMLResponse("<body><img src=data:, onerror=pwn(1)>", headers=headers)

    @app.get("/{way}/{number}")
    async def show(way: str, number: int) -> HTMLResponse:
        return HTMLResponse(CARELESS[way].format(payload=PAYLOADS[number]))

    @app.get("/{way}")
    async def frames(way: str, first: int, last: int) -> HTMLResponse:
        return HTMLResponse("".join(f'<iframe name="{n}" src="/{way}/{n}"></iframe>' for n in range(first, last)))

    with serving(app) as address:
        yield address


def _running(browser: Watched, way: str, payloads: Sequence[str]) -> set[str]:
    """Those of the payloads that run on a careless page."""
    numbers = [PAYLOADS.index(payload) for payload in payloads]
    ran: set[str] = set()
    for first in range(numbers[0], numbers[-1] + 1, AT_ONCE):
        last = min(first + AT_ONCE, numbers[-1] + 1)
        browser.page.goto(f"{browser.site}/{way}?first={first}&last={last}")
        browser.run(TRY)
        ran |= {PAYLOADS[number] for number in browser.run(TRY)}
    return ran


def test_collection_is_long_and_of_every_kind() -> None:
    assert len(set(PAYLOADS)) == len(PAYLOADS) >= 600
    assert len(BY_KIND) >= 16
    assert all(len(payloads) >= 9 for payloads in BY_KIND.values())


@pytest.mark.parametrize(
    ("way", "kinds", "least"),
    [
        ("text", ("tags", "events", "svg_and_math", "mutation"), 110),
        ("text", ("polyglots", "spaces_and_control_characters", "unicode", "headers"), 24),
        ("attribute", ("attributes", "urls"), 18),
        ("script", ("scripts", "polyglots"), 10),
    ],
)
def test_payloads_run_where_nothing_is_escaped(
    chromium: Browser, careless: str, way: str, kinds: tuple[str, ...], least: int
) -> None:
    with watched(chromium, careless) as browser:
        ran = set().union(*(_running(browser, way, BY_KIND[kind]) for kind in kinds))
        asked = {one for one in browser.found if one.startswith("loads")}
    assert len(ran) >= least
    if "tags" in kinds:
        assert {"<script>pwn(1)</script>", "<img src=x onerror=pwn(1)>", "<svg onload=pwn(1)>"} <= ran
        assert len(asked) >= 15


def test_a_policy_that_stops_a_payload_tells_of_it(chromium: Browser, careless: str) -> None:
    with watched(chromium, careless, policy=True) as browser:
        browser.page.goto(f"{careless}/guarded")
        assert [one for one in browser.wrong() if one.startswith("policy: script-src")]


@pytest.mark.parametrize(
    ("html", "kind"),
    [
        ("<p onclick=x>x</p>", "strange"),
        ("<a href='java\nscript:x'>x</a>", "strange"),
        ("<img src=/pwn>", "strange"),
        ("<form id=document></form>", "strange"),
        ("<object></object>", "strange"),
        ("<p style='width:900px'>x</p>", "outside"),
        ("<p style='margin-left:-50px'>x</p>", "outside"),
        ("<p>\u202epwn <time>12:00</time></p>", "turned"),
        ("<p><b>\u202epwn</b> 12:00</p>", "turned"),
        ("<p style='position:absolute;width:3000px'>x</p>", "sideways"),
        ("<p><bdi>\u202epwn</bdi> 12:00 <q dir=auto>\u202epwn</q></p><p class='a'><a href='/x'>x</a></p>", ""),
    ],
)
def test_flaws_are_seen(chromium: Browser, careless: str, html: str, kind: str) -> None:
    with watched(chromium, careless) as browser:
        browser.page.goto(f"{careless}/text?first=0&last=0")
        seen = {name for name, found in browser.run(FLAW, html).items() if found}
        browser.wrong()
    assert kind in seen if kind else not seen
