"""The HTTP API of the website chat."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from bot.channels.webchat import stream
from bot.channels.webchat.access import Conversation, State, Visitor, VisitorIfAny
from bot.channels.webchat.beginning import TOO_MANY, begins
from bot.channels.webchat.bodies import (
    ContactOut,
    ConversationOut,
    CreatedConversation,
    Language,
    MessageOut,
    Messages,
    NewContact,
    NewContext,
    NewConversation,
    NewMessage,
    NewRating,
    NewRead,
    NewThumb,
    NewTyping,
    RatingOut,
    ThumbOut,
    shown,
)
from bot.conversation import transcript
from bot.errors import ErrorBody

router = APIRouter(
    prefix="/api/v1/conversations",
    tags=["conversations"],
    responses={422: {"model": ErrorBody, "description": "What was sent breaks a rule."}},
)

_NOT_YOURS: dict[int | str, dict[str, Any]] = {
    401: {"model": ErrorBody, "description": "Yours as a customer, and the identity token has ended."},
    404: {"model": ErrorBody, "description": "No such conversation, or not yours."},
}
_TOO_LARGE: dict[int | str, dict[str, Any]] = {413: {"model": ErrorBody, "description": "The request is too large."}}
_POSTED: dict[int | str, dict[str, Any]] = {
    200: {"description": "Stored before under the same id."},
    409: {"model": ErrorBody, "description": "The id was used for another message."},
    503: {"model": ErrorBody, "description": "Overloaded; `Retry-After` says when to try again."},
}

Number = Annotated[int, Path(ge=1, le=2**53, description="Of the message.")]


@router.post(
    "",
    status_code=201,
    dependencies=[Depends(begins("conversation"))],
    responses={**_NOT_YOURS, **_TOO_LARGE, **TOO_MANY},
)
async def create_conversation(
    visitor: VisitorIfAny, state: State, body: NewConversation | None = None
) -> CreatedConversation:
    """Begin a conversation: a visitor's, which the visitor's token opens, or one with a token of its own."""
    if visitor is not None:
        begun = await state.begin(visitor, body.language if body else None, body.invitation if body else None)
        return CreatedConversation(id=begun, token=None)
    identifier, token = await state.service.create("webchat", language=body.language if body else None)
    return CreatedConversation(id=identifier, token=token)


@router.get("/{conversation_id}", responses=_NOT_YOURS)
async def read_conversation(conversation_id: Visitor, state: State) -> ConversationOut:
    """A conversation's state: who answers, how the case stands, what was rated."""
    return await state.conversation(conversation_id)


@router.post("/{conversation_id}/messages", status_code=202, responses={**_NOT_YOURS, **_TOO_LARGE, **_POSTED})
async def post_message(conversation_id: Visitor, body: NewMessage, state: State, response: Response) -> MessageOut:
    """Send a message. It is stored when this answers: 202 for a new one, 200 for one that was there already."""
    message, new = await state.service.post(
        conversation_id, body.client_id, body.text or "", body.choice, body.attachments
    )
    state.delivery.typing(conversation_id, "customer", False)
    response.status_code = 202 if new else 200
    return shown(message)


@router.post("/{conversation_id}/messages/{number}/thumb", responses={**_NOT_YOURS, **_TOO_LARGE})
async def post_thumb(conversation_id: Visitor, number: Number, body: NewThumb, state: State) -> ThumbOut:
    """Give an answer a thumb, change it, or take it back. The same again changes nothing."""
    await state.give_thumb(conversation_id, number, body.thumb)
    return ThumbOut(number=number, thumb=body.thumb)


@router.post("/{conversation_id}/typing", status_code=204, responses={**_NOT_YOURS, **_TOO_LARGE})
async def post_typing(conversation_id: Visitor, state: State, body: NewTyping | None = None) -> None:
    """Say that the customer is typing, or no longer; send it again every few seconds while they do."""
    state.delivery.typing(conversation_id, "customer", body.typing if body else True)


@router.post(
    "/{conversation_id}/rating",
    responses={
        **_NOT_YOURS,
        404: {"model": ErrorBody, "description": "No such conversation, not yours, or no rating was asked for."},
        409: {"model": ErrorBody, "description": "It was rated more than a day ago."},
        **_TOO_LARGE,
    },
)
async def post_rating(conversation_id: Visitor, body: NewRating, state: State) -> RatingOut:
    """Rate the help in a case that the bot asked about; within a day it can be changed."""
    return await state.rate(conversation_id, body)


