"""The commands for verified identity: keys, tokens to try, sessions to end."""

from __future__ import annotations

import datetime as dt
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from bot.console import err, escape, out
from bot.errors import InvalidInput, NotFound, RefillError
from bot.handoff.cli import database
from bot.settings import load_settings

if TYPE_CHECKING:
    from bot.customers.keys import Key

identity = typer.Typer(
    name="identity", help="Websites that say who their customers are: keys, tokens, sessions.", no_args_is_help=True
)

By = Annotated[str, typer.Option(help="Who does it, for the audit log.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_LONGEST_MINUTES = 720 * 60


@identity.command()
def key(
    algorithm: Annotated[str, typer.Option(help="HS256 (a shared secret) or EdDSA (a pair of keys).")] = "HS256",
    kid: Annotated[str, typer.Option(help="Name of the key; default: a new one.")] = "",
    public: Annotated[
        Path | None, typer.Option(help="EdDSA: file with the website's own public key, as PEM; default: a new pair.")
    ] = None,
    by: By = "operator",
) -> None:
    """Add a key; what the website signs with is printed this once, alone on standard output."""
    from sqlalchemy.orm import Session

    from bot.customers.keys import add_key, key_file
    from bot.people import audit
    from bot.people.roles import operator

    settings = load_settings()
    file = key_file(settings)
    with database(settings) as engine, Session(engine) as session, session.begin():
        made, told = add_key(file, algorithm, kid, _text(public) if public else "")
        detail = {"algorithm": made.algorithm}
        audit.note(session, operator(by), "identity_key.add", f"identity_key:{made.kid}", detail)
    err.print(
        f"[green]✓[/] Key [bold]{made.kid}[/] is in {escape(str(file))}. Running servers take it up by themselves."
    )
    if not told:
        err.print(f"  The website signs with its own private key: alg EdDSA, kid {made.kid}.")
        return
    what = "secret (use the text itself, without decoding it)" if made.algorithm == "HS256" else "private key"
    err.print(f"  The website's server signs with this {what}: alg {made.algorithm}, kid {made.kid}. Shown this once:")
    sys.stdout.write(told.rstrip("\n") + "\n")


@identity.command()
def keys(as_json: AsJson = False) -> None:
    """List the keys; never their secrets."""
    from bot.customers.keys import key_file, read_keys

    found = read_keys(key_file(load_settings()))
    rows = [_row(key) for key in found.values()]
    if as_json:
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
        return
    if not rows:
        out.print("There are no keys. `refill identity key` adds one.")
        return
    table = Table()
    for column in ("kid", "algorithm", "public part"):
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(row["kid"], row["algorithm"], row["public"] or "none: a shared secret")
    out.print(table)


def _row(key: Key) -> dict[str, Any]:
    public = key.jwk.as_dict().get("x") if key.algorithm == "EdDSA" else None
    return {"kid": key.kid, "algorithm": key.algorithm, "public": public}


@identity.command()
def retire(
    kid: Annotated[str, typer.Argument(help="As `refill identity keys` shows it.")], by: By = "operator"
) -> None:
    """Take a key out: its tokens are refused, and who was identified by them needs a new token."""
    from sqlalchemy.orm import Session

    from bot.customers.keys import key_file, remove_key
    from bot.customers.sessions import expire_sessions_of_key
    from bot.people.roles import operator

    settings = load_settings()
    remove_key(key_file(settings), kid)
    with database(settings) as engine, Session(engine) as session, session.begin():
        count = expire_sessions_of_key(session, operator(by), kid)
    out.print(f"Key {escape(kid)} is retired; {count} visitors need a new token.")


@identity.command()
def token(
    sub: Annotated[str, typer.Option(help="The customer's id.")],
    name: Annotated[str, typer.Option(help="The customer's name.")] = "",
    email: Annotated[str, typer.Option(help="The customer's e-mail address.")] = "",
    account: Annotated[str, typer.Option(help="Id of the customer's company.")] = "",
    plan: Annotated[str, typer.Option(help="What the company pays for.")] = "",
    minutes: Annotated[int, typer.Option(help="How long it is valid.")] = 10,
    kid: Annotated[str, typer.Option(help="The key; default: the newest shared secret.")] = "",
) -> None:
    """Sign a token with a shared secret, to try things out; it is printed alone on standard output."""
    from joserfc import jwt

    from bot.conversation.models import now
    from bot.customers.keys import key_file, read_keys
    from bot.customers.tokens import identity_tokens

    if not 1 <= minutes <= _LONGEST_MINUTES:
        raise InvalidInput(f"--minutes must be from 1 to {_LONGEST_MINUTES:,}. Currently, it is {minutes}.")
    settings = load_settings()
    shared = {one.kid: one for one in read_keys(key_file(settings)).values() if one.algorithm == "HS256"}
    if not shared or (kid and kid not in shared):
        raise NotFound(
            f"There is no shared secret {kid!r}." if kid else "There is no shared secret.",
            "`refill identity key` adds one. Of EdDSA keys only the website has the private part.",
        )
    signing = shared[kid or list(shared)[-1]]
    moment = now()
    told = {"sub": sub, "name": name, "email": email, "account": account, "plan": plan}
    times = {"iat": int(moment.timestamp()), "exp": int((moment + dt.timedelta(minutes=minutes)).timestamp())}
    claims = {**{claim: value for claim, value in told.items() if value}, "aud": settings["identity.audience"], **times}
    signed = jwt.encode({"alg": "HS256", "kid": signing.kid}, claims, signing.jwk, algorithms=["HS256"])
    identity_tokens(settings).check(signed)
    sys.stdout.write(signed + "\n")


@identity.command()
def check(
    token: Annotated[str, typer.Argument(help="As the website signed it; - reads it from standard input.")],
) -> None:
    """Say whom a token vouches for, or what is wrong with it. It is not used up by this."""
    from bot.customers.tokens import identity_tokens

    found = identity_tokens(load_settings()).check(sys.stdin.read().strip() if token == "-" else token)  # noqa: S105  (a dash)
    out.print(f"[green]✓[/] It vouches for customer [bold]{escape(found.customer_id)}[/].")
    said = {"name": found.name, "email": found.email, "account": found.account, "plan": found.plan}
    for claim, value in said.items():
        out.print(f"  {claim}: {escape(value) if value else 'not said'}")
    out.print(f"  signed with {escape(found.key_id)}, ends {found.expires_at:%Y-%m-%d %H:%M:%S} UTC")


@identity.command()
def revoke(
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER_OR_CONVERSATION", help="Id of either.")],
    by: By = "operator",
) -> None:
    """End sessions: of a customer in every browser, or of the browser a conversation began in."""
    from sqlalchemy.orm import Session

    from bot.customers.models import Customer
    from bot.customers.sessions import end_sessions, end_sessions_of_conversation
    from bot.people.roles import operator

    with database(load_settings()) as engine, Session(engine) as session, session.begin():
        known = session.get(Customer, customer) is not None
        end = end_sessions if known else end_sessions_of_conversation
        try:
            count = end(session, operator(by), customer)
        except NotFound as error:
            raise NotFound(
                f"There is no customer and no conversation {customer!r}.", "Give the id of one of them."
            ) from error
    out.print(f"{count} session{'' if count == 1 else 's'} ended.")


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RefillError(f"{file} cannot be read: {error}.", "Give the path of a PEM file.") from error
