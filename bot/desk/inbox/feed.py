"""What is new for one person's list of cases: that it changed, and what they should be told of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bot.attachments.store import words_of
from bot.conversation.models import Conversation, Event, Message
from bot.desk.inbox.rows import customer_of, short
from bot.handoff.access import visible
from bot.handoff.models import Escalation
from bot.people.roles import Principal

# Events read at once.
BATCH = 200
# PostgreSQL gives ids in another order than transactions end: so many before the last one are looked at again.
OVERLAP = 64
# Whoever was away for more than this many events sees the list as it is, and is told nothing of what is long over.
_AWAY = 1000
_LONGEST = 140
# What puts a case before those who may take it.
_ARRIVES = ("opened", "released", "transferred", "reopened", "moved")


@dataclass(frozen=True)
class Notice:
    """Something a person should be told of.

    Attributes:
        kind: `waiting`: nobody has it yet; `assigned`: it was given to them; `reply`: their customer wrote.
    """

    kind: Literal["waiting", "assigned", "reply"]
    case: int
    customer: str
    words: str


@dataclass(frozen=True)
class News:
    """What happened after an event.

    Attributes:
        last: Id of the last event looked at.
        changed: Whether the list may look different.
        known: Ids of the last OVERLAP events that were looked at; for the next time.
    """

    last: int
    changed: bool
    notices: tuple[Notice, ...]
    known: frozenset[int] = frozenset()


def newest(session: Session) -> int:
    """Id of the newest event of all."""
    return session.scalar(select(func.max(Event.id))) or 0


def begin(session: Session, last: int | None) -> News:
    """Where a page begins to follow: at the event it knows, else at the newest."""
    top = newest(session)
    if last is None or top - last > _AWAY:
        return News(top, last is not None, (), _known(session, top))
    return News(last, False, (), _known(session, last))


def _known(session: Session, last: int) -> frozenset[int]:
    return frozenset(session.scalars(select(Event.id).where(Event.id > last - OVERLAP, Event.id <= last)))


def news(session: Session, by: Principal, before: News) -> News:
    """What happened since, as far as a person may see it.

    Args:
        session: To read with.
        by: Who is told.
        before: What they know.
    """
    last = before.last
    # What was read changes no list.
    wanted = Event.id > last - OVERLAP, Event.kind != "read"
    query = select(Event).where(*wanted).order_by(Event.id).limit(OVERLAP + BATCH)
    events = [event for event in session.scalars(query) if event.id not in before.known]
    if not events:
        return News(last, False, (), before.known)
    touched = {event.conversation_id for event in events}
    found = session.execute(
        select(Escalation, Conversation)
        .join(Conversation, Conversation.id == Escalation.conversation_id)
        .where(Escalation.conversation_id.in_(touched), visible(by))
        .order_by(Escalation.id)
    ).all()
    told: dict[tuple[str, int], Notice] = {}
    for event in events:
        if event.by == by.label:
            continue
        for case, conversation in found:
            if case.conversation_id == event.conversation_id and case.status == "open":
                notice = _notice(session, by, event, case, conversation)
                if notice is not None:
                    told[notice.kind, notice.case] = notice
    last = max(last, events[-1].id)
    known = {one for one in (*before.known, *(event.id for event in events)) if one > last - OVERLAP}
    # A case that was passed on is seen no more: the list changes all the same.
    changed = bool(found) or any(event.kind == "case" for event in events)
    return News(last, changed, tuple(told.values()), frozenset(known))


def _notice(
    session: Session, by: Principal, event: Event, case: Escalation, conversation: Conversation
) -> Notice | None:
    customer = customer_of(session, case, conversation)
    if event.kind == "message" and event.by in ("customer", "employee") and case.assignee == by.id:
        number = event.data["number"]
        message = session.scalars(
            select(Message).where(Message.conversation_id == conversation.id, Message.number == number)
        ).one()
        return Notice("reply", case.id, customer, short(words_of(message.text, message.content), _LONGEST))
    if event.kind != "case" or event.data.get("case") != case.id or event.data.get("action") not in _ARRIVES:
        return None
    if case.assignee == by.id:
        return Notice("assigned", case.id, customer, "")
    if case.assignee is None:
        return Notice("waiting", case.id, customer, "")
    return None
