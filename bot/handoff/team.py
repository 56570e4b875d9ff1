"""The people of the team as far as cases are concerned: their names, who is there, who gets the next case."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy import case as sql_case
from sqlalchemy.orm import Session

from bot.conversation.models import BOT, is_person, now
from bot.handoff.assignment import Candidate, choose
from bot.handoff.models import Escalation
from bot.handoff.queues import PRIORITIES, Queues
from bot.people.models import ApiToken, Person

# Whose desk has been silent for longer is not there.
AWAY_AFTER = dt.timedelta(minutes=2)


def is_there(person: Person, moment: dt.datetime) -> bool:
    """Whether somebody is online, and their desk said so lately."""
    return (
        person.online
        and person.disabled_at is None
        and person.seen_at is not None
        and moment - person.seen_at <= AWAY_AFTER
    )


def names(session: Session, ids: Collection[str]) -> dict[str, str]:
    """Names by the ids of people and tokens; who is neither goes by their id."""
    found = {one: one for one in ids}
    for table in (ApiToken, Person):
        found.update(
            (row.id, row.name) for row in session.execute(select(table.id, table.name).where(table.id.in_(ids)))
        )
    return found


def name(session: Session, one: str) -> str:
    """The name of a person or token."""
    return names(session, [one])[one]


def faces(session: Session, ids: Collection[str]) -> dict[str, str]:
    """Paths of people's pictures by their ids; who has none is left out."""
    if not ids:
        return {}
    rows = session.execute(select(Person.id, Person.picture).where(Person.id.in_(ids), Person.picture.is_not(None)))
    return {person_id: f"/api/v1/faces/{digest}" for person_id, digest in rows}


def face_of_owner(session: Session, owner: str) -> str | None:
    """Path of the picture of the person who owns a conversation; None where it is no person, or they have none."""
    return faces(session, [owner.partition(":")[2]]).get(owner.partition(":")[2]) if is_person(owner) else None


def owner_shown(session: Session, owner: str) -> dict[str, str]:
    """A conversation's owner as events tell it: `bot`, `queue` or `agent`, and the name of queue or person."""
    if owner == BOT:
        return {"owner": BOT, "name": ""}
    kind, _, which = owner.partition(":")
    return {"owner": kind, "name": name(session, which) if is_person(owner) else which}


def candidates(session: Session, moment: dt.datetime) -> list[Candidate]:
    """All who might take cases, with what they have open."""
    open_ones = (
        select(Escalation.assignee, func.count()).where(Escalation.status == "open").group_by(Escalation.assignee)
    )
    load = {row[0]: row[1] for row in session.execute(open_ones)}
    people = session.scalars(select(Person).where(Person.disabled_at.is_(None)))
    return [
        Candidate(
            person.id,
            person.email,
            person.role,
            tuple(person.languages),
            load.get(person.id, 0),
            person.capacity,
            person.last_assigned_at,
            is_there(person, moment),
        )
        for person in people
    ]


def by_urgency() -> ColumnElement[int]:
    """What puts the more urgent cases first."""
    ranks = {str(priority): rank for rank, priority in enumerate(PRIORITIES)}
    return sql_case(ranks, value=Escalation.priority, else_=len(ranks))


def push(session: Session, case: Escalation, queues: Queues) -> bool:
    """Give a case to somebody, where its queue is open and gives cases out; False if nobody gets it.

    The caller tells it.
    """
    queue = queues.queue(case.queue)
    moment = now()
    if queue.assignment != "push" or not queue.hours.is_open(moment):
        return False
    chosen = choose(candidates(session, moment), case.language, queue)
    if chosen is None:
        return False
    # Whoever gives them a case at the same time waits; they may have as many as they can take afterwards.
    session.execute(update(Person).where(Person.id == chosen).values(id=Person.id))
    if not any(one.id == chosen and one.takes(case.language, queue) for one in candidates(session, moment)):
        return False
    give(session, case, chosen, moment)
    case.pushed = True
    return True


def give(session: Session, case: Escalation, person_id: str, moment: dt.datetime) -> None:
    """Note whose a case is from a moment on."""
    case.assignee = person_id
    case.assigned_at = moment
    case.pushed = False
    person = session.get(Person, person_id)
    if person is not None:
        person.last_assigned_at = moment
