"""Webhooks: where events go, under which secret, paused or not."""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response

from bot.desk.admin.shared import Problems
from bot.desk.desk_state import DeskState
from bot.desk.pages import Form, Me, State, desk_router, needs, page, redirect, text, texts, words_of
from bot.errors import ConversationError, InvalidInput, NotFound
from bot.outbox import deliveries, webhooks
from bot.outbox.models import Webhook

router = desk_router()
MANAGE = [needs("webhooks:manage")]


@router.get("/webhooks", dependencies=MANAGE)
def list_all(request: Request, state: State) -> Response:
    """All webhooks, with how their deliveries stand."""
    with state.changes.transaction() as session:
        found = [(one, deliveries.counts(session, one.id)) for one in webhooks.list_webhooks(session)]
    return page(request, "admin/webhooks.html", webhooks=found, done=request.query_params.get("done", ""))


def _form(
    request: Request, values: dict[str, Any], problems: Problems, status: int = 200, webhook: Webhook | None = None
) -> Response:
    return page(
        request,
        "admin/webhook.html",
        status,
        webhook=webhook,
        values=values,
        problems=problems,
        groups=webhooks.GROUPS[1:],
        events=webhooks.EVENTS,
        done=request.query_params.get("done", ""),
    )


def _posted(form: Form) -> dict[str, Any]:
    chosen = texts(form, "events")
    return {
        "url": text(form, "url"),
        "description": text(form, "description"),
        "events": ["*"] if "*" in chosen else chosen,
    }


def _problems(request: Request, state: DeskState, values: dict[str, Any]) -> Problems:
    """What is wrong by field."""
    rules = words_of(request).rules
    found = Problems()
    try:
        webhooks.checked_url(values["url"], state.settings["outbox.allow_private"])
    except InvalidInput as error:
        found["url"] = f"{rules.url} ({error.message})"
    if not values["events"]:
        found["events"] = rules.no_event
    if len(values["description"]) > 200:
        found["description"] = rules.description
    return found


@router.get("/webhooks/new", dependencies=MANAGE)
def new(request: Request) -> Response:
    """The form for a new one."""
    return _form(request, {"url": "", "description": "", "events": ["*"]}, Problems())


@router.post("/webhooks", dependencies=MANAGE)
def create(request: Request, me: Me, state: State, form: Form) -> Response:
    """Make one; its secret is shown this once."""
    values = _posted(form)
    if problems := _problems(request, state, values):
        return _form(request, values, problems, 422)
    try:
        with state.changes.transaction() as session:
            made, secret = webhooks.create(
                session, me.principal, **values, allow_private=state.settings["outbox.allow_private"]
            )
    except ConversationError as error:
        return _form(request, values, Problems({"": str(error)}), error.status)
    return page(request, "admin/secret.html", 201, kind="webhook", name=made.url, secret=secret, back="/desk/webhooks")


@router.get("/webhooks/{id}", dependencies=MANAGE)
def show(request: Request, state: State, id: str) -> Response:
    """The form of one."""
    with state.changes.transaction() as session:
        found = webhooks.read(session, id)
    values = {"url": found.url, "description": found.description, "events": found.events}
    return _form(request, values, Problems(), webhook=found)


@router.post("/webhooks/{id}", dependencies=MANAGE)
def change(request: Request, me: Me, state: State, id: str, form: Form) -> Response:
    """Change one."""
    values = _posted(form)
    problems = _problems(request, state, values)
    with state.changes.transaction() as session:
        found = webhooks.read(session, id)
        if not problems:
            private = state.settings["outbox.allow_private"]
            webhooks.change(session, me.principal, id, **values, allow_private=private)
    if problems:
        return _form(request, values, problems, 422, found)
    return redirect(request, "/desk/webhooks", done="changed")


@router.post("/webhooks/{id}/{action}", dependencies=MANAGE)
def act(request: Request, me: Me, state: State, id: str, action: str, form: Form) -> Response:
    """Pause one, go on with it, send it a test, or delete it; `rotate` gives it another secret, shown this once."""
    with state.changes.transaction() as session:
        if action == "rotate":
            made, secret = webhooks.rotate(session, me.principal, id)
        elif action == "test":
            webhooks.test(session, me.principal, id)
        elif action == "delete":
            webhooks.delete(session, me.principal, id)
        else:
            webhooks.change(session, me.principal, id, active=_activity(action))
    if action == "rotate":
        return page(
            request, "admin/secret.html", kind="webhook_rotated", name=made.url, secret=secret, back="/desk/webhooks"
        )
    if action == "test":
        return redirect(request, "/desk/deliveries", webhook=id)
    return redirect(request, "/desk/webhooks", done={"delete": "deleted", "pause": "paused"}.get(action, "resumed"))


def _activity(action: str) -> bool:
    if action not in ("pause", "resume"):
        raise NotFound("There is no such action.")
    return action == "resume"
