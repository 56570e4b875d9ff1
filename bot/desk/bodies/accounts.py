"""Accounts, the signals on them, and reports of such."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from bot.desk.bodies.fields import AccountId, Moment, Name
from bot.success.accounts import LONGEST_NAME as LONGEST_ACCOUNT_NAME
from bot.success.reports import REPORT_ID_PATTERN
from bot.success.signals import ReportSource, Source
from bot.tagging.tags import Signal, Stage


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
