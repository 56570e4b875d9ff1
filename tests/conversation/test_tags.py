"""Tags are kept once per message; a conversation's tags are the union over its messages, weighed by time."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from bot.conversation.models import Conversation, Message, MessageTag, Tagging
from bot.conversation.tags import conversation_tags, record, time_weight, untagged
from bot.errors import ConversationError, NotFound
from bot.tagging.tags import Tagged
from tests.tagging.fakes import MODEL, word_tagger

ID = "a" * 32
NOON = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
tag = word_tagger(
    {
        "printer": ("defect", 0.9),
        "device": ("defect", 0.5),
        "leave": ("churn_risk", 0.8),
        "more registers": ("expansion", 0.7),
        "goal": ("goal", 0.3),
        "now": "urgent",
        "awful": "negative",
        "great": "positive",
    }
)
Say = Callable[..., None]


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A session on a database with a conversation."""
    with Session(engine) as session:
        session.add(Conversation(id=ID, channel="webchat", audience="public", language="en", token_hash="0" * 64))
        session.flush()
        yield session


@pytest.fixture
def say(session: Session) -> Say:
    """Stores a message, tagged unless told otherwise."""
    count = 0

    def add(text: str, age: dt.timedelta = dt.timedelta(), author: str = "customer", tagged: bool = True) -> None:
        nonlocal count
        count += 1
        session.add(
            Message(conversation_id=ID, number=count, author=author, text=text, content={}, created_at=NOON - age)
        )
        session.flush()
        if tagged:
            assert record(session, ID, count, tag(text, "en"))

    return add


def set_state(session: Session, name: str, state: str) -> None:
    for found in session.scalars(select(MessageTag).where(MessageTag.name == name)):
        found.state = state
    session.flush()


def names(session: Session) -> list[str]:
    return [tag.name for tag in conversation_tags(session, ID).tags]


# Recording


def test_what_a_message_carries_is_kept(session: Session, say: Say) -> None:
    say("The printer is awful, fix it now or we leave")
    (tagging,) = session.scalars(select(Tagging))
    assert (tagging.number, tagging.urgent, tagging.urgency, tagging.sentiment) == (1, True, 0.9, "negative")
    assert (tagging.language, tagging.model) == ("en", MODEL)
    kept = session.scalars(select(MessageTag).order_by(MessageTag.id)).all()
    assert [(t.name, t.probability, t.start, t.end, t.quote) for t in kept] == [
        ("defect", 0.9, 4, 11, "printer"),
        ("churn_risk", 0.8, 39, 44, "leave"),
    ]
    assert {(t.origin, t.state, t.model) for t in kept} == {("model", "open", MODEL)}


def test_message_that_carries_nothing_counts_as_tagged(session: Session, say: Say) -> None:
    say("Hello")
    assert untagged(session) == []
    assert session.scalars(select(MessageTag)).all() == []


def test_tagging_again_changes_nothing(session: Session, say: Say) -> None:
    say("The printer")
    again = word_tagger({"printer": ("outage", 0.9), "the": "urgent"}, model="newer")
    assert not record(session, ID, 1, again("The printer", "en"))
    assert names(session) == ["defect"]
    assert [tagging.model for tagging in session.scalars(select(Tagging))] == [MODEL]


def test_what_a_person_said_before_stays(session: Session, say: Say) -> None:
    say("The printer, and we leave", tagged=False)
    session.add(
        MessageTag(
            conversation_id=ID,
            number=1,
            name="defect",
            probability=1.0,
            start=0,
            end=25,
            quote="The printer, and we leave",
            model="",
            origin="person",
            state="confirmed",
        )
    )
    session.flush()
    assert record(session, ID, 1, tag("The printer, and we leave", "en"))
    found = conversation_tags(session, ID)
    assert [(t.name, t.probability, t.evidence[0].origin) for t in found.tags] == [
        ("defect", 1.0, "person"),
        ("churn_risk", 0.8, "model"),
    ]


@pytest.mark.parametrize("author", ["bot", "agent"])
def test_what_the_bot_or_an_agent_said_is_never_tagged(session: Session, say: Say, author: str) -> None:
    say("Is it the printer?", author=author, tagged=False)
    assert untagged(session) == []
    with pytest.raises(ConversationError, match=f"Message 1 was written by {author}") as caught:
        record(session, ID, 1, tag("Is it the printer?", "en"))
    assert caught.value.remedy
    assert session.scalars(select(Tagging)).all() == []


