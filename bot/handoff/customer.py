"""Who the customer is, for the people who help them: as far as those may see it."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from bot.conversation.models import Conversation
from bot.customers import models as customers
from bot.handoff.access import visible
from bot.handoff.models import Escalation, Rating
from bot.people.roles import Principal
from bot.success.models import Account
from bot.success.signals import stage_of_account

MOST_EARLIER = 10


@dataclass(frozen=True)
class KnownAccount:
    """A customer company.

    Attributes:
        stage: Where it stands in its life, as somebody set it or as its signals say; None if nothing tells.
    """

    id: str
    name: str | None
    plan: str | None
    stage: str | None


@dataclass(frozen=True)
class EarlierCase:
    """A case of another conversation."""

    number: int
    queue: str
    reason: str
    status: str
    resolution: str | None


@dataclass(frozen=True)
class Earlier:
    """Another conversation of the same verified customer, or of the same account.

    Attributes:
        same_person: Whether it is the customer's own.
        cases: Those that may be seen, newest first.
    """

    conversation_id: str
    created_at: dt.datetime
    updated_at: dt.datetime
    same_person: bool
    cases: tuple[EarlierCase, ...]


@dataclass(frozen=True)
class Customer:
    """Who a conversation is with.

    Attributes:
        verified: Whether somebody vouches for who they are; a contact alone is only what they say.
        customer_id: Whom the verified identity names.
        name: As the verified identity says.
        email: As the verified identity says.
        contact: How to reach them, as they said.
        account: None if it is not known, or may not be seen.
        earlier: The newest first.
        ratings: What they thought of the help, here and in earlier conversations; newest first.
    """

    verified: bool
    customer_id: str | None
    name: str | None
    email: str | None
    contact: dict[str, str] | None
    account: KnownAccount | None
    earlier: tuple[Earlier, ...]
    ratings: tuple[Rating, ...]


def customer_of(session: Session, conversation: Conversation, by: Principal, half_life_days: float = 30.0) -> Customer:
    """Who a conversation is with.

    Args:
        session: To read with.
        conversation: That `by` may see.
        by: Who asks; of other conversations they see only what they may.
        half_life_days: Days after which a signal weighs half.
    """
    account = None
    if conversation.account_id is not None and by.may("accounts:read"):
        found = session.get(Account, conversation.account_id)
        if found is not None:
            stage, _ = stage_of_account(session, found, half_life_days)
            account = KnownAccount(found.id, found.name, found.plan, stage)
    earlier = _earlier(session, conversation, by, with_account=account is not None)
    conversations = [conversation.id, *(one.conversation_id for one in earlier if one.same_person)]
    ratings = session.scalars(
        select(Rating)
        .join(Escalation, Escalation.id == Rating.case_id)
        .where(Rating.conversation_id.in_(conversations), Rating.rated_at.is_not(None), visible(by))
        .order_by(Rating.rated_at.desc())
    )
    known = session.get(customers.Customer, conversation.customer_id) if conversation.customer_id else None
    return Customer(
        conversation.customer_id is not None,
        conversation.customer_id,
        known.name if known is not None else None,
        known.email if known is not None else None,
        conversation.contact,
        account,
        earlier,
        tuple(ratings),
    )


def _earlier(session: Session, conversation: Conversation, by: Principal, with_account: bool) -> tuple[Earlier, ...]:
    same = []
    if conversation.customer_id is not None:
        same.append(Conversation.customer_id == conversation.customer_id)
    if with_account:
        same.append(Conversation.account_id == conversation.account_id)
    if not same:
        return ()
    query = (
        select(Conversation)
        .where(or_(*same), Conversation.id != conversation.id)
        .order_by(Conversation.updated_at.desc(), Conversation.id)
        .limit(MOST_EARLIER)
    )
    if by.queues is not None:
        seen = select(Escalation.id).where(Escalation.conversation_id == Conversation.id, visible(by))
        query = query.where(seen.exists())
    found = session.scalars(query).all()
    cases: dict[str, list[EarlierCase]] = defaultdict(list)
    for case in session.scalars(
        select(Escalation)
        .where(Escalation.conversation_id.in_([one.id for one in found]), visible(by))
        .order_by(Escalation.id.desc())
    ):
        cases[case.conversation_id].append(EarlierCase(case.id, case.queue, case.reason, case.status, case.resolution))
    return tuple(
        Earlier(
            one.id,
            one.created_at,
            one.updated_at,
            conversation.customer_id is not None and one.customer_id == conversation.customer_id,
            tuple(cases[one.id]),
        )
        for one in found
    )
