"""What webhooks are told. Notes of the team never are; signals only where the event's name says so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.conversation.models import Message, MessageTag
from bot.handoff.models import Escalation, Rating
from bot.people.models import Person

if TYPE_CHECKING:
    from bot.conversation.models import Conversation, Event

_BEFORE = ("queue", "assignee", "priority", "open")


def of_conversation(conversation: Conversation) -> dict[str, Any]:
    """A conversation, as every payload has it."""
    return {
        "id": conversation.id,
        "channel": conversation.channel,
        "language": conversation.language,
        "owner": conversation.owner,
        "account": conversation.account_id,
        "customer": conversation.customer_id,
        "verified": conversation.customer_id is not None,
    }


def of_event(session: Session, event: Event) -> Iterator[tuple[str, dict[str, Any]]]:
    """The names and data an event of a conversation is sent under, mostly one."""
    if event.kind == "message":
        yield "message.created", _message(session, event)
    elif event.kind == "owner":
        yield "conversation.owner_changed", {key: event.data.get(key) for key in ("owner", "name")}
    elif event.kind == "case":
        yield from _case(session, event)
    elif event.kind == "tags":
        yield from _tags(session, event)
    elif event.kind == "rating":
        yield "rating.given", _rating(session, event)


def _message(session: Session, event: Event) -> dict[str, Any]:
    message = session.scalars(
        select(Message).where(Message.conversation_id == event.conversation_id, Message.number == event.data["number"])
    ).one()
    return {
        "number": message.number,
        "author": message.author,
        "text": message.text,
        "attachments": message.content.get("attachments", []),
        "created_at": message.created_at.isoformat(),
    }


def _case(session: Session, event: Event) -> Iterator[tuple[str, dict[str, Any]]]:
    case = session.get(Escalation, event.data["case"])
    if case is None:
        return
    person = session.get(Person, case.assignee) if case.assignee else None
    before = event.data.get("before") or {}
    data = {
        "number": case.id,
        "queue": case.queue,
        "priority": case.priority,
        "reason": case.reason,
        "status": case.status,
        "resolution": case.resolution,
        "assignee": {"id": case.assignee, "name": person.name if person else None} if case.assignee else None,
        "before": {key: before[key] for key in _BEFORE if key in before},
    }
    group = "signal" if case.reason == "signal" else "case"
    yield f"{group}.{event.data['action']}", data


def _tags(session: Session, event: Event) -> Iterator[tuple[str, dict[str, Any]]]:
    query = select(MessageTag).where(
        MessageTag.conversation_id == event.conversation_id, MessageTag.number == event.data["number"]
    )
    name = event.data.get("name")
    if names := event.data.get("names", [name] if name else None):
        query = query.where(MessageTag.name.in_(names))
    verdict = event.data.get("verdict")
    tags = [
        {
            "number": tag.number,
            "name": tag.name,
            "quote": tag.quote,
            "probability": tag.probability,
            "state": tag.state,
        }
        for tag in session.scalars(query.order_by(MessageTag.start, MessageTag.id))
    ]
    if verdict is None:
        yield from (("tag.added", tag) for tag in tags)
    else:
        # An added tag that was withdrawn is there no more.
        gone = {"number": event.data["number"], "name": name, "quote": None, "probability": None, "state": "withdrawn"}
        yield "tag.corrected", {**(tags[0] if tags else gone), "verdict": verdict}


def _rating(session: Session, event: Event) -> dict[str, Any]:
    rating = session.get(Rating, event.data["case"])
    return {
        "case": event.data["case"],
        "csat": rating.csat if rating else event.data.get("csat"),
        "effort": rating.effort if rating else event.data.get("effort"),
        "comment": rating.comment if rating else None,
    }
