"""Cases: what people do with them, and how they look."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from bot.attachments.described import Ids
from bot.desk.bodies.fields import Given
from bot.dialogue.turn import Queue
from bot.handoff.cases import Priority, Resolution

ClockState = Literal["running", "warned", "breached", "met", "missed"]
Text = Annotated[str, Field(min_length=1, description="Markdown.")]
Remark = Annotated[str, Field(max_length=4000, description="A note for the team, kept with the case.")]
# A message's id for one process is another's number: JSON has no larger whole numbers that all programs read.
Number = Annotated[int, Field(ge=0, le=2**53)]
ClientId = Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,100}$")]


class AtVersion(Given):
    """What is done to a case as somebody saw it."""

    version: Number | None = Field(
        None,
        description="The case's `version` you looked at: when it has changed, 409 `stale`. Null takes it as it is.",
    )


class Claim(AtVersion):
    """Take a case."""

    take_over: bool = Field(False, description="From whoever has it; for leads.")


class Transfer(AtVersion):
    """Pass a case on: to a queue, a person, or both."""

    queue: Queue | None = None
    person: str | None = Field(None, pattern="^[0-9a-f]{32}$", description="Their `id`.")
    note: Remark = ""


class Prioritise(AtVersion):
    """Another priority."""

    priority: Priority


class Resolve(AtVersion):
    """Close a case with a reason."""

    resolution: Resolution
    note: Remark = ""


class Return(AtVersion):
    """Give a conversation back to the bot."""

    note: Remark = ""


class Merge(AtVersion):
    """Close a case as a duplicate of another one of the same customer."""

    into: int = Field(ge=1, le=2**31 - 1, description="Number of the case that goes on.")


class NewReply(Given):
    """A message to the customer."""

    client_id: ClientId = Field(description="Your own id for it. The same id again is the same message.")
    text: Text | None = Field(None, description="What is said; may be left out where files are sent.")
    attachments: Ids = Field([], description="Ids of files uploaded for it.")
    seen_number: Number | None = Field(
        None, description="The newest message you had seen: when something was said since, 409 `stale`. Null sends."
    )
    citations: list[Annotated[str, Field(pattern="^[a-z0-9-]{1,100}$")]] = Field(
        default=[], max_length=5, description="Ids of public articles that go with it."
    )


class NewNote(Given):
    """A note for the team; the customer never sees it."""

    text: Text
    client_id: ClientId | None = Field(
        None, description="Your own id for it. The same id again is the same note. Null: each is a new one."
    )


class PersonRef(BaseModel):
    """Somebody, or some system, that has a case."""

    id: str
    name: str


class ContactOut(BaseModel):
    """How to reach a customer, as far as they told."""

    name: str | None
    email: str | None
    time: str | None = Field(description="When they like to be reached, in their words.")


class ClockOut(BaseModel):
    """A promise and how it stands; clocks stand still outside the queue's hours."""

    state: ClockState = Field(description="`met` or `missed` once it is done; before that, as far as people were told.")
    warn_at: dt.datetime | None
    due_at: dt.datetime | None


class CaseOut(BaseModel):
    """A case."""

    number: int
    conversation_id: str
    queue: Queue
    reason: str = Field(description="Why there is one; `signal` for work the customer knows nothing of.")
    status: Literal["open", "closed"]
    priority: Priority
    assignee: PersonRef | None
    language: str
    contact: ContactOut | None
    version: int = Field(description="Counts its changes.")
    waiting_since: dt.datetime | None = Field(description="Since when the customer waits for a person's word.")
    first_response: ClockOut | None
    first_responded_at: dt.datetime | None
    resolution_clock: ClockOut | None
    resolution: Resolution | None
    closed_by: str | None = Field(description="As in the audit log.")
    reopened: int = Field(description="How often.")
    merged_into: int | None
    signals: list[str]
    created_at: dt.datetime
    closed_at: dt.datetime | None


class Cases(BaseModel):
    """Cases in the order asked for."""

    cases: list[CaseOut]
    next: str | None = Field(description="Give it as `after` for those that follow; null at the end.")


class QueueOut(BaseModel):
    """A queue, and what waits there."""

    name: Queue
    languages: list[str]
    assignment: Literal["pull", "push"]
    open_now: bool = Field(description="Whether it works at this moment.")
    open: int
    unassigned: int
    mine: int
    breached: int = Field(description="Open cases with a broken promise.")


class QueuesOut(BaseModel):
    """The queues the token sees."""

    queues: list[QueueOut]


class RatingOut(BaseModel):
    """What a customer thought of the help in a case."""

    case: int
    conversation_id: str
    queue: Queue
    csat: int | None = Field(description="Satisfaction, 1 to 5.")
    effort: int | None = Field(description="1 (very easy) to 5 (very hard); null where it was not asked.")
    comment: str | None
    asked_at: dt.datetime
    rated_at: dt.datetime | None


class Ratings(BaseModel):
    """Ratings, newest first."""

    ratings: list[RatingOut]
    next: int | None = Field(description="Give it as `before` for those that follow; null at the end.")