@router.post(
    "/{conversation_id}/contact",
    responses={**_NOT_YOURS, 409: {"model": ErrorBody, "description": "No case is open."}, **_TOO_LARGE},
)
async def post_contact(conversation_id: Visitor, body: NewContact, state: State) -> ContactOut:
    """Leave an e-mail address while a case is open, for when the page is left."""
    return await state.leave_contact(conversation_id, body)


@router.post("/{conversation_id}/read", status_code=204, responses={**_NOT_YOURS, **_TOO_LARGE})
async def post_read(conversation_id: Visitor, body: NewRead, state: State) -> None:
    """Say how far the customer has read. A person whose message was read sees it."""
    await state.mark_read(conversation_id, body.number)


@router.post("/{conversation_id}/context", status_code=204, responses={**_NOT_YOURS, **_TOO_LARGE})
async def post_context(conversation_id: Visitor, body: NewContext, state: State) -> None:
    """Tell the team of the page the visitor is on, and what else the website knows. Nobody vouches for it."""
    await state.set_context(conversation_id, body.told())


@router.get(
    "/{conversation_id}/transcript",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}, "text/html": {}}, "description": "A file to keep."}, **_NOT_YOURS},
)
async def read_transcript(
    conversation_id: Visitor,
    request: Request,
    state: State,
    form: Annotated[transcript.Form, Query(alias="format", description="What to make.")] = "text",
    zone: Annotated[str, Query(max_length=50, description="Time zone of the times, as in `Europe/Istanbul`.")] = "UTC",
    language: Annotated[Language | None, Query(description="Of the words around it; else the conversation's.")] = None,
) -> Response:
    """What was said, to be kept: as text, or as one HTML file that needs nothing else."""
    made = await state.transcript(conversation_id, form, zone, str(request.base_url), language)
    return Response(made, headers=transcript.headers(form))


@router.get("/{conversation_id}/messages", responses=_NOT_YOURS)
async def read_messages(
    conversation: Conversation,
    state: State,
    after: Annotated[int, Query(ge=0, le=2**53, description="Number of the last message you have.")] = 0,
    wait: Annotated[float, Query(ge=0, le=30, description="Seconds to wait for a message if there is none.")] = 0.0,
) -> Messages:
    """Messages after a number, at most 200 at a time; ask again with the last number for the rest."""
    with state.delivery.reader(conversation.id) as reader:
        end = asyncio.get_running_loop().time() + wait
        messages = await state.messages_after(conversation.id, after, stream.BATCH)
        while not (messages or state.closing) and (left := end - asyncio.get_running_loop().time()) > 0:
            await reader.wait(min(left, stream.HEARTBEAT_SECONDS))
            await conversation.demand()
            messages = await state.messages_after(conversation.id, after, stream.BATCH)
        return Messages(messages=[shown(message) for message in messages], typing=reader.typing)


@router.get(
    "/{conversation_id}/events",
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {"text/event-stream": {}},
            "description": "Events `message`, `owner`, `case`, `rating`, `read` and `typing`.",
        },
        **_NOT_YOURS,
    },
)
async def read_events(
    conversation: Conversation,
    request: Request,
    state: State,
    after: Annotated[int, Query(ge=0, le=2**53, description="Number of the last event you have.")] = 0,
    wait: Annotated[
        float | None,
        Query(ge=0, le=30, description="Seconds to wait for events if there are none, and end; left out: goes on."),
    ] = None,
    last_event_id: Annotated[str | None, Header(pattern="^[0-9]{1,15}$")] = None,
) -> StreamingResponse:
    """Server-sent events: `message`, `owner`, `case`, `rating` and `read`, whose ids are their numbers, and `typing`.

    A reader who comes back names the number of the last event seen, in `Last-Event-ID` or `after`, and gets the rest. A
    number that no event has yet gets what comes later.
    """
    start = int(last_event_id) if last_event_id else after

    async def over() -> bool:
        return state.closing or await request.is_disconnected() or await conversation.is_over()

    async def events() -> AsyncIterator[str]:
        with state.delivery.reader(conversation.id) as reader:
            number = min(start, await state.last_event(conversation.id))
            read = functools.partial(state.events_after, conversation.id)
            async for frame in stream.follow(read, reader, number, wait, over):
                yield frame

    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(events(), media_type="text/event-stream", headers=headers)
