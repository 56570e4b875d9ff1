"""Tables of conversations, messages, the bot's decisions and what customers made of them."""

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
        token_hash: SHA-256 of the secret its visitor holds.
        owner: `bot`, `queue:<name>` or `agent:<id>`; `owner_version` counts its changes.
        last_number: Number of its newest message.
        segment: Of Rasa's sender id; `segment_turns` turns were taken in it.
        misses: Questions in a row without an answer.
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
