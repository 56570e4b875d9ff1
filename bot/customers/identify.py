"""A visitor is identified: the customer and their account are kept, the visitor's own conversations become theirs.

Rows are locked in one order: the customer, the visitor, conversations by their ids, the account.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from bot.conversation import events
from bot.conversation.models import Conversation, now
from bot.customers import visitors
from bot.customers.contact import known_contact
from bot.customers.errors import IdentityRefused, OtherCustomer
from bot.customers.models import Customer, UsedToken, Visitor
from bot.customers.tokens import Identity
from bot.handoff import clocks
from bot.handoff.escalation import keep_contact
from bot.handoff.models import SIGNAL, Escalation
from bot.handoff.queues import Queues
from bot.storage.insert import insert_missing
from bot.success.accounts import vouched_account
from bot.success.models import Account

# So many rows of tokens that have ended are cleared at once.
_CLEARED = 200


@dataclass(frozen=True)
class Identified:
    """What came of it.

    Attributes:
        joined: How many of the visitor's conversations became the customer's.
    """

    visitor: Visitor
    customer: Customer
    joined: int


def identify(session: Session, visitor_id: str, identity: Identity, join: bool, queues: Queues) -> Identified:
    """Let a token vouch for a visitor, until the token ends.

    A token counts for the visitor that used it first. Once identified, a visitor stays the same customer.

    Args:
        session: Of the transaction.
        visitor_id: Who showed the token.
        identity: Whom it vouches for, checked.
        join: Whether conversations the visitor began before become the customer's.
        queues: As configured; what is promised may differ by plan.

    Raises:
        NotFound: The visitor is not there, or was revoked.
        IdentityRefused: Another visitor used the token before, or the customer's sessions were ended since.
        OtherCustomer: The visitor is another customer.
    """
    customer = _locked_customer(session, identity)
    visitor = visitors.lock(session, visitor_id)
    if visitor.customer_id not in (None, identity.customer_id):
        raise OtherCustomer(
            "This visitor was identified as somebody else before.", "Make a new one with POST /api/v1/visitors."
        )
    _use(session, visitor, identity)
    own = _locked_conversations(session, visitor) if join else []
    if customer.told_at is None or customer.told_at <= identity.issued_at:
        _keep(session, customer, identity)
    account = session.get(Account, customer.account_id) if customer.account_id else None
    plan = account.plan if account else None
    for conversation in own:
        _join(session, conversation, customer, plan, queues)
    until = identity.expires_at
    if visitor.identified_until is None or visitor.identified_until < until:
        visitor.identified_until = until
        visitor.key_id = identity.key_id
    visitor.customer_id = customer.id
    session.flush()
    return Identified(visitor, customer, len(own))


def clear_used(session: Session) -> None:
    """Forget used tokens that have ended: they are refused for that alone."""
    over = (
        select(UsedToken.digest)
        .where(UsedToken.expires_at < now())
        .order_by(UsedToken.digest)
        .limit(_CLEARED)
        .with_for_update(skip_locked=True)
    )
    if digests := session.scalars(over).all():
        session.execute(delete(UsedToken).where(UsedToken.digest.in_(digests)))


def _use(session: Session, visitor: Visitor, identity: Identity) -> None:
    """Of two visitors who show one token at once, the second waits for the first and is refused."""
    values = {"digest": identity.digest, "visitor_id": visitor.id, "expires_at": identity.expires_at}
    if insert_missing(session, UsedToken, **values):
        return
    if session.scalar(select(UsedToken.visitor_id).where(UsedToken.digest == identity.digest)) != visitor.id:
        raise IdentityRefused(
            "Another browser has used it before.", "Sign one for each visitor; 'jti' keeps two apart."
        )


def _locked_customer(session: Session, identity: Identity) -> Customer:
    """Made where the token names somebody new."""
    moment = now()
    insert_missing(session, Customer, id=identity.customer_id, created_at=moment, updated_at=moment)
    customer = session.get_one(Customer, identity.customer_id, with_for_update=True, populate_existing=True)
    if customer.sessions_from is not None and identity.issued_at < customer.sessions_from:
        raise IdentityRefused("The sessions of this customer were ended after it was signed.", "Send a new one.")
    return customer


def _locked_conversations(session: Session, visitor: Visitor) -> list[Conversation]:
    """The visitor's anonymous conversations. New ones wait for the visitor's lock."""
    ids = session.scalars(
        select(Conversation.id)
        .where(Conversation.visitor_id == visitor.id, Conversation.customer_id.is_(None))
        .order_by(Conversation.id)
    ).all()
    return [events.locked(session, one) for one in ids]


def _keep(session: Session, customer: Customer, identity: Identity) -> None:
    """What the token says of the customer and their account, in place of what was known."""
    customer.told_at = identity.issued_at
    if identity.account:
        vouched_account(session, identity.account, identity.plan)
    told = {"name": identity.name, "email": identity.email, "account_id": identity.account}
    for column, value in told.items():
        if getattr(customer, column) != value:
            setattr(customer, column, value)
            customer.updated_at = now()


def _join(session: Session, conversation: Conversation, customer: Customer, plan: str | None, queues: Queues) -> None:
    """A conversation becomes a customer's. An account that somebody of the team set stays."""
    before, updated = conversation.account_id, conversation.updated_at
    conversation.customer_id = customer.id
    if before is None:
        conversation.account_id = customer.account_id
    data = {"customer": customer.id, "account": conversation.account_id, "before": before}
    events.append(session, conversation, "customer", data, "customer")
    contact = known_contact(customer)
    if contact is not None and not (conversation.contact or {}).get("email"):
        keep_contact(session, conversation, contact)
    # Signing in is no activity by which conversations are sorted.
    conversation.updated_at = updated
    if plan is None or conversation.account_id == before:
        return
    open_cases = select(Escalation).where(
        Escalation.conversation_id == conversation.id, Escalation.status == "open", Escalation.reason != SIGNAL
    )
    for case in session.scalars(open_cases):
        clocks.set_anew(case, queues, plan)
