"""What a customer who waits may know: their case, their place, whether people are there, what they asked a person."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy.orm import Session

from bot.conversation import events
from bot.conversation.models import Conversation, now
from bot.handoff import cases
from bot.handoff.escalation import escalate
from bot.handoff.models import SIGNAL, Escalation
from bot.handoff.queues import default_queues, queues
from bot.handoff.waiting import handoff_context
from bot.settings import load_settings
from tests.handoff.fakes import close, person, say

QUEUES = default_queues()


def other(session: Session, name: str, customer: str | None = None) -> Conversation:
    """Another visitor's conversation."""
    made = Conversation(
        id=name * 32, channel="webchat", audience="public", language="en", token_hash=name * 64, customer_id=customer
    )
    session.add(made)
    session.flush()
    return made


def write(session: Session, conversation: Conversation, text: str, author: str = "customer") -> int:
    """Say something; gives its number."""
    message = events.add_message(session, conversation, author, text, {}, "customer" if author == "customer" else "bot")
    session.flush()
    return message.number


def test_without_a_case(session: Session, conversation: Conversation) -> None:
    found = handoff_context(session, conversation, QUEUES)
    assert (found.case, found.cases, found.back_from_person, found.before) == (None, [], False, None)
    assert found.people.open_now
    assert (found.people.position, found.people.expected_minutes, found.people.next_opening) == (1, None, None)


def test_place_in_the_line(session: Session, conversation: Conversation) -> None:
    first = escalate(session, other(session, "b"), "support", "asked_for")
    mine = escalate(session, conversation, "support", "asked_for")
    escalate(session, other(session, "c"), "success", "asked_for")
    session.add(
        Escalation(
            conversation_id="c" * 32,
            queue="support",
            reason=SIGNAL,
            language="en",
            opened_at_number=0,
            created_at=now() - dt.timedelta(days=1),
        )
    )
    found = handoff_context(session, conversation, QUEUES)
    assert found.case is not None
    assert (found.case.number, found.case.open, found.case.position, found.people.position) == (mine.id, True, 2, 3)
    ada = person(session, "Ada")
    cases.claim(session, first.id, ada)
    after = handoff_context(session, conversation, QUEUES).case
    assert after is not None
    assert after.position == 1
    cases.claim(session, mine.id, ada)
    after = handoff_context(session, conversation, QUEUES).case
    assert after is not None
    assert (after.position, after.assigned) == (None, "Ada")


@pytest.mark.parametrize(("online", "minutes"), [(1, 25), (2, 15), (0, None)])
def test_expected_time(session: Session, conversation: Conversation, online: int, minutes: int | None) -> None:
    for number in range(6):
        case = escalate(session, other(session, "bcdefa"[number] if number < 5 else "9"), "support", "asked_for")
        case.first_responded_at = case.created_at + dt.timedelta(minutes=12, seconds=5)
        case.assignee = "x"
    for number in range(online):
        person(session, f"Agent{number}", online=True)
    person(session, "Gone", online=True, seen=dt.timedelta(minutes=10))
    escalate(session, other(session, "8"), "support", "asked_for")
    escalate(session, conversation, "support", "asked_for")
    found = handoff_context(session, conversation, QUEUES)
    assert found.case is not None
    assert (found.case.position, found.case.expected_minutes) == (2, minutes)


def test_outside_of_hours(session: Session, conversation: Conversation) -> None:
    tomorrow = now() + dt.timedelta(days=1)
    table = {"time_zone": "Asia/Bangkok", "hours": {f"{tomorrow:%a}".lower(): "12:00-12:01"}}
    closed = queues(load_settings(environ={}).with_section("queues", {"support": table}))
    person(session, "Ada", online=True)
    escalate(session, conversation, "support", "asked_for")
    found = handoff_context(session, conversation, closed)
    assert found.case is not None
    assert found.case.position == 1
    assert found.case.expected_minutes is None
    assert (found.people.open_now, found.people.time_zone) == (False, "Asia/Bangkok")
    assert found.people.next_opening is not None
    back = dt.datetime.fromisoformat(found.people.next_opening)
    assert back > now()
    assert (back.hour, back.minute, back.utcoffset()) == (12, 0, dt.timedelta(hours=7))


def test_hours_are_those_of_the_queue_that_was_offered(session: Session, conversation: Conversation) -> None:
    tomorrow = now() + dt.timedelta(days=1)
    table = {"success": {"hours": {f"{tomorrow:%a}".lower(): "12:00-12:01"}}}
    closed = queues(load_settings(environ={}).with_section("queues", table))
    assert handoff_context(session, conversation, closed).people.open_now
    events.add_message(session, conversation, "bot", "Shall I ask them?", {"offered_queue": "success"})
    assert not handoff_context(session, conversation, closed).people.open_now


def test_own_cases_are_those_of_the_conversation_and_of_the_verified_customer(
    session: Session, conversation: Conversation
) -> None:
    stranger = escalate(session, other(session, "b", "someone"), "support", "asked_for")
    earlier = escalate(session, other(session, "c", "guest"), "support", "asked_for")
    mine = escalate(session, conversation, "support", "asked_for")
    assert [case.number for case in handoff_context(session, conversation, QUEUES).cases] == [mine.id]
    conversation.customer_id = "guest"
    session.flush()
    found = handoff_context(session, conversation, QUEUES)
    assert [case.number for case in found.cases] == [mine.id, earlier.id]
    assert stranger.id not in [case.number for case in found.cases]
    close(session, mine.id)
    found = handoff_context(session, conversation, QUEUES)
    assert found.case is not None
    assert (found.case.number, found.case.open, found.case.resolution) == (mine.id, False, "solved")


def test_the_bot_knows_that_it_is_back_and_what_the_person_was_asked(
    session: Session, conversation: Conversation
) -> None:
    write(session, conversation, "A person, please")
    case = escalate(session, conversation, "support", "asked_for")
    write(session, conversation, "You are number 1.", "bot")
    ada = person(session, "Ada")
    assert handoff_context(session, conversation, QUEUES, write(session, conversation, "Hm")).back_from_person is False
    cases.reply(session, case.id, ada, "Hello, this is Ada.")
    write(session, conversation, "How do I refund a sale?")
    write(session, conversation, "I mean on the iPad")
    during = handoff_context(session, conversation, QUEUES)
    assert (during.back_from_person, during.before) == (False, None)
    cases.return_to_bot(session, case.id, ada, say)
    number = write(session, conversation, "and with cash?")
    found = handoff_context(session, conversation, QUEUES, number)
    assert (found.back_from_person, found.before) == (True, "How do I refund a sale?")
    write(session, conversation, "Like this: …", "bot")
    found = handoff_context(session, conversation, QUEUES, write(session, conversation, "and partly?"))
    assert (found.back_from_person, found.before) == (False, None)


def test_who_took_the_case_and_said_nothing_has_not_answered(session: Session, conversation: Conversation) -> None:
    case = escalate(session, conversation, "support", "asked_for")
    ada = person(session, "Ada")
    cases.claim(session, case.id, ada)
    cases.release(session, case.id, ada)
    found = handoff_context(session, conversation, QUEUES, write(session, conversation, "Hello?"))
    assert found.back_from_person is False
