"""The HTTP API of the website chat."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator

from bot.channels.webchat.state import WebchatState, state_of
from bot.conversation.records import StoredMessage, Thumb
from bot.errors import ErrorBody, NotFound
from bot.knowledge.render import to_html

Language = Literal["en", "zh", "tr", "th"]
ConversationId = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]
router = APIRouter(
    prefix="/api/v1/conversations",
    tags=["conversations"],
    responses={422: {"model": ErrorBody, "description": "What was sent breaks a rule."}},
)

# So often a reader looks for messages that another process stored.
_HEARTBEAT_SECONDS = 5.0
_NOT_YOURS: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorBody, "description": "No such conversation, or not yours."}
}
_TOO_LARGE: dict[int | str, dict[str, Any]] = {413: {"model": ErrorBody, "description": "The request is too large."}}
_POSTED: dict[int | str, dict[str, Any]] = {
    200: {"description": "Stored before under the same id."},
    409: {"model": ErrorBody, "description": "The id was used for another message."},
    503: {"model": ErrorBody, "description": "Overloaded; `Retry-After` says when to try again."},
}
_BATCH = 200


class NewConversation(BaseModel):
    """How a conversation begins."""

    model_config = ConfigDict(extra="forbid")
    language: Language | None = Field(None, description="Language of the page; the bot follows what is written.")


class CreatedConversation(BaseModel):
    """A conversation and the secret that opens it, told once."""

    id: str
    token: str


class NewMessage(BaseModel):
    """A message: a text, or a choice the bot offered."""

    model_config = ConfigDict(extra="forbid", strict=True)
    client_id: str = Field(
        pattern="^[A-Za-z0-9_-]{1,100}$", description="Your own id for it. The same id again is the same message."
    )
    text: str | None = None
    choice: str | None = Field(None, description="The `payload` of a choice that was offered.")

    @model_validator(mode="after")
    def _one_of_two(self) -> NewMessage:
        if (self.text is None) == (self.choice is None):
            raise ValueError("give either 'text' or 'choice'")
        return self


class ChoiceOut(BaseModel):
    """A button."""

    label: str
    payload: str


class CitationOut(BaseModel):
    """Where an answer stands."""

    title: str
    url: str
    language: str


class NewThumb(BaseModel):
    """What the customer thinks of an answer; null takes it back."""

    model_config = ConfigDict(extra="forbid", strict=True)
    thumb: Thumb | None


class ThumbOut(BaseModel):
    """The thumb an answer has now."""

    number: int
    thumb: Thumb | None


class MessageOut(BaseModel):
    """A message of the conversation."""

    number: int
    author: Literal["customer", "employee", "bot", "agent"]
    client_id: str | None
    text: str
    html: str | None = Field(description="The text as safe HTML; null for what customers wrote.")
    choices: list[ChoiceOut]
    citations: list[CitationOut]
    answer: bool = Field(description="It answers a question; a thumb can be given.")
    thumb: Thumb | None = Field(description="The thumb the customer gave.")
    created_at: dt.datetime


class Messages(BaseModel):
    """Messages in order, and whether the bot is at work on another."""

    messages: list[MessageOut]
    typing: bool


class CaseOut(BaseModel):
    """The customer's case."""

    number: int
    open: bool
    since: str


class ConversationOut(BaseModel):
    """A conversation as its visitor may see it."""

    id: str
    language: Language
    owner: Literal["bot", "queue", "agent"]
    last_number: int
    case: CaseOut | None


def _shown(message: StoredMessage) -> MessageOut:
    content = message.content
    return MessageOut(
        number=message.number,
        author=message.author,
        client_id=message.client_id,
        text=message.text,
        html=None if message.author == "customer" else to_html(message.text),
        choices=[ChoiceOut(**choice) for choice in content.get("choices", [])],
        citations=[CitationOut(**citation) for citation in content.get("citations", [])],
        answer=content.get("decision") == "answer",
        thumb=message.thumb,
        created_at=message.created_at,
    )


async def visitor(
    conversation_id: ConversationId,
    state: Annotated[WebchatState, Depends(state_of)],
    authorization: Annotated[str, Header(description="`Bearer` and the conversation's token.")] = "",
) -> str:
    """The conversation's id, if the caller holds its secret."""
    kind, _, token = authorization.partition(" ")
    if kind.lower() != "bearer" or not token:
        raise NotFound("There is no such conversation.", "Send its token as `Authorization: Bearer …`.")
    await state.authorise(conversation_id, token)
    return conversation_id


