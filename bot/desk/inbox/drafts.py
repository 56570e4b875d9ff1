"""What people began to write, and who looks at a conversation. Neither is an event: nothing of it lasts."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal, get_args

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from bot.conversation.models import now
from bot.errors import InvalidInput
from bot.people.models import Draft, Person, Presence

DraftKind = Literal["reply", "note"]
KINDS: tuple[DraftKind, ...] = get_args(DraftKind)
# Somebody whose page has not been heard of for so long does not look any more.
LOOKING = dt.timedelta(seconds=25)


@dataclass(frozen=True)
class Looker:
    """Somebody else who looks at a conversation.

    Attributes:
        drafting: Whether they have begun a reply.
    """

    person_id: str
    name: str
    drafting: bool


def keep(session: Session, conversation_id: str, person_id: str, kind: str, text: str, last_number: int) -> bool:
    """Keep a draft; an empty one is dropped. Whether there is one changed: True.

    Args:
        session: Of the transaction.
        conversation_id: It is written for.
        person_id: Whose.
        kind: One of KINDS.
        text: As typed so far.
        last_number: The newest message the person had seen.

    Raises:
        InvalidInput: There is no such kind.
    """
    if kind not in KINDS:
        raise InvalidInput(f"A draft must be one of {', '.join(KINDS)}. Currently, it is {kind!r}.")
    _in_turn(session, person_id)
    draft = session.get(Draft, (conversation_id, person_id, kind))
    if not text.strip():
        drop(session, conversation_id, person_id, kind)
        return draft is not None
    begun = draft is None
    if draft is None:
        draft = Draft(conversation_id=conversation_id, person_id=person_id, kind=kind)
        session.add(draft)
    draft.text, draft.last_number, draft.updated_at = text, last_number, now()
    return begun


def drop(session: Session, conversation_id: str, person_id: str, kind: str) -> None:
    """Forget a draft, where there is one."""
    session.execute(
        delete(Draft).where(Draft.conversation_id == conversation_id, Draft.person_id == person_id, Draft.kind == kind)
    )


def read(session: Session, conversation_id: str, person_id: str) -> dict[str, Draft]:
    """A person's drafts for a conversation by their kind."""
    found = session.scalars(select(Draft).where(Draft.conversation_id == conversation_id, Draft.person_id == person_id))
    return {draft.kind: draft for draft in found}


def look(session: Session, conversation_id: str, person_id: str) -> None:
    """Say that a person looks at a conversation, for as long as LOOKING."""
    _in_turn(session, person_id)
    presence = session.get(Presence, (conversation_id, person_id))
    if presence is None:
        presence = Presence(conversation_id=conversation_id, person_id=person_id)
        session.add(presence)
    presence.seen_at = now()
    presence.drafting = session.get(Draft, (conversation_id, person_id, "reply")) is not None


def leave(session: Session, conversation_id: str, person_id: str) -> None:
    """Say that a person looks no more."""
    session.execute(
        delete(Presence).where(Presence.conversation_id == conversation_id, Presence.person_id == person_id)
    )


def lookers(session: Session, conversation_id: str, besides: str) -> list[Looker]:
    """Who else looks at a conversation, by name."""
    rows = session.execute(
        select(Person.id, Person.name, Draft.person_id)
        .join(Presence, Presence.person_id == Person.id)
        .outerjoin(
            Draft,
            (Draft.person_id == Person.id)
            & (Draft.conversation_id == Presence.conversation_id)
            & (Draft.kind == "reply"),
        )
        .where(
            Presence.conversation_id == conversation_id,
            Presence.seen_at > now() - LOOKING,
            Person.id != besides,
        )
        .order_by(Person.name)
    )
    return [Looker(identifier, name, draft is not None) for identifier, name, draft in rows]


def _in_turn(session: Session, person_id: str) -> None:
    """Let what one person's pages write at the same time follow each other."""
    session.execute(update(Person).where(Person.id == person_id).values(id=Person.id))
