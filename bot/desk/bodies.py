"""What the team API takes and gives."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from bot.conversation.corrections import LONGEST_NAME, Verdict
from bot.success.accounts import ACCOUNT_PATTERN
from bot.success.accounts import LONGEST_NAME as LONGEST_ACCOUNT_NAME
from bot.success.reports import REPORT_ID_PATTERN
from bot.success.signals import ReportSource, Source
from bot.tagging.tags import Kind, Sentiment, Signal, Stage, Topic

Tag = Topic | Signal


def _moment(value: object) -> object:
    """Only ISO 8601 is taken: pydantic alone would read 1700000000 too."""
    if not isinstance(value, str):
        raise ValueError("must be a moment with its zone, as 2026-11-22T09:30:00+03:00")
    try:
        return dt.datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("must be a moment with its zone, as 2026-11-22T09:30:00+03:00") from None


AccountId = Annotated[
    str, Field(pattern=ACCOUNT_PATTERN, description="By which your other systems know the company; made if unknown.")
]
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
Moment = Annotated[AwareDatetime, BeforeValidator(_moment)]


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
    by: Name = Field(description="Who says so.")


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


class NewLink(BaseModel):
    """The account a conversation belongs to; null unlinks it."""

    model_config = ConfigDict(extra="forbid")
    account: AccountId | None


class LinkOut(BaseModel):
    """The account a conversation belongs to now."""

    conversation_id: str
    account: str | None


class AccountChange(BaseModel):
    """What changes of an account; a key that is left out stays as it is, null takes its value back."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(min_length=1, max_length=LONGEST_ACCOUNT_NAME)] | None = None
    stage: Stage | None = None


class AccountOut(BaseModel):
    """An account."""

    account: str
    name: str | None
    stage: Stage | None
    stage_from: Literal["set", "signals"] | None = Field(
        description="Whether somebody set the stage or its signals speak of it; null without a stage."
    )


class SignalOut(BaseModel):
    """A signal on an account, with its evidence."""

    name: Signal
    source: Source
    quote: str = Field(description="The words that carry it; empty where a system sent none.")
    probability: float = Field(description="1 where a person or system named or confirmed it.")
    model: str | None = Field(description="Version of the model that heard it; null where it was named.")
    by: str | None = Field(description="Who named or reported it.")
    occurred_at: dt.datetime
    conversation_id: str | None = Field(description="It was heard in; null for what came from elsewhere.")
    number: int | None = Field(description="Of the message in that conversation.")


class Signals(BaseModel):
    """Signals, newest first."""

    signals: list[SignalOut]
    next: str | None = Field(description="Give it as `after` for those that follow; null at the end.")


class NewReport(BaseModel):
    """What another system or an employee reports: a signal by its name, a text to hear signals in, or both."""

    model_config = ConfigDict(extra="forbid")
    id: str = Field(
        pattern=REPORT_ID_PATTERN, description="Your own id for it. The same again from a source is the same report."
    )
    account: AccountId
    source: ReportSource
    name: Signal | None = Field(None, description="The signal. Without it, signals are heard in the text.")
    text: str | None = Field(None, description="What was said or measured; the evidence.")
    by: Name | None = Field(None, description="Who reports it; an employee must say.")
    occurred_at: Moment | None = Field(None, description="When it happened, ISO 8601 with its zone; now by default.")


class ReportOut(BaseModel):
    """The signals of a report."""

    id: str
    account: str
    source: ReportSource
    landed: int = Field(description="How many signals are on the account; 0 if the text carries none.")
    signals: list[SignalOut]
