"""Open closed cases again: when the customer writes again, or when somebody of the team says so."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.conversation.models import Conversation, Message, now
from bot.handoff import clocks, ratings, team
from bot.handoff.changing import open_cases, remember, settle, tell
from bot.handoff.models import SIGNAL, Escalation
from bot.handoff.queues import Queues
from bot.handoff.routing import Routing
from bot.people.models import Person

# What the customer says again: that they want a person, or that no answer helps.
_AGAIN = ("asked_for", "low_confidence")
_OVER = ("duplicate", "spam")


def reopenable(case: Escalation | None, queue: str, reason: str, within: dt.timedelta) -> Escalation | None:
    """A customer's newest case if it is opened again in place of a new one; None otherwise.

    Args:
        case: The newest, if there is one.
        queue: That the new one would be in; `support` stands for wherever the case was.
        reason: Of the new one.
        within: So long after it was closed.
    """
    if case is None or case.status == "open" or case.closed_at is None or reason not in _AGAIN:
        return None
    if case.resolution in _OVER or queue not in ("support", case.queue):
        return None
    return case if now() - case.closed_at < within else None


def open_again(
    session: Session, conversation: Conversation, case: Escalation, queues: Queues, by: str, waits: bool
) -> Escalation:
    """Open a closed case again, for whom it was assigned to, else in its queue.

    When the customer opens it, whoever had it must be online: nobody else would answer, not even the bot.

    Args:
        session: Of the transaction.
        conversation: Of the case, locked.
        case: Closed.
        queues: As configured.
        by: As for `bot.conversation.events.append`.
        waits: Whether the customer waits for a person's word.
    """
    before = remember(conversation, case)
    moment = now()
    clocks.opened_again(case, queues, clocks.plan_of(session, conversation), moment, waits and case.reason != SIGNAL)
    case.status = "open"
    case.resolution = case.closed_by = case.closed_at = case.merged_into = None
    case.reopened += 1
    person = session.get(Person, case.assignee) if case.assignee else None
    gone = person is None if waits else person is not None and person.disabled_at is not None
    if gone or (waits and person is not None and not team.is_there(person, moment)):
        case.assignee = case.assigned_at = None
    if case.assignee is not None:
        case.pushed = waits
    else:
        team.push(session, case, queues)
    tell(session, conversation, case, "reopened", by, before, reopened=case.reopened)
    if case.reason != SIGNAL:
        settle(session, conversation, by)
    return case


def on_customer_message(
    session: Session, conversation: Conversation, message: Message, routing: Routing | None = None
) -> Escalation | None:
    """What a customer's message means to their cases; gives the one that it opens again.

    The customer waits for a person's word from now on, if a person had the last one. A case that was closed because
    the customer did not reply is open again.

    Args:
        session: Of the transaction that stores the message.
        conversation: Locked.
        message: The customer's.
        routing: The queues, and how long a case can be opened again.
    """
    own = [case for case in open_cases(session, conversation.id) if case.reason != SIGNAL]
    for case in own:
        if case.waiting_since is None:
            case.waiting_since = message.created_at
    if own:
        return None
    routing = routing or Routing()
    newest = session.scalar(
        select(Escalation)
        .where(Escalation.conversation_id == conversation.id, Escalation.reason != SIGNAL)
        .order_by(Escalation.id.desc())
        .limit(1)
    )
    if newest is None or newest.resolution != "no_reply" or newest.closed_at is None:
        return None
    if now() - newest.closed_at >= routing.reopen_within or _is_score(session, message):
        return None
    return open_again(session, conversation, newest, routing.queues, "customer", waits=True)


def _is_score(session: Session, message: Message) -> bool:
    """Whether a message rates the help: it is nothing but a score, and the message before asked for one."""
    if ratings.read_score(message.text) is None:
        return False
    before = select(Message).where(
        Message.conversation_id == message.conversation_id, Message.number == message.number - 1
    )
    return ratings.asked_in(session.scalar(before)) is not None
