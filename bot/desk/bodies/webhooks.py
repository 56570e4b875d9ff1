"""Webhooks and what was sent to them."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from pydantic import BaseModel, Field

from bot.desk.bodies.fields import Given
from bot.outbox.deliveries import State as DeliveryState

Url = Annotated[str, Field(min_length=1, max_length=1000, description="https; events are posted to it.")]
EventNames = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=40)]],
    Field(min_length=1, max_length=50, description="Names or groups of events, as `case.opened`, `case.*`, `*`."),
]
Description = Annotated[str, Field(max_length=200)]


class WebhookOut(BaseModel):
    """Where events are sent."""

    id: str
    url: str
    events: list[str]
    description: str
    active: bool = Field(description="Whether it gets anything.")
    paused_reason: str | None = Field(description="Why Refill paused it by itself.")
    created_by: str
    created_at: dt.datetime


class WebhooksOut(BaseModel):
    """All webhooks, oldest first."""

    webhooks: list[WebhookOut]


class NewWebhook(Given):
    """A webhook to make."""

    url: Url
    events: EventNames
    description: Description = ""


class WebhookChange(Given):
    """What changes of a webhook; a key that is left out stays as it is."""

    url: Url | None = None
    events: EventNames | None = None
    description: Description | None = None
    active: bool | None = None


class WebhookSecret(BaseModel):
    """A webhook and the secret of its signatures; it is shown once."""

    webhook: WebhookOut
    secret: str


class DeliveryOut(BaseModel):
    """One thing to be delivered."""

    id: str = Field(description="The same over all tries; the receiver gets it too.")
    webhook_id: str
    event: str
    conversation_id: str | None
    state: DeliveryState = Field(description="`dead` ones were given up; retry them.")
    attempts: int
    last_status: int | None = Field(description="HTTP status of the last answer.")
    last_error: str | None
    created_at: dt.datetime
    finished_at: dt.datetime | None


class Counts(BaseModel):
    """How many deliveries there are in each state."""

    pending: int
    delivered: int
    dead: int


class DeliveriesOut(BaseModel):
    """Deliveries, newest first."""

    deliveries: list[DeliveryOut]
    counts: Counts
    next: str | None = Field(description="Give it as `before` for those that follow; null at the end.")


class Retried(BaseModel):
    """How many deliveries begin again."""

    retried: int
