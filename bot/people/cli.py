"""The commands for the team and for the tokens of other systems."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from bot.console import err, escape, out
from bot.errors import RefillError
from bot.handoff.cli import database
from bot.settings import Settings, load_settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

people = typer.Typer(name="people", help="The team: who may use the desk.", no_args_is_help=True)
tokens = typer.Typer(name="tokens", help="Tokens with which other systems call the API.", no_args_is_help=True)

By = Annotated[str, typer.Option(help="Who does it, for the audit log.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Email = Annotated[str, typer.Argument(help="E-mail address of the person.")]
Role = Annotated[str, typer.Option(help="agent, success_manager, lead or administrator.")]
Ask = Annotated[bool, typer.Option(help="Ask for the password instead of making a random one.")]


def ensure_administrator(settings: Settings, engine: Engine) -> None:
    """Make the first administrator where nobody is there yet, and print their password, this once."""
    from sqlalchemy.orm import Session

    from bot.people.passwords import Passwords
    from bot.people.people import first_administrator
    from bot.people.roles import SYSTEM

    with Session(engine, expire_on_commit=False) as session, session.begin():
        made = first_administrator(session, SYSTEM, settings, Passwords())
    if made is None:
        return
    person, password = made
    out.print("\n  The desk has its first administrator. Sign in at /desk with:")
    _print_password(person.email, password)


def _print_password(email: str, password: str) -> None:
    out.print(f"\n    e-mail    [bold]{escape(email)}[/]\n    password  [bold]{escape(password)}[/]\n")
    out.print("  It is shown this once. `refill people password` makes another.\n")


def _chosen(ask: bool, email: str) -> str:
    """A password: typed by whoever sits there, or random."""
    from bot.people.passwords import check, random_password

    if not ask:
        return random_password()
    password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    check(password, email)
    return password


@people.command(name="list")
def list_people(as_json: AsJson = False) -> None:
    """List everybody of the team with role, queues and whether they may sign in."""
    from sqlalchemy.orm import Session

    from bot.handoff.queues import queues
    from bot.people.people import list_people

    settings = load_settings()
    configured = queues(settings)
    with database(settings) as engine, Session(engine) as session:
        rows: list[dict[str, Any]] = [
            {
                "email": person.email,
                "name": person.name,
                "role": person.role,
                "queues": sorted(configured.of(person)),
                "languages": person.languages,
                "capacity": person.capacity,
                "active": person.disabled_at is None,
                "seen_at": person.seen_at.isoformat(timespec="seconds") if person.seen_at else None,
            }
            for person in list_people(session)
        ]
    if as_json:
        _print_json(rows)
        return
    if not rows:
        out.print("Nobody yet. `refill setup` makes the first administrator, `refill people add` others.")
        return
    table = _folded("e-mail", "name", "role", "queues", "languages", "state", "seen")
    for row in rows:
        state = "active" if row["active"] else "no access"
        seen = (row["seen_at"] or "never")[:16].replace("T", " ")
        languages = " ".join(row["languages"]) or "as queue"
        table.add_row(
            escape(row["email"]), escape(row["name"]), row["role"], " ".join(row["queues"]), languages, state, seen
        )
    out.print(table)


@people.command()
def add(
    email: Email,
    name: Annotated[str, typer.Option(help="As customers and colleagues read it.")],
    role: Role = "agent",
    languages: Annotated[str, typer.Option(help="Spoken with customers, as in en,tr; default: their queues'.")] = "",
    capacity: Annotated[int | None, typer.Option(help="Open cases at the same time; default: their queue's.")] = None,
    language: Annotated[str, typer.Option(help="Of the desk's labels.")] = "en",
    ask: Ask = False,
    by: By = "operator",
) -> None:
    """Add somebody to the team; their first password is printed this once."""
    from sqlalchemy.orm import Session

    from bot.people.passwords import Passwords
    from bot.people.people import create
    from bot.people.roles import operator

    spoken = [code.strip() for code in languages.split(",") if code.strip()]
    password = _chosen(ask, email)
    with database(load_settings()) as engine, Session(engine) as session, session.begin():
        hashed = Passwords().hash(password)
        create(session, operator(by), email, name, role, hashed, spoken, capacity, language)
    err.print(f"[green]✓[/] {escape(name)} is added.")
    if not ask:
        _print_password(email, password)


@people.command()
def role(email: Email, role: Annotated[str, typer.Argument(help="The new role.")], by: By = "operator") -> None:
    """Give somebody another role: agent, success_manager, lead or administrator."""
    from sqlalchemy.orm import Session

    from bot.people.people import change, named
    from bot.people.roles import operator

    with database(load_settings()) as engine, Session(engine) as session, session.begin():
        person = named(session, email)
        change(session, operator(by), person, person.name, role, person.languages, person.capacity)
    out.print(f"{escape(email)} is {role} now.")


@people.command()
def password(email: Email, ask: Ask = False, by: By = "operator") -> None:
    """Give somebody a new password, printed this once; they are signed out everywhere."""
    from sqlalchemy.orm import Session

    from bot.people.passwords import Passwords
    from bot.people.people import named, set_password
    from bot.people.roles import operator

    with database(load_settings()) as engine:
        with Session(engine) as session:
            email = named(session, email).email
        new = _chosen(ask, email)
        with Session(engine) as session, session.begin():
            set_password(session, operator(by), named(session, email), Passwords().hash(new))
    err.print("[green]✓[/] The password is changed.")
    if not ask:
        _print_password(email, new)


@people.command()
def disable(email: Email, by: By = "operator") -> None:
    """Take somebody's access away: they are signed out, their open cases go back to the queues."""
    from sqlalchemy.orm import Session

    from bot.people.people import disable, named
    from bot.people.roles import operator

    with database(load_settings()) as engine, Session(engine) as session, session.begin():
        count = disable(session, operator(by), named(session, email))
    out.print(f"{escape(email)} has no access any more; {count} open cases went back to their queues.")


