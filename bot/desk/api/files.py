"""Files of a case's conversation: what customers sent, and what goes with replies."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import Request, Response

from bot.attachments import responses, store
from bot.attachments.described import DOWNLOAD, FILE_BODY, TAKEN, AttachmentId, AttachmentOut, ClientId, Name
from bot.desk.api.routes import INVALID, NO_CASE, By, CaseNumber, State, error, team_router
from bot.desk.state import TeamState, allowed
from bot.handoff import access
from bot.people.roles import Principal

router = team_router()


def _writing() -> dict[str, Any]:
    rights = allowed("conversations:write")
    return {**rights, "openapi_extra": {**rights["openapi_extra"], **FILE_BODY}}


@router.post(
    "/cases/{number}/attachments",
    status_code=201,
    **_writing(),
    responses={
        **NO_CASE,
        **TAKEN,
        **error(403, "The token lacks the permission named by `x-permission`, or no files are taken (`files_off`)."),
    },
)
async def post_file(
    number: CaseNumber, name: Name, client_id: ClientId, request: Request, state: State, by: By, response: Response
) -> AttachmentOut:
    """Upload a file for a reply; name its id in the reply's `attachments`. What is not sent is gone a day later."""
    conversation_id = await asyncio.to_thread(_conversation_of, state, number, by)
    file, new = await state.files.take(
        state.changes,
        conversation_id,
        by.label,
        client_id,
        name,
        request.stream(),
        demand=lambda session: access.see_case(session, number, by),
    )
    response.status_code = 201 if new else 200
    return AttachmentOut.model_validate(file, from_attributes=True)


@router.get(
    "/cases/{number}/attachments/{attachment_id}",
    **allowed("conversations:read"),
    response_class=Response,
    responses={**DOWNLOAD, **NO_CASE, **INVALID},
)
def read_file(number: CaseNumber, attachment_id: AttachmentId, state: State, by: By) -> Response:
    """A file of the case's conversation, to be saved."""
    with state.transaction() as session:
        case = access.see_case(session, number, by)
        return responses.download(*store.read(session, case.conversation_id, attachment_id, by.label))


def _conversation_of(state: TeamState, number: int, by: Principal) -> str:
    with state.transaction() as session:
        return access.see_case(session, number, by).conversation_id
