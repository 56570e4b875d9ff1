"""What a customer who waits, or might, may know: their case, their place in the line, whether people are there.

Nothing is changed here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.conversation.learning import REPHRASED_WITHIN
from bot.conversation.models import Conversation, Event, Message, now
from bot.dialogue.turn import Case, People
from bot.handoff import team
from bot.handoff.assignment import Waiting, expected_wait, position
from bot.handoff.models import SIGNAL, Escalation
from bot.handoff.queues import Queue, Queues
from bot.people.models import Person

# Waits of so many cases, and no older, tell how long it takes now.
_RECENT = 50
_RECENT_DAYS = 14
# So many of their own cases a customer may ask about.
_MOST_CASES = 20


@dataclass(frozen=True)
class Handoff:
    """What a turn has to know of people.

    Attributes:
        case: The customer's case in this conversation: the newest open one, else the newest; None without one.
        cases: All of the customer's own, newest first.
        people: Whether people are there, in the queue of the open case or of the hand-off that would be made now.
        back_from_person: A person answered since the bot's last turn.
        before: What the customer asked that person last, if it was shortly ago.
    """

    case: Case | None
    cases: list[Case]
    people: People
    back_from_person: bool
    before: str | None


@dataclass(frozen=True)
class Place:
    """Where a case stands in its queue's line.

    Attributes:
        position: From 1; None if it does not wait.
        expected_minutes: Until a person's first word; None without a basis, or while the queue is closed.
    """

    position: int | None = None
    expected_minutes: int | None = None


def handoff_context(session: Session, conversation: Conversation, queues: Queues, number: int | None = None) -> Handoff:
    """What the turn on a customer's message has to know of people.

    Args:
        session: To read with.
        conversation: The customer's.
        queues: As configured.
        number: Of the message; None for the newest one.
    """
    moment = now()
    found = own_cases(session, conversation)
    here = [case for case in found if case.conversation_id == conversation.id]
    current = next((case for case in here if case.status == "open"), here[0] if here else None)
    is_open = current is not None and current.status == "open"
    queue = current.queue if current is not None and is_open else _offered_queue(session, conversation)
    names = team.names(session, {case.assignee for case in found if case.assignee is not None})
    shown = {case.id: _shown(session, case, queues, names, moment) for case in found}
    back, before = _with_person(session, conversation, number or conversation.last_number)
    return Handoff(
        case=shown[current.id] if current is not None else None,
        cases=list(shown.values()),
        people=people(session, queues.queue(queue), moment),
        back_from_person=back,
        before=before,
    )


def own_cases(session: Session, conversation: Conversation) -> Sequence[Escalation]:
    """The customer's own cases, newest first: of the conversation, and of others of the same verified customer."""
    theirs = Conversation.id == conversation.id
    if conversation.customer_id is not None:
        theirs |= Conversation.customer_id == conversation.customer_id
    return session.scalars(
        select(Escalation)
        .join(Conversation, Conversation.id == Escalation.conversation_id)
        .where(theirs, Escalation.reason != SIGNAL)
        .order_by(Escalation.id.desc())
        .limit(_MOST_CASES)
    ).all()


def place(session: Session, case: Escalation, queues: Queues, moment: dt.datetime) -> Place:
    """Where a case stands in its queue's line."""
    if case.status != "open" or case.assignee is not None or case.reason == SIGNAL:
        return Place()
    queue = queues.queue(case.queue)
    at = position(case.id, _line(session, case.queue))
    return Place(at, _minutes(session, queue, at, moment) if at is not None else None)


def people(session: Session, queue: Queue, moment: dt.datetime) -> People:
    """Whether a queue's people are there, and where a case of usual priority would stand that is made now."""
    zone = queue.hours.zone
    open_now = queue.hours.is_open(moment)
    last = Waiting(0, "normal", moment)
    at = position(last.number, [*_line(session, queue.name), last])
    return People(
        open_now=open_now,
        next_opening=None if open_now else queue.hours.next_opening(moment).astimezone(zone).isoformat(),
        time_zone=zone.key,
        position=at,
        expected_minutes=_minutes(session, queue, at or 1, moment),
    )


