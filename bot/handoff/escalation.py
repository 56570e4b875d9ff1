"""Make, find and show escalations."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.conversation.models import BOT, Conversation, Message, now
from bot.errors import ConversationError, NotFound
from bot.handoff.models import Escalation

Author = Literal["customer", "employee", "bot", "agent"]


def escalate(session: Session, conversation: Conversation, queue: str, reason: str) -> Escalation:
    """The open escalation of a conversation in a queue; made if there is none.

    The queue becomes the conversation's owner, unless a person has it already.
    """
    open_one = session.scalar(
        select(Escalation).where(
            Escalation.conversation_id == conversation.id, Escalation.queue == queue, Escalation.status == "open"
        )
    )
    if open_one:
        return open_one
    made = Escalation(
        conversation_id=conversation.id,
        queue=queue,
        reason=reason,
        language=conversation.language,
        opened_at_number=conversation.last_number,
        contact=conversation.contact,
        created_at=now(),
    )
    session.add(made)
    session.flush()
    if conversation.owner == BOT:
        conversation.hand_to(f"queue:{queue}")
    return made


def close(session: Session, number: int) -> Escalation:
    """Close an escalation; the conversation goes back to the bot when no other is open.

    Raises:
        NotFound: There is no such case.
        ConversationError: It is closed already.
    """
    found = _case(session, number)
    if found.status != "open":
        raise ConversationError(f"Case {number} is closed already.")
    found.status = "closed"
    found.closed_at = now()
    session.flush()
    others = select(Escalation.id).where(
        Escalation.conversation_id == found.conversation_id, Escalation.status == "open"
    )
    conversation = session.get_one(Conversation, found.conversation_id)
    if session.scalar(others) is None:
        conversation.hand_to(BOT)
    return found


def _case(session: Session, number: int) -> Escalation:
    found = session.get(Escalation, number)
    if found is None:
        raise NotFound(f"There is no case {number}.", "`refill cases` lists them.")
    return found


def latest(session: Session, conversation_id: str) -> Escalation | None:
    """The newest escalation of a conversation."""
    return session.scalar(
        select(Escalation).where(Escalation.conversation_id == conversation_id).order_by(Escalation.id.desc()).limit(1)
    )


@dataclass(frozen=True)
class Line:
    """One line of a transcript."""

    number: int
    author: str
    text: str
    created_at: dt.datetime


@dataclass(frozen=True)
class Case:
    """An escalation with all a person needs to take it on."""

    number: int
    queue: str
    reason: str
    status: str
    language: str
    contact: dict[str, str] | None
    created_at: dt.datetime
    conversation_id: str
    transcript: tuple[Line, ...]


def read_case(session: Session, number: int) -> Case:
    """An escalation with its transcript.

    Raises:
        NotFound: There is no such case.
    """
    found = _case(session, number)
    messages = session.scalars(
        select(Message).where(Message.conversation_id == found.conversation_id).order_by(Message.number)
    )
    transcript = tuple(Line(m.number, m.author, m.text, m.created_at) for m in messages)
    conversation = session.get_one(Conversation, found.conversation_id)
    return Case(
        found.id,
        found.queue,
        found.reason,
        found.status,
        found.language,
        found.contact or conversation.contact,
        found.created_at,
        found.conversation_id,
        transcript,
    )


def list_cases(session: Session, status: str = "open") -> list[Escalation]:
    """Escalations of a status, oldest first."""
    return list(session.scalars(select(Escalation).where(Escalation.status == status).order_by(Escalation.id)))
