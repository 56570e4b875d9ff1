"""Texts people send often."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Response

from bot.desk.api.routes import BIGGEST, INVALID, TOO_LARGE, By, State, error, team_router
from bot.desk.bodies.people import (
    NewSavedReply,
    SavedReplies,
    SavedReplyChange,
    SavedReplyOut,
)
from bot.desk.state import allowed
from bot.dialogue.turn import Queue
from bot.people import saved_replies
from bot.people.models import SavedReply

router = team_router()

_NO_REPLY = error(404, "No such saved reply, or none the token may see.")
ReplyNumber = Annotated[int, Path(ge=1, le=BIGGEST)]


@router.get("/saved-replies", **allowed("conversations:read"), responses=INVALID)
def read_saved_replies(state: State, by: By, queue: Queue | None = None) -> SavedReplies:
    """Saved replies: all, or those that fit a case in a queue."""
    with state.transaction() as session:
        found = [_shown(reply) for reply in saved_replies.list_saved_replies(session, by, queue)]
    return SavedReplies(replies=found, variables=list(saved_replies.VARIABLES))


@router.post("/saved-replies", status_code=201, **allowed("replies:write"), responses={**TOO_LARGE, **INVALID})
def create_saved_reply(body: NewSavedReply, state: State, by: By) -> SavedReplyOut:
    """Keep a text for others to use."""
    with state.transaction() as session:
        return _shown(saved_replies.create_saved_reply(session, by, **body.model_dump()))


@router.get("/saved-replies/{number}", **allowed("conversations:read"), responses={**_NO_REPLY, **INVALID})
def read_saved_reply(number: ReplyNumber, state: State, by: By) -> SavedReplyOut:
    """One saved reply."""
    with state.transaction() as session:
        return _shown(saved_replies.find_saved_reply(session, number, by))


@router.patch("/saved-replies/{number}", **allowed("replies:write"), responses={**_NO_REPLY, **TOO_LARGE, **INVALID})
def change_saved_reply(number: ReplyNumber, body: SavedReplyChange, state: State, by: By) -> SavedReplyOut:
    """Change a saved reply; `texts` replaces all of them."""
    with state.transaction() as session:
        changes = body.model_dump(exclude_unset=True)
        return _shown(saved_replies.change_saved_reply(session, number, by, changes))


@router.delete(
    "/saved-replies/{number}", status_code=204, **allowed("replies:write"), responses={**_NO_REPLY, **INVALID}
)
def delete_saved_reply(number: ReplyNumber, state: State, by: By) -> Response:
    """Delete a saved reply for good."""
    with state.transaction() as session:
        saved_replies.delete_saved_reply(session, number, by)
    return Response(status_code=204)


def _shown(reply: SavedReply) -> SavedReplyOut:
    return SavedReplyOut.model_validate(reply, from_attributes=True)
