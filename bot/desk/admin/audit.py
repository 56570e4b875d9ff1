"""The audit log: who did what, and when."""

from __future__ import annotations

from fastapi import Request, Response
from sqlalchemy import select

from bot.desk.pages import State, desk_router, needs, page
from bot.people import audit
from bot.people.models import ApiToken, Person

PAGE = 50
# What the entries are about: the first part of an action's name.
AREAS = (
    "session",
    "person",
    "token",
    "webhook",
    "delivery",
    "case",
    "tag",
    "signal",
    "reply",
    "account",
    "invitation",
    "conversation",
)

router = desk_router()


@router.get("/audit", dependencies=[needs("audit:read")])
def entries(
    request: Request, state: State, by: str = "", area: str = "", target: str = "", before: str = ""
) -> Response:
    """A page of entries, newest first; by one person or token, of one area, about one thing if named."""
    place = int(before) if before.isascii() and before.isdigit() and len(before) < 16 else None
    kind = area if area in AREAS else ""
    with state.changes.transaction() as session:
        people = {f"person:{person.id}": person for person in session.scalars(select(Person))}
        tokens = {f"token:{token.id}": token for token in session.scalars(select(ApiToken))}
        found = audit.entries(
            session, target.strip() or None, place, PAGE + 1, by=by.strip() or None, area=kind or None
        )
    return page(
        request,
        "admin/audit.html",
        entries=found[:PAGE],
        more=found[PAGE - 1].id if len(found) > PAGE else "",
        names={**{key: person.name for key, person in people.items()}, **{k: t.name for k, t in tokens.items()}},
        people=sorted(people.values(), key=lambda person: person.name.casefold()),
        areas=AREAS,
        filters={"by": by.strip(), "area": kind, "target": target.strip()},
        before=before,
    )
