"""The chat in a real browser while people take over: a scripted bot, real cases, the real pages."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest
from playwright.sync_api import ConsoleMessage, Locator, Page, expect
from sqlalchemy.orm import Session

from bot.app import create_app
from bot.channels.webchat.state import WebchatState
from bot.conversation.changes import Changes, bells
from bot.conversation.delivery import Bell, Delivery
from bot.conversation.service import ConversationService
from bot.conversation.store import ConversationStore
from bot.dialogue.turn import Choice, Escalate, TurnResult
from bot.handoff import cases
from bot.handoff.escalation import latest
from bot.handoff.models import Escalation, Rating
from bot.handoff.queues import Queues, default_queues, queues
from bot.handoff.routing import Routing
from bot.knowledge.answer import Answerer
from bot.people.roles import SYSTEM, Principal
from bot.serve import _serving, listen
from bot.settings import load_settings
from tests.conversation.fakes import Call, ScriptedDialogue, domain_replies, new_database, said
from tests.customers.signing import Website
from tests.handoff.fakes import person
from tests.knowledge.fakes import WordEncoder, article, index_of

pytestmark = [pytest.mark.browser, pytest.mark.slow]

T = TypeVar("T")
PERSON = "A person, please"


async def script(call: Call) -> TurnResult:
    """Hand over who asks for a person in any of the languages; offer a choice; say back anything else."""
    language = call.context.language
    if call.payload == "/request_human" or any(word in call.context.text for word in ("person", "เจ้าหน้าที่", "temsilci")):
        effects = [Escalate(queue="support", reason="asked_for")]
        return said(domain_replies().reply("utter_handed_off", language).text, effects=effects)
    if "choice" in call.context.text:
        return said("Which?", choices=[Choice(label="This one", payload="/affirm")])
    return said(f"You wrote: {call.context.text}")


class Shop:
    """The product's pages and chat with a scripted bot, and the people behind it.

    Attributes:
        url: Of the public server.
        ada: Who answers.
        bob: Her colleague.
        website: Vouches for customers.
        webchat: What the chat's routes need.
    """

    def __init__(self, folder: Path, found: Queues) -> None:
        self.engine = new_database(folder)
        self.queues = found
        self.website = Website()
        self.url = ""
        with Session(self.engine) as session, session.begin():
            self.ada = person(session, "Ada", online=True)
            self.bob = person(session, "Bob")
        self._stop: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = threading.Thread(target=asyncio.run, args=(self._run(),), name="shop")
        self._thread.start()
        self.loop, self._over = self._stop.result(30)

    async def _run(self) -> None:
        self.delivery = Delivery()
        self.changes = Changes(self.engine, bells(self.delivery))
        store = ConversationStore(self.changes, Routing(queues=self.queues), say=domain_replies().reply)
        service = ConversationService(store, ScriptedDialogue(script), domain_replies(), self.delivery)
        answerer = Answerer(index_of(article("refund-a-sale", "Open **Sales**.")), WordEncoder())
        self.webchat = webchat = WebchatState(
            service, store, self.delivery, lambda: answerer, identity=self.website.trusted
        )
        app = create_app(webchat, cast(Any, None), lambda: True)
        listener = listen("127.0.0.1", 0, "server.port")
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        over = asyncio.Event()
        async with _serving(app, listener):
            await service.start()
            self._stop.set_result((asyncio.get_running_loop(), over))
            await over.wait()
            webchat.closing = True
            self.delivery.receive(Bell(""))
            await service.stop(5)

    def close(self) -> None:
        """Stop everything."""
        self.loop.call_soon_threadsafe(self._over.set)
        self._thread.join(30)
        assert not self._thread.is_alive(), "the pages did not stop within 30 s"
        self.engine.dispose()

    def case(self) -> int:
        """Number of the newest case."""
        with Session(self.engine) as session:
            return max(number for (number,) in session.query(Escalation.id))

    def do(self, change: Callable[[Session, int], T]) -> T:
        """Change the newest case, as the desk does."""
        number = self.case()
        with self.changes.transaction() as session:
            return change(session, number)

    def reply(self, text: str, by: Principal | None = None) -> None:
        """Write to the customer."""
        self.do(lambda session, number: cases.reply(session, number, by or self.ada, text))

    def resolve(self, by: Principal | None = None) -> None:
        """Close the newest case as solved."""
        say = domain_replies().reply
        self.do(lambda session, number: cases.resolve(session, number, by or self.ada, "solved", say))

    def typing(self, on: bool = True) -> None:
        """Ada types, or no longer."""
        conversation = self.conversation()
        self.loop.call_soon_threadsafe(self.delivery.typing, conversation, self.ada.owner, on)

    def conversation(self) -> str:
        """Id of the newest case's conversation."""
        with Session(self.engine) as session:
            return session.get_one(Escalation, self.case()).conversation_id

    def rating(self) -> tuple[int | None, int | None, str | None]:
        """What the customer thinks of the newest case."""
        with Session(self.engine) as session:
            found = session.get_one(Rating, self.case())
            return found.csat, found.effort, found.comment


