"""The HTTP API of the team: agents' tools and other systems read tags, correct them, and send signals."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response
from sqlalchemy.orm import Session

from bot.conversation import corrections
from bot.conversation.models import Conversation
from bot.conversation.tags import conversation_tags
from bot.desk.bodies import (
    AccountChange,
    AccountOut,
    ConversationTagsOut,
    CorrectionOut,
    EvidenceOut,
    LinkOut,
    MeasuredOut,
    MeasuredTags,
    NewCorrection,
    NewLink,
    NewReport,
    ReportOut,
    SignalOut,
    Signals,
)
from bot.desk.state import TeamState, authorised, state_of
from bot.errors import ErrorBody, NotFound
from bot.success import accounts
from bot.success.models import Account
from bot.success.reports import Report, take_report
from bot.success.signals import PLACE_PATTERN, list_signals, signal_json, stage_of_account

Responses = dict[int | str, dict[str, Any]]


def _error(status: int, description: str) -> Responses:
    return {status: {"model": ErrorBody, "description": description}}


_INVALID = _error(422, "What was sent breaks a rule; nothing was stored.")
_TOO_LARGE = _error(413, "The request is too large.")
_NO_CONVERSATION = _error(404, "No such conversation.")
_NO_ACCOUNT = _error(404, "No such account.")

router = APIRouter(
    prefix="/api/v1",
    tags=["team"],
    dependencies=[Depends(authorised)],
    responses={**_error(401, "The key is missing or wrong."), **_error(403, "No key is set: the API is closed.")},
)

State = Annotated[TeamState, Depends(state_of)]
ConversationId = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]
AccountId = Annotated[str, Path(pattern=accounts.ACCOUNT_PATTERN)]


@router.get("/conversations/{conversation_id}/tags", responses={**_NO_CONVERSATION, **_INVALID})
def read_tags(conversation_id: ConversationId, state: State) -> ConversationTagsOut:
    """What a conversation carries: its kind, and every topic and signal with the words that show it."""
    with state.transaction() as session:
        if session.get(Conversation, conversation_id) is None:
            raise NotFound("There is no such conversation.", "Its id has 32 letters and digits.")
        found = conversation_tags(session, conversation_id, state.half_life).to_json()
    for tag in (*found["topics"], *found["signals"]):
        for evidence in tag["evidence"]:
            evidence["model"] = evidence["model"] or None
    return ConversationTagsOut(conversation_id=conversation_id, **found)


@router.post(
    "/conversations/{conversation_id}/corrections",
    status_code=201,
    responses={
        200: {"description": "The same was said before; nothing changed."},
        **_error(404, "No such conversation or message."),
        **_TOO_LARGE,
        **_INVALID,
    },
)
def post_correction(
    conversation_id: ConversationId, body: NewCorrection, state: State, response: Response
) -> CorrectionOut:
    """Confirm, reject or add a tag of a message, or withdraw what was said of it. All of it is kept."""
    with state.transaction() as session:
        made = corrections.correct(session, conversation_id, body.number, body.name, body.verdict, body.by, body.quote)
    response.status_code = 201 if made.new else 200
    tag = made.tag and EvidenceOut(**{**asdict(made.tag), "model": made.tag.model or None})
    return CorrectionOut(
        conversation_id=conversation_id,
        number=made.number,
        name=body.name,
        verdict=made.verdict,
        by=made.by,
        created_at=made.created_at,
        tag=tag,
    )


@router.get("/tags")
def read_precision(state: State) -> MeasuredTags:
    """How often the model was right with each tag, measured by what people confirmed, rejected and added."""
    with state.transaction() as session:
        return MeasuredTags(tags=[MeasuredOut(**asdict(tag)) for tag in corrections.precision(session)])


@router.put("/conversations/{conversation_id}/account", responses={**_NO_CONVERSATION, **_TOO_LARGE, **_INVALID})
def put_conversation_account(conversation_id: ConversationId, body: NewLink, state: State) -> LinkOut:
    """Say which account a conversation belongs to; its signals are the account's from now on."""
    with state.transaction() as session:
        accounts.link_conversation(session, conversation_id, body.account)
    return LinkOut(conversation_id=conversation_id, account=body.account)


@router.get("/accounts/{account}", responses={**_NO_ACCOUNT, **_INVALID})
def read_account(account: AccountId, state: State) -> AccountOut:
    """An account with the stage it is in."""
    with state.transaction() as session:
        return _shown(session, accounts.find_account(session, account), state.half_life)


@router.put("/accounts/{account}", responses={**_TOO_LARGE, **_INVALID})
def put_account(account: AccountId, body: AccountChange, state: State) -> AccountOut:
    """Give an account another name or stage; it is made if there is none."""
    with state.transaction() as session:
        changed = accounts.change_account(session, account, body.model_dump(exclude_unset=True))
        return _shown(session, changed, state.half_life)


@router.get("/accounts/{account}/signals", responses={**_NO_ACCOUNT, **_INVALID})
def read_signals(
    account: AccountId,
    state: State,
    after: Annotated[
        str | None, Query(pattern=PLACE_PATTERN, description="`next` of the page before; none for the newest.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="So many at most.")] = 50,
) -> Signals:
    """An account's signals, newest first: from its conversations, from employees, from other systems."""
    with state.transaction() as session:
        found = list_signals(session, account, after, limit + 1)
    page = found[:limit]
    return Signals(
        signals=[SignalOut(**signal_json(signal)) for signal in page],
        next=page[-1].place if len(found) > limit else None,
    )


@router.post(
    "/signals",
    status_code=201,
    responses={
        200: {"description": "The same was reported before; nothing changed."},
        **_error(409, "The source used the id for another report."),
        **_TOO_LARGE,
        **_INVALID,
        **_error(503, "The text cannot be tagged at the moment; nothing was stored."),
    },
)
def post_signal(body: NewReport, state: State, response: Response) -> ReportOut:
    """Report a signal by its name, or a text in which signals are heard. They land on the account with their source."""
    with state.transaction() as session:
        landed = take_report(session, Report(**body.model_dump()), state.tag, state.max_length)
    response.status_code = 201 if landed.new else 200
    return ReportOut(
        id=body.id,
        account=body.account,
        source=body.source,
        landed=len(landed.signals),
        signals=[SignalOut(**signal_json(signal)) for signal in landed.signals],
    )


def _shown(session: Session, account: Account, half_life: float) -> AccountOut:
    stage, stage_from = stage_of_account(session, account, half_life)
    return AccountOut(account=account.id, name=account.name, stage=stage, stage_from=stage_from)
