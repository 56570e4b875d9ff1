"""The routes of visitors: a browser's session, who the visitor is, the conversations they had."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from bot.channels.webchat import visitors
from bot.channels.webchat.access import State, VisitorId, origin_of
from bot.channels.webchat.beginning import TOO_MANY, begins
from bot.channels.webchat.visitor_bodies import (
    Conversations,
    CreatedVisitor,
    IdentityOut,
    NewIdentity,
    VisitorOut,
)
from bot.errors import ErrorBody

router = APIRouter(
    prefix="/api/v1", responses={422: {"model": ErrorBody, "description": "What was sent breaks a rule."}}
)

_NO_VISITOR: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorBody, "description": "No such visitor: unknown, ended, or of another website."}
}
_EXPIRED: dict[int | str, dict[str, Any]] = {
    401: {"model": ErrorBody, "description": "The identity token has ended; send a new one."}
}


@router.post(
    "/visitors", status_code=201, tags=["visitors"], dependencies=[Depends(begins("visitor"))], responses=TOO_MANY
)
async def create_visitor(request: Request, state: State) -> CreatedVisitor:
    """Make a visitor: one browser on one website. Only requests from that website may use the token."""
    return await visitors.create(state, origin_of(request))


@router.get("/visitors/me", tags=["visitors"], responses=_NO_VISITOR)
async def read_visitor(visitor: VisitorId, state: State) -> VisitorOut:
    """Who the visitor is."""
    return await visitors.read(state, visitor)


@router.delete("/visitors/me", status_code=204, tags=["visitors"], responses=_NO_VISITOR)
async def delete_visitor(visitor: VisitorId, state: State) -> None:
    """End the session: the token opens nothing from now on. The conversations stay with the team."""
    await visitors.end(state, visitor)


@router.post(
    "/visitors/me/identity",
    tags=["visitors"],
    responses={
        401: {"model": ErrorBody, "description": "The identity token has ended, or cannot be trusted."},
        **_NO_VISITOR,
        409: {"model": ErrorBody, "description": "The visitor is another customer; make a new visitor."},
        413: {"model": ErrorBody, "description": "The request is too large."},
    },
)
async def post_identity(visitor: VisitorId, body: NewIdentity, state: State) -> IdentityOut:
    """Say who the visitor is, by a token that the website's server signed. See docs/identity.md."""
    return await visitors.vouch(state, visitor, body)


@router.get("/conversations", tags=["conversations"], responses={**_EXPIRED, **_NO_VISITOR})
async def read_conversations(
    visitor: VisitorId,
    state: State,
    limit: Annotated[int, Query(ge=1, le=100, description="So many at most.")] = 50,
) -> Conversations:
    """The visitor's conversations, newest first; of an identified visitor those of the customer, from all devices."""
    return Conversations(conversations=await visitors.conversations(state, visitor, limit))
