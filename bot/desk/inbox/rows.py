"""What a case looks like in a list: who, what was said last, how long they wait, how the clocks stand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bot.attachments.store import words_of
from bot.conversation.models import Conversation, Message, now
from bot.customers.models import Customer
from bot.handoff import sla
from bot.handoff.listing import Listed, ListedTag
from bot.handoff.models import Escalation
from bot.success.models import Account
from bot.tagging.tags import TOPICS

STOPPED = ("met", "missed")
_LONGEST = 160


@dataclass(frozen=True)
class Chip:
    """A tag as it is shown."""

    name: str
    probability: float

    @property
    def is_topic(self) -> bool:
        """Whether it is a topic, not a signal."""
        return self.name in TOPICS


@dataclass(frozen=True)
class Clock:
    """What was promised, and how it stands.

    Attributes:
        due: Until when; the pages count down to it.
        warn: From when on people are warned.
    """

    name: Literal["first_response", "resolution"]
    state: sla.State
    due: dt.datetime
    warn: dt.datetime


@dataclass(frozen=True)
class Row:
    """A case in a list.

    Attributes:
        customer: Name or e-mail as they gave it; empty for a visitor who gave none.
        author: Of the last words.
        words: On one line.
        assignee: Name of the person who has it; empty while nobody does.
        clock: The one that is due next; None where none runs.
    """

    number: int
    open: bool
    priority: str
    language: str
    customer: str
    account: str
    author: str
    words: str
    waiting_since: dt.datetime | None
    updated_at: dt.datetime
    assignee_id: str | None
    assignee: str
    resolution: str | None
    clock: Clock | None
    chips: tuple[Chip, ...]


def rows(session: Session, found: Sequence[Listed]) -> list[Row]:
    """Rows for listed cases, in their order."""
    wanted = {one.conversation.account_id for one in found if one.conversation.account_id}
    accounts = {one.id: one.name or one.id for one in session.scalars(select(Account).where(Account.id.in_(wanted)))}
    said = _last_words(session, {one.conversation.id for one in found})
    # Held here, so that `customer_of` finds them without asking the database for each.
    _verified = session.scalars(
        select(Customer).where(Customer.id.in_({one.conversation.customer_id for one in found}))
    ).all()
    return [
        Row(
            one.case.id,
            one.case.status == "open",
            one.case.priority,
            one.conversation.language,
            customer_of(session, one.case, one.conversation),
            accounts.get(one.conversation.account_id or "", ""),
            *said.get(one.conversation.id, ("", "")),
            one.case.waiting_since,
            one.conversation.updated_at,
            one.case.assignee,
            one.assignee_name or "",
            one.case.resolution,
            next((clock for clock in clocks(one.case) if clock.state not in STOPPED), None),
            chips(one.tags),
        )
        for one in found
    ]


def _last_words(session: Session, conversations: set[str]) -> dict[str, tuple[str, str]]:
    """Who spoke last in each conversation, and what, but for the bot: its words tell little of what is to be done."""
    newest = (
        select(Message.conversation_id, func.max(Message.number).label("number"))
        .where(Message.conversation_id.in_(conversations), Message.author != "bot")
        .group_by(Message.conversation_id)
        .subquery()
    )
    found = session.execute(
        select(Message.conversation_id, Message.author, Message.text, Message.content).join(
            newest, (Message.conversation_id == newest.c.conversation_id) & (Message.number == newest.c.number)
        )
    )
    return {one: (author, short(words_of(text, content), _LONGEST)) for one, author, text, content in found}


def chips(tags: Sequence[ListedTag]) -> tuple[Chip, ...]:
    """Tags as they are shown."""
    return tuple(Chip(tag.name, tag.probability) for tag in tags)


def clocks(case: Escalation) -> list[Clock]:
    """The clocks of a case: what runs first, the next one due before the others."""
    moment = now()
    found = []
    for name, state, due, warn in (
        ("first_response", case.first_response_state, case.first_response_due, case.first_response_warn_at),
        ("resolution", case.resolution_state, case.resolution_due, case.resolution_warn_at),
    ):
        if state is not None and due is not None and warn is not None:
            # What the watch has written down may be some seconds old.
            stands = state if state in STOPPED else sla.state(sla.Clock(warn, due), moment)
            found.append(Clock(name, stands, due, warn))  # type: ignore[arg-type]
    return sorted(found, key=lambda clock: (clock.state in STOPPED, clock.due))


def customer_of(session: Session, case: Escalation, conversation: Conversation) -> str:
    """A customer's name or e-mail, as a verified identity says, else as they gave it; empty if nobody said."""
    verified = session.get(Customer, conversation.customer_id) if conversation.customer_id else None
    contact = case.contact or conversation.contact or {}
    name = (verified.name if verified else None) or contact.get("name")
    return name or (verified.email if verified else None) or contact.get("email") or ""


def short(text: str, longest: int) -> str:
    """A text on one line, cut off where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
