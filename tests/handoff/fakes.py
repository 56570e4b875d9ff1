"""People and shortcuts for tests of cases."""

from __future__ import annotations

import datetime as dt

from sqlalchemy.orm import Session

from bot.conversation.models import now
from bot.dialogue.turn import Reply
from bot.handoff import cases
from bot.handoff.models import SIGNAL, Escalation
from bot.handoff.queues import QUEUES, Queues, default_queues, queues
from bot.people.models import Person
from bot.people.roles import PERMISSIONS_OF, SYSTEM, Principal, Role
from bot.settings import load_settings


def say(name: str, language: str) -> Reply:
    """A sentence that names itself."""
    return Reply(text=f"{name} {language} {{case_number}}")


def close(session: Session, number: int) -> Escalation:
    """Close a case as it usually is."""
    case = session.get(Escalation, number)
    usual = "done" if case is not None and case.reason == SIGNAL else "solved"
    return cases.resolve(session, number, SYSTEM, usual, say)


def pushing(**support: object) -> Queues:
    """Queues of which `support` gives cases out."""
    settings = load_settings(environ={})
    return queues(settings.with_section("queues", {"support": {"assignment": "push", **support}}))


def person(
    session: Session,
    name: str,
    role: Role = "agent",
    online: bool = False,
    languages: tuple[str, ...] = (),
    seen: dt.timedelta = dt.timedelta(),
) -> Principal:
    """Somebody of the team, seen so long ago; may what their role allows, in the queues of their role."""
    row = Person(
        id=f"{name.lower():0<32}"[:32],
        email=f"{name.lower()}@example.com",
        name=name,
        role=role,
        languages=list(languages),
        online=online,
        seen_at=now() - seen if online else None,
    )
    session.add(row)
    session.flush()
    own = default_queues().of(row)
    return Principal("person", row.id, name, PERMISSIONS_OF[role], None if own == set(QUEUES) else own)
