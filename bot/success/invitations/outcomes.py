"""What identified customers did with invitations: kept so that limits hold on all their devices, and counted."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from typing import Literal, get_args

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bot.conversation.models import now
from bot.success.models import InvitationOutcome

Outcome = Literal["shown", "opened", "answered", "dismissed", "not_now"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
# What a browser may tell; that one was answered is known here.
Told = Literal["shown", "opened", "dismissed", "not_now"]

# The same, told again within this time, was told twice.
_TWICE = dt.timedelta(minutes=1)


@dataclass(frozen=True)
class Past:
    """What a customer did with one invitation.

    Attributes:
        shown: How often they saw it.
        shown_at: When they did last; None if never.
        answered: Whether a conversation began with it.
    """

    shown: int = 0
    shown_at: dt.datetime | None = None
    answered: bool = False


@dataclass(frozen=True)
class History:
    """What a customer did with invitations.

    Attributes:
        by_name: Of each that was shown to them.
        shown_at: When the last one of any kind was shown; None if none was.
        not_now_at: When they last said "not now"; None if they never did.
    """

    by_name: dict[str, Past]
    shown_at: dt.datetime | None = None
    not_now_at: dt.datetime | None = None

    def of(self, name: str) -> Past:
        """What they did with one of them."""
        return self.by_name.get(name, Past())


NO_HISTORY = History({})


def record(
    session: Session, name: str, outcome: Outcome, customer_id: str | None, conversation_id: str | None = None
) -> bool:
    """Keep what became of an invitation; False where the same was told a moment ago.

    Args:
        session: Of the transaction.
        name: Of the rule, the invitation's id, or `page`.
        outcome: What happened.
        customer_id: To whom; None for an anonymous visitor.
        conversation_id: That began with it.
    """
    moment = now()
    if customer_id is not None and conversation_id is None:
        twin = select(InvitationOutcome.id).where(
            InvitationOutcome.customer_id == customer_id,
            InvitationOutcome.name == name,
            InvitationOutcome.outcome == outcome,
            InvitationOutcome.created_at > moment - _TWICE,
        )
        if session.scalar(twin.limit(1)) is not None:
            return False
    session.add(
        InvitationOutcome(
            name=name, outcome=outcome, customer_id=customer_id, conversation_id=conversation_id, created_at=moment
        )
    )
    return True


def history(session: Session, customer_id: str) -> History:
    """What a customer did with invitations so far."""
    rows = session.execute(
        select(
            InvitationOutcome.name,
            InvitationOutcome.outcome,
            func.count(),
            func.max(InvitationOutcome.created_at),
        )
        .where(InvitationOutcome.customer_id == customer_id)
        .group_by(InvitationOutcome.name, InvitationOutcome.outcome)
    )
    found: dict[str, dict[str, tuple[int, dt.datetime]]] = defaultdict(dict)
    for name, outcome, count, last in rows:
        found[name][outcome] = (count, last)
    by_name = {
        name: Past(did["shown"][0] if "shown" in did else 0, _last({name: did}, "shown"), "answered" in did)
        for name, did in found.items()
    }
    return History(by_name, _last(found, "shown"), _last(found, "not_now"))


def _last(found: dict[str, dict[str, tuple[int, dt.datetime]]], outcome: Outcome) -> dt.datetime | None:
    return max((did[outcome][1] for did in found.values() if outcome in did), default=None)


@dataclass(frozen=True)
class Counted:
    """How often what became of one invitation.

    Attributes:
        counts: By outcome, those of identified customers.
        answered_anonymously: Conversations that anonymous visitors began with it. What else they do with invitations
            stays in their browsers.
    """

    name: str
    counts: dict[Outcome, int]
    answered_anonymously: int


def count(session: Session, since: dt.datetime) -> list[Counted]:
    """What became of invitations, by name.

    Args:
        session: To read with.
        since: What happened before does not count.
    """
    rows = session.execute(
        select(
            InvitationOutcome.name,
            InvitationOutcome.outcome,
            InvitationOutcome.customer_id.is_not(None),
            func.count(),
        )
        .where(InvitationOutcome.created_at >= since)
        .group_by(InvitationOutcome.name, InvitationOutcome.outcome, InvitationOutcome.customer_id.is_not(None))
    )
    found: dict[str, dict[tuple[str, bool], int]] = defaultdict(dict)
    for name, outcome, identified, number in rows:
        found[name][outcome, bool(identified)] = number
    return [
        Counted(
            name,
            {outcome: numbers.get((outcome, True), 0) for outcome in OUTCOMES},
            numbers.get(("answered", False), 0),
        )
        for name, numbers in sorted(found.items())
    ]
