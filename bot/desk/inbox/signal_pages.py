"""The list of success managers: signals with the customers' words, and what to do with them."""

from __future__ import annotations

import re
import secrets
from typing import Annotated, Any

from fastapi import Path, Request, Response
from sqlalchemy.orm import Session

from bot.desk.desk_state import DeskState
from bot.desk.inbox import feed, signals
from bot.desk.pages import Form, Me, SignedIn, State, desk_router, needs, page, text, wants_fragment, words_of
from bot.errors import InvalidInput
from bot.people import audit
from bot.success.accounts import ACCOUNT_PATTERN, change_account
from bot.tagging.tags import SIGNALS, STAGES

router = desk_router()
_READ = [needs("signals:read")]


@router.get("/signals", dependencies=_READ)
def signal_list(request: Request, me: Me, state: State) -> Response:
    """Signals by state, name and account; with scripts, the list alone."""
    with state.changes.reading() as session:
        values = _values(session, request, me, state)
    part = wants_fragment(request) and "list" in request.query_params
    return page(request, "inbox/signal_list.html" if part else "inbox/signals.html", **values)


@router.post("/accounts/{account}/stage", dependencies=[needs("accounts:write")])
def set_stage(
    request: Request, account: Annotated[str, Path(pattern=ACCOUNT_PATTERN)], me: Me, state: State, form: Form
) -> Response:
    """Say in which stage of its life an account is; empty leaves it to the signals."""
    stage = text(form, "stage")
    if stage and stage not in STAGES:
        raise InvalidInput(words_of(request).signals.no_stage)
    with state.changes.transaction() as session:
        change_account(session, account, {"stage": stage or None})
        audit.note(session, me.principal, "account.change", f"account:{account}", {"stage": stage or None})
    return Response(status_code=303, headers={"location": f"/desk/signals?account={account}"})


def _values(session: Session, request: Request, me: SignedIn, state: DeskState) -> dict[str, Any]:
    asked = signals.wanted(request.query_params)
    panel = None
    if asked.account and re.fullmatch(ACCOUNT_PATTERN, asked.account):
        panel = signals.account_panel(session, asked.account, state.settings["tagging.half_life"])
    return {
        "asked": asked,
        "found": signals.find(session, me.principal, asked),
        "counted": signals.open_count(session, me.principal),
        "states": signals.STATES,
        "names": SIGNALS,
        "stages": STAGES,
        "panel": panel,
        "may_work": me.principal.may("signals:write"),
        "may_set": me.principal.may("accounts:write"),
        "last_event_id": feed.newest(session),
        "note_id": secrets.token_hex(16),
    }
