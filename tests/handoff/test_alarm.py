"""What makes a case by itself: an urgent breakdown, and anger."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.conversation import events
from bot.conversation.models import Conversation, Decided, Message, Reaction, now
from bot.conversation.records import StoredMessage
from bot.conversation.tags import record
from bot.handoff.alarm import sound_alarm
from bot.handoff.escalation import escalate, latest, priority_for
from bot.handoff.routing import Routing
from bot.handoff.work import place_case
from bot.tagging.tags import Tag, Tagged
from tests.handoff.fakes import say

ROUTING = Routing()


def tagged(*names: str, urgency: float = 0.0, mood: Literal["negative", "neutral", "positive"] = "neutral") -> Tagged:
    """What a message carries."""
    tags = tuple(Tag(name, 0.9, 0, 1, "x") for name in names)
    return Tagged(tags, urgency >= 0.5, urgency, mood, "en", "m")


class Talk:
    """A customer who writes, with a bot that answers."""

    def __init__(self, session: Session, conversation: Conversation) -> None:
        self.session, self.conversation = session, conversation

    def turn(
        self, carries: Tagged, insulted: bool = False, missed: bool = False, age: dt.timedelta = dt.timedelta()
    ) -> Message | None:
        """Write, be answered and tagged; gives what the bot says about a case of its own making."""
        said = events.add_message(self.session, self.conversation, "customer", "x", by="customer")
        said.created_at = now() - age
        events.add_message(self.session, self.conversation, "bot", "y", {"insulted": True} if insulted else {})
        self.session.flush()
        self.session.add(
            Decided(
                conversation_id=self.conversation.id,
                turn_number=said.number,
                question_number=said.number,
                decision="hand_off" if missed else "answer",
                confidence=0.5,
                language="en",
                audience="public",
            )
        )
        self.session.flush()
        assert record(self.session, self.conversation.id, said.number, carries)
        stored = StoredMessage(self.conversation.id, said.number, "customer", None, "x", {}, said.created_at)
        place_case(self.session, self.conversation, said.number, ROUTING)
        return sound_alarm(self.session, self.conversation, stored, carries, ROUTING, say)


@pytest.fixture
def talk(session: Session, conversation: Conversation) -> Talk:
    """One with the bot."""
    return Talk(session, conversation)


@pytest.mark.parametrize("name", ["outage", "defect"])
def test_urgent_breakdown_makes_an_urgent_case(
    session: Session, conversation: Conversation, talk: Talk, name: str
) -> None:
    said = talk.turn(tagged(name, urgency=0.85))
    case = latest(session, conversation.id)
    assert said is not None
    assert case is not None
    assert said.text == f"utter_urgent_handed_off tr {case.id}"
    assert (case.queue, case.reason, case.priority, case.turn_number) == ("support", "urgent_outage", "urgent", 1)
    assert conversation.owner == "queue:support"
    assert talk.turn(tagged(name, urgency=0.99)) is None


@pytest.mark.parametrize(
    ("carries", "age"),
    [
        (tagged("outage", urgency=0.79), 0),
        (tagged("outage"), 0),
        (tagged("how_to", urgency=0.9), 0),
        (tagged(urgency=0.9), 0),
        (tagged("outage", urgency=0.9), 2),
    ],
)
def test_what_is_not_urgent_enough_or_long_ago(
    session: Session, conversation: Conversation, talk: Talk, carries: Tagged, age: int
) -> None:
    assert talk.turn(carries, age=dt.timedelta(hours=age)) is None
    assert (latest(session, conversation.id), conversation.owner) == (None, "bot")


def test_no_alarm_while_a_person_has_the_conversation(conversation: Conversation, talk: Talk) -> None:
    conversation.owner = "agent:ada"
    assert talk.turn(tagged("outage", urgency=0.9)) is None


def test_two_insults_in_a_row(session: Session, conversation: Conversation, talk: Talk) -> None:
    assert talk.turn(tagged(), insulted=True) is None
    assert talk.turn(tagged()) is None
    assert talk.turn(tagged(), insulted=True) is None
    said = talk.turn(tagged(), insulted=True)
    case = latest(session, conversation.id)
    assert said is not None
    assert case is not None
    assert (case.reason, case.priority) == ("angry", "high")
    assert said.text == f"utter_angry_handed_off tr {case.id}"


@pytest.mark.parametrize(
    ("moods", "help_between", "angry"),
    [
        (("negative", "negative"), "missed", True),
        (("negative", "negative"), "did_not_help", True),
        (("negative", "negative"), "answered", False),
        (("negative", "neutral"), "missed", False),
        (("neutral", "negative"), "missed", False),
    ],
)
def test_bad_mood_without_help(
    session: Session,
    talk: Talk,
    moods: tuple[Literal["negative", "neutral"], ...],
    help_between: str,
    angry: bool,
) -> None:
    talk.turn(tagged(mood=moods[0]), missed=help_between == "missed")
    if help_between == "did_not_help":
        first = session.scalars(select(Decided)).one()
        session.add(Reaction(decision_id=first.id, kind="did_not_help", number=3))
    assert (talk.turn(tagged(mood=moods[1])) is not None) is angry


def test_priority_follows_what_is_heard(session: Session, conversation: Conversation, talk: Talk) -> None:
    assert priority_for(session, conversation, "asked_for", ROUTING) == "normal"
    case = escalate(session, conversation, "support", "asked_for", 1)
    due = case.resolution_due
    assert due is not None
    talk.turn(tagged("churn_risk", "how_to"))
    assert (case.priority, case.queue) == ("high", "support")
    assert case.resolution_due is not None
    assert case.resolution_due < due
    talk.turn(tagged("defect", urgency=0.9))
    assert case.priority == "high"  # Of what was said after the case was opened, people judge.
