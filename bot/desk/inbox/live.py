"""Server-sent events that keep the desk's pages live: one stream for the list of cases, one for the open case.

Both name the last event a page has seen, so that after any break it gets exactly what it missed. Who types and who
looks is sent as it stands now.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from typing import Annotated

from fastapi import Header, Query, Request
from fastapi.responses import StreamingResponse
from sqlalchemy.orm import Session

from bot.conversation import reading
from bot.conversation.delivery import BOT
from bot.conversation.models import Conversation
from bot.desk.desk_state import DeskState
from bot.desk.inbox import drafts, feed, transcript
from bot.desk.inbox.actions import Number
from bot.desk.inbox.rows import customer_of
from bot.desk.pages import Me, SignedIn, State, desk_router, fragment
from bot.errors import NotFound
from bot.handoff import access
from bot.people import people, sessions
from bot.people.roles import Principal

router = desk_router()

TOPIC = "topic:cases"
# So often a page looks for what another process stored, and says that somebody looks.
HEARTBEAT_SECONDS = 5.0
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
_BYE = "event: bye\ndata: {}\n\n"

After = Annotated[int | None, Query(ge=0, le=2**53)]
LastEventId = Annotated[str | None, Header(pattern="^[0-9]{1,15}$")]


def event(kind: str, data: str, number: int | None = None) -> str:
    """An event as it goes over the wire."""
    # To browsers, a carriage return ends a line too: what somebody wrote must not begin a field of its own.
    lines = "".join(f"data: {line}\n" for line in data.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    return f"{'' if number is None else f'id: {number}' + chr(10)}event: {kind}\n{lines}\n"


def _still(session: Session, state: DeskState, me: SignedIn) -> Principal | None:
    """Who the page belongs to, with what they may do now; None once they are signed out."""
    person = sessions.find(session, me.token, state.idle)
    return people.principal_of(person, state.queues) if person else None


@router.get("/events")
async def list_events(
    request: Request, me: Me, state: State, after: After = None, last_event_id: LastEventId = None
) -> StreamingResponse:
    """What changes the list: `change`, and `notice` of what the person should be told of."""
    start = int(last_event_id) if last_event_id else after

    def read(before: feed.News | None) -> feed.News | None:
        with state.changes.transaction() as session:
            by = _still(session, state, me)
            if by is None:
                return None
            return feed.begin(session, start) if before is None else feed.news(session, by, before)

    async def stream() -> AsyncIterator[str]:
        known: feed.News | None = None
        yield "retry: 2000\n\n"
        with state.delivery.reader(TOPIC) as reader:
            while not state.closing and not await request.is_disconnected():
                found = await asyncio.to_thread(read, known)
                if found is None:
                    yield _BYE
                    return
                for notice in found.notices:
                    yield event("notice", json.dumps(asdict(notice)))
                moved = known is None or found.changed or found.last != known.last
                known = found
                if moved:
                    # Its id is the place a page comes back to.
                    yield event("change", json.dumps({"changed": found.changed}), found.last)
                elif not await reader.wait(HEARTBEAT_SECONDS):
                    yield ": still here\n\n"

    return StreamingResponse(stream(), media_type="text/event-stream", headers=_HEADERS)


@dataclass(frozen=True)
class _Seen:
    """What is new in a conversation, who looks at it, and what the customer has seen."""

    entries: list[transcript.Entry]
    kinds: set[str]
    last: int
    lookers: tuple[drafts.Looker, ...]
    customer: str
    read: reading.Seen | None


@router.get("/cases/{number}/events")
async def case_events(
    request: Request, number: Number, me: Me, state: State, after: After = None, last_event_id: LastEventId = None
) -> StreamingResponse:
    """What happens in the case's conversation.

    `entry` (HTML of one entry; the id is the event's number), `parts` (which parts of the page are outdated), `lookers`
    and `typing` (HTML), `seen` (what the customer has seen), `bye` when the person sees the case no more.
    """
    start = int(last_event_id) if last_event_id else after or 0
    conversation_id = await asyncio.to_thread(_conversation_of, state, number, me.principal)

    def read(last: int, look: bool) -> _Seen | None:
        with state.changes.transaction() as session:
            by = _still(session, state, me)
            if by is None:
                return None
            try:
                case = access.see_case(session, number, by)
            except NotFound:
                return None
            if look:
                drafts.look(session, conversation_id, me.person.id)
            entries, kinds, newest = transcript.after(session, conversation_id, by, last)
            others = tuple(drafts.lookers(session, conversation_id, me.person.id))
            conversation = session.get_one(Conversation, conversation_id)
            read_by = reading.seen_by_customer(session, conversation) if "read" in kinds else None
            return _Seen(entries, kinds, newest, others, customer_of(session, case, conversation), read_by)

    def render(found: _Seen) -> list[str]:
        return [
            event("entry", fragment(request, "inbox/entry.html", entry=entry, customer=found.customer), entry.event)
            for entry in found.entries
        ]

    async def stream() -> AsyncIterator[str]:
        last = start
        look = first = True
        shown: tuple[drafts.Looker, ...] | None = None
        typists: frozenset[str] | None = None
        yield "retry: 2000\n\n"
        with state.delivery.reader(conversation_id) as reader:
            while not state.closing and not await request.is_disconnected():
                found = await asyncio.to_thread(read, last, look)
                if found is None:
                    yield _BYE
                    return
                for line in await asyncio.to_thread(render, found):
                    yield line
                if found.read:
                    yield event("seen", json.dumps({"number": found.read.number, "at": found.read.at.isoformat()}))
                if found.last != last:
                    yield event("parts", json.dumps(sorted(found.kinds)), found.last)
                if found.lookers != shown:
                    shown = found.lookers
                    yield event("lookers", fragment(request, "inbox/presence.html", lookers=shown))
                if reader.typists != typists:
                    typists = reader.typists
                    values = {"customer_types": "customer" in typists, "bot_types": BOT in typists}
                    yield event("typing", fragment(request, "inbox/typing.html", **values))
                if first:
                    # The others' pages show at once that somebody has come.
                    first = False
                    state.delivery.notify(conversation_id)
                more = found.last - last >= transcript.PAGE
                last, look = found.last, False
                if not more and not await reader.wait(HEARTBEAT_SECONDS):
                    look = True
                    yield ": still here\n\n"

    async def watched() -> AsyncIterator[str]:
        try:
            async for line in stream():
                yield line
        finally:
            leaving = asyncio.get_running_loop().run_in_executor(None, _leave, state, conversation_id, me.person.id)
            # The others' pages show at once that somebody has gone. A page that is closed cancels what waits here.
            leaving.add_done_callback(lambda _: state.delivery.notify(conversation_id))
            await asyncio.shield(leaving)

    return StreamingResponse(watched(), media_type="text/event-stream", headers=_HEADERS)


def _conversation_of(state: DeskState, number: int, by: Principal) -> str:
    with state.changes.transaction() as session:
        return access.see_case(session, number, by).conversation_id


def _leave(state: DeskState, conversation_id: str, person_id: str) -> None:
    with state.changes.transaction() as session:
        drafts.leave(session, conversation_id, person_id)
