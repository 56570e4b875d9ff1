"""What people do with cases. The desk, the API and the command line all come through here.

Each function runs within a transaction of the caller's (`bot.conversation.changes`), locks the case's conversation,
checks who may do it, changes the case, tells it as an event, and writes it to the audit log. What it returns is
readable after the transaction.

A case of the customer's own is in one of these states:

| status | assignee | owner of the conversation | who answers |
|---|---|---|---|
| open | none | `queue:<queue>` | the bot goes on until somebody takes the case |
| open | a person | `agent:<id>` | that person; Rasa is not called |
| closed | as it was | `bot` if no other case of the customer's is open | the bot |

Work on signals (reason `signal`) has the same states and never touches the owner.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from bot.conversation.models import Conversation, now
from bot.errors import InvalidInput, NotFound
from bot.handoff import clocks, team
from bot.handoff.access import leads
from bot.handoff.changing import (
    Stale,
    demand_hold,
    demand_open,
    hand_over,
    lock,
    log,
    remember,
    settle,
    take,
    taken,
    tell,
    write_note,
)
from bot.handoff.closing import (
    RESOLUTIONS,
    UNDO_SECONDS,
    Resolution,
    Say,
    merge,
    reopen,
    resolve,
    return_to_bot,
    undo,
)
from bot.handoff.escalation import open_case, take_over_work
from bot.handoff.models import SIGNAL, Escalation
from bot.handoff.queues import PRIORITIES, Priority, Queues
from bot.handoff.reopening import on_customer_message
from bot.handoff.writing import LONGEST_NOTE, add_note, reply
from bot.people.models import Person
from bot.people.roles import Principal

__all__ = [
    "LONGEST_NOTE",
    "PRIORITIES",
    "RESOLUTIONS",
    "UNDO_SECONDS",
    "Priority",
    "Resolution",
    "Say",
    "Stale",
    "add_note",
    "claim",
    "merge",
    "on_customer_message",
    "release",
    "reopen",
    "reply",
    "resolve",
    "return_to_bot",
    "set_priority",
    "transfer",
    "undo",
]


def claim(
    session: Session,
    number: int,
    by: Principal,
    version: int | None = None,
    take_over: bool = False,
) -> Escalation:
    """Take an open case; the conversation is the person's from now on. Taking it again changes nothing.

    Args:
        session: Of the transaction.
        number: Of the case.
        by: Who takes it.
        version: The case's version the person looked at; None takes it as it is.
        take_over: Take it from whoever has it; for those who lead a team.

    Raises:
        NotFound: There is no such case, or `by` may not see it.
        Forbidden: `by` may not.
        Stale: Somebody else has it, or it changed.
        ConversationError: It is closed.
    """
    conversation, case = lock(session, number, by)
    demand_open(case)
    if case.assignee == by.id:
        return case
    if case.assignee is not None and not (take_over and leads(by)):
        raise taken(session, case)
    if version is not None and case.version != version:
        raise Stale(
            f"Case {number} has changed since you looked.", "Look at it again.", rule="case_changed", number=number
        )
    take(session, conversation, case, by)
    return case


def release(session: Session, number: int, by: Principal) -> Escalation:
    """Give a case back to its queue; the bot goes on meanwhile.

    Raises:
        NotFound: There is no such case, or `by` may not see it.
        Forbidden: `by` may not.
        Stale: Somebody else has it.
        ConversationError: It is closed.
    """
    conversation, case = lock(session, number, by)
    demand_open(case)
    demand_hold(session, case, by)
    if case.assignee is None:
        return case
    case.assignee = case.assigned_at = None
    tell(session, conversation, case, "released", by.label)
    _leave(session, conversation, case, by.label)
    log(session, by, "release", case)
    return case


def transfer(
    session: Session,
    number: int,
    by: Principal,
    queues: Queues,
    queue: str | None = None,
    person: str | None = None,
    note: str = "",
) -> Escalation:
    """Pass a case to another queue, another person, or both, with a note for them. Can be undone.

    Args:
        session: Of the transaction.
        number: Of the case.
        by: Who has it, sees it while nobody has it, or leads the team.
        queues: As configured.
        queue: Where to; None: it stays in its queue.
        person: Id of who gets it; None: it waits in the queue.
        note: For the team; may be empty.

    Raises:
        NotFound: There is no such case, or `by` may not see it.
        Forbidden: `by` may not.
        InvalidInput: Neither is given, there is no such queue or person, the person is no member of it, or the customer
            has another case open in that queue.
        Stale: Somebody else has it.
        ConversationError: It is closed.
    """
    conversation, case = lock(session, number, by)
    demand_open(case)
    demand_hold(session, case, by)
    target = _target(session, case, queues, queue, person)
    before = remember(conversation, case)
    moment = now()
    moved = target != case.queue
    case.queue = target
    case.assignee = case.assigned_at = None
    if moved:
        clocks.set_anew(case, queues, clocks.plan_of(session, conversation))
    if person is not None:
        team.give(session, case, person, moment)
    else:
        team.push(session, case, queues)
    _leave(session, conversation, case, by.label)
    if moved and case.reason != SIGNAL:
        take_over_work(session, conversation, case, by.label)
    written = write_note(session, conversation, by, note, case.id)
    tell(session, conversation, case, "transferred", by.label, before, note=written.id if written else None)
    log(session, by, "transfer", case, queue=case.queue, person=case.assignee)
    return case


def _target(session: Session, case: Escalation, queues: Queues, queue: str | None, person: str | None) -> str:
    """The queue a case goes to."""
    if queue is None and person is None:
        raise InvalidInput(
            "A transfer needs a queue or a person.", "Name one of them, or both.", rule="transfer_nowhere"
        )
    try:
        target = queues.queue(queue or case.queue)
    except NotFound as error:
        raise InvalidInput(error.message, error.remedy, rule="transfer_no_queue") from error
    if person is not None:
        found = session.get(Person, person)
        if found is None or found.disabled_at is not None:
            raise InvalidInput(
                "There is no such person.", "Take one from the list of people.", rule="transfer_no_person"
            )
        if not target.has(found):
            raise InvalidInput(
                f"{found.name} is no member of the queue '{target.name}'.",
                "Take somebody who is.",
                rule="transfer_no_member",
                name=found.name,
                queue=target.name,
            )
    elif target.name == case.queue and case.assignee is None:
        raise InvalidInput(
            f"Case {case.id} waits in the queue '{target.name}' already.",
            "Name another queue.",
            rule="transfer_waits",
            number=case.id,
            queue=target.name,
        )
    other = open_case(session, case.conversation_id, target.name)
    if other is not None and other.id != case.id and case.reason != SIGNAL:
        raise InvalidInput(
            f"Case {other.id} of this customer is open in that queue.",
            "Merge the two.",
            rule="transfer_merge",
            number=other.id,
        )
    return target.name


def set_priority(session: Session, number: int, by: Principal, queues: Queues, priority: str) -> Escalation:
    """Give a case another priority; the clocks that still run are set anew from when they began.

    Raises:
        NotFound: There is no such case, or `by` may not see it.
        Forbidden: `by` may not.
        InvalidInput: There is no such priority.
        ConversationError: It is closed.
    """
    if priority not in PRIORITIES:
        raise InvalidInput(
            f"There is no priority {priority!r}.", f"Take one of {', '.join(PRIORITIES)}.", rule="case_priority"
        )
    conversation, case = lock(session, number, by)
    demand_open(case)
    if case.priority == priority:
        return case
    was = case.priority
    case.priority = priority
    clocks.set_anew(case, queues, clocks.plan_of(session, conversation))
    tell(session, conversation, case, "priority", by.label, was=was)
    log(session, by, "priority", case, priority=priority, was=was)
    return case


def _leave(session: Session, conversation: Conversation, case: Escalation, by: str) -> None:
    """Give the conversation to whom the open cases say, after this one has left somebody's hands."""
    session.flush()
    if case.assignee is not None and case.reason != SIGNAL:
        hand_over(session, conversation, f"agent:{case.assignee}", by)
    else:
        settle(session, conversation, by)
