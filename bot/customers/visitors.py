"""Visitors: a browser on a website gets a secret, and with it opens its conversations until the secret is revoked.

Everything here runs within a transaction of the caller's.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
import uuid

from sqlalchemy import delete, exists, select, update
from sqlalchemy.orm import Session

from bot.conversation.models import Conversation, now
from bot.customers.errors import IdentityExpired, UnknownVisitor
from bot.customers.models import Visitor
from bot.errors import NotFound

# Of a visitor's secret; no conversation's secret has a dot.
PREFIX = "v."
# A visitor who has said nothing is kept for so long after they came last.
SILENT_KEPT = dt.timedelta(days=30)
_AT_ONCE = 200


def is_visitors(token: str) -> bool:
    """Whether a token reads like a visitor's secret."""
    return token.startswith(PREFIX)


def hash_of(token: str) -> str:
    """What is kept of a secret: its SHA-256, in hexadecimal."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def create(session: Session, origin: str) -> tuple[Visitor, str]:
    """Make a visitor; gives it and the secret, which is not kept.

    Args:
        session: Of the transaction.
        origin: See `Visitor.origin`.
    """
    token = PREFIX + secrets.token_urlsafe(32)
    moment = now()
    made = Visitor(
        id=uuid.uuid4().hex, token_hash=hash_of(token), origin=origin[:200], created_at=moment, seen_at=moment
    )
    session.add(made)
    session.flush()
    return made, token


def find(session: Session, token: str, origin: str) -> Visitor:
    """The visitor who holds a secret.

    Args:
        session: To read with.
        token: The secret.
        origin: Of the page it comes from.

    Raises:
        NotFound: There is none, it was revoked, or it belongs to another website; which of them is not told.
    """
    found = session.scalar(select(Visitor).where(Visitor.token_hash == hash_of(token))) if is_visitors(token) else None
    if found is None or found.revoked_at is not None or found.origin != origin[:200]:
        raise _unknown()
    return found


def lock(session: Session, visitor_id: str) -> Visitor:
    """A visitor as it is now, with the write lock: who begins conversations and who is identified follow each other.

    Raises:
        NotFound: There is none, or it was revoked.
    """
    session.execute(update(Visitor).where(Visitor.id == visitor_id).values(seen_at=now()))
    found = session.get(Visitor, visitor_id, populate_existing=True)
    if found is None or found.revoked_at is not None:
        raise _unknown()
    return found


def customer_now(visitor: Visitor) -> str | None:
    """Whom a visitor is identified as at this moment; None while anonymous, and once the token has ended."""
    ended = visitor.identified_until is None or visitor.identified_until <= now()
    return None if ended else visitor.customer_id


def vouched_customer(visitor: Visitor) -> str | None:
    """The same, where a token that has ended is an error.

    Raises:
        IdentityExpired: They were identified, and the token has ended.
    """
    found = customer_now(visitor)
    if found is None and visitor.customer_id is not None:
        raise IdentityExpired("The identity token has ended.", "Send a new one to /api/v1/visitors/me/identity.")
    return found


def demand_access(visitor: Visitor, conversation: Conversation) -> None:
    """Let a visitor into a conversation that is theirs.

    What belongs to a customer is for whoever is identified as that customer, even if it began in this browser.

    Raises:
        NotFound: It is another's.
        IdentityExpired: It is their customer's, and nobody vouches for them any more.
    """
    if conversation.customer_id is None:
        theirs = conversation.visitor_id == visitor.id
    else:
        theirs = conversation.customer_id == visitor.customer_id and vouched_customer(visitor) is not None
    if not theirs:
        raise NotFound("There is no such conversation.", "Create one with POST /api/v1/conversations.")


def revoke(visitor: Visitor) -> None:
    """End a visitor's session for good; the row stays, so that the tokens it used stay used."""
    if visitor.revoked_at is None:
        visitor.revoked_at = now()


def forget_silent(session: Session, moment: dt.datetime) -> int:
    """Delete visitors who stayed away for SILENT_KEPT and never said a word; gives how many, a portion at a time."""
    silent = Visitor.seen_at < moment - SILENT_KEPT
    spoken = exists().where(Conversation.visitor_id == Visitor.id)
    ids = session.scalars(
        select(Visitor.id).where(silent, ~spoken).limit(_AT_ONCE).with_for_update(skip_locked=True)
    ).all()
    session.execute(delete(Visitor).where(Visitor.id.in_(ids), silent))
    return len(ids)


def _unknown() -> UnknownVisitor:
    return UnknownVisitor("There is no such visitor.", "Make one with POST /api/v1/visitors.")
