"""Invitations that a play or another system makes, and the counts of all invitations."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from fastapi import Query, Response

from bot.conversation.models import now
from bot.desk.api.routes import INVALID, TOO_LARGE, By, Id, Limit, State, error, team_router
from bot.desk.bodies.invitations import (
    CustomerId,
    InvitationCounts,
    InvitationOut,
    InvitationReport,
    InvitationsOut,
    NewInvitation,
)
from bot.desk.state import allowed
from bot.success.accounts import ACCOUNT_PATTERN
from bot.success.invitations import made, outcomes
from bot.success.models import Invitation

router = team_router()

_WRITE = allowed("invitations:write")
_NO_INVITATION = error(404, "No such invitation.")


@router.post(
    "/invitations",
    status_code=201,
    **_WRITE,
    responses={
        200: {"description": "The same was made before; nothing changed."},
        **error(409, "The id was used for another invitation."),
        **TOO_LARGE,
        **INVALID,
    },
)
def create_invitation(body: NewInvitation, state: State, by: By, response: Response) -> InvitationOut:
    """Make an invitation for one customer, or for the people of one account."""
    with state.transaction() as session:
        stored, new = made.create(session, by, made.NewInvitation(**body.model_dump()))
        response.status_code = 201 if new else 200
        return _shown(stored)


@router.get("/invitations", **_WRITE, responses={**error(404, "There is no invitation `before`."), **INVALID})
def read_invitations(
    state: State,
    customer: Annotated[CustomerId | None, Query()] = None,
    account: Annotated[str | None, Query(pattern=ACCOUNT_PATTERN)] = None,
    before: Annotated[str | None, Query(pattern="^[0-9a-f]{32}$")] = None,
    limit: Limit = 50,
) -> InvitationsOut:
    """Invitations that were made, newest first. Rules of `refill.toml` are not among them."""
    with state.transaction() as session:
        found = made.list_made(session, customer, account, before, limit + 1)
        page = found[:limit]
        return InvitationsOut(
            invitations=[_shown(one) for one in page], next=page[-1].id if len(found) > limit else None
        )


@router.get("/invitations/report", **_WRITE, responses=INVALID)
def read_invitation_report(
    state: State, days: Annotated[int, Query(ge=1, le=3650, description="So many up to now.")] = 30
) -> InvitationReport:
    """What became of all invitations: those of rules, those that were made, those of the website's own script."""
    with state.transaction() as session:
        counted = outcomes.count(session, now() - dt.timedelta(days=days))
    rows = [
        InvitationCounts(name=one.name, **one.counts, answered_anonymously=one.answered_anonymously) for one in counted
    ]
    return InvitationReport(days=days, invitations=rows)


@router.delete("/invitations/{id}", status_code=204, **_WRITE, responses={**_NO_INVITATION, **INVALID})
def delete_invitation(id: Id, state: State, by: By) -> Response:
    """Take an invitation back. A page that was loaded before may still show it."""
    with state.transaction() as session:
        made.delete(session, by, id)
    return Response(status_code=204)


def _shown(invitation: Invitation) -> InvitationOut:
    return InvitationOut(
        id=invitation.id,
        external_id=invitation.external_id,
        customer=invitation.customer_id,
        account=invitation.account_id,
        texts=invitation.texts,
        pages=invitation.pages,
        after=invitation.after,
        expires_at=invitation.expires_at,
        by=invitation.by,
        created_at=invitation.created_at,
    )
