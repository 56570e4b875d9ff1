"""What the team's routes have in common."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query

from bot.desk.state import TeamState, principal, state_of
from bot.errors import ErrorBody
from bot.people.roles import Principal
from bot.success.accounts import ACCOUNT_PATTERN

Responses = dict[int | str, dict[str, Any]]
BIGGEST = 2**31 - 1


def error(status: int, description: str) -> Responses:
    """An answer that is an error, for the description."""
    return {status: {"model": ErrorBody, "description": description}}


INVALID = error(422, "What was sent breaks a rule; nothing was stored.")
TOO_LARGE = error(413, "The request is too large.")
NO_CONVERSATION = error(404, "No such conversation, or none the token may see.")
NO_ACCOUNT = error(404, "No such account.")
NO_CASE = error(404, "No such case, or none the token may see.")

State = Annotated[TeamState, Depends(state_of)]
By = Annotated[Principal, Depends(principal)]
ConversationId = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]
AccountId = Annotated[str, Path(pattern=ACCOUNT_PATTERN)]
Id = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]
CaseNumber = Annotated[int, Path(ge=1, le=BIGGEST, description="Of the case.")]
Limit = Annotated[int, Query(ge=1, le=200, description="So many at most.")]


def team_router() -> APIRouter:
    """A router of the team's routes; each of them says what it needs with `bot.desk.state.allowed`."""
    return APIRouter(
        prefix="/api/v1",
        tags=["team"],
        responses={
            **error(401, "The token is missing, wrong, revoked or over."),
            **error(403, "The token lacks the permission named by `x-permission`, or sight of the queues it takes."),
        },
    )
