"""Keep the tags of messages, and say what a conversation carries: the union over its messages, weighed by time.

Everything here runs within a transaction of the caller's. Only what customers and employees wrote is evidence.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.conversation.models import Message, MessageTag, Tagging
from bot.errors import ConversationError, NotFound
from bot.tagging.tags import SENTIMENTS, TOPICS, Kind, Sentiment, Stage, Tagged, kind_of, stage_of

SPEAKERS = ("customer", "employee")
# A tag that weighs less has faded.
FADED = 0.25
URGENT_WITHIN = dt.timedelta(hours=1)
# An angry customer's "ok" and "Tuesday" do not end the anger; three messages in a row without it do.
MOOD_LASTS = 3


@dataclass(frozen=True)
class Evidence:
    """One message's words that carry a tag.

    Attributes:
        number: Of the message.
        quote: Its words from `start` to `end`, in characters.
        probability: As the model gave it; 1 for what a person confirmed or added. Not weighed by time.
        origin: `model`, `answer` or `person`.
        state: `open`, `confirmed` or `rejected`; what was rejected is no evidence of a conversation's tags.
        model: Version of the model that heard it.
        created_at: When the message was written.
    """

    number: int
    quote: str
    start: int
    end: int
    probability: float
    origin: str
    state: str
    model: str
    created_at: dt.datetime


@dataclass(frozen=True)
class ConversationTag:
    """A topic or signal of a conversation.

    Attributes:
        probability: The greatest of its evidence, each weighed by time.
        evidence: What weighs most first; never empty.
    """

    name: str
    probability: float
    evidence: tuple[Evidence, ...]

    @property
    def is_topic(self) -> bool:
        """Whether it is a topic, not a signal."""
        return self.name in TOPICS


@dataclass(frozen=True)
class ConversationTags:
    """What a conversation carries.

    Attributes:
        topics: The most probable first.
        signals: The most probable first.
        urgent: Whether its newest tagged message is urgent, or one of the hour before that.
        sentiment: Of the newest that is not neutral among the last three messages.
        stage: Where in the customer's life its signals are heard.
    """

    kind: Kind
    topics: tuple[ConversationTag, ...]
    signals: tuple[ConversationTag, ...]
    urgent: bool
    sentiment: Sentiment
    stage: Stage | None

    @property
    def tags(self) -> tuple[ConversationTag, ...]:
        """Topics, then signals."""
        return (*self.topics, *self.signals)

    @property
    def probabilities(self) -> dict[str, float]:
        """By the tag's name."""
        return {tag.name: tag.probability for tag in self.tags}

    def to_json(self) -> dict[str, Any]:
        """Itself in JSON's types; moments in ISO 8601, probabilities to four places."""

        def shown(tag: ConversationTag) -> dict[str, Any]:
            evidence = [
                {**asdict(one), "probability": round(one.probability, 4), "created_at": one.created_at.isoformat()}
                for one in tag.evidence
            ]
            return {"name": tag.name, "probability": round(tag.probability, 4), "evidence": evidence}

        return {
            "kind": self.kind,
            "topics": [shown(tag) for tag in self.topics],
            "signals": [shown(tag) for tag in self.signals],
            "urgent": self.urgent,
            "sentiment": self.sentiment,
            "stage": self.stage,
        }


def record(session: Session, conversation_id: str, number: int, tagged: Tagged) -> bool:
    """Keep what a message carries; False, and nothing changes, when that is known already.

    What a person said of the message's tags before stays as it is.

    Raises:
        NotFound: There is no such message.
        ConversationError: The message is the bot's or an agent's.
    """
    message = session.scalar(
        select(Message).where(Message.conversation_id == conversation_id, Message.number == number)
    )
    if message is None:
        raise NotFound(f"There is no message {number} to be tagged.")
    if message.author not in SPEAKERS:
        raise ConversationError(
            f"Message {number} was written by {message.author}, and cannot be tagged.",
            "Only what customers and employees write is evidence.",
        )
    if session.get(Tagging, (conversation_id, number)) is not None:
        return False
    known = session.scalars(
        select(MessageTag.name).where(MessageTag.conversation_id == conversation_id, MessageTag.number == number)
    ).all()
    session.add(
        Tagging(
            conversation_id=conversation_id,
            number=number,
            urgent=tagged.urgent,
            urgency=tagged.urgency,
            sentiment=tagged.sentiment,
            language=tagged.language,
            model=tagged.model,
        )
    )
    session.add_all(
        MessageTag(conversation_id=conversation_id, number=number, model=tagged.model, **asdict(tag))
        for tag in tagged.tags
        if tag.name not in known
    )
    session.flush()
    return True


