"""Tokens by which other systems call the API. Only their SHA-256 is kept; a token itself is shown once."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
import uuid
from collections.abc import Collection

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from bot.conversation.lines import one_line
from bot.conversation.models import now
from bot.errors import InvalidInput, NotFound
from bot.handoff.queues import QUEUES
from bot.people import audit
from bot.people.models import ApiToken
from bot.people.roles import PERMISSIONS, Forbidden, Principal

PREFIX = "rf_"
LONGEST_NAME = 100
_LONGEST = dt.timedelta(days=3653)
_USED_EVERY = dt.timedelta(minutes=1)


def hash_of(token: str) -> str:
    """What is kept of a token: its SHA-256, in hexadecimal."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def find_token(session: Session, token: str) -> Principal | None:
    """Who calls with a token; None if it is none, was revoked or is over.

    That it was used is noted, at most once a minute.
    """
    if not token.startswith(PREFIX):
        return None
    found = session.scalar(select(ApiToken).where(ApiToken.token_hash == hash_of(token)))
    moment = now()
    if found is None or found.revoked_at is not None or (found.expires_at is not None and found.expires_at <= moment):
        return None
    if found.last_used_at is None or found.last_used_at < moment - _USED_EVERY:
        session.execute(update(ApiToken).where(ApiToken.id == found.id).values(last_used_at=moment))
    return Principal(
        "token",
        found.id,
        found.name,
        frozenset(scope for scope in PERMISSIONS if scope in found.scopes),
        None if found.queues is None else frozenset(found.queues),
    )


def create_token(
    session: Session,
    by: Principal,
    name: str,
    scopes: Collection[str],
    queues: Collection[str] | None = None,
    expires_at: dt.datetime | None = None,
) -> tuple[ApiToken, str]:
    """Make a token; nobody gives more than they have.

    Args:
        session: Of the transaction.
        by: Who makes it; needs `tokens:manage`.
        name: For people, and for customers whom it answers, 1 to LONGEST_NAME characters.
        scopes: Of `bot.people.roles.PERMISSIONS`, at least one.
        queues: Whose conversations it may see; None for all.
        expires_at: When it ends; None for never.

    Returns:
        The token's row, and the token itself.

    Raises:
        Forbidden: `by` may not, or lacks one of the scopes or queues.
        InvalidInput: A rule is broken.
    """
    by.demand("tokens:manage")
    name = one_line(name, "name", LONGEST_NAME)
    given = [scope for scope in PERMISSIONS if scope in scopes]
    unknown = sorted(set(scopes) - set(PERMISSIONS))
    if unknown or not given:
        what = f"There is no scope {unknown[0]!r}." if unknown else "A token needs at least one scope."
        raise InvalidInput(what, f"Scopes are {', '.join(PERMISSIONS)}.")
    for scope in given:
        by.demand(scope)
    if queues is not None and (not queues or set(queues) - set(QUEUES)):
        raise InvalidInput(f"Queues must be some of {', '.join(QUEUES)}.", "Leave them out for all.")
    if by.queues is not None and (queues is None or set(queues) - by.queues):
        raise Forbidden("A token cannot see more queues than who makes it.", "Name some of your own.")
    if expires_at is not None and not now() < expires_at < now() + _LONGEST:
        raise InvalidInput("A token must end within ten years from now.", "Or leave the end out.")
    value = PREFIX + secrets.token_urlsafe(32)
    made = ApiToken(
        id=uuid.uuid4().hex,
        name=name,
        token_hash=hash_of(value),
        scopes=list(given),
        queues=None if queues is None else [queue for queue in QUEUES if queue in queues],
        created_by=by.label,
        created_at=now(),
        expires_at=expires_at,
    )
    session.add(made)
    session.flush()
    audit.note(session, by, "token.create", f"token:{made.id}", {"name": name, "scopes": given, "queues": made.queues})
    return made, value


def list_tokens(session: Session) -> list[ApiToken]:
    """All tokens, newest first; revoked ones too."""
    return list(session.scalars(select(ApiToken).order_by(ApiToken.created_at.desc(), ApiToken.id)))


def revoke_token(session: Session, by: Principal, token_id: str) -> ApiToken:
    """End a token at once; again changes nothing.

    Raises:
        Forbidden: `by` may not.
        NotFound: There is none with this id.
    """
    by.demand("tokens:manage")
    found = session.get(ApiToken, token_id)
    if found is None:
        raise NotFound("There is no such token.", "Look at the list of tokens.")
    if found.revoked_at is None:
        found.revoked_at = now()
        audit.note(session, by, "token.revoke", f"token:{found.id}", {"name": found.name})
    return found
