"""Tags of conversations and what people say of them."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from bot.conversation.corrections import Verdict
from bot.desk.bodies.fields import Name
from bot.tagging.tags import Kind, Sentiment, Signal, Stage, Topic

Tag = Topic | Signal


class EvidenceOut(BaseModel):
    """One message's words that carry a tag."""

    number: int = Field(description="Of the message.")
    quote: str
    start: int = Field(description="Of the quote in the message's text, in characters.")
    end: int = Field(description="Behind its last character.")
    probability: float = Field(description="1 for what a person confirmed or added.")
    origin: Literal["model", "answer", "person"] = Field(
        description="Who gave the tag: the model, an answer to the second question, a person."
    )
    state: Literal["open", "confirmed", "rejected"]
    model: str | None = Field(description="Version of the model that heard it; null where a person added it.")
    created_at: dt.datetime = Field(description="When the message was written.")


class TagOut(BaseModel):
    """A topic or signal of a conversation."""

    name: Tag
    probability: float = Field(description="The greatest of its evidence, each weighed by time.")
    evidence: list[EvidenceOut]


class ConversationTagsOut(BaseModel):
    """What a conversation carries."""

    conversation_id: str
    kind: Kind
    topics: list[TagOut]
    signals: list[TagOut]
    urgent: bool
    sentiment: Sentiment
    stage: Stage | None


class NewCorrection(BaseModel):
    """What a person says of a tag."""

    model_config = ConfigDict(extra="forbid")
    number: int = Field(strict=True, ge=1, le=2**53, description="Of the message; a customer's or an employee's.")
    name: Tag
    verdict: Verdict
    quote: str | None = Field(
        None, description="Only with `add`: the message's words that carry the tag; without, the whole message does."
    )
    by: Name | None = Field(None, description="Who says so; by default whose token it is.")


class CorrectionOut(BaseModel):
    """A verdict as it was recorded, and the tag as it stands now."""

    conversation_id: str
    number: int
    name: Tag
    verdict: Verdict
    by: str
    created_at: dt.datetime
    tag: EvidenceOut | None = Field(description="Null where the message has no such tag any more.")


class MeasuredOut(BaseModel):
    """How often the model was right with a tag, as far as people said so."""

    name: Tag
    confirmed: int
    rejected: int
    added: int = Field(description="How many people added because the model had missed them.")
    precision: float | None = Field(description="Share confirmed of those confirmed or rejected; null without any.")
    low: float | None = Field(description="Lower end of the 95 % interval.")
    high: float | None = Field(description="Upper end of it.")


class MeasuredTags(BaseModel):
    """All tags, topics first."""

    tags: list[MeasuredOut]