Visitor = Annotated[str, Depends(visitor)]
State = Annotated[WebchatState, Depends(state_of)]
Number = Annotated[int, Path(ge=1, le=2**53, description="Of the message.")]
After = Annotated[int, Query(ge=0, le=2**53, description="Number of the last message you have.")]


@router.post("", status_code=201, responses=_TOO_LARGE)
async def create_conversation(state: State, body: NewConversation | None = None) -> CreatedConversation:
    """Begin a conversation."""
    identifier, token = await state.service.create("webchat", language=body.language if body else None)
    return CreatedConversation(id=identifier, token=token)


@router.get("/{conversation_id}", responses=_NOT_YOURS)
async def read_conversation(conversation_id: Visitor, state: State) -> ConversationOut:
    """A conversation's state."""
    found = await state.snapshot(conversation_id)
    return ConversationOut(
        id=found.id,
        language=found.language,
        owner=found.owner.partition(":")[0],
        last_number=found.last_number,
        case=CaseOut(**found.case.model_dump()) if found.case else None,
    )


@router.post("/{conversation_id}/messages", status_code=202, responses={**_NOT_YOURS, **_TOO_LARGE, **_POSTED})
async def post_message(conversation_id: Visitor, body: NewMessage, state: State, response: Response) -> MessageOut:
    """Send a message. It is stored when this answers: 202 for a new one, 200 for one that was there already."""
    message, new = await state.service.post(conversation_id, body.client_id, body.text or "", body.choice)
    response.status_code = 202 if new else 200
    return _shown(message)


@router.post("/{conversation_id}/messages/{number}/thumb", responses={**_NOT_YOURS, **_TOO_LARGE})
async def post_thumb(conversation_id: Visitor, number: Number, body: NewThumb, state: State) -> ThumbOut:
    """Give an answer a thumb, change it, or take it back. The same again changes nothing."""
    await state.give_thumb(conversation_id, number, body.thumb)
    return ThumbOut(number=number, thumb=body.thumb)


@router.get("/{conversation_id}/messages", responses=_NOT_YOURS)
async def read_messages(
    conversation_id: Visitor,
    state: State,
    after: After = 0,
    wait: Annotated[float, Query(ge=0, le=30, description="Seconds to wait for a message if there is none.")] = 0.0,
) -> Messages:
    """Messages after a number, at most 200 at a time; ask again with the last number for the rest."""
    with state.delivery.reader(conversation_id) as reader:
        end = asyncio.get_running_loop().time() + wait
        messages = await state.messages_after(conversation_id, after, _BATCH)
        while not messages and (left := end - asyncio.get_running_loop().time()) > 0:
            await reader.wait(min(left, _HEARTBEAT_SECONDS))
            messages = await state.messages_after(conversation_id, after, _BATCH)
        return Messages(messages=[_shown(message) for message in messages], typing=reader.typing)


@router.get(
    "/{conversation_id}/events",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/event-stream": {}}, "description": "Events `message` and `typing`."},
        **_NOT_YOURS,
    },
)
async def read_events(
    conversation_id: Visitor,
    request: Request,
    state: State,
    after: After = 0,
    last_event_id: Annotated[str | None, Header(pattern="^[0-9]{1,15}$")] = None,
) -> StreamingResponse:
    """Server-sent events: `message` (its id is its number) and `typing` (true or false).

    A reader who comes back names the last number seen, in `Last-Event-ID` or `after`, and gets the rest.
    """
    start = int(last_event_id) if last_event_id else after

    async def stream() -> AsyncIterator[str]:
        number = start
        typing: bool | None = None
        yield "retry: 2000\n\n"
        with state.delivery.reader(conversation_id) as reader:
            while not await request.is_disconnected() and not state.closing:
                batch = await state.messages_after(conversation_id, number, _BATCH)
                for message in batch:
                    number = message.number
                    yield f"id: {number}\nevent: message\ndata: {_shown(message).model_dump_json()}\n\n"
                if typing != reader.typing:
                    typing = reader.typing
                    yield f"event: typing\ndata: {str(typing).lower()}\n\n"
                if len(batch) < _BATCH and not await reader.wait(_HEARTBEAT_SECONDS):
                    yield ": still here\n\n"

    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(stream(), media_type="text/event-stream", headers=headers)
