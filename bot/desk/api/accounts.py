"""Accounts and the signals on them."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Response
from sqlalchemy.orm import Session

from bot.conversation import events
from bot.desk.api.routes import (
    INVALID,
    NO_ACCOUNT,
    NO_CONVERSATION,
    TOO_LARGE,
    AccountId,
    By,
    ConversationId,
    Limit,
    State,
    error,
    team_router,
)
from bot.desk.bodies.accounts import (
    AccountChange,
    AccountOut,
    LinkOut,
    NewLink,
    NewReport,
    ReportOut,
    SignalOut,
    Signals,
)
from bot.desk.state import allowed
from bot.handoff import access
from bot.people import audit
from bot.success import accounts
from bot.success.models import Account
from bot.success.reports import Report, take_report
from bot.success.signals import PLACE_PATTERN, list_signals, signal_json, stage_of_account

router = team_router()


@router.put(
    "/conversations/{conversation_id}/account",
    **allowed("accounts:write"),
    responses={**NO_CONVERSATION, **TOO_LARGE, **INVALID},
)
def put_conversation_account(conversation_id: ConversationId, body: NewLink, state: State, by: By) -> LinkOut:
    """Say which account a conversation belongs to; its signals are the account's from now on."""
    with state.transaction() as session:
        access.see_conversation(session, conversation_id, by)
        conversation = events.locked(session, conversation_id)
        before = conversation.account_id
        accounts.link_conversation(session, conversation_id, body.account)
        if before != body.account:
            data = {"account": body.account, "before": before}
            events.append(session, conversation, "account", data, by.label)
            audit.note(session, by, "conversation.link", f"conversation:{conversation_id}", data)
    return LinkOut(conversation_id=conversation_id, account=body.account)


@router.get("/accounts/{account}", **allowed("accounts:read"), responses={**NO_ACCOUNT, **INVALID})
def read_account(account: AccountId, state: State) -> AccountOut:
    """An account with the stage it is in."""
    with state.transaction() as session:
        return _shown(session, accounts.find_account(session, account), state.half_life)


@router.put("/accounts/{account}", **allowed("accounts:write"), responses={**TOO_LARGE, **INVALID})
def put_account(account: AccountId, body: AccountChange, state: State, by: By) -> AccountOut:
    """Give an account another name or stage; it is made if there is none."""
    with state.transaction() as session:
        changes = body.model_dump(exclude_unset=True)
        changed = accounts.change_account(session, account, changes)
        audit.note(session, by, "account.change", f"account:{account}", changes)
        return _shown(session, changed, state.half_life)


@router.get("/accounts/{account}/signals", **allowed("signals:read"), responses={**NO_ACCOUNT, **INVALID})
def read_signals(
    account: AccountId,
    state: State,
    after: Annotated[
        str | None, Query(pattern=PLACE_PATTERN, description="`next` of the page before; none for the newest.")
    ] = None,
    limit: Limit = 50,
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
    **allowed("signals:write"),
    responses={
        200: {"description": "The same was reported before; nothing changed."},
        **error(409, "The source used the id for another report."),
        **TOO_LARGE,
        **INVALID,
        **error(503, "The text cannot be tagged at the moment; nothing was stored."),
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