@people.command()
def enable(email: Email, by: By = "operator") -> None:
    """Give somebody access again, with the password they had."""
    from sqlalchemy.orm import Session

    from bot.people.people import enable, named
    from bot.people.roles import operator

    with database(load_settings()) as engine, Session(engine) as session, session.begin():
        enable(session, operator(by), named(session, email))
    out.print(f"{escape(email)} has access again.")


@tokens.command(name="list")
def list_tokens(as_json: AsJson = False) -> None:
    """List the tokens of other systems with what they may do; never the tokens themselves."""
    from sqlalchemy.orm import Session

    from bot.people.tokens import list_tokens

    with database(load_settings()) as engine, Session(engine) as session:
        rows: list[dict[str, Any]] = [
            {
                "id": token.id,
                "name": token.name,
                "scopes": token.scopes,
                "queues": token.queues,
                "expires_at": token.expires_at.isoformat(timespec="seconds") if token.expires_at else None,
                "last_used_at": token.last_used_at.isoformat(timespec="seconds") if token.last_used_at else None,
                "revoked": token.revoked_at is not None,
            }
            for token in list_tokens(session)
        ]
    if as_json:
        _print_json(rows)
        return
    if not rows:
        out.print("There are no tokens. `refill tokens add` makes one.")
        return
    table = _folded("id", "name", "scopes", "queues", "ends", "used")
    for row in rows:
        ends = "revoked" if row["revoked"] else (row["expires_at"] or "never")[:10]
        used = (row["last_used_at"] or "never")[:16].replace("T", " ")
        queues = " ".join(row["queues"]) if row["queues"] else "all"
        table.add_row(row["id"], escape(row["name"]), " ".join(row["scopes"]), queues, ends, used)
    out.print(table)


@tokens.command(name="add")
def add_token(
    name: Annotated[str, typer.Argument(help="The system that uses it.")],
    scope: Annotated[list[str], typer.Option(help="What it may do, as in conversations:read; give several times.")],
    queue: Annotated[
        list[str] | None, typer.Option(help="Whose conversations it sees; give several times; default: all.")
    ] = None,
    days: Annotated[int, typer.Option(help="After which it ends; 0: never.")] = 365,
    by: By = "operator",
) -> None:
    """Make a token; it is printed this once, alone on standard output."""
    import datetime as dt

    from sqlalchemy.orm import Session

    from bot.conversation.models import now
    from bot.people.roles import operator
    from bot.people.tokens import create_token

    if not 0 <= days <= 3650:
        raise RefillError(f"--days must be from 0 to 3650. Currently, it is {days}.", "0 is for a token without end.")
    ends = now() + dt.timedelta(days=days) if days else None
    with database(load_settings()) as engine, Session(engine) as session, session.begin():
        _, value = create_token(session, operator(by), name, scope, queue or None, ends)
    err.print("[green]✓[/] The token is made. It is shown this once:")
    sys.stdout.write(f"{value}\n")


@tokens.command()
def revoke(
    token: Annotated[str, typer.Argument(help="Its id, as `refill tokens list` shows it.")], by: By = "operator"
) -> None:
    """End a token at once; this cannot be undone."""
    from sqlalchemy.orm import Session

    from bot.people.roles import operator
    from bot.people.tokens import revoke_token

    with database(load_settings()) as engine, Session(engine) as session, session.begin():
        revoke_token(session, operator(by), token)
    out.print("The token is revoked.")


def _print_json(rows: list[dict[str, Any]]) -> None:
    sys.stdout.write(json.dumps(rows, ensure_ascii=False, indent=2) + "\n")


def _folded(*columns: str) -> Table:
    """A table whose long values take several lines, and lose nothing."""
    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column == "id")
    return table
