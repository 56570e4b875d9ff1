"""The events of a conversation: every lasting change, numbered, in order.

A reader who knows the number of the last event it saw gets exactly what it missed. Typing and presence leave no event;
they are bells only (`bot.conversation.delivery`). Everything here runs within a transaction that holds the write lock
of the conversation (`locked`).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Literal, get_args

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from bot.conversation.models import BOT, Conversation, Event, Message, now
from bot.errors import NotFound
from bot.outbox import outbox

Kind = Literal["message", "owner", "case", "note", "tags", "rating", "account", "read", "customer"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# What a session remembers of the transaction: the places whose bells ring when it is kept.
TOUCHED = "touched"


@dataclass(frozen=True)
class Happened:
    """An event as readers get it.

    Attributes:
        message: The message it tells of; None for other kinds.
    """

    conversation_id: str
    number: int
    kind: str
    visible: bool
    data: dict[str, Any]
    by: str
    message: Message | None
    created_at: dt.datetime


def locked(session: Session, conversation_id: str) -> Conversation:
    """A conversation as it is now, with the write lock; whoever else wants to change it waits.

    Raises:
        NotFound: There is no such conversation.
    """
    same = update(Conversation).where(Conversation.id == conversation_id).values(last_event=Conversation.last_event)
    session.execute(same)
    conversation = session.get(Conversation, conversation_id, populate_existing=True)
    if conversation is None:
        raise NotFound("There is no such conversation.", "Its id has 32 letters and digits.")
    return conversation


def append(
    session: Session, conversation: Conversation, kind: Kind, data: dict[str, Any], by: str, visible: bool = False
) -> Event:
    """Tell what changed, to readers and to whom webhooks tell it.

    Args:
        session: Of the transaction.
        conversation: Locked.
        kind: One of KINDS.
        data: What changed; fit for JSON.
        by: `customer`, `bot`, `system`, or a principal's label.
        visible: Whether the visitor may see it.
    """
    conversation.last_event += 1
    conversation.updated_at = now()
    event = Event(
        conversation_id=conversation.id,
        number=conversation.last_event,
        kind=kind,
        visible=visible,
        data=data,
        by=by,
        created_at=conversation.updated_at,
    )
    session.add(event)
    session.info.setdefault(TOUCHED, set()).update(_places(conversation, kind))
    outbox.enqueue(session, conversation, event)
    return event


def _places(conversation: Conversation, kind: Kind) -> list[str]:
    """Where a change is news: in the conversation, and in the desk's lists of what people have to do."""
    places = [conversation.id]
    if kind in ("case", "owner", "rating") or (kind in ("message", "customer") and conversation.owner != BOT):
        places.append("topic:cases")
    if kind in ("case", "tags"):
        places.append("topic:signals")
    return places


def add_message(
    session: Session,
    conversation: Conversation,
    author: str,
    text: str,
    content: dict[str, Any] | None = None,
    by: str = "bot",
    client_id: str | None = None,
    waiting: bool = False,
) -> Message:
    """Add a message with the next number, and its event.

    Args:
        session: Of the transaction.
        conversation: Locked.
        author: As in `Message`.
        text: What is said.
        content: What goes with it.
        by: As for `append`.
        client_id: The sender's own id for it.
        waiting: Whether somebody has to answer it.
    """
    conversation.last_number += 1
    message = Message(
        conversation_id=conversation.id,
        number=conversation.last_number,
        author=author,
        client_id=client_id,
        text=text,
        content=content or {},
        waiting=waiting,
        created_at=now(),
    )
    session.add(message)
    append(session, conversation, "message", {"number": message.number}, by, visible=True)
    return message


def events_after(
    session: Session, conversation_id: str, number: int, visible_only: bool, limit: int = 200
) -> list[Happened]:
    """Events with a number above the one given, in order.

    Args:
        session: To read with.
        conversation_id: Whose.
        number: Of the last event seen; 0 for none.
        visible_only: Only what the visitor may see.
        limit: So many at most.
    """
    query = (
        select(Event)
        .where(Event.conversation_id == conversation_id, Event.number > number)
        .order_by(Event.number)
        .limit(limit)
    )
    if visible_only:
        query = query.where(Event.visible)
    events = list(session.scalars(query))
    numbers = [event.data["number"] for event in events if event.kind == "message"]
    messages: dict[int, Message] = {}
    if numbers:
        found = session.scalars(
            select(Message).where(Message.conversation_id == conversation_id, Message.number.in_(numbers))
        )
        messages = {message.number: message for message in found}
    return [
        Happened(
            conversation_id,
            event.number,
            event.kind,
            event.visible,
            event.data,
            event.by,
            messages.get(event.data["number"]) if event.kind == "message" else None,
            event.created_at,
        )
        for event in events
    ]
