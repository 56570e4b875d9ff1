"""What the web chat's API takes and gives."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bot.attachments.described import AttachmentOut, Ids
from bot.attachments.store import files_of
from bot.conversation.context import one_line
from bot.conversation.records import StoredMessage, Thumb
from bot.handoff.contact import NAME_LENGTH, TIME_LENGTH
from bot.handoff.ratings import COMMENT_LENGTH
from bot.knowledge.render import to_html

Language = Literal["en", "zh", "tr", "th"]
OwnerKind = Literal["bot", "queue", "agent"]
Typist = Literal["bot", "agent"]
_ContextName = Annotated[str, Field(min_length=1, max_length=50)]
_ContextText = Annotated[str, Field(max_length=200)]
_ContextNumber = Annotated[int, Field(ge=-(2**53), le=2**53)] | Annotated[float, Field(ge=-(2.0**53), le=2.0**53)]
_ContextValue = bool | _ContextNumber | _ContextText


class NewConversation(BaseModel):
    """How a conversation begins."""

    model_config = ConfigDict(extra="forbid")
    language: Language | None = Field(None, description="Language of the page; the bot follows what is written.")
    invitation: str | None = Field(
        None,
        pattern="^[0-9a-f]{32}$",
        description="Id of the invitation a visitor answers; said first. One that is not theirs, or over, is left out.",
    )


class CreatedConversation(BaseModel):
    """A conversation and the secret that opens it, told once."""

    id: str
    token: str | None = Field(description="Null where the visitor's token opens it.")


class NewMessage(BaseModel):
    """A message: a text, files, or both; or a choice the bot offered."""

    model_config = ConfigDict(extra="forbid", strict=True)
    client_id: str = Field(
        pattern="^[A-Za-z0-9_-]{1,100}$", description="Your own id for it. The same id again is the same message."
    )
    text: str | None = None
    choice: str | None = Field(None, description="The `payload` of a choice that was offered.")
    attachments: Ids = Field([], description="Ids of files uploaded for it.")

    @model_validator(mode="after")
    def _one_of_two(self) -> NewMessage:
        if (self.text is None and not self.attachments) == (self.choice is None):
            raise ValueError("give either 'text' or 'attachments', or 'choice'")
        if self.choice is not None and (self.text is not None or self.attachments):
            raise ValueError("a 'choice' goes alone")
        return self


class ChoiceOut(BaseModel):
    """A button."""

    label: str
    payload: str


class CitationOut(BaseModel):
    """Where an answer stands."""

    title: str
    url: str
    language: str


class NewThumb(BaseModel):
    """What the customer thinks of an answer; null takes it back."""

    model_config = ConfigDict(extra="forbid", strict=True)
    thumb: Thumb | None


class ThumbOut(BaseModel):
    """The thumb an answer has now."""

    number: int
    thumb: Thumb | None


class NewTyping(BaseModel):
    """Whether the customer is typing."""

    model_config = ConfigDict(extra="forbid", strict=True)
    typing: bool = Field(True, description="The sign ends by itself 6 seconds after the last time it was sent.")


class NewRating(BaseModel):
    """What the customer thinks of the help in a case; sent again, it replaces what was sent before."""

    model_config = ConfigDict(extra="forbid", strict=True)
    case: int = Field(ge=1, le=2**31 - 1, description="Number of the case that the bot asked about.")
    csat: int = Field(ge=1, le=5, description="From 1, very bad, to 5, very good.")
    effort: int | None = Field(
        None, ge=1, le=5, description="From 1, very easy, to 5, very hard; only where it was asked."
    )
    comment: str | None = Field(None, max_length=COMMENT_LENGTH)


class RatingOut(BaseModel):
    """What was asked last, and what was answered."""

    case: int
    asks_effort: bool = Field(description="Whether the effort is asked for too.")
    csat: int | None = Field(description="From 1, very bad, to 5, very good; null while nothing was said.")
    effort: int | None = Field(description="From 1, very easy, to 5, very hard; null if it was not answered.")
    comment: str | None


class NewRead(BaseModel):
    """How far the customer has read."""

    model_config = ConfigDict(extra="forbid", strict=True)
    number: int = Field(
        ge=1, le=2**53, description="Of the last message seen; a lower one than before changes nothing."
    )


class NewContext(BaseModel):
    """What the website tells of the page and the visitor. A part left out stays as it was; null takes it away."""

    model_config = ConfigDict(extra="forbid", strict=True)
    page: str | None = Field(
        None, max_length=2000, pattern="^https?://[!-~]+$", description="Address of the page, `http` or `https`."
    )
    title: str | None = Field(None, max_length=200, description="Of the page.")
    values: dict[_ContextName, _ContextValue] | None = Field(
        None, max_length=20, description="Anything else: texts of at most 200 characters, numbers, yes or no, by name."
    )

    def told(self) -> dict[str, Any]:
        """The parts that were sent, each text as one line."""
        parts = self.model_dump(include=self.model_fields_set)
        if parts.get("title"):
            parts["title"] = one_line(parts["title"])
        if parts.get("values"):
            values = {one_line(name): one_line(v) if isinstance(v, str) else v for name, v in parts["values"].items()}
            parts["values"] = values
        return parts


class NewContact(BaseModel):
    """How to reach the customer."""

    model_config = ConfigDict(extra="forbid", strict=True)
    email: str = Field(max_length=254)
    name: str | None = Field(None, max_length=NAME_LENGTH)
    time: str | None = Field(None, max_length=TIME_LENGTH, description="When it suits them, in their own words.")


class ContactOut(BaseModel):
    """How the customer can be reached now; what they did not tell is empty."""

    email: str
    name: str
    time: str


class ReadEvent(BaseModel):
    """That a person of the team has seen what the customer wrote."""

    number: int = Field(description="Of the last message they have seen.")
    by: Literal["team"]
    created_at: dt.datetime


class AskedRating(BaseModel):
    """That a message asks for a rating."""

    case: int
    effort: bool = Field(description="Whether the effort is asked for too.")


class MessageOut(BaseModel):
    """A message of the conversation."""

    number: int
    author: Literal["customer", "employee", "bot", "agent"]
    name: str | None = Field(description="Of the person of the team who wrote it; null for everybody else.")
    picture: str | None = Field(description="Path of that person's picture; null where there is none.")
    client_id: str | None
    text: str
    html: str | None = Field(description="The text as safe HTML; null for what customers wrote.")
    choices: list[ChoiceOut]
    citations: list[CitationOut]
    attachments: list[AttachmentOut]
    answer: bool = Field(description="It answers a question; a thumb can be given.")
    thumb: Thumb | None = Field(description="The thumb the customer gave.")
    rating: AskedRating | None = Field(description="What it asks to rate.")
    created_at: dt.datetime


class Messages(BaseModel):
    """Messages in order, and whether the bot is at work on another."""

    messages: list[MessageOut]
    typing: bool


class OwnerOut(BaseModel):
    """Who answers."""

    kind: OwnerKind
    name: str | None = Field(description="Of the person; null for the bot, and for a queue.")
    picture: str | None = Field(description="Path of the person's picture; null where there is none.")


class CaseOut(BaseModel):
    """The customer's case."""

    number: int
    open: bool
    since: str
    position: int | None = Field(description="Place in the queue, from 1; null if it does not wait.")
    expected_minutes: int | None = Field(description="Until a person's first word, probably; null if nothing tells.")
    open_now: bool = Field(description="Whether people are there now.")
    next_opening: dt.datetime | None = Field(description="When they are there again; null while they are.")
    reachable: bool = Field(description="Whether an e-mail address was left.")


