"""The commands with which people work on cases, without the desk."""

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
    from sqlalchemy.orm import Session

    from bot.conversation.tags import ConversationTags
    from bot.dialogue.turn import Reply
    from bot.handoff.clocks import NextClock
    from bot.handoff.escalation import Case
    from bot.people.roles import Principal

Number = Annotated[int, typer.Argument(help="Of the case.")]
Text = Annotated[str, typer.Argument(help="What is said; Markdown.")]
Agent = Annotated[str, typer.Option(help="Who does it.")]
# Longer lists are for the desk.
_MOST = 1000


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
    queue: Annotated[str | None, typer.Option(help="Only this queue's.")] = None,
    mine: Annotated[bool, typer.Option(help="Only those of --agent.")] = False,
    agent: Agent = "operator",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the cases people have to work on, or show one with its contact, tags and transcript."""
    from sqlalchemy.orm import Session

    from bot.conversation.tags import conversation_tags
    from bot.handoff.escalation import read_case
    from bot.handoff.listing import ME, Filters, list_cases
    from bot.handoff.queues import queues

    settings = load_settings()
    half_life = settings["tagging.half_life"]
    by = _operator(agent)
    if queue is not None:
        queues(settings).queue(queue)
    with database(settings) as engine, Session(engine) as session:
        if number is not None:
            _show_case(read_case(session, number, half_life), as_json)
            return
        filters = Filters(
            queue=queue,
            status="closed" if closed else "open",
            assignee=ME if mine else None,
            kind="all",
            order="closed" if closed else "due",
        )
        rows: list[dict[str, Any]] = [
            {
                "number": case.id,
                "queue": case.queue,
                "priority": case.priority,
                "reason": case.reason,
                "signals": case.signals or [],
                "language": case.language,
                "contact": (case.contact or {}).get("email", ""),
                "assignee": listed.assignee_name,
                "resolution": case.resolution,
                "sla": _clock(listed.clock),
                "since": case.created_at.isoformat(timespec="seconds"),
                "tags": conversation_tags(session, case.conversation_id, half_life).to_json() if as_json else None,
            }
            for listed in list_cases(session, by, filters, limit=_MOST).rows
            for case in (listed.case,)
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


def _clock(clock: NextClock | None) -> dict[str, str] | None:
    """A clock as JSON."""
    if clock is None:
        return None
    return {"clock": clock.name, "state": clock.state, "due": clock.due_at.isoformat(timespec="seconds")}


def _show_cases(rows: list[dict[str, Any]]) -> None:
    table = Table()
    for name in ("number", "queue", "reason", "with", "since, due"):
        table.add_column(name, overflow="fold", no_wrap=name in ("queue", "since, due"))
    for row in rows:
        reason = ": ".join([row["reason"], *([", ".join(row["signals"])] if row["signals"] else [])])
        clock = row["sla"]
        table.add_row(
            str(row["number"]),
            f"{row['queue']}\n{row['priority']}, {row['language']}",
            "\n".join(part for part in (reason, escape(row["contact"])) if part),
            escape(row["assignee"] or "nobody"),
            "\n".join([_moment(row["since"]), *([f"{_moment(clock['due'])} {clock['state']}"] if clock else [])]),
        )
    out.print(table)


def _moment(iso: str) -> str:
    return iso[5:16].replace("T", " ")


def reply(number: Number, text: Text, agent: Agent = "operator") -> None:
    """Answer a customer's case as a person. The bot keeps silent in that conversation until the case is closed."""
    from bot.conversation.service import clean_text
    from bot.handoff import cases as work

    by = _operator(agent)
    settings = load_settings()
    text = clean_text(text, settings["conversation.max_length"])
    with _change(settings) as session:
        work.reply(session, number, by, text)
    out.print(f"Sent. `refill close {number}` gives the conversation back to the bot.")


def close(
    number: Number,
    resolution: Annotated[str, typer.Option(help="Why: see docs/handoff.md. Left out: solved, or done.")] = "",
    remark: Annotated[str, typer.Option("--note", help="For the team.")] = "",
    agent: Agent = "operator",
) -> None:
    """Close a case; the bot answers in that conversation again, and asks what the help was worth."""
    from bot.dialogue.replies import Replies
    from bot.handoff import cases as work
    from bot.handoff.access import see_case
    from bot.handoff.models import SIGNAL

    by = _operator(agent)
    settings = load_settings()

    def say(name: str, language: str) -> Reply:
        return Replies(settings.path("domain.yml")).reply(name, language)

    with _change(settings) as session:
        usual = "done" if see_case(session, number, by).reason == SIGNAL else "solved"
        if resolution == "returned_to_bot":
            work.return_to_bot(session, number, by, say, remark)
        else:
            work.resolve(session, number, by, resolution or usual, say, remark)
    out.print(f"Case {number} is closed.")