@pytest.mark.parametrize("author", ["bot", "agent"])
def test_tags_of_the_bot_or_an_agent_would_be_no_evidence(session: Session, say: Say, author: str) -> None:
    say("Hello")
    say("Do you want more registers now?", author=author, tagged=False)
    session.add(
        Tagging(conversation_id=ID, number=2, urgent=True, urgency=1, sentiment="negative", language="", model="")
    )
    session.add(
        MessageTag(
            conversation_id=ID,
            number=2,
            name="expansion",
            probability=1.0,
            start=0,
            end=2,
            quote="Do",
            model="",
            origin="person",
            state="confirmed",
        )
    )
    session.flush()
    found = conversation_tags(session, ID)
    assert (found.kind, found.urgent, found.sentiment) == ("neither", False, "neutral")


def test_what_an_employee_relays_counts(session: Session, say: Say) -> None:
    say("Kantin says they will leave", author="employee")
    (found,) = conversation_tags(session, ID).signals
    assert (found.name, found.evidence[0].origin) == ("churn_risk", "model")


def test_message_that_does_not_exist(session: Session) -> None:
    with pytest.raises(NotFound, match="no message 7"):
        record(session, ID, 7, tag("printer", "en"))


# What is to be tagged


def test_untagged_are_typed_messages_of_customers_and_employees(session: Session) -> None:
    rows = [
        ("customer", {}, False),
        ("bot", {}, False),
        ("customer", {"payload": "/deny"}, False),
        ("employee", {}, False),
        ("agent", {}, False),
        ("customer", {}, False),
        ("customer", {}, True),
    ]
    for number, (author, content, waiting) in enumerate(rows, 1):
        session.add(
            Message(conversation_id=ID, number=number, author=author, text="x", content=content, waiting=waiting)
        )
    session.flush()
    assert untagged(session) == [(ID, 1), (ID, 4), (ID, 6)]
    record(session, ID, 4, tag("x", "en"))
    assert untagged(session) == [(ID, 1), (ID, 6)]


# Of the conversation


def test_union_over_the_messages_best_first(session: Session, say: Say) -> None:
    say("more registers please")
    say("the printer is dead, we leave")
    found = conversation_tags(session, ID)
    assert found.kind == "both"
    assert [(t.name, t.probability) for t in found.topics] == [("defect", 0.9)]
    assert [(t.name, t.probability) for t in found.signals] == [("churn_risk", 0.8), ("expansion", 0.7)]
    assert found.stage == "retention"
    assert found.probabilities == {"defect": 0.9, "churn_risk": 0.8, "expansion": 0.7}
    (evidence,) = found.signals[1].evidence
    assert (evidence.number, evidence.quote, evidence.start, evidence.end) == (1, "more registers", 0, 14)
    assert (evidence.probability, evidence.state, evidence.model) == (0.7, "open", MODEL)
    assert evidence.created_at == NOON


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["printer"], "reactive_support"),
        (["leave"], "proactive_success"),
        (["printer", "leave"], "both"),
        (["Hello"], "neither"),
        ([], "neither"),
    ],
)
def test_kind(session: Session, say: Say, texts: list[str], kind: str) -> None:
    for text in texts:
        say(text)
    assert conversation_tags(session, ID).kind == kind


def test_same_thing_said_often_is_as_probable_as_said_best(session: Session, say: Say) -> None:
    say("the printer")
    for _ in range(3):
        say("the device")
    (found,) = conversation_tags(session, ID).topics
    assert found.probability == 0.9
    assert [one.number for one in found.evidence] == [1, 4, 3, 2]


def test_what_was_said_a_half_life_ago_counts_half(session: Session, say: Say) -> None:
    say("the printer", 30 * DAY)
    say("Hello")
    assert conversation_tags(session, ID).probabilities == {"defect": pytest.approx(0.45)}
    assert conversation_tags(session, ID, half_life_days=15).probabilities == {}
    assert conversation_tags(session, ID, half_life_days=60).probabilities["defect"] == pytest.approx(0.9 * 0.5**0.5)


