"""The commands for webhooks and deliveries."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

from bot.console import err, escape, out
from bot.handoff.cli import database
from bot.settings import load_settings

webhooks = typer.Typer(name="webhooks", help="Other systems that are told what happens.", no_args_is_help=True)
deliveries = typer.Typer(name="deliveries", help="What is sent to webhooks.", no_args_is_help=True)

By = Annotated[str, typer.Option(help="Who does it, for the audit log.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
WebhookId = Annotated[str, typer.Argument(metavar="WEBHOOK", help="Its id, as `refill webhooks list` shows it.")]


@webhooks.command(name="list")
def list_webhooks(as_json: AsJson = False) -> None:
    """List the webhooks with what they want and how many deliveries they have."""
    from sqlalchemy.orm import Session

    from bot.outbox.deliveries import counts
    from bot.outbox.webhooks import list_webhooks

    with database(load_settings()) as engine, Session(engine) as session:
        rows: list[dict[str, Any]] = [
            {
                "id": webhook.id,
                "url": webhook.url,
                "events": webhook.events,
                "description": webhook.description,
                "active": webhook.active,
                "paused_reason": webhook.paused_reason,
                "deliveries": counts(session, webhook.id),
            }
            for webhook in list_webhooks(session)
        ]
    if as_json:
        _print(rows)
        return
    if not rows:
        out.print("There are no webhooks. `refill webhooks add` makes one.")
        return
    for row in rows:
        state = "active" if row["active"] else f"paused. {row['paused_reason'] or ''}".rstrip()
        numbers = ", ".join(f"{count} {name}" for name, count in row["deliveries"].items())
        out.print(f"[bold]{row['id']}[/]  {state}  {escape(row['description'])}".rstrip())
        out.print(f"  {escape(row['url'])}")
        out.print(f"  wants {' '.join(row['events'])}; deliveries: {numbers}")


@webhooks.command()
def add(
    url: Annotated[str, typer.Argument(help="Where events are posted to: https://…")],
    event: Annotated[
        list[str] | None, typer.Option(help="Name or group of events, as case.opened or case.*; may be repeated.")
    ] = None,
    description: Annotated[str, typer.Option(help="For people.")] = "",
    by: By = "operator",
) -> None:
    """Make a webhook, for all events if none is named. Prints the secret of its signatures, this once."""
    from sqlalchemy.orm import Session

    from bot.outbox.webhooks import create
    from bot.people.roles import operator

    settings = load_settings()
    with database(settings) as engine, Session(engine) as session, session.begin():
        allow_private = settings["outbox.allow_private"]
        webhook, secret = create(session, operator(by), url, event or ["*"], description, allow_private)
        identifier = webhook.id
    err.print(f"[green]✓[/] Webhook {identifier}. Its secret is shown only now:")
    sys.stdout.write(f"{secret}\n")


@webhooks.command()
def remove(webhook: WebhookId, by: By = "operator") -> None:
    """Delete a webhook with all its deliveries."""
    from sqlalchemy.orm import Session

    from bot.outbox.webhooks import delete
    from bot.people.roles import operator

    with database(load_settings()) as engine, Session(engine) as session, session.begin():
        delete(session, operator(by), webhook)
    out.print(f"Webhook {webhook} is deleted.")


@webhooks.command()
def rotate(webhook: WebhookId, by: By = "operator") -> None:
    """Give a webhook another secret and print it, this once; the old one signs too for 24 hours."""
    from sqlalchemy.orm import Session

    from bot.outbox.webhooks import rotate
    from bot.people.roles import operator

    with database(load_settings()) as engine, Session(engine) as session, session.begin():
        _, secret = rotate(session, operator(by), webhook)
    err.print(f"[green]✓[/] Webhook {webhook} has another secret, shown only now:")
    sys.stdout.write(f"{secret}\n")


@webhooks.command(name="test")
def send_test(webhook: WebhookId, by: By = "operator") -> None:
    """Put a delivery of the type ping into the outbox; the running server sends it."""
    from sqlalchemy.orm import Session

    from bot.outbox.webhooks import test
    from bot.people.roles import operator

    with database(load_settings()) as engine, Session(engine) as session, session.begin():
        delivery = test(session, operator(by), webhook).id
    out.print(f"Delivery {delivery} is on its way; `refill deliveries list` tells what became of it.")


@deliveries.command(name="list")
def list_deliveries(
    state: Annotated[str, typer.Option(help="Only these: pending, delivered or dead.")] = "",
    webhook: Annotated[str, typer.Option(help="Only those of the webhook with this id.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="So many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List deliveries, newest first, with what became of them."""
    from sqlalchemy.orm import Session

    from bot.outbox.deliveries import list_deliveries

    with database(load_settings()) as engine, Session(engine) as session:
        rows: list[dict[str, Any]] = [
            {
                "id": delivery.id,
                "webhook": delivery.webhook_id,
                "event": delivery.event,
                "state": delivery.state,
                "attempts": delivery.attempts,
                "last_error": delivery.last_error,
                "created_at": delivery.created_at.isoformat(timespec="seconds"),
            }
            for delivery in list_deliveries(session, state or None, webhook or None, limit=limit)
        ]
    if as_json:
        _print(rows)
        return
    if not rows:
        out.print("There are no such deliveries.")
        return
    for row in rows:
        tries = "1 try" if row["attempts"] == 1 else f"{row['attempts']} tries"
        out.print(f"{row['id']}  {row['state']:9}  {row['event']}  {tries}  {row['created_at']}")
        if row["last_error"]:
            out.print(f"  {escape(row['last_error'])}")


@deliveries.command()
def retry(
    delivery: Annotated[str, typer.Argument(help="Its id; leave it out with --webhook.")] = "",
    webhook: Annotated[str, typer.Option(help="All dead deliveries of the webhook with this id.")] = "",
    by: By = "operator",
) -> None:
    """Begin again with a dead delivery, or with all dead ones of a webhook."""
    from sqlalchemy.orm import Session

    from bot.errors import InvalidInput
    from bot.outbox import deliveries
    from bot.people.roles import operator

    if bool(delivery) == bool(webhook):
        raise InvalidInput("Name either a delivery or, with --webhook, all dead ones of a webhook.")
    with database(load_settings()) as engine, Session(engine) as session, session.begin():
        if delivery:
            deliveries.retry(session, operator(by), delivery)
            count = 1
        else:
            count = deliveries.retry_dead(session, operator(by), webhook)
    out.print(f"{count} {'delivery begins' if count == 1 else 'deliveries begin'} again.")


def _print(rows: object) -> None:
    sys.stdout.write(json.dumps(rows, ensure_ascii=False, indent=2) + "\n")
