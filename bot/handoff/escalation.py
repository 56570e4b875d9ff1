"""Make, find and show escalations.

Most are the customer's own case, whose number they know. Those with the reason `signal` are work for the people whom a
signal concerns; the customer knows nothing of them, and they do not change who answers. See `bot.handoff.work`.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal, get_args

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from bot.attachments.store import words_of
from bot.conversation.models import BOT, Conversation, Message, is_person, now
from bot.conversation.tags import ConversationTags, conversation_tags
from bot.handoff import clocks, team
from bot.handoff.access import no_case
from bot.handoff.changing import hand_over, remember, tell
from bot.handoff.models import SIGNAL, Escalation
from bot.handoff.queues import Priority
from bot.handoff.reopening import open_again, reopenable
from bot.handoff.routing import Routing

Author = Literal["customer", "employee", "bot", "agent"]
Reason = Literal[
    "asked_for", "low_confidence", "urgent_outage", "angry", "tags", "form_sent", "bot_unavailable", "signal"
]
REASONS: tuple[Reason, ...] = get_args(Reason)
BREAKDOWNS = ("outage", "defect")


def escalate(
    session: Session,
    conversation: Conversation,
    queue: str,
    reason: str,
    turn_number: int | None = None,
    routing: Routing | None = None,
) -> Escalation:
    """The customer's own open case in a queue; one closed shortly before is opened again, else one is made.

    The queue becomes the conversation's owner, or the person who gets the case, unless a person has it already.

    Args:
        session: Of the transaction.
        conversation: The customer's, locked.
        queue: For whom.
        reason: Why, one of REASONS; not `signal`.
        turn_number: The customer's message that led to it.
        routing: What counts how much, and the queues.
    """
    routing = routing or Routing()
    open_one = open_case(session, conversation.id, queue)
    if open_one:
        return open_one
    before = reopenable(latest(session, conversation.id), queue, reason, routing.reopen_within)
    if before:
        before.turn_number = turn_number
        return open_again(session, conversation, before, routing.queues, "customer", waits=True)
    made = Escalation(
        conversation_id=conversation.id,
        queue=queue,
        reason=reason,
        language=conversation.language,
        opened_at_number=conversation.last_number,
        contact=conversation.contact,
        turn_number=turn_number,
        priority=priority_for(session, conversation, reason, routing),
        created_at=now(),
    )
    made.waiting_since = made.created_at
    session.add(made)
    session.flush()
    clocks.start(made, routing.queues, clocks.plan_of(session, conversation))
    pushed = not is_person(conversation.owner) and team.push(session, made, routing.queues)
    tell(session, conversation, made, "opened", "bot", turn=turn_number)
    take_over_work(session, conversation, made, "bot")
    if pushed:
        hand_over(session, conversation, f"agent:{made.assignee}", "system")
    elif conversation.owner == BOT:
        hand_over(session, conversation, f"queue:{queue}", "bot")
    return made


def priority_for(session: Session, conversation: Conversation, reason: str, routing: Routing) -> Priority:
    """The priority of a case at its opening, by its reason and by what the conversation carries."""
    if reason == "urgent_outage":
        return "urgent"
    tags = conversation_tags(session, conversation.id, routing.half_life_days)
    if tags.urgent and any(name in tags.probabilities for name in BREAKDOWNS):
        return "urgent"
    leaving = tags.probabilities.get("churn_risk", 0.0) >= routing.work_probability
    return "high" if reason == "angry" or leaving else "normal"


def open_case(session: Session, conversation_id: str, queue: str | None = None) -> Escalation | None:
    """The customer's own open case in a queue, or in any; the oldest one."""
    own = _open_ones(conversation_id).where(Escalation.reason != SIGNAL).order_by(Escalation.id).limit(1)
    return session.scalar(own if queue is None else own.where(Escalation.queue == queue))


def open_work(session: Session, conversation_id: str, queue: str) -> Escalation | None:
    """The open work on signals in a queue."""
    return session.scalar(_open_ones(conversation_id).where(Escalation.queue == queue, Escalation.reason == SIGNAL))


def _open_ones(conversation_id: str) -> Select[Escalation]:
    return select(Escalation).where(Escalation.conversation_id == conversation_id, Escalation.status == "open")


def take_over_work(session: Session, conversation: Conversation, case: Escalation, by: str) -> None:
    """Close open work on signals in the queue of a customer's case: the same people get both now, as one."""
    work = open_work(session, conversation.id, case.queue)
    if work:
        before = remember(conversation, work)
        work.status = "closed"
        work.closed_at = now()
        work.closed_by = by
        work.resolution = "duplicate"
        work.merged_into = case.id
        tell(session, conversation, work, "merged", by, before, into=case.id)


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
    for escalation in session.scalars(_open_ones(conversation.id)).all():
        if escalation.contact != contact:
            escalation.contact = contact
            tell(session, conversation, escalation, "contact", "customer")


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
        assignee: Name of who has it; None while nobody does.
        clock: The one that is due next; None where none runs.
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
    priority: str
    assignee: str | None
    resolution: str | None
    clock: clocks.NextClock | None


def read_case(session: Session, number: int, half_life_days: float = 30.0) -> Case:
    """An escalation with its transcript and its conversation's tags.

    Args:
        session: To read with.
        number: Of the case.
        half_life_days: After so many days what was said counts half.

    Raises:
        NotFound: There is no such case.
    """
    found = session.get(Escalation, number)
    if found is None:
        raise no_case(number)
    messages = session.scalars(
        select(Message).where(Message.conversation_id == found.conversation_id).order_by(Message.number)
    )
    transcript = tuple(Line(m.number, m.author, words_of(m.text, m.content), m.created_at) for m in messages)
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
        found.priority,
        team.name(session, found.assignee) if found.assignee else None,
        found.resolution,
        clocks.next_clock(found),
    )


def list_cases(session: Session, status: str = "open") -> list[Escalation]:
    """Escalations of a status, oldest first."""
    return list(session.scalars(select(Escalation).where(Escalation.status == status).order_by(Escalation.id)))
