"""A case with all that a person needs to take it on."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import BaseModel, Field

from bot.desk.bodies.cases import CaseOut, ContactOut
from bot.desk.bodies.tags import ConversationTagsOut
from bot.dialogue.turn import Queue
from bot.handoff.cases import Resolution
from bot.tagging.tags import Stage


class SuggestionOut(BaseModel):
    """An article that may answer the customer's latest message."""

    article_id: str
    title: str
    url: str
    language: str
    audience: Literal["public", "internal"] = Field(description="What is internal must not be quoted to a customer.")
    probability: float
    passage: str = Field(description="Markdown.")


class Suggestions(BaseModel):
    """The best first."""

    suggestions: list[SuggestionOut]


class AskedOut(BaseModel):
    """What the customer wrote."""

    number: int = Field(description="Of the message.")
    text: str
    unanswered: bool = Field(description="It got no answer, or one that did not help.")
    created_at: dt.datetime


class TriedOut(BaseModel):
    """What the bot made of a question."""

    number: int = Field(description="Of the question's message.")
    reply_number: int | None
    decision: Literal["answer", "clarify", "hand_off"]
    probability: float = Field(description="That the article answers the question.")
    article_id: str | None
    title: str | None
    reactions: list[str] = Field(
        description="What the customer made of it: `thumb_up`, `thumb_down`, `chosen`, `did_not_help`, `handed_off`, "
        "`rephrased`."
    )


class SummaryOut(BaseModel):
    """A conversation in short."""

    asked: list[AskedOut] = Field(description="The most telling first.")
    tried: list[TriedOut] = Field(description="The newest first.")
    tags: ConversationTagsOut


class KnownAccountOut(BaseModel):
    """The customer's company."""

    id: str
    name: str | None
    plan: str | None
    stage: Stage | None


class EarlierCaseOut(BaseModel):
    """A case of another conversation."""

    number: int
    queue: Queue
    reason: str
    status: Literal["open", "closed"]
    resolution: Resolution | None


class EarlierOut(BaseModel):
    """Another conversation of the same customer or account."""

    conversation_id: str
    same_person: bool
    cases: list[EarlierCaseOut]
    created_at: dt.datetime
    updated_at: dt.datetime


class CustomerRating(BaseModel):
    """What the customer thought of the help in a case."""

    case_id: int
    csat: int | None
    effort: int | None
    comment: str | None
    rated_at: dt.datetime | None


class CustomerOut(BaseModel):
    """Who the customer is."""

    verified: bool = Field(description="Whether somebody vouches for it; a contact alone is only what they say.")
    customer_id: str | None
    name: str | None = Field(description="As the verified identity says.")
    email: str | None = Field(description="As the verified identity says.")
    contact: ContactOut | None
    account: KnownAccountOut | None = Field(description="Null if it is not known, or needs `accounts:read`.")
    earlier: list[EarlierOut] = Field(description="Other conversations the token sees, the newest first.")
    ratings: list[CustomerRating]


class CaseDetail(CaseOut):
    """A case with all that a person needs to take it on."""

    owner: str = Field(description="Of the conversation: `bot`, `queue:<name>` or `agent:<id>`.")
    last_number: int = Field(description="Of the newest message: send it as `seen_number` of a reply.")
    last_event: int = Field(description="Of the newest event.")
    read_by_customer: int = Field(description="Number of the newest message the customer has seen; 0 for none.")
    read_by_team: int = Field(description="Number of the newest message a person of the team has seen; 0 for none.")
    summary: SummaryOut
    customer: CustomerOut
