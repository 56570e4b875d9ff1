"""The demo page and its chat in a real browser, against the whole product."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import ConsoleMessage, Locator, Page, Response, Route, expect

from tests.conftest import Product

pytestmark = [pytest.mark.browser, pytest.mark.rasa, pytest.mark.encoder, pytest.mark.slow]

PATIENCE = 20_000  # Milliseconds for an answer of the bot.
QUESTION = "How do I refund a sale?"
NO_NETWORK = "net::ERR_INTERNET_DISCONNECTED"


class Complaints(list[str]):
    """What the browser complained of; a test empties it of what it caused on purpose."""

    def forgive(self, *causes: str) -> None:
        """Drop complaints that contain one of the causes."""
        self[:] = [text for text in self if not any(cause in text for cause in causes)]


@pytest.fixture(autouse=True)
def complaints(page: Page) -> Iterator[Complaints]:
    """No page may log an error or a warning: exceptions, failed requests and violations of the content policy."""
    found = Complaints()

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            found.append(f"{message.text} ({message.location['url']})")

    page.context.on("console", note)
    page.context.on("weberror", lambda error: found.append(str(error.error)))
    yield found
    assert found == []


def open_chat(page: Page, product: Product, path: str = "/") -> None:
    """Open a page and the chat on it."""
    page.goto(product.url + path)
    page.locator("[data-launcher]").click()
    expect(page.locator("[data-panel]")).to_be_visible()
    expect(page.locator("[data-text]")).to_be_focused()


def say(page: Page, text: str) -> None:
    """Type a message and send it."""
    page.locator("[data-text]").fill(text)
    page.keyboard.press("Enter")


def mine(page: Page) -> Locator:
    """The visitor's messages."""
    return page.locator(".message.customer .bubble")


def answers(page: Page) -> Locator:
    """The bot's messages."""
    return page.locator(".message.bot .bubble")


def expect_answers(page: Page, least: int = 1) -> None:
    """Wait until the bot has said so much and rests."""
    expect(answers(page).nth(least - 1)).to_be_visible(timeout=PATIENCE)
    expect(page.locator("[data-typing]")).to_be_hidden(timeout=PATIENCE)


def expect_all_sent(page: Page, *texts: str) -> None:
    """The visitor's messages are these, each stored, each once."""
    expect(mine(page)).to_have_text(list(texts), timeout=PATIENCE)
    stored = page.locator('.message.customer[data-state="stored"]')
    expect(stored).to_have_count(len(texts), timeout=PATIENCE)


def forget(page: Page) -> None:
    """Ask the chat to forget its visitor; it asks back."""
    page.locator("[data-menu]").click()
    page.locator("[data-forget]").click()


def width(page: Page) -> int:
    """Of everything on the page, in CSS pixels."""
    found: int = page.evaluate("document.documentElement.scrollWidth")
    return found


# Asking


def test_question_is_answered_with_its_source(page: Page, product: Product) -> None:
    open_chat(page, product)
    page.locator("[data-typing]").evaluate(
        """(typing) => new MutationObserver(([change]) => { window.typed ||= !change.target.hidden; })
            .observe(typing, { attributes: true })"""
    )
    say(page, QUESTION)
    expect_all_sent(page, QUESTION)
    expect_answers(page)
    assert page.evaluate("window.typed"), "the typing sign was not shown"
    expect(answers(page).first).to_contain_text("Refund")
    expect(answers(page).first.locator("strong").first).to_be_visible()
    source = page.locator(".sources a")
    expect(source).to_have_count(1)
    with page.expect_popup() as opened:
        source.click()
    expect(opened.value.locator("h1")).to_have_text("Refund a sale")
    assert "/help/refund-a-sale" in opened.value.url
    expect(page.locator("[data-panel]")).to_be_visible()


def test_second_question_comes_into_view_with_its_buttons(page: Page, product: Product) -> None:
    open_chat(page, product)
    say(page, QUESTION)
    expect_answers(page)
    say(page, "that helped")
    later = page.get_by_role("button", name="Not now")
    expect(later).to_be_visible(timeout=PATIENCE)
    expect(later).to_be_in_viewport(ratio=1)
    page.keyboard.press("Shift+Tab")
    expect(later).to_be_focused()
    page.keyboard.press("Enter")
    expect(mine(page)).to_have_text([QUESTION, "that helped", "Not now"], timeout=PATIENCE)


