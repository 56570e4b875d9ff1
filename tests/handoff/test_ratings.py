"""Ratings: when they are asked for, what counts as one, how long they can be changed."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.conversation import events
from bot.conversation.models import Conversation, Event, Message
from bot.errors import ConversationError, InvalidInput, NotFound
from bot.handoff import ratings
from bot.handoff.models import SIGNAL, Escalation, Rating
from tests.conversation.fakes import domain_replies

say = domain_replies().reply


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("5", 5),
        (" 5. ", 5),
        ("5/5", 5),
        ("3 / 5", 3),
        ("５／5", 5),
        ("๕", 5),
        ("๔/๕", 4),
        ("5️⃣", 5),
        ("⭐⭐⭐⭐", 4),
        ("⭐️ ⭐️", 2),
        ("★★★★☆", 4),
        ("4 stars", 4),
        ("Five!", 5),
        ("beş", 5),
        ("İKİ", 2),
        ("dört yıldız", 4),
        ("五", 5),
        ("5分", 5),
        ("四星", 4),
        ("两分", 2),
        ("ห้า", 5),
        ("สี่ดาว", 4),
        ("3 คะแนน", 3),
    ],
)
def test_a_message_that_is_just_a_score(text: str, score: int) -> None:
    assert ratings.read_score(text) == score


@pytest.mark.parametrize(
    "text",
    [
        "",
        "6",
        "0",
        "55",
        "5/10",
        "-5",
        "5.5",
        "²",
        "☆",
        "★★☆",
        "⭐" * 6,
        "I have 5",
        "5 tills",
        "5?",
        "five of them",
        "v",
    ],
)
def test_a_message_that_is_something_else(text: str) -> None:
    assert ratings.read_score(text) is None


def resolved(
    session: Session, conversation: Conversation, number: int = 1, replied: bool = True, **values: Any
) -> Escalation:
    """A case a person replied to, closed as solved."""
    case = Escalation(
        id=number,
        conversation_id=conversation.id,
        queue="support",
        language="en",
        opened_at_number=conversation.last_number,
        created_at=dt.datetime.now(dt.UTC),
        **{"reason": "asked_for", "status": "closed", "resolution": "solved", **values},
    )
    session.add(case)
    session.flush()
    if replied:
        events.add_message(session, conversation, "agent", "Hello", {"name": "Ada"}, "person:ada")
    return case


@pytest.mark.parametrize("number", range(1, 7))
def test_it_is_asked_once_and_effort_in_every_third_case(
    session: Session, conversation: Conversation, number: int
) -> None:
    case = resolved(session, conversation, number)
    message = ratings.ask(session, conversation, case, say)
    assert message is not None
    assert message.text == say("utter_ask_rating", "tr").text
    assert message.content == {"rating": {"case": number, "effort": number % 3 == 0}}
    assert ratings.ask(session, conversation, case, say) is None
    asked = ratings.read(session, conversation.id)
    assert asked is not None
    assert (asked.case_id, asked.number, asked.asks_effort, asked.csat) == (
        number,
        message.number,
        number % 3 == 0,
        None,
    )


@pytest.mark.parametrize(
    "values",
    [
        {"replied": False},
        {"resolution": "returned_to_bot"},
        {"resolution": "spam"},
        {"resolution": "duplicate"},
        {"merged_into": 7},
        {"reason": SIGNAL, "resolution": "done"},
    ],
)
def test_it_is_not_asked(session: Session, conversation: Conversation, values: dict[str, Any]) -> None:
    assert ratings.ask(session, conversation, resolved(session, conversation, **values), say) is None
    assert ratings.read(session, conversation.id) is None


def test_a_persons_word_before_the_case_does_not_count(session: Session, conversation: Conversation) -> None:
    events.add_message(session, conversation, "agent", "Earlier", {}, "person:ada")
    assert ratings.ask(session, conversation, resolved(session, conversation, replied=False), say) is None


def told(session: Session) -> list[dict[str, Any]]:
    """The events of ratings."""
    return list(session.scalars(select(Event.data).where(Event.kind == "rating", Event.visible).order_by(Event.number)))


def test_it_can_be_changed_for_a_day(session: Session, conversation: Conversation) -> None:
    ratings.ask(session, conversation, resolved(session, conversation, 3), say)
    ratings.rate(session, conversation, 3, 2, 4, "  slow ")
    ratings.rate(session, conversation, 3, 2, 4, "slow")
    ratings.rate(session, conversation, 3, 5)
    assert told(session) == [{"case": 3, "csat": 2, "effort": 4}, {"case": 3, "csat": 5, "effort": None}]
    found = session.get_one(Rating, 3)
    assert (found.csat, found.effort, found.comment) == (5, None, None)
    assert found.rated_at is not None
    found.rated_at -= dt.timedelta(days=1, seconds=1)
    with pytest.raises(ConversationError, match="for a day"):
        ratings.rate(session, conversation, 3, 1)
    ratings.rate(session, conversation, 3, 5)
    assert len(told(session)) == 2


@pytest.mark.parametrize(
    ("case", "values", "error", "match"),
    [
        (3, (0,), InvalidInput, "csat must be from 1 to 5. It is 0"),
        (3, (5, 6), InvalidInput, "effort must be from 1 to 5. It is 6"),
        (3, (5, None, "x" * 1001), InvalidInput, "at most 1,000"),
        (4, (5,), NotFound, "case 4"),
    ],
)
def test_rules(
    session: Session, conversation: Conversation, case: int, values: Any, error: type[Exception], match: str
) -> None:
    ratings.ask(session, conversation, resolved(session, conversation, 3), say)
    with pytest.raises(error, match=match):
        ratings.rate(session, conversation, case, *values)
    assert told(session) == []


def test_effort_that_was_not_asked_is_refused(session: Session, conversation: Conversation) -> None:
    ratings.ask(session, conversation, resolved(session, conversation, 1), say)
    with pytest.raises(InvalidInput, match="not asked"):
        ratings.rate(session, conversation, 1, 5, 1)


def test_a_case_of_another_conversation_is_unknown(session: Session, conversation: Conversation) -> None:
    ratings.ask(session, conversation, resolved(session, conversation, 3), say)
    other = Conversation(id="b" * 32, channel="webchat", audience="public", language="en", token_hash="1" * 64)
    session.add(other)
    with pytest.raises(NotFound):
        ratings.rate(session, other, 3, 5)


def typed(session: Session, conversation: Conversation, text: str, content: dict[str, Any] | None = None) -> Message:
    """A customer's message."""
    message = events.add_message(session, conversation, "customer", text, content, "customer")
    session.flush()
    return message