@contextmanager
def opened(folder: Path, found: Queues) -> Iterator[Shop]:
    """A shop that is closed at the end."""
    shop = Shop(folder, found)
    try:
        yield shop
    finally:
        shop.close()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop whose people are always there."""
    with opened(tmp_path, default_queues()) as shop:
        yield shop


@pytest.fixture(autouse=True)
def complaints(page: Page) -> Iterator[list[str]]:
    """No page may log an error or a warning."""
    found: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            found.append(message.text)

    page.context.on("console", note)
    page.context.on("weberror", lambda error: found.append(str(error.error)))
    yield found
    assert found == []


def part(page: Page, name: str) -> Locator:
    """A part of the chat."""
    return page.locator(f"[data-{name}]")


def begin(page: Page, shop: Shop, text: str = PERSON, language: str = "en") -> None:
    """Open the chat and write something; wait for the bot."""
    page.goto(f"{shop.url}/?lang={language}")
    part(page, "launcher").click()
    say(page, text)
    expect(page.locator(".message.bot").first).to_be_visible()


def say(page: Page, text: str) -> None:
    """Type a message and send it."""
    part(page, "text").fill(text)
    page.keyboard.press("Enter")


def notices(page: Page) -> Locator:
    """Lines between the messages."""
    return page.locator(".message.notice")


def test_a_case_from_the_hand_off_to_the_rating_in_two_tabs(page: Page, shop: Shop) -> None:
    begin(page, shop)
    bar = part(page, "case-text")
    expect(bar).to_contain_text(f"Case {shop.case()}. You are number 1 in the queue.")
    expect(notices(page)).to_have_count(0)
    part(page, "leave").click()
    expect(part(page, "email")).to_be_focused()
    part(page, "email").fill("guest@example.com")
    page.keyboard.press("Enter")
    expect(part(page, "left")).to_contain_text("guest@example.com")
    expect(part(page, "leave")).to_be_hidden()
    with Session(shop.engine) as session:
        case = latest(session, shop.conversation())
        assert case is not None
        assert case.contact == {"name": "", "time": "", "email": "guest@example.com"}

    shop.do(lambda session, number: cases.claim(session, number, shop.ada))
    expect(notices(page)).to_contain_text(["Ada has joined"])
    expect(notices(page).locator("time")).to_have_count(1)
    expect(bar).to_contain_text("you are talking with Ada")
    shop.typing()
    expect(part(page, "typing")).to_be_visible()
    expect(part(page, "typist")).to_have_text("Ada is typing")
    shop.reply("Hello, is the light **blue**?")
    shop.typing(False)
    reply = page.locator(".message.agent")
    expect(reply.locator(".author")).to_have_text("Ada")
    expect(reply.locator("strong")).to_have_text("blue")
    expect(part(page, "typing")).to_be_hidden()

    with page.expect_request("**/typing") as typed:
        part(page, "text").press_sequentially("it is red")
    assert typed.value.post_data_json == {"typing": True}
    page.keyboard.press("Enter")
    other = page.context.new_page()
    other.goto(shop.url)
    part(other, "launcher").click()
    expect(notices(other)).to_contain_text(["Ada has joined"])

    shop.do(lambda session, number: cases.transfer(session, number, shop.ada, shop.queues, queue="success"))
    shop.do(
        lambda session, number: cases.transfer(
            session, number, SYSTEM, shop.queues, person=shop.bob.id, queue="support"
        )
    )
    lines = ["Ada has joined", "Passed on to our customer success team", "Bob has joined"]
    expect(notices(page)).to_contain_text(lines)
    shop.reply("Bob here. Now it works?", shop.bob)
    shop.resolve(shop.bob)
    expect(notices(page)).to_contain_text([*lines, "You are back with the assistant"])
    expect(part(page, "case")).to_be_hidden()

    for tab in (page, other):
        expect(tab.locator(".rating")).to_have_count(1)
    page.get_by_role("radio", name="4 good").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="5 very good")).to_be_checked()
    expect(page.locator(".rating .thanks")).to_contain_text("Thank you!")
    expect(other.get_by_role("radio", name="5 very good")).to_be_checked()
    assert shop.rating() == (5, None, None)
    other.get_by_role("radio", name="2 bad").check()
    expect(other.get_by_label("What went wrong?")).to_be_visible()
    other.get_by_label("What went wrong?").fill("It took a day.")
    other.get_by_role("button", name="Send comment").click()
    expect(other.locator(".rating .thanks")).to_contain_text("Thank you!")
    expect(page.get_by_role("radio", name="2 bad")).to_be_checked()
    assert shop.rating() == (2, None, "It took a day.")
    page.reload()
    expect(notices(page)).to_contain_text([*lines, "You are back with the assistant"])
    expect(page.get_by_role("radio", name="2 bad")).to_be_checked()
    expect(page.get_by_label("What went wrong?")).to_have_value("It took a day.")
    say(page, "are you there")
    expect(page.locator(".message.bot").last).to_contain_text("You wrote: are you there")


def test_after_a_choice_the_text_box_has_the_focus(page: Page, shop: Shop) -> None:
    begin(page, shop, "a choice")
    page.get_by_role("button", name="This one").click()
    expect(part(page, "text")).to_be_focused()


def test_effort_is_asked_in_every_third_case_and_a_score_can_be_typed(page: Page, shop: Shop) -> None:
    begin(page, shop)
    for number in (1, 2, 3):
        if number > 1:
            shop.do(lambda session, last: reopened_never(session, last))
            say(page, PERSON)
            expect(part(page, "case-text")).to_contain_text(f"Case {number}.")
        shop.reply(f"Answer {number}")
        shop.resolve()
        expect(page.locator(".rating")).to_have_count(number)
        expect(page.get_by_role("group", name="How easy was it to get help?")).to_have_count(0)
        if number == 2:
            say(page, "beş")
            expect(page.locator(".message.bot").last).to_contain_text("Thank you for your rating!")
            expect(page.locator(".rating").last.get_by_role("radio", name="5 very good")).to_be_checked()
            assert shop.rating() == (5, None, None)
    card = page.locator(".rating").last
    card.get_by_role("radio", name="3 okay").check()
    card.get_by_role("group", name="How easy was it to get help?").get_by_label("4 hard").check()
    expect(card.locator(".thanks")).to_contain_text("Thank you!")
    assert shop.rating() == (3, 4, None)


def reopened_never(session: Session, number: int) -> None:
    """Let the newest case have been closed so long ago that the next one is new."""
    closed = session.get_one(Escalation, number)
    closed.closed_at = (closed.closed_at or dt.datetime.now(dt.UTC)) - dt.timedelta(days=30)


@pytest.mark.parametrize("language", ["en", "tr", "zh", "th"])
def test_outside_of_hours_the_bar_tells_when_people_are_back(page: Page, tmp_path: Path, language: str) -> None:
    back = dt.datetime.now(dt.UTC).replace(second=0, microsecond=0) + dt.timedelta(days=3)
    minute = f"{back:%H:%M}"
    hours = {f"{back:%a}".lower(): f"{minute}-{back + dt.timedelta(minutes=1):%H:%M}"}
    closed = queues(load_settings(environ={}).with_section("queues", {"support": {"hours": hours}}))
    page.set_viewport_size({"width": 360, "height": 740})
    with opened(tmp_path, closed) as shop:
        begin(page, shop, language=language)
        there = page.evaluate(
            "([at, tag]) => new Intl.DateTimeFormat(tag, { hour: '2-digit', minute: '2-digit' }).format(new Date(at))",
            [back.isoformat(), page.locator("html").get_attribute("lang")],
        )
        expect(part(page, "case-text")).to_contain_text(there)
        expect(part(page, "leave")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == 360
