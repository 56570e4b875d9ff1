"""Lists of cases for people: filtered, searched, ordered, page by page; and how many there are in each queue."""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from sqlalchemy import ColumnElement, and_, case, func, literal, or_, select
from sqlalchemy.orm import Session, aliased

from bot.conversation.models import Conversation, Message, MessageTag, now
from bot.errors import InvalidInput
from bot.handoff import team
from bot.handoff.access import visible
from bot.handoff.clocks import UNTIL_ANSWERED, NextClock, next_clock
from bot.handoff.models import SIGNAL, Escalation
from bot.people.roles import Principal
from bot.storage.engine import UtcDateTime

Order = Literal["due", "waiting", "newest", "closed"]
SlaState = Literal["ok", "warning", "breached"]
Kind = Literal["own", "signals", "all"]
ORDERS: tuple[Order, ...] = get_args(Order)
SLA_STATES: tuple[SlaState, ...] = get_args(SlaState)
ME, NOBODY = "me", "nobody"
# Where a page ended: a moment in microseconds since 1970, and the case's number.
CURSOR_PATTERN = "^[0-9]{1,18}-[0-9]{1,10}$"
_FAR = dt.datetime(9999, 1, 1, tzinfo=dt.UTC)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


@dataclass(frozen=True)
class Filters:
    """Which cases, and in which order. None stands for any.

    Attributes:
        queue: Their queue.
        status: `open` or `closed`.
        assignee: Id of who has them; ME or NOBODY.
        priority: Their priority.
        language: Of the conversation when they were made.
        tag: A topic or signal heard in the conversation and not rejected.
        sla: How the clock stands that is due next.
        kind: The customers' own cases, work on signals, or both.
        text: A case number, or part of the contact's name or e-mail or of what was said.
        order: By the clock that is due next, who waits longest, the newest first, or the last closed first.
    """

    queue: str | None = None
    status: str | None = "open"
    assignee: str | None = None
    priority: str | None = None
    language: str | None = None
    tag: str | None = None
    sla: str | None = None
    kind: Kind = "own"
    text: str = ""
    order: Order = "due"


@dataclass(frozen=True)
class ListedTag:
    """A topic or signal of a conversation, with the words that carry it best."""

    name: str
    probability: float
    quote: str
    number: int


@dataclass(frozen=True)
class Listed:
    """A line of the list.

    Attributes:
        case: The row; not to be changed.
        conversation: Of the case.
        last: Its newest message, if there is one.
        assignee_name: Of who has it.
        clock: The one that is due next, with its state and moment; None where none runs.
        tags: The most probable first.
    """

    case: Escalation
    conversation: Conversation
    last: Message | None
    assignee_name: str | None
    clock: NextClock | None
    tags: tuple[ListedTag, ...]


@dataclass(frozen=True)
class Page:
    """Some of a list, and where it goes on; None at its end."""

    rows: tuple[Listed, ...]
    next: str | None


@dataclass(frozen=True)
class Count:
    """Open cases of a queue: all, those nobody has, those the asker has, those whose promise is broken."""

    open: int = 0
    unassigned: int = 0
    mine: int = 0
    breached: int = 0


def list_cases(
    session: Session, by: Principal, filters: Filters | None = None, after: str | None = None, limit: int = 50
) -> Page:
    """A page of the cases that somebody sees.

    Args:
        session: To read with.
        by: Who.
        filters: Which of them.
        after: Where the page before ended.
        limit: So many at most.

    Raises:
        InvalidInput: `after` is no such place, or a filter has no such value.
    """
    filters = filters or Filters()
    key, falling = _key(filters.order)
    place = (key.desc(), Escalation.id.desc()) if falling else (key, Escalation.id)
    query = select(Escalation.id, key).where(visible(by), *_conditions(filters, by)).order_by(*place).limit(limit + 1)
    if filters.text.strip():
        query = query.join(Conversation, Conversation.id == Escalation.conversation_id)
    if after is not None:
        moment, number = _parse(after)
        mark = literal(moment, UtcDateTime)
        beyond = key < mark if falling else key > mark
        beside = Escalation.id < number if falling else Escalation.id > number
        query = query.where(or_(beyond, and_(key == mark, beside)))
    found = session.execute(query).all()
    # What goes with a case is read for those of the page only: sorting it along would cost the most.
    with_all = (
        select(Escalation, Conversation, Message)
        .join(Conversation, Conversation.id == Escalation.conversation_id)
        .outerjoin(
            Message,
            (Message.conversation_id == Conversation.id) & (Message.number == Conversation.last_number),
        )
        .where(Escalation.id.in_([number for number, _ in found[:limit]]))
    )
    by_number = {row[0].id: row for row in session.execute(with_all)}
    shown = [by_number[number] for number, _ in found[:limit] if number in by_number]
    tags = _tags(session, [row[1].id for row in shown])
    assignees = team.names(session, {row[0].assignee for row in shown if row[0].assignee})
    rows = tuple(
        Listed(
            one,
            conversation,
            last,
            assignees.get(one.assignee) if one.assignee else None,
            next_clock(one),
            tags.get(conversation.id, ()),
        )
        for one, conversation, last in shown
    )
    more = len(found) > limit
    return Page(rows, _place(found[limit - 1][1], found[limit - 1][0]) if more else None)


