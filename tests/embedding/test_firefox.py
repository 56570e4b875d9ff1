"""The main paths in Firefox: open, ask, answer, reload, a person; on a page with a closed policy, too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.embedding.firefox import Firefox, Tab, running
from tests.embedding.host import Host
from tests.embedding.shop import Shop
from tests.needs import firefox as program

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    """A running Firefox."""
    with running(program(), tmp_path_factory.mktemp("firefox")) as firefox:
        yield firefox


@pytest.fixture
def tab(firefox: Firefox) -> Iterator[Tab]:
    """A tab of a fresh profile; its pages may not log an error or a warning."""
    tab = firefox.tab()
    tab.resize(1280, 800)
    yield tab
    assert tab.complaints == []


def say(tab: Tab, text: str) -> None:
    """Type a message and send it."""
    tab.click("[data-text]")
    tab.type(text)
    tab.press("Enter")


@pytest.mark.parametrize("name", ["plain", "strict", "hostile-css"])
def test_from_the_first_question_to_a_person(tab: Tab, shop: Shop, host: Host, name: str) -> None:
    tab.goto(f"{host.url}/{name}.html")
    tab.click("[data-launcher]")
    tab.wait_for("[data-panel]")
    say(tab, "How do I refund a sale?")
    tab.wait_for(".message.bot .bubble", "Take the drawer out.")
    assert tab.texts(".message.bot td")[:2] == ["Bean", "1"]
    say(tab, "a choice")
    tab.wait_for(".choices button", "This one")
    tab.click(".choices button")
    tab.wait_for('.message.customer[data-state="stored"] .bubble', "This one")
    tab.reload()
    tab.wait_for(".message.customer .bubble", least=3)
    assert tab.texts(".message.customer .bubble") == ["How do I refund a sale?", "a choice", "This one"]
    tab.click("[data-person]")
    tab.wait_for("[data-case-text]")
    shop.claim()
    shop.reply("Hello, Ada here.")
    tab.wait_for(".message.agent .bubble", "Hello, Ada here.")
    shop.resolve()
    tab.wait_for(".rating .scores label", least=5)
    tab.press("Escape")
    assert tab.texts("[data-panel]") == []


def test_on_a_phone_on_another_site(tab: Tab, shop: Shop, host: Host) -> None:
    tab.resize(360, 740)
    tab.goto(f"{host.site}/plain.html")
    tab.click("[data-launcher]")
    say(tab, "hello")
    tab.wait_for(".message.bot .bubble", "You wrote: hello")
    assert tab.evaluate("() => document.documentElement.scrollWidth") == 360


def test_chat_page(tab: Tab, shop: Shop) -> None:
    tab.goto(f"{shop.url}/chat?lang=th")
    say(tab, "hello")
    tab.wait_for(".message.bot .bubble", "You wrote: hello")
    assert tab.evaluate("() => document.documentElement.lang") == "th"
