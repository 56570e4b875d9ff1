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

    from bot.conversation.tags import ConversationTags
    from bot.handoff.escalation import Case


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
    """List the escalations waiting for people, or show one with its contact, tags and transcript."""
    from sqlalchemy.orm import Session

    from bot.conversation.tags import conversation_tags
    from bot.handoff.escalation import list_cases, read_case

    settings = load_settings()
    half_life = settings["tagging.half_life"]
    with database(settings) as engine, Session(engine) as session:
        if number is not None:
            _show_case(read_case(session, number, half_life), as_json)
            return
        found = list_cases(session, "closed" if closed else "open")
        rows: list[dict[str, Any]] = [
            {
                "number": case.id,
                "queue": case.queue,
                "reason": case.reason,
                "signals": case.signals or [],
                "language": case.language,
                "contact": (case.contact or {}).get("email", ""),
                "since": case.created_at.isoformat(timespec="seconds"),
                "tags": conversation_tags(session, case.conversation_id, half_life).to_json() if as_json else None,
            }
            for case in found
        ]
    if as_json:
        sys.stdout.write(json.dumps(rows, ensure_ascii=False, indent=2) + "\n")
    elif not rows:
        out.print(
            "No cases. They appear here when a customer asks for a person, the bot has no answer, or what a customer "
            "says calls for somebody."
        )
    else:
        _show_cases(rows)


def _show_cases(rows: list[dict[str, Any]]) -> None:
    table = Table()
    for name in ("number", "queue", "reason", "language", "contact", "since"):
        table.add_column(name, overflow="fold", no_wrap=name == "queue")
    for row in rows:
        reason = ": ".join([row["reason"], *([", ".join(row["signals"])] if row["signals"] else [])])
        since = row["since"][:16].replace("T", " ")
        table.add_row(str(row["number"]), row["queue"], reason, row["language"], escape(row["contact"]), since)
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


def _show_case(case: Case, as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        shown = {**asdict(case), "tags": case.tags.to_json()}
        sys.stdout.write(json.dumps(shown, ensure_ascii=False, indent=2, default=str) + "\n")
        return
    contact = ", ".join(value for value in (case.contact or {}).values() if value) or "none left"
    out.print(f"[bold]Case {case.number}[/]  {case.status}  queue {case.queue}  reason {case.reason}")
    if case.signals:
        out.print(f"Heard in what was said: {', '.join(case.signals)}. The customer does not know of this case.")
    out.print(f"Contact: {escape(contact)}")
    out.print(f"Conversation: {case.conversation_id}")
    _show_tags(case.tags)
    for line in case.transcript:
        out.print(f"[dim]{line.created_at:%H:%M}[/] {line.number:>3} [bold]{line.author}[/]  {escape(line.text)}")


def _show_tags(tags: ConversationTags) -> None:
    facts = [tags.kind, *(["[bold red]urgent[/]"] if tags.urgent else []), f"sentiment {tags.sentiment}"]
    out.print(f"Kind: {', '.join([*facts, *([f'stage {tags.stage}'] if tags.stage else [])])}")
    for tag in tags.tags:
        for place, one in enumerate(tag.evidence):
            name, probability = ("", "") if place else (tag.name, f"{tag.probability:.2f}")
            said = "" if one.state == "open" else f", {one.state}"
            quote = " ".join(one.quote.split())
            out.print(f"  [bold]{name:16}[/] {probability:4}  “{escape(quote)}” [dim](message {one.number}{said})[/]")
    out.print()