def test_newer_evidence_outweighs_older(session: Session, say: Say) -> None:
    say("the printer", 60 * DAY)
    say("the device")
    (found,) = conversation_tags(session, ID).topics
    assert found.probability == 0.5
    assert [one.number for one in found.evidence] == [2, 1]
    assert [one.probability for one in found.evidence] == [0.5, 0.9]


def test_age_is_measured_from_the_newest_tagged_message(session: Session, say: Say) -> None:
    say("the printer", 300 * DAY)
    say("Are you there?", author="bot", tagged=False)
    say("Not read yet", tagged=False)
    assert conversation_tags(session, ID).probabilities == {"defect": 0.9}


def test_faded_tag_is_left_out(session: Session, say: Say) -> None:
    say("we leave", 50 * DAY)
    say("goal")
    found = conversation_tags(session, ID)
    assert 0.8 * 0.5 ** (50 / 30) > 0.25
    assert [t.name for t in found.signals] == ["goal", "churn_risk"]
    say("Hello", -2 * DAY)
    assert names(session) == ["goal"]


def test_rejected_tag_does_not_count(session: Session, say: Say) -> None:
    say("the printer, we leave")
    set_state(session, "defect", "rejected")
    found = conversation_tags(session, ID)
    assert (found.kind, names(session)) == ("proactive_success", ["churn_risk"])


def test_confirmed_tag_counts_whole(session: Session, say: Say) -> None:
    say("goal")
    say("the printer")
    set_state(session, "goal", "confirmed")
    (found,) = conversation_tags(session, ID).signals
    assert (found.probability, found.evidence[0].probability, found.evidence[0].state) == (1.0, 1.0, "confirmed")


def test_urgent_within_the_last_hour(session: Session, say: Say) -> None:
    say("fix it now", dt.timedelta(minutes=59))
    say("Hello")
    assert conversation_tags(session, ID).urgent
    say("Hello again", -dt.timedelta(minutes=2))
    assert not conversation_tags(session, ID).urgent
    say("it is down now", -dt.timedelta(minutes=3))
    assert conversation_tags(session, ID).urgent


def test_mood_lasts_for_three_messages(session: Session, say: Say) -> None:
    say("great")
    say("awful")
    say("ok")
    say("Tuesday")
    assert conversation_tags(session, ID).sentiment == "negative"
    say("thanks")
    assert conversation_tags(session, ID).sentiment == "neutral"
    say("great")
    assert conversation_tags(session, ID).sentiment == "positive"


def test_as_json(session: Session, say: Say) -> None:
    say("we leave", 10 * DAY)
    say("Hello")
    shown = json.loads(json.dumps(conversation_tags(session, ID).to_json()))
    assert shown == {
        "kind": "proactive_success",
        "topics": [],
        "signals": [
            {
                "name": "churn_risk",
                "probability": 0.635,
                "evidence": [
                    {
                        "number": 1,
                        "quote": "leave",
                        "start": 3,
                        "end": 8,
                        "probability": 0.8,
                        "origin": "model",
                        "state": "open",
                        "model": MODEL,
                        "created_at": "2026-04-21T12:00:00+00:00",
                    }
                ],
            }
        ],
        "urgent": False,
        "sentiment": "neutral",
        "stage": "retention",
    }


@pytest.mark.parametrize("half_life", [0, -1, float("nan")])
def test_half_life_must_be_positive(session: Session, half_life: float) -> None:
    with pytest.raises(ValueError, match="half_life_days must be greater than 0"):
        conversation_tags(session, ID, half_life)


def test_what_is_yet_to_come_counts_whole() -> None:
    assert time_weight(-100_000 * DAY, 1.0) == 1.0
    assert time_weight(100_000 * DAY, 1.0) == 0.0


def test_a_tagger_sees_characters_not_bytes(session: Session, say: Say) -> None:
    text = "ปริ้นเตอร์ 🖨️ printer"
    carried: Tagged = tag(text, "th")
    say(text)
    (found,) = conversation_tags(session, ID).topics
    assert text[found.evidence[0].start : found.evidence[0].end] == carried.tags[0].quote == "printer"
