"""Tables of escalations, the notes people write about them, and what customers thought of the help."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from bot.conversation.models import now
from bot.storage.engine import Base, UtcDateTime

# The reason of work the customer knows nothing of.
SIGNAL = "signal"


class Escalation(Base):
    """Work for a person, in a queue.

    Attributes:
        id: The case number customers know.
        reason: Why, one of `bot.handoff.escalation.REASONS`; `signal` makes work the customer knows nothing of, all
            others the customer's own case.
        status: `open` or `closed`.
        opened_at_number: The conversation's newest message when it was made; the transcript reaches from there on.
        contact: How to reach the customer, when known.
        turn_number: The customer's message that led to it; None for what older versions made.
        signals: Names of the signals that made it, in order; None for the customer's own case.
        priority: `urgent`, `high`, `normal` or `low`.
        assignee: Id of the person who has it; None while it waits in the queue.
        pushed: It was given to them, they did not ask for it.
        version: Counts its changes.
        waiting_since: Since when the customer waits for a person's word; None once they had it.
        first_response_warn_at: When people are warned; `first_response_due`: when the promise is broken. So with the
            resolution. None where the clock does not run.
        first_response_state: `running`, `warned`, `breached`, `met` or `missed`, which is met too late; so with the
            resolution.
        paused: Open time, in seconds, in which it was closed: the resolution's clock stood still.
        resolution: Why it was closed, one of `bot.handoff.cases.RESOLUTIONS`.
        reopened: How often.
        merged_into: The case that goes on in its place.
    """

    __tablename__ = "escalations"
    __table_args__ = (
        Index("ix_escalations_status", "status", "queue"),
        Index("ix_escalations_queue", "queue", "created_at"),
        Index("ix_escalations_assignee", "assignee", "status"),
        {"sqlite_autoincrement": True},
    )

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
    priority: Mapped[str] = mapped_column(String(10), default="normal", server_default="normal")
    assignee: Mapped[str | None] = mapped_column(String(60), default=None)
    assigned_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime, default=None)
    pushed: Mapped[bool] = mapped_column(default=False, server_default=false())
    version: Mapped[int] = mapped_column(default=0, server_default="0")
    waiting_since: Mapped[dt.datetime | None] = mapped_column(UtcDateTime, default=None)
    first_response_warn_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime, default=None)
    first_response_due: Mapped[dt.datetime | None] = mapped_column(UtcDateTime, default=None)
    first_response_state: Mapped[str | None] = mapped_column(String(10), default=None)
    first_responded_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime, default=None)
    resolution_warn_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime, default=None)
    resolution_due: Mapped[dt.datetime | None] = mapped_column(UtcDateTime, default=None)
    resolution_state: Mapped[str | None] = mapped_column(String(10), default=None)
    paused: Mapped[int] = mapped_column(default=0, server_default="0")
    resolution: Mapped[str | None] = mapped_column(String(20), default=None)
    closed_by: Mapped[str | None] = mapped_column(String(60), default=None)
    reopened: Mapped[int] = mapped_column(default=0, server_default="0")
    merged_into: Mapped[int | None] = mapped_column(default=None)
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    closed_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime, default=None)


class Note(Base):
    """What a person wrote for the team; the customer never sees it.

    Attributes:
        client_id: The sender's own id for it; None for what was not sent as a form of its own.
    """

    __tablename__ = "notes"
    __table_args__ = (UniqueConstraint("conversation_id", "client_id", name="uq_notes_client_id"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), index=True)
    case_id: Mapped[int | None] = mapped_column(ForeignKey("escalations.id", ondelete="CASCADE"), default=None)
    client_id: Mapped[str | None] = mapped_column(String(100), default=None)
    by: Mapped[str] = mapped_column(String(60))
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, default=now)


class Rating(Base):
    """What a customer thought of the help in a case; asked for once.

    Attributes:
        number: The bot's message that asks.
        csat: Satisfaction, 1 to 5; None while nothing was said.
        effort: Customer effort score, 1 (very easy) to 5 (very hard); None where it was not asked or answered.
        asks_effort: Whether the effort was asked for too.
    """

    __tablename__ = "ratings"

    case_id: Mapped[int] = mapped_column(ForeignKey("escalations.id", ondelete="CASCADE"), primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), index=True)
    number: Mapped[int]
    asks_effort: Mapped[bool] = mapped_column(default=False)
    csat: Mapped[int | None] = mapped_column(default=None)
    effort: Mapped[int | None] = mapped_column(default=None)
    comment: Mapped[str | None] = mapped_column(Text, default=None)
    asked_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, default=now)
    rated_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime, default=None)