def test_example_is_asked_with_one_click(page: Page, product: Product) -> None:
    open_chat(page, product)
    examples = page.locator("[data-example]")
    expect(examples).to_have_count(3)
    first = examples.first.inner_text()
    examples.first.click()
    expect_all_sent(page, first)
    expect_answers(page)
    expect(page.locator("[data-welcome]")).to_be_hidden()


def test_choice_is_a_button_that_closes_after_use(page: Page, product: Product) -> None:
    open_chat(page, product)
    say(page, "printer")
    expect_answers(page)
    choices = page.locator(".choices button")
    expect(choices.first).to_be_enabled()
    label = choices.first.inner_text()
    choices.first.click()
    expect_all_sent(page, "printer", label)
    expect_answers(page, 2)
    expect(page.locator(".sources a")).to_contain_text(label)
    for choice in page.locator(".message.bot").first.locator(".choices button").all():
        expect(choice).to_be_disabled()


def test_person_is_one_click_away(page: Page, product: Product) -> None:
    open_chat(page, product)
    page.locator("[data-person]").click()
    expect_answers(page)
    case = page.locator("[data-case-text]")
    expect(case).to_be_visible(timeout=PATIENCE)
    shown = case.inner_text()
    number = re.search(r"\d+", shown)
    assert number
    expect(answers(page).first).to_contain_text(number.group())
    page.reload()
    expect(case).to_have_text(shown)


@pytest.mark.parametrize(
    ("language", "question", "source"),
    [
        ("tr", "İade nasıl yapılır?", "/help/refund-a-sale-tr"),
        ("zh", "怎么退款？", "/help/refund-a-sale-zh"),
        ("th", "คืนเงินให้ลูกค้าอย่างไร", "/help/refund-a-sale-th"),
    ],
)
def test_page_chats_in_its_language(page: Page, product: Product, language: str, question: str, source: str) -> None:
    open_chat(page, product, f"/?lang={language}")
    expect(page.locator(f'.languages a[href="/?lang={language}"]')).to_have_attribute("aria-current", "true")
    say(page, question)
    expect_answers(page)
    expect(answers(page).first).to_have_attribute("lang", language)
    expect(page.locator(".sources a")).to_have_attribute("href", f"{product.url}{source}?lang={language}")


def test_what_customers_type_is_text(page: Page, product: Product) -> None:
    open_chat(page, product)
    script = '<img src=x onerror="window.ran = true"><script>window.ran = true</script> & <b>bold</b> [a](javascript:b)'
    say(page, script)
    expect_all_sent(page, script)
    expect_answers(page)
    assert page.locator(".log .bubble :is(img, script, b)").count() == 0
    page.reload()
    expect_all_sent(page, script)
    assert page.evaluate("window.ran") is None
    assert page.locator('.log a[href^="javascript"]').count() == 0


def test_long_message_is_counted_and_held_back(page: Page, product: Product) -> None:
    open_chat(page, product)
    text, counter = page.locator("[data-text]"), page.locator("[data-counter]")
    text.fill("a" * 3600)
    expect(counter).to_have_text("")
    text.fill("😀" * 3601)
    expect(counter).to_contain_text("3601")
    text.fill("a" * 4002)
    expect(counter).to_contain_text("2")
    expect(page.locator("[data-send]")).to_be_disabled()
    page.keyboard.press("Enter")
    expect(mine(page)).to_have_count(0)
    text.fill("   ")
    expect(page.locator("[data-send]")).to_be_disabled()


# Keeping in step


def test_reload_keeps_the_conversation(page: Page, product: Product) -> None:
    open_chat(page, product)
    say(page, QUESTION)
    expect_answers(page)
    before = page.locator(".message").all_inner_texts()
    page.reload()
    expect(page.locator("[data-panel]")).to_be_visible()
    expect(page.locator(".message")).to_have_text([re.compile(".+")] * len(before))
    assert page.locator(".message").all_inner_texts() == before
    say(page, "hello")
    expect_answers(page, 2)


def test_two_tabs_stay_in_step(page: Page, product: Product) -> None:
    other = page.context.new_page()
    open_chat(page, product)
    open_chat(other, product, "/help")
    say(page, QUESTION)
    expect_answers(page)
    expect_answers(other)
    expect_all_sent(other, QUESTION)
    say(other, "hello")
    expect_answers(other, 2)
    expect_all_sent(page, QUESTION, "hello")
    expect_answers(page, 2)
    assert page.locator(".message").all_inner_texts() == other.locator(".message").all_inner_texts()
    forget(page)
    page.locator(".confirm .danger").click()
    expect(page.locator(".message")).to_have_count(0)
    expect(other.locator(".message")).to_have_count(0)
    expect(other.locator("[data-welcome]")).to_be_visible()