@pytest.mark.parametrize(
    ("text", "score", "reply"), [("4", 4, "utter_rating_thanks"), ("2/5", 2, "utter_rating_thanks_low")]
)
def test_a_score_right_after_the_question_is_heard(
    session: Session, conversation: Conversation, text: str, score: int, reply: str
) -> None:
    ratings.ask(session, conversation, resolved(session, conversation), say)
    thanks = ratings.hear(session, conversation, typed(session, conversation, text), say)
    assert thanks is not None
    assert thanks.text == say(reply, "tr").text
    assert session.get_one(Rating, 1).csat == score
    assert ratings.hear(session, conversation, typed(session, conversation, text), say) is None


@pytest.mark.parametrize(("text", "content"), [("Where is 5?", None), ("5", {"payload": "/affirm"})])
def test_anything_else_is_not_heard(
    session: Session, conversation: Conversation, text: str, content: dict[str, Any] | None
) -> None:
    ratings.ask(session, conversation, resolved(session, conversation), say)
    assert ratings.hear(session, conversation, typed(session, conversation, text, content), say) is None
    assert session.get_one(Rating, 1).csat is None


def test_a_score_changes_what_the_card_said_and_after_a_day_is_a_message(
    session: Session, conversation: Conversation
) -> None:
    ratings.ask(session, conversation, resolved(session, conversation), say)
    rated = ratings.rate(session, conversation, 1, 1)
    message = typed(session, conversation, "5")
    assert rated.rated_at is not None
    rated.rated_at -= dt.timedelta(days=2)
    assert ratings.hear(session, conversation, message, say) is None
    rated.rated_at += dt.timedelta(days=2)
    assert ratings.hear(session, conversation, message, say) is not None
    assert rated.csat == 5


def test_a_request_that_was_withdrawn_is_not_heard(session: Session, conversation: Conversation) -> None:
    ratings.ask(session, conversation, resolved(session, conversation), say)
    session.delete(session.get_one(Rating, 1))
    assert ratings.hear(session, conversation, typed(session, conversation, "5"), say) is None


def test_the_bot_does_not_thank_over_a_person(session: Session, conversation: Conversation) -> None:
    ratings.ask(session, conversation, resolved(session, conversation), say)
    conversation.hand_to("agent:anna")
    assert ratings.hear(session, conversation, typed(session, conversation, "5"), say) is None
    assert conversation.last_number == session.get_one(Rating, 1).number + 1
