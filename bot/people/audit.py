"""Who did what, and when: written in the transaction of the change, never altered."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.conversation.models import now
from bot.people.models import AuditEntry
from bot.people.roles import Principal


def note(
    session: Session,
    by: Principal | str,
    action: str,
    target: str,
    detail: dict[str, Any] | None = None,
    address: str | None = None,
) -> None:
    """Write an entry; it is kept if the transaction is.

    Args:
        session: Of the transaction.
        by: Who; a text for those who could not be told, as with a failed sign-in.
        action: As `case.claim`.
        target: As `case:12`.
        detail: What changed; never a secret, never what a customer said.
        address: Where the request came from.
    """
    label = by if isinstance(by, str) else by.label
    session.add(
        AuditEntry(by=label, action=action, target=target, detail=detail or {}, address=address, created_at=now())
    )


def entries(
    session: Session,
    target: str | None = None,
    before: int | None = None,
    limit: int = 100,
    by: str | None = None,
    area: str | None = None,
) -> list[AuditEntry]:
    """Entries, newest first.

    Args:
        session: To read with.
        target: Only what was done to it.
        before: Only entries with a smaller id: the last one of the page before.
        limit: So many at most.
        by: Only what was done by whom this label names.
        area: Only actions whose name begins so: `case` for `case.claim` and its like.
    """
    query = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit)
    if target is not None:
        query = query.where(AuditEntry.target == target)
    if before is not None:
        query = query.where(AuditEntry.id < before)
    if by is not None:
        query = query.where(AuditEntry.by == by)
    if area is not None:
        query = query.where(AuditEntry.action.startswith(f"{area}.", autoescape=True))
    return list(session.scalars(query))