def test_forgetting_asks_first(page: Page, product: Product) -> None:
    open_chat(page, product)
    say(page, "hello")
    expect_answers(page)
    forget(page)
    page.keyboard.press("Escape")
    expect(page.locator("[data-panel]")).to_be_visible()
    expect(mine(page)).to_have_count(1)
    forget(page)
    page.locator(".confirm .danger").click()
    expect(page.locator(".message")).to_have_count(0)
    page.reload()
    expect(page.locator("[data-welcome]")).to_be_visible()


def test_unknown_conversation_is_replaced(page: Page, product: Product, complaints: Complaints) -> None:
    gone = json.dumps({"visitor": {"id": "0" * 32, "token": "gone"}, "conversation": "0" * 32})
    page.goto(product.url)
    page.evaluate(f"localStorage.setItem('refill.session {product.url}', '{gone}')")
    open_chat(page, product)
    expect(page.locator(".message.notice")).to_be_visible(timeout=PATIENCE)
    say(page, "hello")
    expect_all_sent(page, "hello")
    expect_answers(page)
    complaints.forgive("404 (Not Found)")


def test_unread_messages_are_counted(page: Page, product: Product) -> None:
    other = page.context.new_page()
    other.goto(product.url)
    launcher, badge = other.locator("[data-launcher]"), other.locator("[data-badge]")
    expect(launcher).to_be_visible()
    expect(badge).to_be_hidden()
    open_chat(page, product)
    held: list[Route] = []
    page.route("**/messages", lambda route: held.append(route))
    with page.expect_request("**/messages"):
        say(page, "hello")
    page.locator("[data-close]").click()
    held[0].continue_()
    for tab in (page, other):
        expect(tab.locator("[data-badge]")).to_have_text("1", timeout=PATIENCE)
    expect(launcher).to_have_accessible_name(re.compile("New messages: 1"))
    other.reload()
    expect(badge).to_have_text("1", timeout=PATIENCE)
    launcher.click()
    expect(page.locator("[data-badge]")).to_be_hidden()
    other.locator("[data-close]").click()
    expect(badge).to_be_hidden()
    other.reload()
    expect(launcher).to_be_visible()
    expect(badge).to_be_hidden()


# When the network fails


def test_message_written_offline_is_sent_once(page: Page, product: Product, complaints: Complaints) -> None:
    open_chat(page, product)
    say(page, "hello")
    expect_answers(page)
    page.context.set_offline(True)
    expect(page.locator("[data-connection]")).to_be_visible()
    say(page, QUESTION)
    expect(page.locator('.message.customer[data-state="queued"]')).to_have_count(1)
    page.context.set_offline(False)
    expect_all_sent(page, "hello", QUESTION)
    expect_answers(page, 2)
    expect(page.locator("[data-connection]")).to_be_hidden(timeout=PATIENCE)
    page.reload()
    expect_all_sent(page, "hello", QUESTION)
    complaints.forgive(NO_NETWORK)


def test_message_whose_receipt_was_lost_is_stored_once(page: Page, product: Product, complaints: Complaints) -> None:
    open_chat(page, product)
    lost: list[str] = []

    def lose(route: Route) -> None:
        if route.request.method == "POST" and not lost:
            lost.append(route.fetch().text())
            route.abort()
        else:
            route.continue_()

    page.route("**/messages", lose)
    page.route("**/events?*", lambda route: route.continue_() if lost else route.abort())
    say(page, QUESTION)
    expect_all_sent(page, QUESTION)
    expect_answers(page)
    assert len(lost) == 1
    page.reload()
    expect_all_sent(page, QUESTION)
    complaints.forgive("net::ERR_FAILED")


def test_message_that_failed_can_be_sent_again(page: Page, product: Product, complaints: Complaints) -> None:
    open_chat(page, product)
    page.route("**/api/v1/conversations", lambda route: route.abort())
    say(page, QUESTION)
    failed = page.locator('.message.customer[data-state="failed"]')
    expect(failed).to_have_count(1)
    page.unroute("**/api/v1/conversations")
    failed.get_by_role("button").click()
    expect_all_sent(page, QUESTION)
    expect_answers(page)
    complaints.forgive("net::ERR_FAILED")


