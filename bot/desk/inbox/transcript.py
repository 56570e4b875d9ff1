"""What a conversation's events look like to those who work on it: messages, notes, notices of what people did."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.attachments.kinds import PICTURES
from bot.attachments.store import File, files_of
from bot.conversation.models import Decided, Event, Message, MessageTag, Reaction
from bot.conversation.tags import SPEAKERS
from bot.desk.inbox.rows import Chip
from bot.handoff import team
from bot.handoff.models import SIGNAL, Escalation, Note, Rating
from bot.knowledge.render import to_html
from bot.people.roles import Principal

SHOWN: tuple[str, ...] = ("message", "note", "case", "rating")
PAGE = 100
# What an event about a case tells; older ones, and those of other systems, may lack some.
_TOLD = ("case", "queue", "assignee", "priority", "reason", "resolution", "into")


@dataclass(frozen=True)
class Shown:
    """A file as the desk shows it.

    Attributes:
        size: As people read it, without the unit's name: `1.4`; `unit` is `kb` or `mb`.
        picture: Whether browsers show it as one.
    """

    id: str
    name: str
    size: str
    unit: Literal["kb", "mb"]
    picture: bool


@dataclass(frozen=True)
class Entry:
    """One thing that happened.

    Attributes:
        event: Its number.
        kind: What it looks like.
        author: `customer`, `employee`, `bot`, `agent` or `system`.
        name: Of the person who did it; empty for the customer, the bot and the system.
        html: Safe; None for what customers and employees wrote, which is shown as it is.
        number: Of the message.
        confidence: Probability that the bot's answer is right; None where it decided nothing.
        thumb: `up` or `down`, as the customer gave it.
        action: What was done with a case.
        data: Of the event.
    """

    event: int
    kind: Literal["message", "note", "case", "rating"]
    author: str
    name: str
    text: str
    created_at: dt.datetime
    html: Markup | None = None
    number: int | None = None
    citations: tuple[dict[str, Any], ...] = ()
    choices: tuple[str, ...] = ()
    decision: str | None = None
    confidence: float | None = None
    thumb: str | None = None
    chips: tuple[Chip, ...] = ()
    files: tuple[Shown, ...] = ()
    action: str = ""
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """Entries in order.

    Attributes:
        last_event: Number of the newest event, shown or not.
        before: Number of the oldest one shown, where there are earlier ones; else None.
    """

    entries: tuple[Entry, ...]
    last_event: int
    before: int | None


def newest(session: Session, conversation_id: str, by: Principal, before: int | None = None, limit: int = PAGE) -> Page:
    """The newest entries of a conversation, or those before one.

    Args:
        session: To read with.
        conversation_id: Whose; `by` may see it.
        by: Who reads; work on signals is told only to those who may read signals.
        before: Number of an event; only earlier ones are read.
        limit: So many at most.
    """
    wanted = Event.conversation_id == conversation_id, Event.kind.in_(SHOWN)
    query = select(Event).where(*wanted).order_by(Event.number.desc()).limit(limit + 1)
    if before is not None:
        query = query.where(Event.number < before)
    found = list(session.scalars(query))
    shown = found[:limit][::-1]
    last = session.scalar(
        select(Event.number).where(Event.conversation_id == conversation_id).order_by(Event.number.desc()).limit(1)
    )
    return Page(
        tuple(_entries(session, conversation_id, shown, by)),
        last or 0,
        shown[0].number if len(found) > limit else None,
    )


def after(
    session: Session, conversation_id: str, by: Principal, number: int, limit: int = PAGE
) -> tuple[list[Entry], set[str], int]:
    """What happened after an event.

    Returns:
        The entries, the kinds of all events among them, shown or not, and the number of the last one read.
    """
    found = list(
        session.scalars(
            select(Event)
            .where(Event.conversation_id == conversation_id, Event.number > number)
            .order_by(Event.number)
            .limit(limit)
        )
    )
    shown = [event for event in found if event.kind in SHOWN]
    last = found[-1].number if found else number
    return list(_entries(session, conversation_id, shown, by)), {event.kind for event in found}, last


def since(session: Session, conversation_id: str, by: Principal, number: int) -> list[Entry]:
    """Messages with a number above the one given, for those who wrote without having seen them."""
    found = session.scalars(
        select(Event)
        .where(Event.conversation_id == conversation_id, Event.kind == "message")
        .order_by(Event.number.desc())
        .limit(PAGE)
    )
    events = [event for event in found if event.data["number"] > number]
    return list(_entries(session, conversation_id, events[::-1], by))


def _entries(session: Session, conversation_id: str, events: Sequence[Event], by: Principal) -> Iterable[Entry]:
    hidden = set() if by.may("signals:read") else _signal_work(session, conversation_id)
    numbers = [event.data["number"] for event in events if event.kind == "message"]
    messages = _messages(session, conversation_id, numbers)
    chips = _chips(session, conversation_id, numbers)
    decided = _decided(session, conversation_id, numbers)
    notes = _notes(session, [event.data["note"] for event in events if event.kind == "note"])
    comments = _comments(session, [event.data["case"] for event in events if event.kind == "rating"])
    known = team.names(session, _people(events, notes.values()))
    for event in events:
        name = _name(event.by, known)
        if event.kind == "message":
            message = messages.get(event.data["number"])
            if message is not None:
                yield _message(event, message, name, chips[message.number], decided.get(message.number))
        elif event.kind == "note":
            note = notes.get(event.data["note"])
            if note is not None and note.case_id not in hidden:
                html = Markup(to_html(note.text))  # noqa: S704  (to_html cleans it)
                yield Entry(event.number, "note", "agent", _name(note.by, known), note.text, event.created_at, html)
        elif event.kind == "rating":
            text = comments.get(event.data["case"]) or ""
            yield Entry(event.number, "rating", "customer", "", text, event.created_at, data=event.data)
        elif event.data.get("case") not in hidden:
            given = dict.fromkeys(_TOLD, "") | {key: value or "" for key, value in event.data.items()}
            data = {**given, "assignee_name": known.get(given["assignee"], "")}
            action = str(event.data.get("action", ""))
            author = "agent" if name else "system"
            yield Entry(event.number, "case", author, name, "", event.created_at, action=action, data=data)


def _signal_work(session: Session, conversation_id: str) -> set[int]:
    found = select(Escalation.id).where(Escalation.conversation_id == conversation_id, Escalation.reason == SIGNAL)
    return set(session.scalars(found))


def _message(
    event: Event, message: Message, name: str, chips: tuple[Chip, ...], decided: tuple[Decided, str | None] | None
) -> Entry:
    content = message.content
    plain = message.author in SPEAKERS
    return Entry(
        event.number,
        "message",
        message.author,
        "" if plain or message.author == "bot" else str(content.get("name") or name),
        message.text,
        message.created_at,
        None if plain else Markup(to_html(message.text)),  # noqa: S704  (to_html cleans it)
        message.number,
        tuple(content.get("citations", ())),
        tuple(choice["label"] for choice in content.get("choices", ())),
        decided[0].decision if decided else None,
        decided[0].confidence if decided else None,
        decided[1] if decided else None,
        chips,
        tuple(_file(file) for file in files_of(content)),
    )


def _file(file: File) -> Shown:
    large = file.size >= 1_000_000
    size = f"{file.size / 1_000_000:.1f}" if large else str(max(1, round(file.size / 1000)))
    return Shown(file.id, file.name, size, "mb" if large else "kb", file.media_type in PICTURES)


def _messages(session: Session, conversation_id: str, numbers: Sequence[int]) -> dict[int, Message]:
    if not numbers:
        return {}
    found = session.scalars(
        select(Message).where(Message.conversation_id == conversation_id, Message.number.in_(numbers))
    )
    return {message.number: message for message in found}


def _chips(session: Session, conversation_id: str, numbers: Sequence[int]) -> dict[int, tuple[Chip, ...]]:
    found: dict[int, tuple[Chip, ...]] = defaultdict(tuple)
    if numbers:
        rows = session.scalars(
            select(MessageTag)
            .where(
                MessageTag.conversation_id == conversation_id,
                MessageTag.number.in_(numbers),
                MessageTag.state != "rejected",
            )
            .order_by(MessageTag.probability.desc(), MessageTag.name)
        )
        for tag in rows:
            found[tag.number] += (Chip(tag.name, tag.probability),)
    return found


def _decided(session: Session, conversation_id: str, numbers: Sequence[int]) -> dict[int, tuple[Decided, str | None]]:
    """What the bot decided with each of its messages, and the thumb it got."""
    if not numbers:
        return {}
    rows = session.execute(
        select(Decided, Reaction.kind)
        .outerjoin(Reaction, (Reaction.decision_id == Decided.id) & Reaction.kind.in_(("thumb_up", "thumb_down")))
        .where(Decided.conversation_id == conversation_id, Decided.reply_number.in_(numbers))
    )
    return {
        decided.reply_number: (decided, thumb and thumb.removeprefix("thumb_"))
        for decided, thumb in rows
        if decided.reply_number is not None
    }


def _notes(session: Session, identifiers: Sequence[int]) -> dict[int, Note]:
    if not identifiers:
        return {}
    return {note.id: note for note in session.scalars(select(Note).where(Note.id.in_(identifiers)))}


def _comments(session: Session, cases: Sequence[int]) -> dict[int, str | None]:
    if not cases:
        return {}
    return {
        rating.case_id: rating.comment for rating in session.scalars(select(Rating).where(Rating.case_id.in_(cases)))
    }


def _people(events: Sequence[Event], notes: Iterable[Note]) -> set[str]:
    """Ids of the people and tokens that are to be named."""
    labels = [*(event.by for event in events), *(note.by for note in notes)]
    assignees = {event.data.get("assignee") for event in events if event.kind == "case"}
    ids = {label.partition(":")[2] for label in labels if label.startswith(("person:", "token:"))}
    return ids | {one for one in assignees if one}


def _name(label: str, known: dict[str, str]) -> str:
    """Who a principal's label means, as others read it; empty for the customer, the bot and the system."""
    kind, _, identifier = label.partition(":")
    if kind in ("person", "token"):
        return known.get(identifier, "")
    return identifier if kind in ("operator", "key") else ""
