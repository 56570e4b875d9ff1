"""The commands with which people take cases on: list, show, reply, close."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from bot.console import escape, out
from bot.errors import RefillError
from bot.settings import Settings, load_settings

if TYPE_CHECKING:
    from sqlalchemy import Engine


@contextmanager
def database(settings: Settings) -> Iterator[Engine]:
    """The database, up to date, for as long as the context lasts."""
    from bot.storage.engine import migrate, open_engine

    engine = open_engine(settings)
    try:
        migrate(engine)
        yield engine
    finally:
        engine.dispose()


def cases(
    number: Annotated[int | None, typer.Argument(help="Show this case with its transcript.")] = None,
    closed: Annotated[bool, typer.Option(help="List closed cases instead of open ones.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the escalations waiting for people, or show one with its contact and transcript."""
    from sqlalchemy.orm import Session

    from bot.handoff.escalation import list_cases, read_case

    with database(load_settings()) as engine, Session(engine) as session:
        if number is not None:
            _show_case(read_case(session, number), as_json)
            return
        found = list_cases(session, "closed" if closed else "open")
        rows: list[dict[str, Any]] = [
            {
                "number": case.id,
                "queue": case.queue,
                "reason": case.reason,
                "language": case.language,
                "contact": (case.contact or {}).get("email", ""),
                "since": case.created_at.isoformat(timespec="seconds"),
            }
            for case in found
        ]
    if as_json:
        sys.stdout.write(json.dumps(rows, ensure_ascii=False, indent=2) + "\n")
    elif not rows:
        out.print("No cases. They appear here when a customer asks for a person or the bot has no answer.")
    else:
        table = Table()
        for name in rows[0]:
            table.add_column(name, overflow="fold")
        for row in rows:
            table.add_row(*(str(value) for value in {**row, "since": row["since"][:16].replace("T", " ")}.values()))
        out.print(table)


def reply(
    number: Annotated[int, typer.Argument(help="Of the case.")],
    text: Annotated[str, typer.Argument(help="What the customer will read; Markdown.")],
    agent: Annotated[str, typer.Option(help="Who writes.")] = "operator",
) -> None:
    """Answer a customer's case as a person. The bot keeps silent in that conversation until the case is closed."""
    from sqlalchemy.orm import Session

    from bot.conversation.service import clean_text
    from bot.conversation.store import ConversationStore
    from bot.handoff.escalation import read_case

    if not 1 <= len(agent.strip()) <= 50:
        raise RefillError(f"--agent must have 1 to 50 characters. Currently, it is {agent!r}.")
    settings = load_settings()
    with database(settings) as engine:
        with Session(engine) as session:
            case = read_case(session, number)
        if case.status != "open":
            raise RefillError(f"Case {number} is closed.", "It takes a new case: the customer asks for a person again.")
        text = clean_text(text, settings["conversation.max_length"])
        ConversationStore(engine).add_agent_message(case.conversation_id, agent, text)
    out.print(f"Sent. `refill close {number}` gives the conversation back to the bot.")


def close(number: Annotated[int, typer.Argument(help="Of the case.")]) -> None:
    """Close a case; the bot answers in that conversation again."""
    from sqlalchemy.orm import Session

    from bot.handoff import escalation

    with database(load_settings()) as engine, Session(engine) as session, session.begin():
        escalation.close(session, number)
    out.print(f"Case {number} is closed.")


def _show_case(case: Any, as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        sys.stdout.write(json.dumps(asdict(case), ensure_ascii=False, indent=2, default=str) + "\n")
        return
    contact = ", ".join(value for value in (case.contact or {}).values() if value) or "none left"
    out.print(f"[bold]Case {case.number}[/]  {case.status}  queue {case.queue}  reason {case.reason}")
    out.print(f"Contact: {escape(contact)}\n")
    for line in case.transcript:
        out.print(f"[dim]{line.created_at:%H:%M}[/] [bold]{line.author}[/]  {escape(line.text)}")
