"""Table of escalations."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from bot.storage.engine import Base, UtcDateTime


class Escalation(Base):
    """Work for a person, in a queue.

    Attributes:
        id: The case number customers know.
        reason: Why: `asked_for`, `low_confidence`, `bot_unavailable` make the customer's own case; `signal` makes work
            the customer knows nothing of.
        status: `open` or `closed`.
        opened_at_number: The conversation's newest message when it was made; the transcript reaches from there on.
        contact: How to reach the customer, when known.
        turn_number: The customer's message that led to it; None for what older versions made.
        signals: Names of the signals that made it, in order; None for the customer's own case.
    """

    __tablename__ = "escalations"
    __table_args__ = (Index("ix_escalations_queue", "queue", "status"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id"), index=True)
    queue: Mapped[str] = mapped_column(String(30))
    reason: Mapped[str] = mapped_column(String(30))
    status: Mapped[str] = mapped_column(String(10), default="open")
    language: Mapped[str] = mapped_column(String(5))
    opened_at_number: Mapped[int]
    contact: Mapped[dict[str, str] | None] = mapped_column(JSON, default=None)
    turn_number: Mapped[int | None] = mapped_column(default=None)
    signals: Mapped[list[str] | None] = mapped_column(JSON, default=None)
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    closed_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime, default=None)
