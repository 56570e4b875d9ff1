"""What customers and others tell, on every page of the desk, in a real browser."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, ViewportSize, expect

from tests.conversation.fakes import new_database
from tests.desk.rig import PASSWORD, add_person
from tests.desk.shop import served
from tests.injection.infected import infect
from tests.injection.payloads import BY_KIND, PAYLOADS
from tests.injection.watching import DESKTOP, PHONE, Watched, watched

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PLAIN = "How do I refund a sale from yesterday?"
PARTS = ["nav.rail", "#queues", ".list-pane", "#pane", "#case", "#thread", "#side"]
BREAKERS = [text for kind in ("long", "unicode", "css", "markdown", "headers") for text in BY_KIND[kind]]
# Opens one case after the other as a click in the list does; gives by case what is wrong with it, and what is in it.
OPEN_EACH = """async ([parts, numbers]) => {
  const flaws = {}, kinds = new Set();
  const link = document.createElement("a");
  document.getElementById("list").append(link);
  const until = async (done) => {
    for (let tries = 0; !done() && tries < 2000; tries++) await new Promise((go) => setTimeout(go, 2));
  };
  for (const number of numbers) {
    link.dataset.open = number;
    link.click();
    await until(() => document.querySelector(`#case[data-number="${number}"]`));
    if (numbers.length === 1) await until(() => document.querySelector("#suggestions .suggestion"));
    const shown = document.getElementById("case");
    flaws[number] = [
      `case ${shown?.dataset.number === String(number)}`, ...watch.strange(), ...watch.turned(shown),
      ...["thread", "side", "case-head"].flatMap((id) => watch.outside(document.getElementById(id))),
      ...[...shown.querySelectorAll(".bubble, .entry-notes, dd")].flatMap((box) => watch.outside(box)),
      ...watch.places(parts), `sideways ${watch.sideways()}`, ...watch.found.splice(0),
    ];
    for (const kind of watch.kinds()) kinds.add(kind);
  }
  return [flaws, [...kinds]];
}"""
LISTS = (
    *("?view=all", "/replies", "/people", "/tokens", "/webhooks", "/deliveries?show=dead", "/audit", "/signals"),
    *("/signals?state=reported", "/signals?account=account-3", "/replies/7", "/settings"),
)
NEXT = "document.querySelector(':is(.more, .pager) :is(a[href*=after], a[href*=before])')?.getAttribute('href')"


@dataclass(frozen=True)
class Desk:
    """The infected desk.

    Attributes:
        cases: Their payloads, by number.
        plain: Number of the case that holds nothing hostile.
    """

    url: str
    cases: dict[int, str]
    plain: int


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    """A desk with a case for each payload, and one that is as cases are."""
    with tempfile.TemporaryDirectory() as folder:
        engine = new_database(Path(folder))
        with served(engine) as (shop, url):
            add_person(engine, "adam@example.com", "administrator", name="</b><script>pwn(1)</script>")
            cases = infect(shop, [PLAIN, *PAYLOADS])
            yield Desk(url, cases, next(number for number, text in cases.items() if text == PLAIN))
        engine.dispose()


def _sign_in(browser: Watched) -> None:
    page = browser.page
    page.goto(f"{browser.site}/desk/sign-in")
    page.locator("[name=email]").fill("adam@example.com")
    page.locator("[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("nav.rail")).to_be_visible()


@pytest.mark.parametrize(
    ("size", "payloads"), [(DESKTOP, PAYLOADS[::2]), (PHONE, BREAKERS[::2])], ids=["desktop", "phone"]
)
def test_cases(chromium: Browser, desk: Desk, size: ViewportSize, payloads: tuple[str, ...]) -> None:
    numbers = [number for number, text in desk.cases.items() if text in set(payloads)]
    assert len(numbers) == len(payloads) > 75
    with watched(chromium, desk.url, size) as browser:
        _sign_in(browser)
        browser.page.goto(f"{desk.url}/desk?view=all")
        expect(browser.page.locator("html[data-inbox=ready]")).to_be_attached()
        (usual,), known = browser.run(f"({OPEN_EACH})({[PARTS, [desk.plain]]}).then(([f, k]) => [Object.values(f), k])")
        assert {"case true", "sideways 0"} <= set(usual)
        flaws, kinds = browser.run(OPEN_EACH, [PARTS, numbers])
        assert browser.wrong() == []
    found = {desk.cases[int(number)][:100]: sorted(set(seen) ^ set(usual)) for number, seen in flaws.items()}
    assert {payload: seen for payload, seen in found.items() if seen} == {}
    assert browser.unknown(kinds, [*known, "bdi"]) == []


@pytest.mark.parametrize("path", LISTS)
def test_lists(chromium: Browser, desk: Desk, path: str) -> None:
    with watched(chromium, desk.url) as browser:
        _sign_in(browser)
        left: str | None = f"/desk{path}"
        for _ in range(15):
            browser.page.goto(f"{desk.url}{left}")
            browser.page.evaluate("new Promise((done) => setTimeout(done, 20))")
            flaws = browser.run(
                "[...watch.strange(), ...watch.turned(), ...watch.outside(document.querySelector('main'))]"
            )
            assert flaws + browser.wrong() == [], left
            assert browser.run("watch.sideways()") == 0, left
            left = browser.run(NEXT)
            if left is None:
                break


def test_search(chromium: Browser, desk: Desk) -> None:
    with watched(chromium, desk.url) as browser:
        _sign_in(browser)
        for payload in (*PAYLOADS[::16], *BY_KIND["attributes"][::2]):
            browser.page.goto(f"{desk.url}/desk?view=all&q={quote(payload.encode('utf-8', 'replace'))[:6000]}")
            flaws = browser.run("[...watch.strange(), ...watch.turned()]")
            assert (flaws, browser.run("watch.sideways()"), browser.wrong()) == ([], 0, []), payload


def test_policy_hides_nothing(chromium: Browser, desk: Desk) -> None:
    """With content policies in force, none has anything to stop."""
    numbers = list(desk.cases)[::12]
    with watched(chromium, desk.url, policy=True) as browser:
        _sign_in(browser)
        browser.page.goto(f"{desk.url}/desk?view=all")
        expect(browser.page.locator("html[data-inbox=ready]")).to_be_attached()
        browser.run(OPEN_EACH, [PARTS, numbers])
        assert browser.wrong() == []
