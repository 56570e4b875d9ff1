"""Nothing is lost and nothing said twice: reloads, other tabs, networks that go and come, servers that restart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.embedding.chat import PATIENCE, Chat
from tests.embedding.conftest import Complaints
from tests.embedding.host import Host
from tests.embedding.shop import Shop

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NO_NETWORK = "net::ERR_INTERNET_DISCONNECTED"
NO_SERVER = ("net::ERR_CONNECTION_REFUSED", "net::ERR_INCOMPLETE_CHUNKED_ENCODING", "net::ERR_EMPTY_RESPONSE", "503")


@pytest.fixture(autouse=True)
def nothing_twice(shop: Shop) -> Iterator[None]:
    """Whatever a test does, no message of a visitor is stored twice, and each has one answer."""
    yield
    said = Counter(text for author, text in shop.stored() if author == "customer")
    answered = Counter(text for author, text in shop.stored() if author == "bot")
    assert max(said.values()) == 1
    assert answered == Counter(f"You wrote: {text}" for text in said)


def test_two_tabs_and_a_reload_in_mid_answer(page: Page, shop: Shop, host: Host) -> None:
    page.goto(f"{host.site}/plain.html")
    other = page.context.new_page()
    other.goto(f"{host.site}/arabic.html")
    first, second = Chat(page), Chat(other)
    first.open()
    first.ask("one")
    second.open()
    second.expect_sent("one")
    shop.hold_the_slow()
    first.say("slow")
    expect(second.part("typing")).to_be_visible(timeout=PATIENCE)
    second.say("two")
    page.reload()
    expect(first.part("panel")).to_be_visible()
    expect(first.part("typing")).to_be_visible(timeout=PATIENCE)
    shop.answer_the_slow()
    for chat in (first, second):
        chat.expect_sent("one", "slow", "two")
        chat.expect_answers("You wrote: one", "You wrote: slow", "You wrote: two")
    assert first.messages.all_inner_texts() == second.messages.all_inner_texts()


def test_offline_and_back(page: Page, shop: Shop, host: Host, complaints: Complaints) -> None:
    page.goto(f"{host.url}/plain.html")
    chat = Chat(page)
    chat.open()
    chat.ask("one")
    page.context.set_offline(True)
    expect(chat.part("connection")).to_be_visible()
    chat.say("two")
    chat.say("three")
    expect(chat.own("queued")).to_have_count(2)
    page.context.set_offline(False)
    chat.expect_sent("one", "two", "three")
    chat.expect_answers("You wrote: one", "You wrote: two", "You wrote: three")
    expect(chat.part("connection")).to_be_hidden(timeout=PATIENCE)
    page.reload()
    chat.expect_sent("one", "two", "three")
    complaints.forgive(NO_NETWORK)


def test_first_message_written_offline_and_a_reload_before_it_is_sent(
    page: Page, shop: Shop, host: Host, complaints: Complaints
) -> None:
    page.goto(f"{host.url}/plain.html")
    chat = Chat(page)
    chat.open()
    page.route(f"{shop.url}/api/**", lambda route: route.abort())
    chat.say("kept")
    expect(chat.own()).to_have_count(1)
    page.unroute(f"{shop.url}/api/**")
    page.reload()
    expect(chat.part("panel")).to_be_visible()
    if chat.own("failed").count():
        chat.own("failed").get_by_role("button").click()
    chat.expect_sent("kept")
    chat.expect_answers("You wrote: kept")
    complaints.forgive("net::ERR_FAILED")


def test_another_network(page: Page, shop: Shop, host: Host, complaints: Complaints) -> None:
    """The stream dies without a word, as when a phone leaves the house; receipts get lost on the way."""
    page.goto(f"{host.url}/plain.html")
    chat = Chat(page)
    chat.open()
    chat.ask("one")
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    lost: list[int] = []

    def lose(route: object) -> None:
        if not lost and route.request.method == "POST":  # type: ignore[attr-defined]
            lost.append(route.fetch().status)  # type: ignore[attr-defined]
            route.abort()  # type: ignore[attr-defined]
        else:
            route.continue_()  # type: ignore[attr-defined]

    page.route("**/messages", lose)
    conditions = {"downloadThroughput": 20_000, "uploadThroughput": 20_000, "latency": 300}
    session.send("Network.emulateNetworkConditions", {"offline": True, **conditions})
    page.wait_for_timeout(300)
    session.send("Network.emulateNetworkConditions", {"offline": False, **conditions})
    chat.say("two")
    chat.expect_sent("one", "two")
    chat.expect_answers("You wrote: one", "You wrote: two")
    assert lost == [202]
    complaints.forgive(NO_NETWORK, "net::ERR_FAILED")


def test_server_restarted_in_mid_conversation(page: Page, shop: Shop, host: Host, complaints: Complaints) -> None:
    page.goto(f"{host.url}/plain.html")
    chat = Chat(page)
    chat.open()
    chat.ask("one")
    shop.stop()
    chat.say("two")
    expect(chat.own()).to_have_count(2)
    shop.start()
    chat.expect_sent("one", "two")
    chat.expect_answers("You wrote: one", "You wrote: two")
    shop.hold_the_slow()
    chat.say("slow")
    expect(chat.part("typing")).to_be_visible(timeout=PATIENCE)
    shop.stop()
    shop.start()
    shop.answer_the_slow()
    chat.say("three")
    chat.expect_sent("one", "two", "slow", "three")
    chat.expect_answers("You wrote: one", "You wrote: two", "You wrote: slow", "You wrote: three")
    page.reload()
    chat.expect_sent("one", "two", "slow", "three")
    complaints.forgive(*NO_SERVER, NO_NETWORK)


def test_storage_is_forbidden(page: Page, shop: Shop, host: Host) -> None:
    page.add_init_script(
        """for (const name of ["localStorage", "sessionStorage", "indexedDB"]) {
          Object.defineProperty(window, name, { get() { throw new DOMException("Forbidden", "SecurityError"); } });
        }"""
    )
    page.goto(f"{host.url}/plain.html")
    chat = Chat(page)
    chat.open()
    chat.ask("one")
    chat.part("close").click()
    chat.open()
    chat.ask("two", 2)
    chat.expect_sent("one", "two")
