"""Tables of conversations, messages, the bot's decisions, what customers made of them, and tags."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import JSON, ForeignKey, ForeignKeyConstraint, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bot.storage.engine import Base, UtcDateTime

BOT = "bot"


def now() -> dt.datetime:
    """This moment, in UTC."""
    return dt.datetime.now(dt.UTC)


def is_person(owner: str) -> bool:
    """Whether an owner is a person, over whom the bot never talks."""
    return owner.startswith("agent:")


class Conversation(Base):
    """The whole thread with one person on one channel.

    Attributes:
        token_hash: SHA-256 of a secret of its own that opens it; empty where only its visitor does.
        owner: `bot`, `queue:<name>` or `agent:<id>`; `owner_version` counts its changes.
        last_number: Number of its newest message.
        segment: Of Rasa's sender id; `segment_turns` turns were taken in it.
        misses: Questions in a row without an answer.
        account_id: The customer company, when known.
        customer_id: Whom a verified identity names; None for a visitor nobody vouches for.
        visitor_id: The browser it began in; None where it has a secret of its own.
        read_by_customer: Number of the newest message the customer has seen; `read_by_team`: people of the team.
        context: What the website says of the page and the visitor; nobody vouches for it.
        last_event: Number of its newest event.
        lease_holder: The process that answers its messages, until `lease_until`.
    """

    __tablename__ = "conversations"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    channel: Mapped[str] = mapped_column(String(20))
    audience: Mapped[str] = mapped_column(String(10))
    language: Mapped[str] = mapped_column(String(5))
    token_hash: Mapped[str] = mapped_column(String(64))
    owner: Mapped[str] = mapped_column(String(60), default=BOT)
    owner_version: Mapped[int] = mapped_column(default=0)
    last_number: Mapped[int] = mapped_column(default=0)
    segment: Mapped[int] = mapped_column(default=0)
    segment_turns: Mapped[int] = mapped_column(default=0)
    misses: Mapped[int] = mapped_column(default=0)
    contact: Mapped[dict[str, str] | None] = mapped_column(JSON, default=None)
    account_id: Mapped[str | None] = mapped_column(String(100), default=None, index=True)
    customer_id: Mapped[str | None] = mapped_column(String(100), default=None, index=True)
    visitor_id: Mapped[str | None] = mapped_column(String(32), default=None, index=True)
    read_by_customer: Mapped[int] = mapped_column(default=0, server_default="0")
    read_by_team: Mapped[int] = mapped_column(default=0, server_default="0")
    context: Mapped[dict[str, Any] | None] = mapped_column(JSON, default=None)
    last_event: Mapped[int] = mapped_column(default=0, server_default="0")
    lease_holder: Mapped[str | None] = mapped_column(String(32), default=None)
    lease_until: Mapped[dt.datetime | None] = mapped_column(UtcDateTime, default=None)
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, default=now)
    updated_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, default=now)

    def hand_to(self, owner: str) -> None:
        """Change the owner, and with it the version; nothing happens when it is the owner already."""
        if self.owner != owner:
            self.owner = owner
            self.owner_version += 1


class Message(Base):
    """One utterance by customer, bot or agent.

    Attributes:
        number: Counts up from 1 within the conversation, without gaps.
        author: `customer`, `employee`, `bot` or `agent`.
        client_id: The sender's own id for it.
        content: What goes with the text: choices, citations, the payload of a choice taken.
        waiting: A customer's message the bot has not dealt with yet.
    """

    __tablename__ = "messages"
    __table_args__ = (
        UniqueConstraint("conversation_id", "number", name="uq_messages_number"),
        UniqueConstraint("conversation_id", "client_id", name="uq_messages_client_id"),
        Index("ix_messages_waiting", "waiting"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id"))
    number: Mapped[int]
    author: Mapped[str] = mapped_column(String(10))
    client_id: Mapped[str | None] = mapped_column(String(100), default=None)
    text: Mapped[str] = mapped_column(Text)
    content: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    waiting: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, default=now)


class Event(Base):
    """One lasting change of a conversation, in the order in which they happened. See `bot.conversation.events`.

    Attributes:
        number: Counts up from 1 within the conversation, without gaps.
        kind: One of `bot.conversation.events.KINDS`.
        visible: Whether the visitor may see it; the desk sees all.
        data: What changed.
        by: Who did it: `customer`, `bot`, `system`, or a person's or token's id behind its kind.
    """

    __tablename__ = "events"
    __table_args__ = (UniqueConstraint("conversation_id", "number", name="uq_events_number"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    number: Mapped[int]
    kind: Mapped[str] = mapped_column(String(30))
    visible: Mapped[bool] = mapped_column(default=False)
    data: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    by: Mapped[str] = mapped_column(String(60))
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, default=now)


class Decided(Base):
    """One decision of the bot on a question. The words stand in the message; they are not copied.

    Attributes:
        turn_number: The customer's message the decision was taken on.
        question_number: The message with the question's words: another one when a choice was taken.
        reply_number: The bot's message that carries the outcome, if there is one.
        decision: `answer`, `clarify` or `hand_off`.
        confidence: Probability that the article answers the question; 1 for one that was chosen.
        article_id: The top article; None if nothing was found.
        language: Of the conversation at that moment.
    """

    __tablename__ = "decisions"
    __table_args__ = (
        ForeignKeyConstraint(
            ["conversation_id", "question_number"],
            ["messages.conversation_id", "messages.number"],
            name="fk_decisions_question",
            ondelete="CASCADE",
        ),
        Index("ix_decisions_turn", "conversation_id", "turn_number"),
        Index("ix_decisions_reply", "conversation_id", "reply_number"),
        Index("ix_decisions_created_at", "created_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    conversation_id: Mapped[str] = mapped_column(String(32))
    turn_number: Mapped[int]
    question_number: Mapped[int]
    reply_number: Mapped[int | None] = mapped_column(default=None)
    decision: Mapped[str] = mapped_column(String(10))
    confidence: Mapped[float]
    article_id: Mapped[str | None] = mapped_column(String(100), default=None)
    language: Mapped[str] = mapped_column(String(5))
    audience: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, default=now)


class Reaction(Base):
    """What a customer made of a decision; each kind once.

    Attributes:
        kind: `thumb_up` or `thumb_down`, `chosen` (one of the articles offered), `did_not_help`, `handed_off` (right
            after it), `rephrased` (asked again in other words).
        number: The customer's message that shows it; None for a thumb.
        article_id: Of the article chosen.
    """

    __tablename__ = "reactions"
    __table_args__ = (UniqueConstraint("decision_id", "kind", name="uq_reactions_kind"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    decision_id: Mapped[int] = mapped_column(ForeignKey("decisions.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(20))
    number: Mapped[int | None] = mapped_column(default=None)
    article_id: Mapped[str | None] = mapped_column(String(100), default=None)
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, default=now)


class Tagging(Base):
    """That a message was tagged, and what it carries beside its tags.

    Attributes:
        urgency: Probability that it is urgent.
        model: Version of the tagger.
    """

    __tablename__ = "taggings"
    __table_args__ = (
        ForeignKeyConstraint(
            ["conversation_id", "number"],
            ["messages.conversation_id", "messages.number"],
            name="fk_taggings_message",
            ondelete="CASCADE",
        ),
    )

    conversation_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    urgent: Mapped[bool]
    urgency: Mapped[float]
    sentiment: Mapped[str] = mapped_column(String(10))
    language: Mapped[str] = mapped_column(String(5))
    model: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, default=now)


class MessageTag(Base):
    """A topic or signal of a message, with the customer's words that carry it.

    Attributes:
        probability: As the model gave it; 1 for what a person added.
        start: Of the quote in the message's text, in characters.
        end: Behind its last character.
        origin: `model`, `answer` (yes or no to the second question) or `person` (added by hand).
        state: `open`, `confirmed` or `rejected`.
    """

    __tablename__ = "message_tags"
    __table_args__ = (
        ForeignKeyConstraint(
            ["conversation_id", "number"],
            ["messages.conversation_id", "messages.number"],
            name="fk_message_tags_message",
            ondelete="CASCADE",
        ),
        UniqueConstraint("conversation_id", "number", "name", name="uq_message_tags_name"),
        Index("ix_message_tags_name", "name", "created_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    conversation_id: Mapped[str] = mapped_column(String(32))
    number: Mapped[int]
    name: Mapped[str] = mapped_column(String(30))
    probability: Mapped[float]
    start: Mapped[int]
    end: Mapped[int]
    quote: Mapped[str] = mapped_column(Text)
    model: Mapped[str] = mapped_column(String(16))
    origin: Mapped[str] = mapped_column(String(10), default="model")
    state: Mapped[str] = mapped_column(String(10), default="open")
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, default=now)


class Correction(Base):
    """What a person said of a tag. Kept for good: the newest one for a message and name is in force.

    Attributes:
        verdict: `confirm`, `reject`, `add` or `withdraw`.
        by: Who.
        quote: The words that carry an added tag.
    """

    __tablename__ = "corrections"
    __table_args__ = (
        ForeignKeyConstraint(
            ["conversation_id", "number"],
            ["messages.conversation_id", "messages.number"],
            name="fk_corrections_message",
            ondelete="CASCADE",
        ),
        Index("ix_corrections_message", "conversation_id", "number"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    conversation_id: Mapped[str] = mapped_column(String(32))
    number: Mapped[int]
    name: Mapped[str] = mapped_column(String(30))
    verdict: Mapped[str] = mapped_column(String(10))
    quote: Mapped[str | None] = mapped_column(Text, default=None)
    by: Mapped[str] = mapped_column(String(50))
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, default=now)
