"""What was said in a case's conversation, and all that happened in it: as pages, and as a stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable
from dataclasses import asdict
from typing import Annotated

from fastapi import Depends, Header, Query, Request
from fastapi.responses import StreamingResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.attachments.described import AttachmentOut
from bot.attachments.store import files_of
from bot.conversation.events import Happened, events_after
from bot.conversation.models import Conversation, Decided, Message, Reaction
from bot.conversation.tags import SPEAKERS
from bot.desk.api.routes import INVALID, NO_CASE, By, CaseNumber, Limit, State, team_router
from bot.desk.bodies.transcript import (
    EventOut,
    Events,
    NoteOut,
    Notes,
    TeamChoice,
    TeamCitation,
    TeamMessage,
    Transcript,
)
from bot.desk.state import TeamState, allowed, token_of
from bot.errors import RefillError
from bot.handoff import access
from bot.handoff.models import SIGNAL, Escalation, Note
from bot.knowledge.render import to_html
from bot.people.roles import Principal

router = team_router()

_BATCH = 200
# So often a stream looks for what another process stored, and whether the token still holds.
_HEARTBEAT_SECONDS = 5.0
_THUMBS = {"thumb_up": "up", "thumb_down": "down"}

After = Annotated[int, Query(ge=0, le=2**31 - 1, description="Number of the last one you have.")]


@router.get("/cases/{number}/messages", **allowed("conversations:read"), responses={**NO_CASE, **INVALID})
def read_case_messages(number: CaseNumber, state: State, by: By, after: After = 0, limit: Limit = 100) -> Transcript:
    """The transcript of a case's whole conversation: what customer, bot and people said, from a number on."""
    with state.transaction() as session:
        case = access.see_case(session, number, by)
        conversation = session.get_one(Conversation, case.conversation_id)
        query = (
            select(Message)
            .where(Message.conversation_id == conversation.id, Message.number > after)
            .order_by(Message.number)
            .limit(limit)
        )
        messages = team_messages(session, list(session.scalars(query)))
        return Transcript(
            messages=messages,
            last_number=conversation.last_number,
            read_by_customer=conversation.read_by_customer,
            read_by_team=conversation.read_by_team,
        )


@router.get("/cases/{number}/notes", **allowed("conversations:read"), responses={**NO_CASE, **INVALID})
def read_notes(number: CaseNumber, state: State, by: By) -> Notes:
    """What people wrote for the team in a case's conversation."""
    with state.transaction() as session:
        case = access.see_case(session, number, by)
        query = select(Note).where(Note.conversation_id == case.conversation_id).order_by(Note.id)
        hidden = _hidden(session, case.conversation_id, by)
        return Notes(notes=[note_out(note) for note in session.scalars(query) if note.case_id not in hidden])


@router.get("/cases/{number}/events", **allowed("conversations:read"), responses={**NO_CASE, **INVALID})
def read_case_events(number: CaseNumber, state: State, by: By, after: After = 0, limit: Limit = 100) -> Events:
    """All that happened in a case's conversation: messages, owners, cases, notes, tags, ratings, what was read …"""
    with state.transaction() as session:
        case = access.see_case(session, number, by)
        found, read = _events(session, case.conversation_id, after, by, limit)
        last = session.get_one(Conversation, case.conversation_id).last_event
    return Events(events=found, next=read, last_event=last)


@router.get(
    "/cases/{number}/stream",
    **allowed("conversations:read"),
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/event-stream": {}}, "description": "Server-sent events."},
        **NO_CASE,
        **INVALID,
    },
)
async def stream_case_events(
    number: CaseNumber,
    request: Request,
    state: State,
    by: By,
    token: Annotated[str, Depends(token_of)],
    after: After = 0,
    last_event_id: Annotated[str | None, Header(pattern="^[0-9]{1,9}$")] = None,
) -> StreamingResponse:
    """The same as server-sent events: each has the name of its kind, and its number as id.

    A reader who comes back names the last number seen, in `Last-Event-ID` or `after`, and gets the rest. `typing` tells
    who is typing: `bot`, `customer` or `agent:<id>`. The stream ends when the token may not see the case any more.
    """
    start = int(last_event_id) if last_event_id else after
    conversation_id, newest = await asyncio.to_thread(_begin, state, number, by)

    async def stream() -> AsyncIterator[str]:
        last = min(start, newest)  # A number that no event has yet gets what comes later.
        typists: frozenset[str] = frozenset()
        yield "retry: 2000\n\n"
        with state.delivery.reader(conversation_id) as reader:
            while not await request.is_disconnected() and not state.closing:
                try:
                    found, read = await asyncio.to_thread(_next, state, number, token, last)
                except RefillError:
                    return
                for event in found:
                    yield f"id: {event.number}\nevent: {event.kind}\ndata: {event.model_dump_json()}\n\n"
                more, last = read >= last + _BATCH, read
                if typists != reader.typists:
                    typists = reader.typists
                    names = ",".join(f'"{who}"' for who in sorted(typists))
                    yield f"event: typing\ndata: [{names}]\n\n"
                if not more and not await reader.wait(_HEARTBEAT_SECONDS):
                    yield ": still here\n\n"

    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(stream(), media_type="text/event-stream", headers=headers)


