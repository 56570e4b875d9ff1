"""Who has read how far: the customer, and the people of the team.

A number only ever rises. That a message of a person was read is an event, so that the other side sees it; that one of
the bot was read is not.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from bot.conversation import events
from bot.conversation.changes import Changes
from bot.conversation.models import Conversation, Event, Message
from bot.conversation.tags import SPEAKERS

Reader = Literal["customer", "team"]

# Whose messages tell the other side, once read, that somebody reads.
_WRITERS: dict[Reader, tuple[str, ...]] = {"customer": ("agent",), "team": SPEAKERS}


@dataclass(frozen=True)
class Seen:
    """That the customer has seen what people wrote.

    Attributes:
        number: Of the last message of a person they have seen.
        at: When they saw it.
    """

    number: int
    at: dt.datetime


def mark_read(changes: Changes, conversation_id: str, reader: Reader, number: int, by: str = "customer") -> bool:
    """Note that a reader has seen the messages up to a number; whether that is news.

    A number above the newest message's counts as the newest one's. A lower one than before changes nothing, and waits
    for no lock.

    Args:
        changes: Makes transactions.
        conversation_id: That the reader may see.
        reader: Which side.
        number: Of the last message seen.
        by: `customer`, or the label of who read for the team.

    Raises:
        NotFound: There is no such conversation.
    """
    with changes.reading() as session:
        known = session.get(Conversation, conversation_id)
        if known is not None and _rises(known, reader, number) is None:
            return False
    with changes.transaction() as session:
        conversation = events.locked(session, conversation_id)
        span = _rises(conversation, reader, number)
        if span is None:
            return False
        before, after = span
        setattr(conversation, _column(reader), after)
        written = select(Message.id).where(
            Message.conversation_id == conversation_id,
            Message.number > before,
            Message.number <= after,
            Message.author.in_(_WRITERS[reader]),
        )
        if session.scalar(written.limit(1)) is not None:
            updated = conversation.updated_at
            data = {"by": reader, "number": after}
            events.append(session, conversation, "read", data, by, visible=reader == "team")
            # Reading is no activity by which conversations are sorted.
            conversation.updated_at = updated
        return True


def _rises(conversation: Conversation, reader: Reader, number: int) -> tuple[int, int] | None:
    """The number read so far and the one from now on; None where it does not rise."""
    before: int = getattr(conversation, _column(reader))
    after = min(number, conversation.last_number)
    return (before, after) if after > before else None


def _column(reader: Reader) -> str:
    return f"read_by_{reader}"


def seen_by_customer(session: Session, conversation: Conversation) -> Seen | None:
    """What people wrote last that the customer has seen; None if nothing."""
    number = session.scalar(
        select(func.max(Message.number)).where(
            Message.conversation_id == conversation.id,
            Message.author == "agent",
            Message.number <= conversation.read_by_customer,
        )
    )
    if number is None:
        return None
    # The customer's newest event of reading is the one whose span holds the message.
    at = session.scalar(
        select(Event.created_at)
        .where(Event.conversation_id == conversation.id, Event.kind == "read", Event.by == "customer")
        .order_by(Event.number.desc())
        .limit(1)
    )
    return Seen(number, at) if at else None


def unread() -> ColumnElement[int]:
    """How many messages of bot and team the customer has not seen, for a query of conversations."""
    return (
        select(func.count(Message.id))
        .where(
            Message.conversation_id == Conversation.id,
            Message.number > Conversation.read_by_customer,
            Message.author.not_in(SPEAKERS),
        )
        .correlate(Conversation)
        .scalar_subquery()
    )
