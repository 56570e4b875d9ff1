"""Who did what, and when."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from bot.desk.api.routes import INVALID, Limit, State, team_router
from bot.desk.bodies.people import AuditLog, AuditOut
from bot.desk.state import allowed
from bot.people import audit

router = team_router()


@router.get("/audit", **allowed("audit:read", all_queues=True), responses=INVALID)
def read_audit(
    state: State,
    target: Annotated[
        str | None,
        Query(pattern="^[ -~]{1,120}$", description="Only what was done to it, as `case:12` or `person:<id>`."),
    ] = None,
    before: Annotated[int | None, Query(ge=1, le=2**53, description="`next` of the page before.")] = None,
    limit: Limit = 100,
) -> AuditLog:
    """What people and tokens did, newest first. Nothing customers said stands here."""
    with state.transaction() as session:
        found = audit.entries(session, target, before, limit + 1)
        page = found[:limit]
        shown = [AuditOut.model_validate(entry, from_attributes=True) for entry in page]
    return AuditLog(entries=shown, next=page[-1].id if len(found) > limit else None)