def test_chat_polls_where_streams_do_not_get_through(page: Page, product: Product, complaints: Complaints) -> None:
    page.route("**/events?*", lambda route: route.continue_() if "wait=" in route.request.url else route.abort())
    open_chat(page, product)
    for number, text in enumerate((QUESTION, "hello", "thank you"), 1):
        say(page, text)
        expect_answers(page, number)
    complaints.forgive("net::ERR_FAILED")


# Every screen, every hand


@pytest.mark.parametrize("language", ["en", "tr", "th", "zh"])
def test_phone(page: Page, product: Product, language: str) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.emulate_media(reduced_motion="reduce")
    for path in (f"/help?lang={language}", f"/help/plans-and-prices?lang={language}", f"/?lang={language}"):
        page.goto(product.url + path)
        assert width(page) == 360
    page.locator("[data-launcher]").click()
    assert page.locator("[data-panel]").bounding_box() == {"x": 0, "y": 0, "width": 360, "height": 740}
    page.locator("[data-example]").first.click()
    expect_answers(page)
    assert width(page) == 360
    assert page.locator("[data-scroller]").evaluate("(scroller) => scroller.scrollWidth") <= 360
    page.locator("[data-close]").click()
    expect(page.locator("[data-launcher]")).to_be_visible()


def test_twice_the_size(page: Page, product: Product) -> None:
    page.set_viewport_size({"width": 640, "height": 400})
    open_chat(page, product)
    assert width(page) == 640
    for name in ("text", "person", "close"):
        expect(page.locator(f"[data-{name}]")).to_be_in_viewport()


def test_keyboard_alone(page: Page, product: Product) -> None:
    page.goto(product.url)
    launcher = page.locator("[data-launcher]")
    expect(launcher).to_be_visible()
    launcher.focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-text]")).to_be_focused()
    page.keyboard.type("first line")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("second line")
    page.keyboard.press("Enter")
    expect_all_sent(page, "first line\nsecond line")
    page.keyboard.press("Tab")  # Past the button for sending, which is off while there is nothing to send.
    expect(page.locator("[data-person]")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("[data-panel]")).to_be_hidden()
    expect(launcher).to_be_focused()


def test_keyboard_is_in_the_text_box_after_a_choice(page: Page, product: Product) -> None:
    open_chat(page, product)
    say(page, "printer")
    expect_answers(page)
    page.locator(".choices button").first.focus()
    page.keyboard.press("Enter")
    expect_answers(page, 2)
    expect(page.locator("[data-text]")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("[data-launcher]")).to_be_focused()


def test_targets_are_large_enough(page: Page, product: Product) -> None:
    open_chat(page, product)
    say(page, "printer")
    expect_answers(page)
    for control in page.locator(".chat :is(button, .sources a):visible, .top a:visible").all():
        box = control.bounding_box()
        assert box
        # Layout works in fractions of a pixel: 43.99999 is 44.
        assert round(min(box["width"], box["height"]), 2) >= 44, control.inner_text()


# Help


def test_help_is_filtered(page: Page, product: Product) -> None:
    page.goto(f"{product.url}/help?lang=tr")
    shown = page.locator("[data-search]:visible")
    everything = shown.count()
    page.locator("[data-filter] input").fill("SIFRE unuttum")  # Without marks, as many type.
    expect(page.locator('[data-search] a[href^="/help/reset-password-tr"]')).to_be_visible()
    assert 0 < shown.count() < everything
    page.locator("[data-filter] input").fill("no such thing")
    expect(shown).to_have_count(0)
    expect(page.locator("[data-nothing]")).not_to_be_empty()


def test_article_leads_to_its_translation(page: Page, product: Product) -> None:
    page.goto(f"{product.url}/help/plans-and-prices")
    expect(page.locator("time")).to_have_text(re.compile(r"^\d{1,2} \w+ 20\d\d$"))
    page.locator(".facts a[hreflang=th]").click()
    expect(page.locator("html")).to_have_attribute("lang", "th")
    expect(page.locator("h1")).to_have_text("แพ็กเกจและราคา")


def test_wrong_help_page(page: Page, product: Product, complaints: Complaints) -> None:
    response: Response | None = page.goto(f"{product.url}/help/no-such-article")
    assert response
    assert response.status == 404
    page.get_by_role("link", name="All help articles").click()
    expect(page.locator("h1")).to_have_text("Help centre")
    complaints.forgive("404 (Not Found)")
