"""The commands for invitations."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from bot.console import err, escape, out
from bot.errors import RefillError
from bot.handoff.cli import database
from bot.settings import LANGUAGES, load_settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from bot.success.invitations.offers import Invitations, Judged

invitations = typer.Typer(
    name="invitations", help="Short messages the chat opens by itself, at the right moment.", no_args_is_help=True
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@invitations.command(name="list")
def list_invitations(as_json: AsJson = False) -> None:
    """List the rules of refill.toml, and the invitations made for customers and accounts that have not ended."""
    from sqlalchemy.orm import Session

    from bot.conversation.models import now
    from bot.success.invitations.made import list_made
    from bot.success.invitations.rules import invitation_rules

    settings = load_settings()
    rules = [
        {"name": rule.name, **rule.model_dump(mode="json", by_alias=True, exclude={"name"}, exclude_defaults=True)}
        for rule in invitation_rules(settings)
    ]
    with database(settings) as engine, Session(engine) as session:
        made: list[dict[str, Any]] = [
            {
                "id": one.id,
                "external_id": one.external_id,
                "customer": one.customer_id,
                "account": one.account_id,
                "texts": one.texts,
                "pages": one.pages,
                "after": one.after,
                "expires_at": one.expires_at.isoformat(),
                "by": one.by,
            }
            for one in list_made(session, limit=1000)
            if one.expires_at > now()
        ]
    if as_json:
        _print({"rules": rules, "made": made})
        return
    if not rules and not made:
        out.print(
            "There are no invitations. [invitations.…] of refill.toml has rules; see docs/invitations.md.", markup=False
        )
    for rule in rules:
        where = ", ".join(rule.get("pages", [])) or "every page"
        state = "" if rule.get("enabled", True) else "  (not enabled)"
        out.print(f"[bold]{rule['name']}[/]  {escape(where)}{state}")
        out.print(f"  “{escape(_first(rule['texts']))}”")
    for one in made:
        whom = f"customer {one['customer']}" if one["customer"] else f"account {one['account']}"
        out.print(f"[bold]{one['id']}[/]  {escape(whom)}, until {one['expires_at'][:16].replace('T', ' ')}")
        out.print(f"  “{escape(_first(one['texts']))}”  [dim]{escape(one['external_id'])} by {escape(one['by'])}[/]")


@invitations.command(name="try")
def try_invitations(
    page: Annotated[str, typer.Option(help="Address or path of the page.")] = "/",
    language: Annotated[str, typer.Option(help="Of the page.")] = "en",
    customer: Annotated[str, typer.Option(help="Id of an identified customer; default: an anonymous visitor.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show which invitations a visitor of a page would get, and why not the others."""
    from sqlalchemy.orm import Session

    from bot.conversation.changes import Changes
    from bot.success.invitations.offers import invitations as configured
    from bot.success.invitations.pages import fits

    if language not in LANGUAGES:
        raise RefillError(f"--language must be one of {', '.join(LANGUAGES)}. Currently, it is {language!r}.")
    settings = load_settings()
    known = configured(settings)
    with database(settings) as engine, Session(engine) as session:
        known.prepare(Changes(engine))
        rows = [
            {
                "name": one.offer.name,
                "why_not": one.why_not or ("" if fits(one.offer.pages, page) else "it is not for this page"),
                "after": one.offer.after,
                "language": one.offer.language,
                "text": one.offer.text,
            }
            for one in _judged(known, session, customer, language)
        ]
    if as_json:
        _print(rows)
    elif not rows:
        out.print("There are no invitations for this visitor.")
    else:
        for row in rows:
            mark = (
                f"[green]✓[/] after {row['after']} s"
                if not row["why_not"]
                else f"[dim]✗ {escape(str(row['why_not']))}[/]"
            )
            out.print(f"[bold]{escape(str(row['name']))}[/]  {mark}")
            out.print(f"  “{escape(str(row['text']))}”")


@invitations.command()
def report(
    days: Annotated[int, typer.Option(help="So many up to now.")] = 30,
    as_json: AsJson = False,
) -> None:
    """Count what became of invitations: shown, opened, answered, closed, not now."""
    import datetime as dt

    from sqlalchemy.orm import Session

    from bot.conversation.models import now
    from bot.success.invitations.outcomes import OUTCOMES, count

    if not 1 <= days <= 3650:
        raise RefillError(f"--days must be from 1 to 3650. Currently, it is {days}.")
    with database(load_settings()) as engine, Session(engine) as session:
        counted = count(session, now() - dt.timedelta(days=days))
    if as_json:
        _print([{"name": one.name, **one.counts, "answered_anonymously": one.answered_anonymously} for one in counted])
    elif not counted:
        out.print(f"Nothing is known of invitations in the last {days} days.")
    else:
        table = Table("invitation", *(outcome.replace("_", " ") for outcome in OUTCOMES), "answered anonymously")
        for one in counted:
            numbers = [*(one.counts[outcome] for outcome in OUTCOMES), one.answered_anonymously]
            table.add_row(escape(one.name), *map(str, numbers))
        out.print(table)


def _judged(known: Invitations, session: Session, customer: str, language: str) -> list[Judged]:
    from bot.success.invitations.offers import Viewer
    from bot.success.invitations.outcomes import history

    if not customer:
        return list(known.judged(session, Viewer(language)))
    past = history(session, customer)
    quiet = known.quiet_until(past)
    if quiet:
        err.print(f"Nothing is shown to this customer before {quiet.isoformat(timespec='minutes')}.")
    return list(known.judged(session, known.customer(session, customer, language), past))


def _first(texts: dict[str, str]) -> str:
    return next(iter(texts.values()))


def _print(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")
