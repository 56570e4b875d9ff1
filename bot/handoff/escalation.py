"""Make, find and show escalations.

Most are the customer's own case, whose number they know. Those with the reason `signal` are work for the people whom a
signal concerns; the customer knows nothing of them, and they do not change who answers. See `bot.handoff.work`.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from bot.conversation.models import BOT, Conversation, Message, now
from bot.conversation.tags import ConversationTags, conversation_tags
from bot.errors import ConversationError, NotFound
from bot.handoff.models import Escalation

Author = Literal["customer", "employee", "bot", "agent"]
SIGNAL = "signal"


def escalate(
    session: Session, conversation: Conversation, queue: str, reason: str, turn_number: int | None = None
) -> Escalation:
    """The customer's own open case in a queue; made if there is none.

    The queue becomes the conversation's owner, unless a person has it already.

    Args:
        session: Of the transaction.
        conversation: The customer's.
        queue: For whom.
        reason: Why; not `signal`.
        turn_number: The customer's message that led to it.
    """
    open_one = open_case(session, conversation.id, queue)
    if open_one:
        return open_one
    made = Escalation(
        conversation_id=conversation.id,
        queue=queue,
        reason=reason,
        language=conversation.language,
        opened_at_number=conversation.last_number,
        contact=conversation.contact,
        turn_number=turn_number,
        created_at=now(),
    )
    session.add(made)
    session.flush()
    take_over_work(session, made)
    if conversation.owner == BOT:
        conversation.hand_to(f"queue:{queue}")
    return made


def open_case(session: Session, conversation_id: str, queue: str) -> Escalation | None:
    """The customer's own open case in a queue."""
    return session.scalar(_open_ones(conversation_id).where(Escalation.queue == queue, Escalation.reason != SIGNAL))


def open_work(session: Session, conversation_id: str, queue: str) -> Escalation | None:
    """The open work on signals in a queue."""
    return session.scalar(_open_ones(conversation_id).where(Escalation.queue == queue, Escalation.reason == SIGNAL))


def _open_ones(conversation_id: str) -> Select[Escalation]:
    return select(Escalation).where(Escalation.conversation_id == conversation_id, Escalation.status == "open")


def take_over_work(session: Session, case: Escalation) -> None:
    """Close open work on signals in the queue of a customer's case: the same people get both now, as one."""
    work = open_work(session, case.conversation_id, case.queue)
    if work:
        work.status = "closed"
        work.closed_at = now()


def close(session: Session, number: int) -> Escalation:
    """Close an escalation; the conversation goes back to the bot when no case of the customer's is open.

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
    conversation = session.get_one(Conversation, found.conversation_id)
    if session.scalar(_open_ones(found.conversation_id).where(Escalation.reason != SIGNAL)) is None:
        conversation.hand_to(BOT)
    return found


def _case(session: Session, number: int) -> Escalation:
    found = session.get(Escalation, number)
    if found is None:
        raise NotFound(f"There is no case {number}.", "`refill cases` lists them.")
    return found


def latest(session: Session, conversation_id: str) -> Escalation | None:
    """The customer's own newest case."""
    return session.scalar(
        select(Escalation)
        .where(Escalation.conversation_id == conversation_id, Escalation.reason != SIGNAL)
        .order_by(Escalation.id.desc())
        .limit(1)
    )


def keep_contact(session: Session, conversation: Conversation, contact: dict[str, str]) -> None:
    """Keep how to reach the customer, with the conversation and all that is open of it."""
    conversation.contact = contact
    for escalation in session.scalars(_open_ones(conversation.id)):
        escalation.contact = contact


@dataclass(frozen=True)
class Line:
    """One line of a transcript."""

    number: int
    author: str
    text: str
    created_at: dt.datetime


@dataclass(frozen=True)
class Case:
    """An escalation with all a person needs to take it on.

    Attributes:
        signals: Names of those that made it; empty for the customer's own case.
        tags: What the conversation carries.
    """

    number: int
    queue: str
    reason: str
    status: str
    language: str
    contact: dict[str, str] | None
    created_at: dt.datetime
    conversation_id: str
    transcript: tuple[Line, ...]
    signals: tuple[str, ...]
    tags: ConversationTags


def read_case(session: Session, number: int, half_life_days: float = 30.0) -> Case:
    """An escalation with its transcript and its conversation's tags.

    Args:
        session: To read with.
        number: Of the case.
        half_life_days: After so many days what was said counts half.

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
        tuple(found.signals or ()),
        conversation_tags(session, found.conversation_id, half_life_days),
    )


def list_cases(session: Session, status: str = "open") -> list[Escalation]:
    """Escalations of a status, oldest first."""
    return list(session.scalars(select(Escalation).where(Escalation.status == status).order_by(Escalation.id)))
