"""Files of the website chat: into a conversation and out of it; pictures of the people of the team."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response

from bot.attachments import faces, responses, store
from bot.attachments.described import (
    DOWNLOAD,
    FILE_BODY,
    TAKEN,
    AttachmentId,
    AttachmentOut,
    ClientId,
    Name,
    Responses,
)
from bot.channels.webchat.access import Conversation, State, Visitor
from bot.channels.webchat.beginning import begins, counted_address
from bot.errors import ErrorBody

router = APIRouter(
    prefix="/api/v1",
    tags=["conversations"],
    responses={422: {"model": ErrorBody, "description": "What was sent breaks a rule."}},
)
_NOT_THERE: Responses = {
    401: {"model": ErrorBody, "description": "Yours as a customer, and the identity token has ended."},
    404: {"model": ErrorBody, "description": "No such conversation or file, or not yours."},
}
_NOT_NOW: Responses = {
    403: {"model": ErrorBody, "description": "No files are taken here (`files_off`)."},
    429: {
        "model": ErrorBody,
        "description": "Too many files, or too large ones, for a day (`too_many_files`), or from one address in an "
        "hour (`too_many`; `Retry-After` says when to try again).",
    },
}


@router.post(
    "/conversations/{conversation_id}/attachments",
    status_code=201,
    dependencies=[Depends(begins("file"))],
    responses={**_NOT_THERE, **_NOT_NOW, **TAKEN},
    openapi_extra=FILE_BODY,
)
async def post_attachment(
    conversation: Conversation, name: Name, client_id: ClientId, request: Request, state: State, response: Response
) -> AttachmentOut:
    """Upload a file for a message; name its id in the message's `attachments`. What is not sent is gone a day later."""
    file, new = await state.files.take(
        state.store.changes,
        conversation.id,
        store.CUSTOMER,
        client_id,
        name,
        request.stream(),
        demand=lambda session: state.store.demand(session, conversation.id, conversation.token, conversation.origin),
        address=counted_address(request),
    )
    response.status_code = 201 if new else 200
    return AttachmentOut.model_validate(file, from_attributes=True)


@router.get(
    "/conversations/{conversation_id}/attachments/{attachment_id}",
    response_class=Response,
    responses={**DOWNLOAD, **_NOT_THERE},
)
async def read_attachment(conversation_id: Visitor, attachment_id: AttachmentId, state: State) -> Response:
    """A file of the conversation, to be saved."""

    def read() -> Response:
        with state.store.changes.reading() as session:
            return responses.download(*store.read(session, conversation_id, attachment_id, store.CUSTOMER))

    return await asyncio.to_thread(read)


@router.get(
    "/faces/{digest}",
    response_class=Response,
    responses={
        200: {"content": {"image/jpeg": {}}, "description": "The picture; it never changes."},
        404: {"model": ErrorBody, "description": "No such picture."},
    },
)
async def read_face(
    digest: Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="From a `picture`.")], state: State
) -> Response:
    """A picture of somebody of the team."""

    def read() -> tuple[str, bytes]:
        with state.store.changes.reading() as session:
            return faces.read_face(session, digest)

    media_type, data = await asyncio.to_thread(read)
    return Response(data, media_type=media_type, headers=responses.FOR_GOOD)
