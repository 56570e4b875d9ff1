"""Tables of visitors, of the customers verified identities name, and of the identity tokens used so far."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from bot.conversation.models import now
from bot.storage.engine import Base, UtcDateTime


class Customer(Base):
    """A person whom a verified identity names.

    Attributes:
        id: `sub` of the identity token: as the company's own systems know the person.
        account_id: The company the person belongs to, as the newest token said; None if it said none.
        sessions_from: Identity tokens signed before are refused: the person's sessions were ended then.
        told_at: When the newest token used so far was signed. What an older one says of the person is not kept.
    """

    __tablename__ = "customers"

    id: Mapped[str] = mapped_column(String(100), primary_key=True)
    name: Mapped[str | None] = mapped_column(String(200), default=None)
    email: Mapped[str | None] = mapped_column(String(254), default=None)
    account_id: Mapped[str | None] = mapped_column(ForeignKey("accounts.id"), default=None, index=True)
    sessions_from: Mapped[dt.datetime | None] = mapped_column(UtcDateTime, default=None)
    told_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime, default=None)
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, default=now)
    updated_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, default=now)


class Visitor(Base):
    """One browser on one website: the session that opens its conversations.

    Attributes:
        token_hash: SHA-256 of the secret the browser holds.
        origin: Of the page it was made on, such as `https://www.example.com`; the secret is refused on any other.
            Empty: a page of Refill's own, or no browser.
        customer_id: Whom an identity token named; it never changes once set. None while anonymous.
        identified_until: When that token ends. Later the conversations of the customer are refused until a new one.
        key_id: Of the key that signed it.
        revoked_at: Nothing is opened from then on.
    """

    __tablename__ = "visitors"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    origin: Mapped[str] = mapped_column(String(200))
    customer_id: Mapped[str | None] = mapped_column(ForeignKey("customers.id"), default=None, index=True)
    identified_until: Mapped[dt.datetime | None] = mapped_column(UtcDateTime, default=None)
    key_id: Mapped[str | None] = mapped_column(String(100), default=None)
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, default=now)
    seen_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, default=now, index=True)
    revoked_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime, default=None)


class UsedToken(Base):
    """An identity token that was used: only the visitor that used it first may show it again.

    Attributes:
        digest: SHA-256 of what was signed, so that another spelling of the signature is the same token.
        expires_at: When the token ends, and this row with it.
    """

    __tablename__ = "used_identity_tokens"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    visitor_id: Mapped[str] = mapped_column(ForeignKey("visitors.id", ondelete="CASCADE"))
    expires_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, index=True)


class Beginnings(Base):
    """What an address has begun within the present hour.

    Attributes:
        key: SHA-256 of the address and of what is counted.
        number: So many.
        started_at: When the hour began; a row whose hour is over counts for nothing.
    """

    __tablename__ = "beginnings"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    number: Mapped[int] = mapped_column(default=0)
    started_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, default=now, index=True)