def counts(session: Session, by: Principal, kind: Kind = "own") -> dict[str, Count]:
    """How many open cases there are, by queue, of those that somebody sees."""
    moment = literal(now(), UtcDateTime)

    def number(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)

    found = session.execute(
        select(
            Escalation.queue,
            func.count(),
            number(Escalation.assignee.is_(None)),
            number(Escalation.assignee == by.id),
            number(_due() <= moment),
        )
        .where(visible(by), Escalation.status == "open", *_of_kind(kind))
        .group_by(Escalation.queue)
    )
    return {queue: Count(*numbers) for queue, *numbers in found}


def _conditions(filters: Filters, by: Principal) -> list[ColumnElement[bool]]:
    found = _of_kind(filters.kind)
    same = {
        "queue": Escalation.queue,
        "status": Escalation.status,
        "priority": Escalation.priority,
        "language": Escalation.language,
    }
    found += [column == value for name, column in same.items() if (value := getattr(filters, name)) is not None]
    if filters.assignee == NOBODY:
        found.append(Escalation.assignee.is_(None))
    elif filters.assignee is not None:
        found.append(Escalation.assignee == (by.id if filters.assignee == ME else filters.assignee))
    if filters.tag is not None:
        heard = select(MessageTag.id).where(
            MessageTag.conversation_id == Escalation.conversation_id,
            MessageTag.name == filters.tag,
            MessageTag.state != "rejected",
        )
        found.append(heard.correlate(Escalation).exists())
    if filters.sla is not None:
        found.append(_stands(filters.sla))
    if filters.text.strip():
        found.append(_says(filters.text.strip()))
    return found


def _of_kind(kind: Kind) -> list[ColumnElement[bool]]:
    if kind == "all":
        return []
    return [Escalation.reason == SIGNAL if kind == "signals" else Escalation.reason != SIGNAL]


def _says(text: str) -> ColumnElement[bool]:
    spoken = aliased(Message)
    said = select(spoken.id).where(
        spoken.conversation_id == Escalation.conversation_id, spoken.text.icontains(text, autoescape=True)
    )
    parts: list[ColumnElement[bool]] = [said.correlate(Escalation).exists()]
    for contact in (Escalation.contact, Conversation.contact):
        parts += [contact[part].as_string().icontains(text, autoescape=True) for part in ("name", "email")]
    number = text.removeprefix("#")
    if re.fullmatch("[0-9]{1,9}", number):
        parts.append(Escalation.id == int(number))
    return or_(*parts)


def _until_answered() -> ColumnElement[bool]:
    return Escalation.first_response_state.in_(UNTIL_ANSWERED)


def _due() -> ColumnElement[dt.datetime]:
    return case((_until_answered(), Escalation.first_response_due), else_=Escalation.resolution_due)


def _stands(state: str) -> ColumnElement[bool]:
    if state not in SLA_STATES:
        raise InvalidInput(f"There is no state {state!r} of a clock.", f"Take one of {', '.join(SLA_STATES)}.")
    moment = literal(now(), UtcDateTime)
    warn = case((_until_answered(), Escalation.first_response_warn_at), else_=Escalation.resolution_warn_at)
    running = Escalation.status == "open"
    if state == "breached":
        return and_(running, _due() <= moment)
    return and_(running, warn > moment if state == "ok" else and_(warn <= moment, _due() > moment))


def _key(order: str) -> tuple[ColumnElement[dt.datetime], bool]:
    """What a list is ordered by, and whether the greatest comes first."""
    far = literal(_FAR, UtcDateTime)
    if order == "due":
        return func.coalesce(_due(), far, type_=UtcDateTime), False
    if order == "waiting":
        return func.coalesce(Escalation.waiting_since, far, type_=UtcDateTime), False
    if order == "newest":
        return func.coalesce(Escalation.created_at, far, type_=UtcDateTime), True
    if order == "closed":
        return func.coalesce(Escalation.closed_at, literal(_EPOCH, UtcDateTime), type_=UtcDateTime), True
    raise InvalidInput(f"There is no order {order!r}.", f"Take one of {', '.join(ORDERS)}.")


def _place(moment: dt.datetime, number: int) -> str:
    return f"{(moment - _EPOCH) // _MICROSECOND}-{number}"


def _parse(place: str) -> tuple[dt.datetime, int]:
    if not re.fullmatch(CURSOR_PATTERN, place, re.ASCII):
        raise InvalidInput(f"{place!r} is no place in the list.", "Take 'next' of the page before.")
    moment, number = place.split("-")
    try:
        return _EPOCH + int(moment) * _MICROSECOND, min(int(number), 2**31 - 1)
    except OverflowError as error:
        raise InvalidInput(f"{place!r} is no place in the list.", "Take 'next' of the page before.") from error


def _tags(session: Session, conversations: Sequence[str]) -> dict[str, tuple[ListedTag, ...]]:
    """Tags by conversation, those that were rejected left out."""
    best: dict[str, dict[str, ListedTag]] = defaultdict(dict)
    found = session.scalars(
        select(MessageTag).where(MessageTag.conversation_id.in_(set(conversations)), MessageTag.state != "rejected")
    )
    for tag in found:
        sure = tag.state == "confirmed" or tag.origin == "person"
        one = ListedTag(tag.name, 1.0 if sure else tag.probability, tag.quote, tag.number)
        known = best[tag.conversation_id].get(tag.name)
        if known is None or one.probability >= known.probability:
            best[tag.conversation_id][tag.name] = one
    return {
        conversation: tuple(sorted(tags.values(), key=lambda tag: (-tag.probability, tag.name)))
        for conversation, tags in best.items()
    }
