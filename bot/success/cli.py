"""The commands about what is heard of customers: an account's signals, corrections of tags, measured precision."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from bot.console import escape, out
from bot.errors import RefillError
from bot.handoff.cli import database
from bot.settings import load_settings

if TYPE_CHECKING:
    from bot.conversation.corrections import Measured

_MOST = 1000


def signals(
    account: Annotated[str, typer.Argument(help="Id of the account.")],
    limit: Annotated[int, typer.Option(help="Show so many at most.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List an account's signals, newest first, with the words that carry them and where they come from."""
    from sqlalchemy.orm import Session

    from bot.success.signals import list_signals, signal_json

    if not 1 <= limit <= _MOST:
        raise RefillError(f"--limit must be from 1 to {_MOST}. Currently, it is {limit}.")
    with database(load_settings()) as engine, Session(engine) as session:
        rows = [signal_json(signal) for signal in list_signals(session, account, limit=limit)]
    if as_json:
        _print_json(rows)
    elif not rows:
        out.print(
            "No signals on this account. They come from conversations linked to it "
            "(PUT /api/v1/conversations/…/account) and from POST /api/v1/signals; see docs/tagging.md."
        )
    else:
        for row in rows:
            _show_signal(row)


def _show_signal(row: dict[str, Any]) -> None:
    when = row["occurred_at"][:16].replace("T", " ")
    quote = " ".join(row["quote"].split())
    said = f"  “{escape(quote)}”" if quote else ""
    origin = [f"source {row['source']}"]
    if row["by"]:
        origin.append(f"by {escape(row['by'])}")
    if row["conversation_id"]:
        origin.append(f"message {row['number']} of {row['conversation_id']}")
    out.print(f"{when}  [bold]{row['name']:16}[/] {row['probability']:.2f}{said}")
    out.print(f"[dim]  {', '.join(origin)}[/]")


def correct(
    conversation: Annotated[str, typer.Argument(help="Id of the conversation.")],
    number: Annotated[int, typer.Argument(help="Of the message; a customer's or an employee's.")],
    name: Annotated[str, typer.Argument(help="Of the topic or signal.")],
    verdict: Annotated[str, typer.Argument(help="confirm, reject, add or withdraw.")],
    quote: Annotated[
        str | None, typer.Option(help="With add: the message's words that carry the tag; default: all.")
    ] = None,
    by: Annotated[str, typer.Option(help="Who says so.")] = "operator",
) -> None:
    """Confirm, reject or add a tag of a message, or withdraw what was said of it."""
    from sqlalchemy.orm import Session

    from bot.conversation import corrections

    with database(load_settings()) as engine, Session(engine) as session, session.begin():
        made = corrections.correct(session, conversation, number, name, verdict, by, quote, f"operator:{by}")
    if not made.new:
        out.print("Nothing changed: the same was said before.")
    elif made.tag is None:
        out.print(f"Recorded. Message {number} has no tag {name} any more.")
    else:
        out.print(f"Recorded. {name} on message {number} is {made.tag.state}: “{escape(made.tag.quote)}”")


def precision(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show how often the model was right with each tag, as far as people corrected it."""
    from dataclasses import asdict

    from sqlalchemy.orm import Session

    from bot.conversation import corrections

    with database(load_settings()) as engine, Session(engine) as session:
        measured = corrections.precision(session)
    if as_json:
        _print_json([asdict(tag) for tag in measured])
    elif not any(tag.confirmed or tag.rejected or tag.added for tag in measured):
        out.print("Nobody has corrected a tag yet. `refill correct` does, and POST …/corrections of the API.")
    else:
        table = Table("tag", "confirmed", "rejected", "added", "precision", "95 % interval")
        for tag in measured:
            table.add_row(tag.name, str(tag.confirmed), str(tag.rejected), str(tag.added), *_shares(tag))
        out.print(table)


def _shares(tag: Measured) -> tuple[str, str]:
    if tag.precision is None:
        return "", ""
    return f"{tag.precision:.2f}", f"{tag.low:.2f} to {tag.high:.2f}"


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")
