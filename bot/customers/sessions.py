"""End sessions: of a customer in all browsers, of the browser a conversation began in, of all a key vouched for."""

from __future__ import annotations

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from bot.conversation.models import Conversation, now
from bot.customers.models import Customer, Visitor
from bot.errors import NotFound
from bot.people import audit
from bot.people.roles import Principal


def end_sessions(session: Session, by: Principal, customer_id: str) -> int:
    """Sign a customer out in every browser; identity tokens signed before are refused. Gives how many sessions ended.

    Raises:
        Forbidden: `by` lacks `customers:manage`.
        NotFound: There is no such customer.
    """
    by.demand("customers:manage")
    customer = session.get(Customer, customer_id, with_for_update=True)
    if customer is None:
        raise NotFound(f"There is no customer {customer_id!r}.", "A customer is whom an identity token named in 'sub'.")
    customer.sessions_from = now()
    ended = _revoke(session, Visitor.customer_id == customer_id)
    audit.note(session, by, "customer.end_sessions", f"customer:{customer_id}", {"sessions": ended})
    return ended


def end_sessions_of_conversation(session: Session, by: Principal, conversation_id: str) -> int:
    """End the session of the browser a conversation began in, and the conversation's own secret.

    Raises:
        Forbidden: `by` lacks `customers:manage`.
        NotFound: There is no such conversation.
    """
    by.demand("customers:manage")
    conversation = session.get(Conversation, conversation_id, with_for_update=True)
    if conversation is None:
        raise NotFound("There is no such conversation.", "Its id has 32 letters and digits.")
    own = bool(conversation.token_hash)
    conversation.token_hash = ""
    ended = own + _revoke(session, Visitor.id == conversation.visitor_id)
    audit.note(session, by, "conversation.end_sessions", f"conversation:{conversation_id}", {"sessions": ended})
    return ended


def expire_sessions_of_key(session: Session, by: Principal, kid: str) -> int:
    """End what a key vouched for: those browsers need a token signed with another. Gives how many they are."""
    moment = now()
    holds = Visitor.key_id == kid, Visitor.identified_until > moment
    count = session.scalar(select(func.count()).select_from(Visitor).where(*holds)) or 0
    session.execute(update(Visitor).where(*holds).values(identified_until=moment))
    audit.note(session, by, "identity_key.retire", f"identity_key:{kid}", {"sessions": count})
    return count


def _revoke(session: Session, which: ColumnElement[bool]) -> int:
    alive = (which, Visitor.revoked_at.is_(None))
    count = session.scalar(select(func.count()).select_from(Visitor).where(*alive)) or 0
    session.execute(update(Visitor).where(*alive).values(revoked_at=now()))
    return count
