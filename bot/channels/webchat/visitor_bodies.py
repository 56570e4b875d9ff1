"""What the routes of visitors take and give."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from bot.channels.webchat.bodies import Language, OwnerOut
from bot.customers.tokens import LONGEST


class CreatedVisitor(BaseModel):
    """A visitor and the secret that opens their conversations, told once."""

    id: str
    token: str


class CustomerOut(BaseModel):
    """Whom an identity token vouches for."""

    id: str
    name: str | None
    email: str | None
    account: str | None = Field(description="Id of the company they belong to.")
    plan: str | None = Field(description="What the company pays for.")


class VisitorOut(BaseModel):
    """A visitor, and who vouches for them."""

    id: str
    customer: CustomerOut | None = Field(description="Null while anonymous, and once the identity token has ended.")
    expires_at: dt.datetime | None = Field(description="When the identity token ends, or did; null while anonymous.")


class NewIdentity(BaseModel):
    """Who the visitor is, as the website's server signed it."""

    model_config = ConfigDict(extra="forbid", strict=True)
    token: str = Field(min_length=1, max_length=LONGEST, description="A signed JWT; see docs/identity.md.")
    join: bool = Field(True, description="Whether what the visitor wrote before becomes the customer's too.")


class IdentityOut(BaseModel):
    """Who the visitor is from now on."""

    customer: CustomerOut
    expires_at: dt.datetime
    joined: int = Field(description="How many conversations became the customer's.")


class LastMessage(BaseModel):
    """The newest message of a conversation."""

    number: int
    author: Literal["customer", "employee", "bot", "agent"]
    name: str | None = Field(description="Of the person of the team who wrote it; null for everybody else.")
    text: str = Field(description="Its first 200 characters.")
    created_at: dt.datetime


class EarlierConversation(BaseModel):
    """A conversation in the visitor's list."""

    id: str
    language: Language
    title: str | None = Field(
        description="The first 200 characters of what the customer wrote first; null for nothing."
    )
    last: LastMessage
    owner: OwnerOut
    unread: int = Field(description="Messages of bot and team that were not read.")
    case_open: bool = Field(description="Whether a case of the customer's is open in it.")
    created_at: dt.datetime
    updated_at: dt.datetime


class Conversations(BaseModel):
    """A visitor's conversations in which something was said, newest first."""

    conversations: list[EarlierConversation]
