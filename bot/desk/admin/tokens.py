"""Tokens of other systems: made with scopes, shown once, taken back."""

from __future__ import annotations

import datetime as dt
from typing import Any

from fastapi import Request, Response

from bot.conversation.models import now
from bot.desk.admin.shared import Problems
from bot.desk.pages import Form, Me, State, desk_router, needs, page, redirect, text, texts, words_of
from bot.errors import InvalidInput
from bot.handoff.queues import QUEUES
from bot.people import tokens
from bot.people.roles import PERMISSIONS

DAYS = ("30", "90", "365", "never")

router = desk_router()
MANAGE = [needs("tokens:manage")]


@router.get("/tokens", dependencies=MANAGE)
def list_all(request: Request, state: State) -> Response:
    """All tokens."""
    with state.changes.transaction() as session:
        found = sorted(tokens.list_tokens(session), key=lambda token: token.revoked_at is not None)
    return page(request, "admin/tokens.html", tokens=found, now=now(), done=request.query_params.get("done", ""))


def _form(request: Request, values: dict[str, Any], problems: Problems, status: int = 200) -> Response:
    return page(
        request,
        "admin/token.html",
        status,
        values=values,
        problems=problems,
        scopes=PERMISSIONS,
        queues=QUEUES,
        days=DAYS,
    )


@router.get("/tokens/new", dependencies=MANAGE)
def new(request: Request) -> Response:
    """The form for a new one."""
    return _form(request, {"name": "", "scopes": [], "queues": [], "days": "365"}, Problems())


@router.post("/tokens", dependencies=MANAGE)
def create(request: Request, me: Me, state: State, form: Form) -> Response:
    """Make one; it is shown this once."""
    values: dict[str, Any] = {
        "name": text(form, "name"),
        "scopes": texts(form, "scopes"),
        "queues": texts(form, "queues"),
        "days": text(form, "days"),
    }
    rules = words_of(request).rules
    problems = Problems(
        **({} if 1 <= len(values["name"]) <= tokens.LONGEST_NAME else {"name": rules.name}),
        **({} if values["scopes"] else {"scopes": rules.no_scope}),
        **({} if values["days"] in DAYS else {"days": rules.days}),
    )
    if problems:
        return _form(request, values, problems, 422)
    expires = None if values["days"] == "never" else now() + dt.timedelta(days=int(values["days"]))
    try:
        with state.changes.transaction() as session:
            made, value = tokens.create_token(
                session, me.principal, values["name"], values["scopes"], values["queues"] or None, expires
            )
    except InvalidInput as error:
        return _form(request, values, Problems({"": str(error)}), 422)
    return page(request, "admin/secret.html", 201, kind="token", name=made.name, secret=value, back="/desk/tokens")


@router.post("/tokens/{id}/revoke", dependencies=MANAGE)
def revoke(request: Request, me: Me, state: State, id: str, form: Form) -> Response:
    """Take one back."""
    with state.changes.transaction() as session:
        tokens.revoke_token(session, me.principal, id)
    return redirect(request, "/desk/tokens", done="revoked")
