"""Deliveries to webhooks: what waits, what came through, what was given up and why."""

from __future__ import annotations

from fastapi import Request, Response

from bot.desk.pages import Form, Me, State, desk_router, needs, page, redirect, text
from bot.outbox import deliveries, webhooks

PAGE = 50

router = desk_router()
MANAGE = [needs("deliveries:manage")]


@router.get("/deliveries", dependencies=MANAGE)
def list_some(request: Request, state: State, show: str = "", webhook: str = "", before: str = "") -> Response:
    """A page of deliveries, newest first; of a state and webhook if named."""
    shown = show if show in deliveries.STATES else ""
    with state.changes.transaction() as session:
        hooks = {one.id: one for one in webhooks.list_webhooks(session)}
        chosen = webhook if webhook in hooks else ""
        counts = deliveries.counts(session, chosen or None)
        found = deliveries.list_deliveries(session, shown or None, chosen or None, before or None, PAGE + 1)
    return page(
        request,
        "admin/deliveries.html",
        deliveries=found[:PAGE],
        more=found[PAGE - 1].id if len(found) > PAGE else "",
        counts=counts,
        webhooks=hooks,
        show=shown,
        webhook=chosen,
        before=before,
        states=deliveries.STATES,
        done=request.query_params.get("done", ""),
    )


@router.post("/deliveries/retry", dependencies=MANAGE)
def retry_all(request: Request, me: Me, state: State, form: Form) -> Response:
    """Begin again with all of a webhook's that were given up."""
    webhook = text(form, "webhook")
    with state.changes.transaction() as session:
        deliveries.retry_dead(session, me.principal, webhook)
    return redirect(request, "/desk/deliveries", webhook=webhook, done="retried")


@router.post("/deliveries/{id}/retry", dependencies=MANAGE)
def retry(request: Request, me: Me, state: State, id: str, form: Form) -> Response:
    """Begin again with one that was given up."""
    with state.changes.transaction() as session:
        deliveries.retry(session, me.principal, id)
    return redirect(request, "/desk/deliveries", done="retried")