class ConversationOut(BaseModel):
    """A conversation as its visitor may see it."""

    id: str
    language: Language
    owner: OwnerOut
    last_number: int = Field(description="Of the newest message.")
    last_event: int = Field(description="Of the newest event; a stream goes on after it.")
    read_by_team: int = Field(description="Number of the newest message a person of the team has seen; 0 for none.")
    read_by_customer: int = Field(description="Number of the newest message the customer has seen; 0 for none.")
    case: CaseOut | None
    rating: RatingOut | None = Field(description="What the bot asked to rate last.")


class OwnerEvent(BaseModel):
    """That somebody else answers from now on."""

    owner: OwnerKind
    name: str | None = Field(description="Of the person, or of the queue a person passed the case on to.")
    picture: str | None = Field(description="Path of the person's picture; null where there is none.")
    created_at: dt.datetime


class CaseEvent(BaseModel):
    """That the customer's case was opened, closed or opened again."""

    number: int
    open: bool
    created_at: dt.datetime


class RatingEvent(BaseModel):
    """That a rating was stored."""

    case: int
    csat: int
    effort: int | None
    created_at: dt.datetime


class TypingEvent(BaseModel):
    """Whether the bot, or a person of the team, is typing."""

    typing: bool
    who: Typist


def shown(message: StoredMessage) -> MessageOut:
    """A message as visitors get it."""
    content: dict[str, Any] = message.content
    return MessageOut(
        number=message.number,
        author=message.author,
        name=content.get("name") if message.author == "agent" else None,
        picture=message.picture,
        client_id=message.client_id if message.author in ("customer", "employee") else None,
        text=message.text,
        html=None if message.author == "customer" else to_html(message.text),
        choices=[ChoiceOut(**choice) for choice in content.get("choices", [])],
        citations=[CitationOut(**_public(citation)) for citation in content.get("citations", [])],
        attachments=[AttachmentOut(**asdict(file)) for file in files_of(content)],
        answer=content.get("decision") == "answer",
        thumb=message.thumb,
        rating=AskedRating(**content["rating"]) if content.get("rating") else None,
        created_at=message.created_at,
    )


def _public(citation: dict[str, Any]) -> dict[str, Any]:
    return {key: citation[key] for key in ("title", "url", "language")}