def _line(session: Session, queue: str) -> list[Waiting]:
    """Customers' cases that wait for somebody to take them."""
    rows = session.execute(
        select(Escalation.id, Escalation.priority, Escalation.waiting_since, Escalation.created_at).where(
            Escalation.queue == queue,
            Escalation.status == "open",
            Escalation.assignee.is_(None),
            Escalation.reason != SIGNAL,
        )
    )
    return [Waiting(number, priority, since or made) for number, priority, since, made in rows]


def _minutes(session: Session, queue: Queue, at: int, moment: dt.datetime) -> int | None:
    if not queue.hours.is_open(moment):
        return None
    candidates = session.scalars(select(Person).where(Person.online, Person.disabled_at.is_(None)))
    online = sum(queue.has(person) and team.is_there(person, moment) for person in candidates)
    if not online:
        return None
    waits = session.execute(
        select(Escalation.created_at, Escalation.first_responded_at)
        .where(
            Escalation.queue == queue.name,
            Escalation.reason != SIGNAL,
            Escalation.reopened == 0,
            Escalation.first_responded_at.is_not(None),
            Escalation.created_at > moment - dt.timedelta(days=_RECENT_DAYS),
        )
        .order_by(Escalation.created_at.desc())
        .limit(_RECENT)
    )
    wait = expected_wait(at, online, [queue.hours.between(made, answered) for made, answered in waits if answered])
    return None if wait is None else _rounded(wait)


def _rounded(wait: dt.timedelta) -> int:
    """In minutes, up to the next one, beyond ten to the next five: more would sound more exact than it is."""
    minutes = max(1, ceil(wait.total_seconds() / 60))
    return minutes if minutes <= 10 else 5 * ceil(minutes / 5)


def _shown(session: Session, case: Escalation, queues: Queues, names: dict[str, str], moment: dt.datetime) -> Case:
    found = place(session, case, queues, moment)
    is_open = case.status == "open"
    return Case(
        number=case.id,
        open=is_open,
        since=case.created_at.strftime("%Y-%m-%d %H:%M UTC"),
        position=found.position,
        expected_minutes=found.expected_minutes,
        assigned=names.get(case.assignee) if is_open and case.assignee is not None else None,
        resolution=case.resolution,
        reopened=case.reopened > 0,
        merged_into=case.merged_into,
    )


def _offered_queue(session: Session, conversation: Conversation) -> str:
    """The queue that the bot's last message offered."""
    content = session.scalar(
        select(Message.content)
        .where(Message.conversation_id == conversation.id, Message.author == "bot")
        .order_by(Message.number.desc())
        .limit(1)
    )
    return str((content or {}).get("offered_queue") or "support")


def _with_person(session: Session, conversation: Conversation, number: int) -> tuple[bool, str | None]:
    """Whether a person answered since the bot's last turn before a message, and what they were asked last."""
    changes = session.scalars(
        select(Event).where(Event.conversation_id == conversation.id, Event.kind == "owner").order_by(Event.number)
    ).all()
    owners = [event.data["owner"] for event in changes]
    if "agent" not in owners or owners[-1] == "agent":
        return False, None
    end = len(owners) - owners[::-1].index("agent")
    begin = end - 1
    while begin and owners[begin - 1] == "agent":
        begin -= 1
    began, ended = changes[begin].number, changes[end].number
    told = session.scalars(
        select(Event)
        .where(Event.conversation_id == conversation.id, Event.kind == "message", Event.number > began)
        .order_by(Event.number)
    )
    at = {event.data["number"]: event.number for event in told}
    said = session.scalars(
        select(Message)
        .where(Message.conversation_id == conversation.id, Message.number.in_(at))
        .order_by(Message.number)
    ).all()
    before = [message for message in said if message.number < number]
    if any(message.author == "customer" and at[message.number] > ended for message in before):
        return False, None  # The bot has taken a turn since.
    with_them = [message for message in before if at[message.number] < ended]
    if not any(message.author == "agent" for message in with_them):
        return False, None
    current = next((message for message in said if message.number == number), None)
    return True, _question(with_them, current.created_at if current else now())


def _question(messages: Sequence[Message], moment: dt.datetime) -> str | None:
    """What the customer asked last, shortly before a moment: their last question, else what they wrote last."""
    typed = [
        message.text
        for message in messages
        if message.author == "customer"
        and message.text
        and not message.content.get("payload")
        and moment - message.created_at <= REPHRASED_WITHIN
    ]
    asked = [text for text in typed if text.rstrip().endswith(("?", "？"))]
    found = asked or typed
    return found[-1] if found else None
