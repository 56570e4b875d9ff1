"""One open case per queue, with all a person needs to take it on."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy.orm import Session

from bot.conversation.models import Conversation, Message
from bot.errors import ConversationError, NotFound
from bot.handoff.escalation import Line, escalate, latest, list_cases, read_case
from tests.handoff.fakes import close

CONTACT = {"name": "Ayşe", "email": "ayse@example.com", "time": "yarın"}


def test_escalation_is_made(session: Session, conversation: Conversation) -> None:
    conversation.last_number = 4
    conversation.contact = CONTACT
    made = escalate(session, conversation, "support", "asked_for")
    assert (made.queue, made.reason, made.status, made.language) == ("support", "asked_for", "open", "tr")
    assert (made.opened_at_number, made.contact) == (4, CONTACT)
    assert (conversation.owner, conversation.owner_version) == ("queue:support", 1)
    assert latest(session, conversation.id) is made


def test_escalation_is_made_once_per_queue(session: Session, conversation: Conversation) -> None:
    first = escalate(session, conversation, "support", "asked_for")
    assert escalate(session, conversation, "support", "low_confidence") is first
    assert first.reason == "asked_for"
    other = escalate(session, conversation, "success", "asked_for")
    assert other.id != first.id
    assert escalate(session, conversation, "success", "asked_for") is other
    assert list_cases(session) == [first, other]


def test_closed_case_is_not_opened_again(session: Session, conversation: Conversation) -> None:
    first = escalate(session, conversation, "support", "asked_for")
    first.status = "closed"
    second = escalate(session, conversation, "support", "asked_for")
    assert second.id > first.id
    assert list_cases(session) == [second]
    assert list_cases(session, "closed") == [first]


def test_numbers_are_not_used_again(session: Session, conversation: Conversation) -> None:
    first = escalate(session, conversation, "support", "asked_for")
    number = first.id
    session.delete(first)
    session.flush()
    assert escalate(session, conversation, "support", "asked_for").id > number


@pytest.mark.parametrize("owner", ["agent:ayse", "queue:success"])
def test_owner_other_than_the_bot_keeps_the_conversation(
    session: Session, conversation: Conversation, owner: str
) -> None:
    conversation.owner = owner
    escalate(session, conversation, "support", "asked_for")
    assert (conversation.owner, conversation.owner_version) == (owner, 0)


def test_latest_of_a_conversation_without_a_case(session: Session, conversation: Conversation) -> None:
    assert latest(session, conversation.id) is None


def test_case_with_its_transcript(session: Session, conversation: Conversation) -> None:
    moment = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)
    said = [(2, "bot", "Merhaba!"), (1, "customer", "Bir insan lütfen"), (3, "agent", "Buyurun")]
    for number, author, text in said:
        session.add(
            Message(conversation_id=conversation.id, number=number, author=author, text=text, created_at=moment)
        )
    made = escalate(session, conversation, "support", "asked_for")
    session.commit()
    case = read_case(session, made.id)
    assert (case.number, case.queue, case.reason, case.status) == (made.id, "support", "asked_for", "open")
    assert (case.language, case.conversation_id, case.contact) == ("tr", conversation.id, None)
    assert case.created_at.tzinfo is not None
    assert case.transcript == tuple(Line(number, author, text, moment) for number, author, text in sorted(said))


def test_case_shows_contact_left_after_it_was_made(session: Session, conversation: Conversation) -> None:
    made = escalate(session, conversation, "support", "asked_for")
    conversation.contact = CONTACT
    session.flush()
    assert read_case(session, made.id).contact == CONTACT


@pytest.mark.parametrize("number", [0, -1, 99])
def test_case_that_does_not_exist(session: Session, number: int) -> None:
    with pytest.raises(NotFound, match=f"no case {number}") as caught:
        read_case(session, number)
    assert "refill cases" in caught.value.remedy


@pytest.mark.parametrize("owner", ["queue:support", "agent:ayse"])
def test_closed_case_gives_the_conversation_back(session: Session, conversation: Conversation, owner: str) -> None:
    made = escalate(session, conversation, "support", "asked_for")
    conversation.owner = owner
    assert close(session, made.id) is made
    assert made.status == "closed"
    assert made.closed_at is not None
    assert (conversation.owner, conversation.owner_version) == ("bot", 2)


def test_conversation_stays_with_people_while_another_case_is_open(
    session: Session, conversation: Conversation
) -> None:
    first = escalate(session, conversation, "support", "asked_for")
    second = escalate(session, conversation, "success", "asked_for")
    close(session, first.id)
    assert conversation.owner == "queue:success"
    close(session, second.id)
    assert conversation.owner == "bot"


def test_closing_what_is_closed_or_not_there(session: Session, conversation: Conversation) -> None:
    made = escalate(session, conversation, "support", "asked_for")
    close(session, made.id)
    with pytest.raises(ConversationError, match="is closed"):
        close(session, made.id)
    with pytest.raises(NotFound, match="no case 99"):
        close(session, 99)
    assert conversation.owner_version == 2