def untagged(session: Session) -> list[tuple[str, int]]:
    """Messages to be tagged, as (conversation's id, number), oldest first.

    They are what customers and employees typed. Choices carry no words of theirs; messages that wait for the bot are
    tagged when their turn is over.
    """
    found = session.execute(
        select(Message.conversation_id, Message.number)
        .outerjoin(Tagging, (Tagging.conversation_id == Message.conversation_id) & (Tagging.number == Message.number))
        .where(
            Message.author.in_(SPEAKERS),
            Message.waiting.is_(False),
            Message.content["payload"].as_string().is_(None),
            Message.text != "",
            Tagging.number.is_(None),
        )
        .order_by(Message.id)
    )
    return [(conversation_id, number) for conversation_id, number in found]


def evidence_of(tag: MessageTag, written: dt.datetime) -> Evidence:
    """A message's tag as evidence; what a person confirmed or added has probability 1.

    Args:
        tag: Of the message.
        written: When the message was.
    """
    sure = tag.state == "confirmed" or tag.origin == "person"
    return Evidence(
        tag.number,
        tag.quote,
        tag.start,
        tag.end,
        1.0 if sure else tag.probability,
        tag.origin,
        tag.state,
        tag.model,
        written,
    )


def time_weight(age: dt.timedelta, half_life_days: float) -> float:
    """How much what was said so long ago counts, from 0 to 1; what is yet to come counts whole."""
    weight: float = 0.5 ** (max(age, dt.timedelta()) / dt.timedelta(days=half_life_days))
    return weight


def conversation_tags(session: Session, conversation_id: str, half_life_days: float = 30.0) -> ConversationTags:
    """What a conversation carries.

    A message's tag weighs its probability times `0.5 ** (age / half_life_days)`, its age measured back from the newest
    tagged message. A tag's probability is that of the message that weighs most: probabilities of several messages
    about the same thing are not independent, so that joining them would overstate it. Below 0.25 a tag has faded.
    What a person rejected does not count; what a person confirmed or added has probability 1.

    Args:
        session: To read with.
        conversation_id: Of the conversation; one without tags carries nothing.
        half_life_days: After so many days what was said counts half.

    Raises:
        ValueError: The half-life is not greater than 0.
    """
    if not half_life_days > 0:
        raise ValueError(f"half_life_days must be greater than 0. Currently, it is {half_life_days}.")
    read = _taggings(session, conversation_id)
    heard = _evidence(session, conversation_id)
    moments = [moment for _, moment in read] + [one.created_at for _, one in heard]
    newest = max(moments, default=dt.datetime.min.replace(tzinfo=dt.UTC))

    def weight(one: Evidence) -> float:
        return one.probability * time_weight(newest - one.created_at, half_life_days)

    by_name: dict[str, list[Evidence]] = defaultdict(list)
    for name, one in heard:
        by_name[name].append(one)
    found = []
    for name, evidence in by_name.items():
        best_first = sorted(evidence, key=lambda one: (-weight(one), -one.number))
        found.append(ConversationTag(name, weight(best_first[0]), tuple(best_first)))
    present = sorted((tag for tag in found if tag.probability >= FADED), key=lambda tag: (-tag.probability, tag.name))
    topics = tuple(tag for tag in present if tag.is_topic)
    signals = tuple(tag for tag in present if not tag.is_topic)
    return ConversationTags(
        kind_of(tag.name for tag in present),
        topics,
        signals,
        any(tagging.urgent and newest - moment <= URGENT_WITHIN for tagging, moment in read),
        _sentiment([tagging.sentiment for tagging, _ in read[-MOOD_LASTS:]]),
        stage_of({tag.name: tag.probability for tag in signals}),
    )


def _taggings(session: Session, conversation_id: str) -> list[tuple[Tagging, dt.datetime]]:
    """Taggings of a conversation with their messages' moments, in order."""
    found = session.execute(
        select(Tagging, Message.created_at)
        .join(Message, (Message.conversation_id == Tagging.conversation_id) & (Message.number == Tagging.number))
        .where(Tagging.conversation_id == conversation_id, Message.author.in_(SPEAKERS))
        .order_by(Tagging.number)
    )
    return [(tagging, moment) for tagging, moment in found]


def _evidence(session: Session, conversation_id: str) -> list[tuple[str, Evidence]]:
    """All that carries tags in a conversation, each with the tag's name."""
    found = session.execute(
        select(MessageTag, Message.created_at)
        .join(Message, (Message.conversation_id == MessageTag.conversation_id) & (Message.number == MessageTag.number))
        .where(
            MessageTag.conversation_id == conversation_id,
            MessageTag.state != "rejected",
            Message.author.in_(SPEAKERS),
        )
    )
    return [(tag.name, evidence_of(tag, moment)) for tag, moment in found]


def _sentiment(latest: Sequence[str]) -> Sentiment:
    """The last that is not neutral."""
    felt = next((one for one in reversed(latest) if one != "neutral"), "neutral")
    return next(one for one in SENTIMENTS if one == felt)