def _begin(state: TeamState, number: int, by: Principal) -> tuple[str, int]:
    """A case's conversation, and the number of its newest event."""
    with state.transaction() as session:
        conversation = session.get_one(Conversation, access.see_case(session, number, by).conversation_id)
        return conversation.id, conversation.last_event


def _next(state: TeamState, number: int, token: str, after: int) -> tuple[list[EventOut], int]:
    """What follows an event for who holds a token, and the number of the last one read.

    Raises:
        Unauthorised, Forbidden, NotFound: They may not see it any more.
    """
    by = state.principal(token)
    by.demand("conversations:read")
    with state.transaction() as session:
        case = access.see_case(session, number, by)
        return _events(session, case.conversation_id, after, by, _BATCH)


def _events(
    session: Session, conversation_id: str, after: int, by: Principal, limit: int
) -> tuple[list[EventOut], int]:
    found = events_after(session, conversation_id, after, visible_only=False, limit=limit)
    hidden = _hidden(session, conversation_id, by)
    messages = team_messages(session, [event.message for event in found if event.message])
    by_number = {message.number: message for message in messages}
    shown = [_event(event, by_number) for event in found if event.data.get("case") not in hidden]
    return shown, found[-1].number if found else after


def _event(event: Happened, messages: dict[int, TeamMessage]) -> EventOut:
    return EventOut(
        number=event.number,
        kind=event.kind,
        visible=event.visible,
        by=event.by,
        data=event.data,
        created_at=event.created_at,
        message=messages[event.message.number] if event.message else None,
    )


def _hidden(session: Session, conversation_id: str, by: Principal) -> Collection[int]:
    """Numbers of the work on signals that somebody may not know of."""
    if by.may("signals:read"):
        return ()
    query = select(Escalation.id).where(Escalation.conversation_id == conversation_id, Escalation.reason == SIGNAL)
    return set(session.scalars(query))


def team_messages(session: Session, messages: Iterable[Message]) -> list[TeamMessage]:
    """Messages of one conversation as the team sees them, in their order."""
    messages = list(messages)
    if not messages:
        return []
    rows = session.execute(
        select(Decided, Reaction.kind)
        .outerjoin(Reaction, (Reaction.decision_id == Decided.id) & Reaction.kind.in_(_THUMBS))
        .where(
            Decided.conversation_id == messages[0].conversation_id,
            Decided.reply_number.in_([message.number for message in messages]),
        )
    )
    decided = {decision.reply_number: (decision, thumb) for decision, thumb in rows}
    return [_message(message, *decided.get(message.number, (None, None))) for message in messages]


def _message(message: Message, decided: Decided | None, thumb: str | None) -> TeamMessage:
    content = message.content
    return TeamMessage(
        number=message.number,
        author=message.author,
        name=content.get("name") if message.author == "agent" else None,
        client_id=message.client_id,
        text=message.text,
        html=None if message.author in SPEAKERS else to_html(message.text),
        choices=[TeamChoice(label=one["label"], payload=one["payload"]) for one in content.get("choices", ())],
        citations=[TeamCitation(**one) for one in content.get("citations", ())],
        attachments=[AttachmentOut(**asdict(file)) for file in files_of(content)],
        decision=decided.decision if decided else None,
        confidence=round(decided.confidence, 4) if decided else None,
        thumb=_THUMBS.get(thumb or ""),
        created_at=message.created_at,
    )


def note_out(note: Note) -> NoteOut:
    """A note as the API shows it."""
    return NoteOut(
        id=note.id, case=note.case_id, by=note.by, text=note.text, html=to_html(note.text), created_at=note.created_at
    )