def claim(
    number: Number,
    take_over: Annotated[bool, typer.Option(help="Also from somebody who has it.")] = False,
    agent: Agent = "operator",
) -> None:
    """Take a case: the conversation is yours, and the bot silent, until you close, release or transfer it."""
    from bot.handoff import cases as work

    by = _operator(agent)
    settings = load_settings()
    with _change(settings) as session:
        work.claim(session, number, by, take_over=take_over)
    out.print(f"Case {number} is yours.")


def release(number: Number, agent: Agent = "operator") -> None:
    """Give a case back to its queue; the bot goes on meanwhile."""
    from bot.handoff import cases as work

    by = _operator(agent)
    with _change(load_settings()) as session:
        case = work.release(session, number, by)
    out.print(f"Case {number} waits in the queue {case.queue}.")


def transfer(
    number: Number,
    queue: Annotated[str | None, typer.Option(help="Where to.")] = None,
    person: Annotated[str | None, typer.Option(help="E-mail address of who gets it.")] = None,
    remark: Annotated[str, typer.Option("--note", help="For them.")] = "",
    agent: Agent = "operator",
) -> None:
    """Pass a case to another queue, to a person, or both."""
    from sqlalchemy import select

    from bot.errors import NotFound
    from bot.handoff import cases as work
    from bot.handoff.queues import queues
    from bot.people.models import Person

    by = _operator(agent)
    settings = load_settings()
    with _change(settings) as session:
        found = None
        if person is not None:
            found = session.scalar(select(Person.id).where(Person.email == person.lower()))
            if found is None:
                raise NotFound(f"There is nobody with the address {person}.", "`refill people list` shows all.")
        case = work.transfer(session, number, by, queues(settings), queue, found, remark)
    out.print(f"Case {number} is in the queue {case.queue}.")


def note(number: Number, text: Text, agent: Agent = "operator") -> None:
    """Write something about a case for the team; the customer never sees it."""
    from bot.handoff import cases as work
    from bot.handoff.access import see_case

    by = _operator(agent)
    with _change(load_settings()) as session:
        work.add_note(session, see_case(session, number, by).conversation_id, by, text, number)
    out.print("Noted.")


def reopen(number: Number, agent: Agent = "operator") -> None:
    """Open a closed case again."""
    from bot.handoff import cases as work
    from bot.handoff.queues import queues

    by = _operator(agent)
    settings = load_settings()
    with _change(settings) as session:
        work.reopen(session, number, by, queues(settings))
    out.print(f"Case {number} is open.")


@contextmanager
def _change(settings: Settings) -> Iterator[Session]:
    """A transaction on the database. A server that runs finds what changed by itself."""
    from bot.conversation.changes import Changes

    with database(settings) as engine, Changes(engine).transaction() as session:
        yield session


def _operator(agent: str) -> Principal:
    from bot.people.roles import operator

    if not 1 <= len(agent.strip()) <= 40:
        raise RefillError(f"--agent must have 1 to 40 characters. Currently, it is {agent!r}.")
    return operator(agent.strip())


def _show_case(case: Case, as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        shown = {**asdict(case), "tags": case.tags.to_json()}
        sys.stdout.write(json.dumps(shown, ensure_ascii=False, indent=2, default=str) + "\n")
        return
    contact = ", ".join(value for value in (case.contact or {}).values() if value) or "none left"
    out.print(f"[bold]Case {case.number}[/]  {case.status}  queue {case.queue}  reason {case.reason}")
    facts = [f"priority {case.priority}", f"with {escape(case.assignee)}" if case.assignee else "with nobody"]
    if case.resolution:
        facts.append(f"closed as {case.resolution}")
    if case.clock:
        due = f"{case.clock.due_at:%Y-%m-%d %H:%M}"
        facts.append(f"{case.clock.name.replace('_', ' ')} due {due} ({case.clock.state})")
    out.print(", ".join(facts).capitalize())
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
