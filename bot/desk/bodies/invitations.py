"""Invitations for customers and accounts, and what became of them."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from bot.desk.bodies.fields import AccountId, Given, Moment
from bot.success.invitations.made import EXTERNAL_ID_PATTERN, LONGEST_CUSTOMER
from bot.success.invitations.pages import LONGEST_PATTERN, RULE
from bot.success.invitations.rules import LONGEST_TEXT, LONGEST_WAIT, MOST_PAGES

Language = Literal["en", "zh", "tr", "th"]
CustomerId = Annotated[
    str, Field(min_length=1, max_length=LONGEST_CUSTOMER, description="`sub` of the customer's identity tokens.")
]


class NewInvitation(Given):
    """An invitation to make, for one customer or for all people of one account."""

    external_id: str = Field(
        pattern=EXTERNAL_ID_PATTERN, description="Your own id for it. The same id again is the same invitation."
    )
    customer: CustomerId | None = None
    account: AccountId | None = None
    texts: dict[Language, Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]] = Field(
        min_length=1, description="Markdown by language; the first one is for all languages that are missing."
    )
    pages: list[Annotated[str, Field(min_length=1, max_length=LONGEST_PATTERN)]] = Field(
        [], max_length=MOST_PAGES, description=f"Each {RULE}. Empty: every page."
    )
    after: int = Field(0, ge=0, le=LONGEST_WAIT, description="Seconds on the page before it is shown.")
    expires_at: Moment = Field(description="Its end, ISO 8601 with its zone, at most a year ahead.")


class InvitationOut(BaseModel):
    """An invitation."""

    id: str
    external_id: str
    customer: str | None
    account: str | None
    texts: dict[str, str]
    pages: list[str]
    after: int
    expires_at: dt.datetime
    by: str = Field(description="Who made it.")
    created_at: dt.datetime


class InvitationsOut(BaseModel):
    """Invitations, newest first."""

    invitations: list[InvitationOut]
    next: str | None = Field(description="Give it as `before` for those that follow; null at the end.")


class InvitationCounts(BaseModel):
    """What became of one invitation, as far as it is known."""

    name: str = Field(description="Of the rule, or the id of the invitation; `page`: those of the website's script.")
    shown: int = Field(description="To identified customers; so are the other counts but the last.")
    opened: int
    answered: int
    dismissed: int
    not_now: int
    answered_anonymously: int = Field(
        description="By anonymous visitors; what else they do with invitations stays in their browsers."
    )


class InvitationReport(BaseModel):
    """What became of all invitations."""

    days: int
    invitations: list[InvitationCounts]
