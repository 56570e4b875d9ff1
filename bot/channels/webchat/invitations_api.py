"""The routes of invitations: which ones a visitor gets, and what the visitor did with them."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from bot.channels.webchat.access import State, VisitorId
from bot.channels.webchat.bodies import Language
from bot.channels.webchat.state import WebchatState
from bot.customers.models import Visitor
from bot.errors import ErrorBody
from bot.knowledge.render import to_html
from bot.success.invitations.offers import Offered
from bot.success.invitations.outcomes import Told

router = APIRouter(
    prefix="/api/v1/visitors/me/invitations",
    tags=["visitors"],
    responses={
        404: {"model": ErrorBody, "description": "No such visitor, or no such invitation of theirs."},
        422: {"model": ErrorBody, "description": "What was sent breaks a rule."},
    },
)

_TOO_LARGE: dict[int | str, dict[str, Any]] = {413: {"model": ErrorBody, "description": "The request is too large."}}


class OfferOut(BaseModel):
    """An invitation the page may show; the browser judges the rest."""

    id: str = Field(description="Tells nothing but which one it is.")
    text: str = Field(description="Markdown.")
    html: str = Field(description="The text as safe HTML.")
    language: Language = Field(description="Of its text.")
    pages: list[str] = Field(description="Patterns of paths or addresses, with `*` for any characters; empty: all.")
    after: int = Field(description="Seconds on the page.")
    every_days: int = Field(description="Days between two times.")
    most: int = Field(description="So many times at most.")
    returning: bool | None = Field(description="Only for visitors of an earlier day, or only for new ones.")


class InvitationLimits(BaseModel):
    """How often a browser may show invitations at all."""

    pause_hours: int = Field(description="Between two of any kind.")
    not_now_days: int = Field(description="Without any after 'not now'.")
    quiet_until: dt.datetime | None = Field(
        description="None before; what an identified customer did elsewhere counts."
    )


class OfferedOut(BaseModel):
    """What a page may show."""

    invitations: list[OfferOut] = Field(description="The first that fits is shown.")
    invitation_limits: InvitationLimits


class NewOutcome(BaseModel):
    """What the visitor did."""

    model_config = ConfigDict(extra="forbid", strict=True)
    outcome: Told


async def offered(state: WebchatState, visitor_id: str | None, language: str) -> OfferedOut:
    """What a page gets.

    Args:
        state: Of the web chat.
        visitor_id: Who looks; None for somebody without a session.
        language: Of the page.
    """

    def look() -> OfferedOut:
        with state.store.changes.reading() as session:
            visitor = session.get(Visitor, visitor_id) if visitor_id is not None else None
            return _shown(state.invitations.offered(session, visitor, language))

    return await asyncio.to_thread(look)


@router.get("")
async def read_invitations(
    visitor: VisitorId, state: State, language: Annotated[Language, Query(description="Of the page.")] = "en"
) -> OfferedOut:
    """The invitations of a visitor's page, as the configuration has them: for after the visitor was identified."""
    return await offered(state, visitor, language)


@router.post("/{invitation_id}/outcome", status_code=204, responses=_TOO_LARGE)
async def post_outcome(
    invitation_id: Annotated[
        str, Path(pattern="^([0-9a-f]{32}|page)$", description="Of it; `page`: the website's own script opened it.")
    ],
    visitor: VisitorId,
    body: NewOutcome,
    state: State,
) -> None:
    """Say what became of an invitation. It is kept for identified customers, so that limits hold on all devices."""

    def keep() -> None:
        with state.store.changes.transaction() as session:
            state.invitations.tell(session, session.get_one(Visitor, visitor), invitation_id, body.outcome)

    await asyncio.to_thread(keep)


def _shown(found: Offered) -> OfferedOut:
    return OfferedOut(
        invitations=[
            OfferOut(
                id=offer.id,
                text=offer.text,
                html=to_html(offer.text),
                language=offer.language,
                pages=list(offer.pages),
                after=offer.after,
                every_days=offer.every_days,
                most=offer.most,
                returning=offer.returning,
            )
            for offer in found.offers
        ],
        invitation_limits=InvitationLimits(
            pause_hours=found.limits.pause_hours,
            not_now_days=found.limits.not_now_days,
            quiet_until=found.quiet_until,
        ),
    )
