"""Browsers somebody of the team signed in with: a random token in a cookie, of which only the hash is stored."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from bot.conversation.models import now
from bot.people.models import DeskSession, Person

LONGEST = dt.timedelta(days=7)
# That somebody was seen is written down at most this often.
SEEN_EVERY = dt.timedelta(minutes=1)


def hash_of(token: str) -> str:
    """What is stored of a token: SHA-256, 64 hexadecimal digits. It is random, so that nobody can guess it back."""
    return hashlib.sha256(token.encode()).hexdigest()


def start(session: Session, person: Person) -> str:
    """Sign a person in; gives the token for the cookie, 256 random bits."""
    token = secrets.token_urlsafe(32)
    moment = now()
    session.add(
        DeskSession(
            token_hash=hash_of(token),
            person_id=person.id,
            created_at=moment,
            seen_at=moment,
            expires_at=moment + LONGEST,
        )
    )
    person.seen_at = moment
    return token


def forget_over(session: Session, moment: dt.datetime) -> None:
    """Forget the sessions that are too old at a moment."""
    session.execute(delete(DeskSession).where(DeskSession.expires_at < moment))


def find(session: Session, token: str, idle: dt.timedelta) -> Person | None:
    """Who is signed in with a token; None when it is unknown, too old, unused for too long, or its person disabled.

    Args:
        session: Of a transaction: that the person was seen is written down.
        token: Of the cookie.
        idle: How long a browser may be silent.
    """
    found = session.get(DeskSession, hash_of(token))
    moment = now()
    if found is None or found.expires_at <= moment or found.seen_at + idle <= moment:
        return None
    person = session.get(Person, found.person_id)
    if person is None or person.disabled_at is not None:
        return None
    if found.seen_at + SEEN_EVERY <= moment or person.seen_at is None or person.seen_at + SEEN_EVERY <= moment:
        found.seen_at = person.seen_at = moment
    return person


def end(session: Session, token: str) -> None:
    """Sign one browser out."""
    session.execute(delete(DeskSession).where(DeskSession.token_hash == hash_of(token)))


def end_all(session: Session, person_id: str, keep: str | None = None) -> int:
    """Sign a person out everywhere, but for the browser with the token `keep`; gives how many browsers that were."""
    query = select(DeskSession).where(DeskSession.person_id == person_id)
    if keep is not None:
        query = query.where(DeskSession.token_hash != hash_of(keep))
    found = list(session.scalars(query))
    for one in found:
        session.delete(one)
    return len(found)
