"""Files on the desk: those that were sent in a conversation, and those that are to go with a reply."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

from fastapi import Depends, Request, Response
from fastapi.responses import JSONResponse

from bot.attachments import responses, store
from bot.attachments.described import AttachmentId, ClientId, Name
from bot.desk.desk_state import DeskState
from bot.desk.inbox.actions import Number
from bot.desk.pages import Me, State, desk_router, from_page, needs
from bot.handoff import access
from bot.people.roles import Principal

router = desk_router()


@router.post("/cases/{number}/attachments", dependencies=[needs("conversations:write"), Depends(from_page)])
async def upload(request: Request, number: Number, name: Name, client_id: ClientId, me: Me, state: State) -> Response:
    """Take a file for a reply; the body is the file, the page's token stands in a header."""
    conversation_id = await asyncio.to_thread(_conversation_of, state, number, me.principal)
    file, _ = await state.files.take(
        state.changes,
        conversation_id,
        me.principal.label,
        client_id,
        name,
        request.stream(),
        demand=lambda session: access.see_case(session, number, me.principal),
    )
    return JSONResponse(asdict(file))


@router.get("/attachments/{attachment_id}", dependencies=[needs("conversations:read")])
def read(attachment_id: AttachmentId, me: Me, state: State) -> Response:
    """A file to be saved; `<img>` shows a picture from here too."""
    with state.changes.reading() as session:
        conversation_id = store.conversation_of(session, attachment_id)
        access.see_conversation(session, conversation_id, me.principal)
        return responses.download(*store.read(session, conversation_id, attachment_id, me.principal.label))


def _conversation_of(state: DeskState, number: int, by: Principal) -> str:
    with state.changes.reading() as session:
        return access.see_case(session, number, by).conversation_id
