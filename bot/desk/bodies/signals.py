"""Work on signals."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import BaseModel, Field

from bot.desk.bodies.cases import PersonRef, Remark
from bot.desk.bodies.fields import Given
from bot.dialogue.turn import Queue
from bot.tagging.tags import Signal


class SignalEvidence(BaseModel):
    """The customer's words that carry a signal."""

    name: Signal
    quote: str
    probability: float
    number: int = Field(description="Of the message.")
    state: Literal["open", "confirmed", "rejected"]


class WorkOut(BaseModel):
    """Work that signals called for; the customer knows nothing of it."""

    number: int = Field(description="It is a case number.")
    conversation_id: str
    account: str | None
    queue: Queue
    status: Literal["open", "closed"]
    assignee: PersonRef | None
    language: str
    version: int
    signals: list[str] = Field(description="What it was made for.")
    evidence: list[SignalEvidence] = Field(description="The most probable first.")
    resolution: str | None = Field(description="`done`, `not_a_signal`, or null.")
    created_at: dt.datetime
    closed_at: dt.datetime | None


class Works(BaseModel):
    """Work on signals, the newest first."""

    work: list[WorkOut]
    next: str | None = Field(description="Give it as `after` for those that follow; null at the end.")


class Finish(Given):
    """Close work on signals."""

    note: Remark = ""
