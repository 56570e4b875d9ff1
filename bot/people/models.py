"""Tables of people, their sessions and what they left on the desk; tokens; the audit log."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from bot.conversation.models import now
from bot.storage.engine import Base, UtcDateTime


class Person(Base):
    """Somebody of the team.

    Attributes:
        id: 32 hexadecimal digits; `agent:<id>` owns conversations.
        email: In lower case; by it queues name their members.
        password_hash: Argon2id; None for people who sign in through the company's identity provider only.
        role: One of `bot.people.roles.ROLES`.
        languages: Spoken, as in `bot.settings.LANGUAGES`.
        capacity: Open cases at the same time; None for the queue's.
        language: Of the desk's labels.
        online: Whether cases may be assigned; `seen_at` tells whether that still holds.
        preferences: Of the desk: sound, desktop notices.
        picture: Digest of their face in `pictures`; customers see it. None: their initials are shown.
    """

    __tablename__ = "people"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    email: Mapped[str] = mapped_column(String(200), unique=True)
    name: Mapped[str] = mapped_column(String(100))
    password_hash: Mapped[str | None] = mapped_column(String(200), default=None)
    role: Mapped[str] = mapped_column(String(20))
    languages: Mapped[list[str]] = mapped_column(JSON, default=list)
    capacity: Mapped[int | None] = mapped_column(default=None)
    language: Mapped[str] = mapped_column(String(5), default="en")
    online: Mapped[bool] = mapped_column(default=False)
    seen_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime, default=None)
    last_assigned_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime, default=None)
    preferences: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    picture: Mapped[str | None] = mapped_column(String(64), default=None)
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, default=now)
    disabled_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime, default=None)


class DeskSession(Base):
    """A browser somebody signed in with.

    Attributes:
        token_hash: SHA-256 of the cookie's value.
    """

    __tablename__ = "desk_sessions"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, default=now)
    seen_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, default=now)
    expires_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)


class SignInFailure(Base):
    """How often signing in failed of late: to an account, or from an address.

    Attributes:
        key: SHA-256 of what it counts, so that no list of guessed accounts is kept.
        failures: In a row; an old row counts as none.
        last_at: When the last one was.
    """

    __tablename__ = "sign_in_failures"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    failures: Mapped[int] = mapped_column(default=0)
    last_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, default=now)


class ApiToken(Base):
    """What another system calls the API with.

    Attributes:
        token_hash: SHA-256 of the token, which is shown once.
        scopes: Of `bot.people.roles.PERMISSIONS`.
        queues: Whose conversations it may see; None for all.
    """

    __tablename__ = "api_tokens"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]] = mapped_column(JSON)
    queues: Mapped[list[str] | None] = mapped_column(JSON, default=None)
    created_by: Mapped[str] = mapped_column(String(60))
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, default=now)
    expires_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime, default=None)
    last_used_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime, default=None)
    revoked_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime, default=None)


class AuditEntry(Base):
    """That somebody did something.

    Attributes:
        by: As `bot.people.roles.Principal.label`.
        action: As `case.claim`, `person.create`, `session.fail`.
        target: What it was done to, as `case:12`, `person:<id>`.
        detail: What changed; never a secret, never what a customer said.
        address: Where the request came from, when there was one.
    """

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_created_at", "created_at"), Index("ix_audit_target", "target"))

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    by: Mapped[str] = mapped_column(String(60))
    action: Mapped[str] = mapped_column(String(40))
    target: Mapped[str] = mapped_column(String(120))
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    address: Mapped[str | None] = mapped_column(String(60), default=None)
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, default=now)


class SavedReply(Base):
    """A text agents send often.

    Attributes:
        texts: By language; may hold variables as `{customer_name}`, see `bot.desk.saved_replies`.
        queue: For one queue only; None for all.
    """

    __tablename__ = "saved_replies"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    title: Mapped[str] = mapped_column(String(100))
    texts: Mapped[dict[str, str]] = mapped_column(JSON)
    queue: Mapped[str | None] = mapped_column(String(30), default=None)
    by: Mapped[str] = mapped_column(String(60))
    updated_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, default=now)


class Presence(Base):
    """That somebody of the team looks at a conversation.

    Attributes:
        drafting: Whether there is a reply begun.
    """

    __tablename__ = "presences"

    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), primary_key=True)
    drafting: Mapped[bool] = mapped_column(default=False)
    seen_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, default=now)


class Draft(Base):
    """What somebody began to write, kept so that a closed page loses nothing.

    Attributes:
        kind: `reply` or `note`; one never becomes the other.
        last_number: The newest message the person had seen while writing; a newer one makes a reply stale.
    """

    __tablename__ = "drafts"

    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(10), primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    last_number: Mapped[int]
    updated_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, default=now)
