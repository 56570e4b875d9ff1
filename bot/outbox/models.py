"""Tables of outgoing work and of the webhooks it goes to."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from bot.conversation.models import now
from bot.storage.engine import Base, UtcDateTime


class Webhook(Base):
    """Where events are sent.

    Attributes:
        secret: The key of the signature; shown once, when it is made.
        old_secret: The one before, which signs too until `old_secret_until`.
        events: Names or groups of events: `case.opened`, `case.*`, `*`.
        active: Whether it gets anything; what waits for it goes on when it is active again.
        paused_reason: Why Refill set it inactive by itself; None when a person did, or when it is active.
    """

    __tablename__ = "webhooks"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    url: Mapped[str] = mapped_column(String(1000))
    secret: Mapped[str] = mapped_column(String(100))
    old_secret: Mapped[str | None] = mapped_column(String(100), default=None)
    old_secret_until: Mapped[dt.datetime | None] = mapped_column(UtcDateTime, default=None)
    events: Mapped[list[str]] = mapped_column(JSON)
    description: Mapped[str] = mapped_column(String(200), default="")
    active: Mapped[bool] = mapped_column(default=True)
    paused_reason: Mapped[str | None] = mapped_column(String(200), default=None)
    created_by: Mapped[str] = mapped_column(String(60))
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, default=now)


class Outgoing(Base):
    """One thing to be delivered to another system.

    Attributes:
        id: The delivery's id, the same over all tries.
        event: As `case.opened`.
        payload: What is sent.
        state: `pending`, `delivered` or `dead`: given up until somebody retries it.
        round: Counts the workflows it had: one, and one more for each retry by people or after a pause.
        attempts: Tries so far, over all rounds.
        last_error: What went wrong the last time, for people.
        holder: The process that delivers it, until `held_until`; then another may.
        started_at: When this round began; None while nobody took it up.
        finished_at: When it was delivered or given up.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        Index("ix_outbox_state", "state", "created_at"),
        Index("ix_outbox_webhook", "webhook_id", "state", "created_at"),
        Index("ix_outbox_holder", "holder"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    event: Mapped[str] = mapped_column(String(40))
    conversation_id: Mapped[str | None] = mapped_column(String(32), default=None, index=True)
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(10), default="pending")
    round: Mapped[int] = mapped_column(default=0)
    attempts: Mapped[int] = mapped_column(default=0)
    last_status: Mapped[int | None] = mapped_column(default=None)
    last_error: Mapped[str | None] = mapped_column(Text, default=None)
    holder: Mapped[str | None] = mapped_column(String(32), default=None)
    held_until: Mapped[dt.datetime | None] = mapped_column(UtcDateTime, default=None)
    started_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime, default=None)
    finished_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime, default=None)
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, default=now)
