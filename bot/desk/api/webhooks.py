"""Webhooks, and the deliveries to them."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Response

from bot.desk.api.routes import INVALID, TOO_LARGE, By, Id, Limit, State, error, team_router
from bot.desk.bodies.webhooks import (
    Counts,
    DeliveriesOut,
    DeliveryOut,
    NewWebhook,
    Retried,
    WebhookChange,
    WebhookOut,
    WebhookSecret,
    WebhooksOut,
)
from bot.desk.state import allowed
from bot.outbox import deliveries, webhooks
from bot.outbox.deliveries import State as DeliveryState
from bot.outbox.models import Outgoing, Webhook

router = team_router()

_MANAGE = allowed("webhooks:manage", all_queues=True)
_RETRY = allowed("deliveries:manage", all_queues=True)
_NO_WEBHOOK = error(404, "No such webhook.")
_NO_DELIVERY = error(404, "No such delivery.")
AnyId = Annotated[str | None, Query(pattern="^[0-9a-f]{32}$")]


@router.get("/webhooks", **_MANAGE)
def read_webhooks(state: State) -> WebhooksOut:
    """All webhooks."""
    with state.transaction() as session:
        return WebhooksOut(webhooks=[_webhook(one) for one in webhooks.list_webhooks(session)])


@router.post(
    "/webhooks",
    status_code=201,
    **_MANAGE,
    responses={**error(409, "There are as many as there may be."), **TOO_LARGE, **INVALID},
)
def create_webhook(body: NewWebhook, state: State, by: By) -> WebhookSecret:
    """Make a webhook; its secret is told once."""
    with state.transaction() as session:
        made, secret = webhooks.create(session, by, body.url, body.events, body.description, state.allow_private)
        return WebhookSecret(webhook=_webhook(made), secret=secret)


@router.get("/webhooks/{id}", **_MANAGE, responses={**_NO_WEBHOOK, **INVALID})
def read_webhook(id: Id, state: State) -> WebhookOut:
    """One webhook."""
    with state.transaction() as session:
        return _webhook(webhooks.read(session, id))


@router.patch("/webhooks/{id}", **_MANAGE, responses={**_NO_WEBHOOK, **TOO_LARGE, **INVALID})
def change_webhook(id: Id, body: WebhookChange, state: State, by: By) -> WebhookOut:
    """Change a webhook, pause it, or let it go on."""
    with state.transaction() as session:
        changed = webhooks.change(session, by, id, **body.model_dump(), allow_private=state.allow_private)
        return _webhook(changed)


@router.delete("/webhooks/{id}", status_code=204, **_MANAGE, responses={**_NO_WEBHOOK, **INVALID})
def delete_webhook(id: Id, state: State, by: By) -> Response:
    """Delete a webhook, with all its deliveries."""
    with state.transaction() as session:
        webhooks.delete(session, by, id)
    return Response(status_code=204)


@router.post("/webhooks/{id}/rotate", **_MANAGE, responses={**_NO_WEBHOOK, **INVALID})
def rotate_secret(id: Id, state: State, by: By) -> WebhookSecret:
    """Give a webhook another secret, told once; for a day the one before signs too."""
    with state.transaction() as session:
        changed, secret = webhooks.rotate(session, by, id)
        return WebhookSecret(webhook=_webhook(changed), secret=secret)


@router.post(
    "/webhooks/{id}/test",
    status_code=202,
    **_MANAGE,
    responses={**_NO_WEBHOOK, **error(409, "The webhook is paused."), **INVALID},
)
def test_webhook(id: Id, state: State, by: By) -> DeliveryOut:
    """Send a webhook a `ping`."""
    with state.transaction() as session:
        made = webhooks.test(session, by, id)
        session.flush()
        return _delivery(made)


@router.post("/webhooks/{id}/retry", **_RETRY, responses={**_NO_WEBHOOK, **INVALID})
def retry_dead(id: Id, state: State, by: By) -> Retried:
    """Begin again with all deliveries of a webhook that were given up."""
    with state.transaction() as session:
        return Retried(retried=deliveries.retry_dead(session, by, id))


@router.get(
    "/deliveries",
    **_RETRY,
    responses={**error(404, "There is no delivery `before`."), **INVALID},
)
def read_deliveries(
    state: State,
    only: Annotated[DeliveryState | None, Query(alias="state", description="Only those in it.")] = None,
    webhook: AnyId = None,
    before: AnyId = None,
    limit: Limit = 50,
) -> DeliveriesOut:
    """What was sent to webhooks, waits, or was given up. What is sent is not shown here."""
    with state.transaction() as session:
        found = deliveries.list_deliveries(session, only, webhook, before, limit + 1)
        page = found[:limit]
        counts = deliveries.counts(session, webhook)
        return DeliveriesOut(
            deliveries=[_delivery(one) for one in page],
            counts=Counts(**counts),
            next=page[-1].id if len(found) > limit else None,
        )


@router.post(
    "/deliveries/{id}/retry",
    **_RETRY,
    responses={**_NO_DELIVERY, **error(409, "It was not given up."), **INVALID},
)
def retry_delivery(id: Id, state: State, by: By) -> DeliveryOut:
    """Begin again with a delivery that was given up, under the same id."""
    with state.transaction() as session:
        return _delivery(deliveries.retry(session, by, id))


def _webhook(webhook: Webhook) -> WebhookOut:
    return WebhookOut.model_validate(webhook, from_attributes=True)


def _delivery(outgoing: Outgoing) -> DeliveryOut:
    return DeliveryOut.model_validate(outgoing, from_attributes=True)
