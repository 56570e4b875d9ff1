"""People, tokens, saved replies, the audit log."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from bot.desk.bodies.fields import Given, Moment
from bot.dialogue.turn import Queue
from bot.people.people import MOST_CASES
from bot.people.roles import Permission, Role
from bot.people.saved_replies import LONGEST_TEXT, LONGEST_TITLE
from bot.people.tokens import LONGEST_NAME

Language = Literal["en", "zh", "tr", "th"]
PersonName = Annotated[str, Field(min_length=1, max_length=100)]
Capacity = Annotated[int, Field(ge=1, le=MOST_CASES)]
Languages = Annotated[list[Language], Field(max_length=4)]
Texts = Annotated[
    dict[Language, Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]],
    Field(min_length=1, description="Markdown by language; may hold the variables."),
]


class PersonOut(BaseModel):
    """Somebody of the team."""

    id: str
    name: str
    role: Role
    online: bool = Field(description="Whether cases can be given to them at this moment.")
    languages: list[Language] = Field(description="Spoken; empty for those of their queues.")
    queues: list[Queue]
    email: str | None = Field(description="Only with `people:manage`, else null.")
    capacity: int | None = Field(description="Open cases at the same time; null for the queue's.")
    disabled_at: dt.datetime | None


class PeopleOut(BaseModel):
    """The team, by name."""

    people: list[PersonOut]


class NewPerson(Given):
    """Somebody new."""

    email: str = Field(min_length=3, max_length=200, description="By which they sign in.")
    name: PersonName
    role: Role
    languages: Languages = Field(default_factory=list)
    capacity: Capacity | None = None
    language: Language = Field("en", description="Of the desk's labels.")


class PersonChange(Given):
    """What changes of a person; a key that is left out stays as it is."""

    name: PersonName | None = None
    role: Role | None = None
    languages: Languages | None = None
    capacity: Capacity | None = Field(None, description="Null for the queue's.")


class CreatedPerson(BaseModel):
    """Somebody, and the password they sign in with; it is shown once."""

    person: PersonOut
    password: str


class TokenOut(BaseModel):
    """A token, without the token itself."""

    id: str
    name: str
    scopes: list[Permission]
    queues: list[Queue] | None = Field(description="Whose conversations it may see; null for all.")
    created_by: str
    created_at: dt.datetime
    expires_at: dt.datetime | None
    last_used_at: dt.datetime | None = Field(description="To the minute.")
    revoked_at: dt.datetime | None


class TokensOut(BaseModel):
    """All tokens, newest first; revoked ones too."""

    tokens: list[TokenOut]


class NewToken(Given):
    """A token for another system."""

    name: str = Field(
        min_length=1, max_length=LONGEST_NAME, description="For people, and for customers whom it writes to."
    )
    scopes: list[Permission] = Field(min_length=1, description="What it may do; not more than yours.")
    queues: list[Queue] | None = Field(
        None, min_length=1, description="Whose conversations it may see; null for all of yours."
    )
    expires_at: Moment | None = Field(None, description="When it ends, ISO 8601 with its zone; null for never.")


class CreatedToken(BaseModel):
    """A token; it is shown once."""

    token: str
    details: TokenOut


class SavedReplyOut(BaseModel):
    """A text people send often."""

    id: int
    title: str
    texts: dict[Language, str]
    queue: Queue | None = Field(description="For cases of this queue only; null for all.")
    by: str
    updated_at: dt.datetime


class SavedReplies(BaseModel):
    """Saved replies, by title."""

    replies: list[SavedReplyOut]
    variables: list[str] = Field(description="What `{…}` in a text may name.")


class NewSavedReply(Given):
    """A text to keep."""

    title: str = Field(min_length=1, max_length=LONGEST_TITLE)
    texts: Texts
    queue: Queue | None = None


class SavedReplyChange(Given):
    """What changes of a saved reply; a key that is left out stays as it is."""

    title: str = Field(default="", min_length=1, max_length=LONGEST_TITLE)
    texts: Texts = Field(default_factory=dict)
    queue: Queue | None = None


class AuditOut(BaseModel):
    """That somebody did something."""

    id: int
    by: str = Field(description="`person:…`, `token:…`, `key:…`, `operator:…` or `system:…`; an e-mail where unknown.")
    action: str
    target: str
    detail: dict[str, Any]
    address: str | None
    created_at: dt.datetime


class AuditLog(BaseModel):
    """Entries, newest first."""

    entries: list[AuditOut]
    next: int | None = Field(description="Give it as `before` for those that follow; null at the end.")
