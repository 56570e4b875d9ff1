"""What was said and what happened in a case's conversation."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from pydantic import BaseModel, Field

from bot.attachments.described import AttachmentOut

Author = Literal["customer", "employee", "bot", "agent"]


class NoteOut(BaseModel):
    """A note of the team's."""

    id: int
    case: int | None
    by: str = Field(description="As in the audit log.")
    text: str
    html: str = Field(description="The text as safe HTML.")
    created_at: dt.datetime


class Notes(BaseModel):
    """Notes, oldest first."""

    notes: list[NoteOut]


class TeamChoice(BaseModel):
    """A button the customer was offered."""

    label: str
    payload: str


class TeamCitation(BaseModel):
    """Where an answer stands."""

    title: str
    url: str
    language: str


class TeamMessage(BaseModel):
    """A message, as the team sees it."""

    number: int
    author: Author
    name: str | None = Field(description="Of the person who wrote it; null for the others.")
    client_id: str | None
    text: str
    html: str | None = Field(description="The text as safe HTML; null for what customers and employees wrote.")
    choices: list[TeamChoice]
    citations: list[TeamCitation]
    attachments: list[AttachmentOut]
    decision: Literal["answer", "clarify", "hand_off"] | None
    confidence: float | None = Field(description="Probability that the bot's answer is right.")
    thumb: Literal["up", "down"] | None
    created_at: dt.datetime


class Transcript(BaseModel):
    """Messages in order."""

    messages: list[TeamMessage]
    last_number: int = Field(description="Of the newest message there is: send it as `seen_number` of a reply.")
    read_by_customer: int = Field(description="Number of the newest message the customer has seen; 0 for none.")
    read_by_team: int = Field(description="Number of the newest message a person of the team has seen; 0 for none.")


class EventOut(BaseModel):
    """Something that happened in a conversation."""

    number: int
    kind: Literal["message", "owner", "case", "note", "tags", "rating", "account", "read", "customer"]
    visible: bool = Field(description="Whether the customer sees it too.")
    by: str
    data: dict[str, Any]
    message: TeamMessage | None = Field(description="The message, where it tells of one.")
    created_at: dt.datetime


class Events(BaseModel):
    """Events in order."""

    events: list[EventOut]
    next: int = Field(description="Give it as `after` for those that follow.")
    last_event: int = Field(description="Number of the newest event there is.")
