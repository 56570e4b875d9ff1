"""A customer in the chat and two agents at the desk, live, in real browsers, against the whole product."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from bot.people import people
from bot.people.roles import operator
from tests.conftest import Product
from tests.desk.rig import PASSWORD, QUICK

pytestmark = [pytest.mark.browser, pytest.mark.rasa, pytest.mark.encoder, pytest.mark.slow]

PATIENCE = 20_000  # Milliseconds for an answer of the bot.
DESKTOP = (1280, 800)
PHONE = (375, 740)


@contextmanager
def context(chromium: Browser, complaints: list[str], size: tuple[int, int]) -> Iterator[BrowserContext]:
    """A profile of its own, in which no page may complain."""

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(f"{message.text} ({message.location['url']})")

    made = chromium.new_context(viewport={"width": size[0], "height": size[1]}, locale="en-GB")
    made.on("console", note)
    made.on("weberror", lambda error: complaints.append(str(error.error)))
    yield made
    made.close()


def at_desk(product: Product, profile: BrowserContext, name: str) -> Page:
    """Somebody's page at the desk, on the cases nobody has."""
    page = profile.new_page()
    page.goto(f"{product.url}/desk/sign-in")
    page.locator("[name=email]").fill(f"{name}@example.com")
    page.locator("[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("nav.rail")).to_be_visible()
    page.goto(f"{product.url}/desk?view=unassigned")
    expect(page.locator("html[data-inbox=ready]")).to_be_attached()
    return page


def say(visitor: Page, text: str) -> None:
    """Write as the customer."""
    visitor.locator("[data-text]").fill(text)
    visitor.keyboard.press("Enter")


def reply(desk: Page, text: str) -> None:
    """Write to the customer."""
    desk.locator("#reply-text").fill(text)
    desk.get_by_role("button", name="Send to customer").click()
    expect(desk.locator(".by-agent .bubble").last).to_have_text(text)


def test_customer_and_agents_from_the_first_word_to_the_rating(own_product: Product, chromium: Browser) -> None:
    with own_product.running.webchat.store.changes.transaction() as session:
        for name in ("ada", "deniz"):
            hashed = QUICK.hash(PASSWORD)
            people.create(session, operator("tests"), f"{name}@example.com", name.title(), "agent", hashed)
    complaints: list[str] = []
    with (
        context(chromium, complaints, DESKTOP) as outside,
        context(chromium, complaints, DESKTOP) as one,
        context(chromium, complaints, PHONE) as two,
    ):
        ada, deniz = at_desk(own_product, one, "ada"), at_desk(own_product, two, "deniz")
        expect(ada.locator(".list .empty")).to_contain_text("Nobody is waiting")
        visitor = outside.new_page()
        visitor.goto(own_product.url)
        visitor.locator("[data-launcher]").click()
        expect(visitor.locator("[data-text]")).to_be_focused()

        # The case appears by itself, is opened by keyboard and claimed.
        say(visitor, "I want to talk to a human, the printer is broken")
        row = ada.locator(".row")
        expect(row).to_have_count(1, timeout=PATIENCE)
        ada.keyboard.press("j")
        ada.keyboard.press("Enter")
        expect(ada.locator("#side")).to_contain_text("asked for a person")
        ada.keyboard.press("c")
        expect(ada.locator(".case-facts")).to_contain_text("Yours")
        expect(visitor.locator(".message.notice").last).to_contain_text("Ada")

        # Both write and see each other write.
        ada.locator("#reply-text").press_sequentially("Hello", delay=20)
        expect(visitor.locator("[data-typing]")).to_be_visible()
        reply(ada, "Hello, this is Ada. Is its light on?")
        expect(visitor.locator(".message.agent .bubble")).to_have_text("Hello, this is Ada. Is its light on?")
        visitor.locator("[data-text]").press_sequentially("It is", delay=20)
        expect(ada.locator("#typing")).to_contain_text("The customer is typing")
        say(visitor, "It is off <b>again</b>")
        expect(ada.locator(".by-customer .bubble").last).to_have_text("It is off <b>again</b>")

        # A note stays in the house; the case goes to a colleague, who works on a phone.
        ada.locator("#mode-note").click()
        ada.locator("#note-text").fill("Second printer this month.")
        ada.get_by_role("button", name="Add internal note").click()
        expect(ada.locator(".entry.note")).to_contain_text("Second printer this month.")
        ada.keyboard.press("Escape")
        ada.keyboard.press("t")
        ada.locator("#transfer-to").select_option(label="Deniz")
        ada.locator("#transfer-note").fill("You know printers.")
        ada.get_by_role("button", name="Pass it on").click()
        expect(ada.locator("#toasts")).to_contain_text("was passed on")
        deniz.locator(".queue[data-view=mine]").click()
        deniz.locator(".row").click()
        expect(deniz.locator(".entry.note").last).to_contain_text("You know printers.")
        expect(deniz.locator("#list")).to_be_hidden()
        reply(deniz, "Deniz here. Hold the button for seven seconds.")
        expect(visitor.locator(".message.agent .bubble").last).to_contain_text("seven seconds")
        assert deniz.evaluate("document.documentElement.scrollWidth") <= PHONE[0]

        # Back to the bot, which answers; asked for once more, a person comes once more.
        deniz.locator("[data-menu=more] summary").click()
        deniz.get_by_role("button", name="Return to the bot").click()
        expect(visitor.locator(".message.bot").last).to_contain_text("assistant")
        said = visitor.locator(".message.bot").count()
        say(visitor, "How do I refund a sale?")
        expect(visitor.locator(".sources a").last).to_contain_text("Refund", timeout=PATIENCE)
        assert visitor.locator(".message.bot").count() > said
        say(visitor, "Please get me a human again")
        # Who had the case, and is there, has it again.
        deniz.goto(f"{own_product.url}/desk?view=mine")
        deniz.locator(".row", has_text="Please get me a human again").click(timeout=PATIENCE)
        expect(deniz.locator(".case-facts")).to_contain_text("Reopened 1×")
        expect(deniz.locator(".case-facts")).to_contain_text("Yours")
        reply(deniz, "Here I am. It is mended now.")

        # Resolved: the customer is asked, and what they say is seen at the desk.
        deniz.locator("[data-menu=resolve] summary").click()
        deniz.get_by_role("button", name="Solved").click()
        card = visitor.locator(".rating").last
        expect(card).to_be_visible()
        card.locator("label").nth(4).click()
        ada.goto(f"{own_product.url}/desk?view=closed")
        ada.locator(".row").first.click()
        expect(ada.locator(".entry.rating")).to_contain_text("Rated 5 of 5")
        assert "Second printer" not in visitor.locator("[data-log]").inner_text()
        assert "You know printers" not in visitor.locator("[data-log]").inner_text()
    assert complaints == []
