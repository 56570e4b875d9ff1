"""The two clocks of a case: a person's first word, and the resolution. They run in the open time of its queue.

Both begin with the case. The first stands still for good with a person's first word, and begins anew when the customer
opens the case again. The second stands still while the case is closed. Work on signals has no clocks.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.orm import Session

from bot.conversation.models import Conversation, now
from bot.handoff import sla
from bot.handoff.models import Escalation
from bot.handoff.queues import Queues
from bot.success.models import Account

RUNNING = ("running", "warned")
UNTIL_ANSWERED = (*RUNNING, "breached")


@dataclass(frozen=True)
class NextClock:
    """The clock of a case that is due next.

    Attributes:
        name: Which.
        state: How it stands at the moment it was read.
        due_at: When the promise is broken.
    """

    name: Literal["first_response", "resolution"]
    state: sla.State
    due_at: dt.datetime


def plan_of(session: Session, conversation: Conversation) -> str | None:
    """The plan of the customer's account, when known."""
    account = session.get(Account, conversation.account_id) if conversation.account_id else None
    return account.plan if account else None


def start(case: Escalation, queues: Queues, plan: str | None) -> None:
    """Start both clocks of a new case, from when it was made."""
    case.first_response_state = case.resolution_state = "running"
    set_anew(case, queues, plan)


def start_first_response(case: Escalation, queues: Queues, plan: str | None) -> None:
    """Start the clock of a person's first word, from when the customer waits."""
    case.first_responded_at = None
    case.first_response_state = "running"
    set_anew(case, queues, plan)


def set_anew(case: Escalation, queues: Queues, plan: str | None) -> None:
    """Set the clocks that run from when they began, as priority, plan and queue say now."""
    hours = queues.queue(case.queue).hours
    targets = queues.sla(case.priority, plan)
    if case.first_response_state in RUNNING:
        begin = case.waiting_since or case.created_at
        case.first_response_state = "running"
        case.first_response_warn_at = hours.add(begin, targets.first_response * queues.warn)
        case.first_response_due = hours.add(begin, targets.first_response)
    if case.resolution_state in RUNNING:
        paused = dt.timedelta(seconds=case.paused)
        case.resolution_state = "running"
        case.resolution_warn_at = hours.add(case.created_at, targets.resolution * queues.warn + paused)
        case.resolution_due = hours.add(case.created_at, targets.resolution + paused)


def answered(case: Escalation, moment: dt.datetime) -> None:
    """A person has said something: the first word, if there was none since the clock began."""
    case.waiting_since = None
    if case.first_responded_at is None:
        case.first_responded_at = moment
        if case.first_response_state is not None:
            case.first_response_state = _stopped(case.first_response_due, moment)


def closed(case: Escalation, moment: dt.datetime) -> None:
    """The case is closed at a moment. Where no person said anything, there is nothing to be measured."""
    case.waiting_since = None
    if case.first_response_state in RUNNING:
        case.first_response_state = None
    elif case.first_response_state == "breached":
        case.first_response_state = "missed"
    if case.resolution_state is not None:
        case.resolution_state = _stopped(case.resolution_due, moment)


def opened_again(case: Escalation, queues: Queues, plan: str | None, moment: dt.datetime, waits: bool) -> None:
    """The case is open again from a moment on.

    Args:
        case: Closed until now, `closed_at` says since when.
        queues: As configured.
        plan: Of the account.
        moment: When.
        waits: Whether the customer waits for a person's word.
    """
    if case.closed_at is not None:
        while_closed = queues.queue(case.queue).hours.between(case.closed_at, moment)
        case.paused += int(while_closed.total_seconds())
    if case.resolution_state is not None:
        case.resolution_state = "breached" if case.resolution_state == "missed" else "running"
    if waits or case.first_responded_at is None:
        case.waiting_since = moment
        start_first_response(case, queues, plan)
    else:
        set_anew(case, queues, plan)


def next_clock(one: Escalation, moment: dt.datetime | None = None) -> NextClock | None:
    """The clock of an open case that is due next; None where none runs."""
    if one.status != "open":
        return None
    first = one.first_response_state in UNTIL_ANSWERED
    warn_at = one.first_response_warn_at if first else one.resolution_warn_at
    due_at = one.first_response_due if first else one.resolution_due
    if warn_at is None or due_at is None:
        return None
    state = sla.state(sla.Clock(warn_at, due_at), moment or now())
    return NextClock("first_response" if first else "resolution", state, due_at)


def _stopped(due: dt.datetime | None, moment: dt.datetime) -> str:
    return "met" if due is None or moment <= due else "missed"
