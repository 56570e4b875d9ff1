"""What the conversation store takes and gives."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from bot.dialogue.turn import Case, Effect, Reply
from bot.errors import ConversationError

if TYPE_CHECKING:
    from bot.handoff.waiting import Handoff

Thumb = Literal["up", "down"]


class DuplicateId(ConversationError):
    """The sender used one id for two different messages; the second was not stored."""

    code = "duplicate_id"
    status = 409


@dataclass(frozen=True)
class StoredMessage:
    """A message as it was stored, and the thumb the customer gave it.

    Attributes:
        picture: Path of the picture of the person who wrote it, where they have one.
    """

    conversation_id: str
    number: int
    author: str
    client_id: str | None
    text: str
    content: dict[str, Any]
    created_at: dt.datetime
    thumb: Thumb | None = None
    picture: str | None = None


@dataclass(frozen=True)
class Snapshot:
    """A conversation at one moment, with what a turn needs of its past, and of people."""

    id: str
    channel: str
    audience: str
    language: str
    owner: str
    owner_version: int
    last_number: int
    segment: int
    segment_turns: int
    misses: int
    contact: dict[str, str] | None
    handoff: Handoff
    last_bot: StoredMessage | None

    @property
    def case(self) -> Case | None:
        """The customer's newest open case, else their newest."""
        return self.handoff.case


@dataclass(frozen=True)
class Outcome:
    """What a turn leaves behind.

    Attributes:
        replies: The bot's messages.
        effects: What they ask for.
        language: Of the conversation from now on.
        rotate: Rasa's next turn begins a new segment.
        asks_again: The message asks the question before it in other words.
    """

    replies: Sequence[Reply]
    effects: Sequence[Effect] = field(default_factory=tuple)
    language: str = "en"
    rotate: bool = False
    asks_again: bool = False
