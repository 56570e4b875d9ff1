"""What people do with webhooks: make, change, delete, give another secret, try out.

Each function runs within a transaction of the caller's, checks who may do it, and writes to the audit log.
"""

from __future__ import annotations

import datetime as dt
import secrets
import uuid
from collections.abc import Sequence
from typing import get_args

import httpx
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bot.conversation.models import now
from bot.errors import ConversationError, InvalidInput, NotFound
from bot.handoff.changing import Action
from bot.network import PORTS, is_host
from bot.outbox.models import Outgoing, Webhook
from bot.outbox.outbox import put
from bot.people import audit
from bot.people.roles import Principal

_CASE: tuple[Action, ...] = get_args(Action)
EVENTS: tuple[str, ...] = (
    "conversation.created",
    "conversation.owner_changed",
    "message.created",
    *(f"case.{action}" for action in _CASE),
    "tag.added",
    "tag.corrected",
    "rating.given",
    "signal.reported",
    *(f"signal.{action}" for action in _CASE),
)
GROUPS: tuple[str, ...] = ("*", "conversation.*", "message.*", "case.*", "tag.*", "rating.*", "signal.*")
PING = "ping"
MOST_WEBHOOKS = 50
OLD_SECRET_HOURS = 24
_AS_IN = "Write it as in https://example.com/refill."
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def list_webhooks(session: Session) -> list[Webhook]:
    """All webhooks, oldest first."""
    return list(session.scalars(select(Webhook).order_by(Webhook.created_at, Webhook.id)))


def read(session: Session, webhook: str) -> Webhook:
    """One webhook by its id.

    Raises:
        NotFound: There is none.
    """
    found = session.get(Webhook, webhook)
    if found is None:
        raise NotFound("There is no such webhook.")
    return found


def create(
    session: Session,
    by: Principal,
    url: str,
    events: Sequence[str],
    description: str = "",
    allow_private: bool = False,
) -> tuple[Webhook, str]:
    """Make a webhook; with it comes the secret of its signatures, to be shown this once.

    Args:
        session: Of the transaction.
        by: Who makes it.
        url: Where events are posted to.
        events: Of EVENTS and GROUPS.
        description: For people, at most 200 characters.
        allow_private: The setting `outbox.allow_private`.

    Raises:
        Forbidden: It needs `webhooks:manage`.
        InvalidInput: The URL, an event or the description breaks a rule.
        ConversationError: There are MOST_WEBHOOKS already.
    """
    by.demand("webhooks:manage")
    if session.scalar(select(func.count()).select_from(Webhook)) >= MOST_WEBHOOKS:  # type: ignore[operator]
        raise ConversationError(f"There are {MOST_WEBHOOKS} webhooks, the most there may be.", "Delete one first.")
    webhook = Webhook(
        id=uuid.uuid4().hex,
        url=checked_url(url, allow_private),
        secret=_secret(),
        events=checked_events(events),
        description=_checked_description(description),
        active=True,
        created_by=by.label,
        created_at=now(),
    )
    session.add(webhook)
    audit.note(session, by, "webhook.create", _target(webhook), {"url": webhook.url, "events": webhook.events})
    return webhook, webhook.secret


def change(
    session: Session,
    by: Principal,
    webhook: str,
    url: str | None = None,
    events: Sequence[str] | None = None,
    description: str | None = None,
    active: bool | None = None,
    allow_private: bool = False,
) -> Webhook:
    """Change what is given; None leaves as it is. What waits for a webhook goes on when it is active again.

    Args:
        session: Of the transaction.
        by: Who changes it.
        webhook: Its id.
        url: As for `create`.
        events: As for `create`.
        description: As for `create`.
        active: False pauses it: it gets no new events, and what is pending waits.
        allow_private: The setting `outbox.allow_private`.

    Raises:
        Forbidden: It needs `webhooks:manage`.
        NotFound: There is no such webhook.
        InvalidInput: As for `create`.
    """
    by.demand("webhooks:manage")
    found = read(session, webhook)
    values: dict[str, object] = {}
    if url is not None:
        values["url"] = checked_url(url, allow_private)
    if events is not None:
        values["events"] = checked_events(events)
    if description is not None:
        values["description"] = _checked_description(description)
    if active is not None:
        values["active"] = active
    changed = {name: value for name, value in values.items() if getattr(found, name) != value}
    for name, value in changed.items():
        setattr(found, name, value)
    if "active" in changed:
        found.paused_reason = None
    if changed:
        audit.note(session, by, "webhook.change", _target(found), changed)
    return found


def delete(session: Session, by: Principal, webhook: str) -> None:
    """Delete a webhook, with all its deliveries.

    Raises:
        Forbidden: It needs `webhooks:manage`.
        NotFound: There is no such webhook.
    """
    by.demand("webhooks:manage")
    found = read(session, webhook)
    audit.note(session, by, "webhook.delete", _target(found), {"url": found.url})
    session.delete(found)
    session.flush()


def rotate(session: Session, by: Principal, webhook: str) -> tuple[Webhook, str]:
    """Give a webhook another secret, to be shown this once; for OLD_SECRET_HOURS the old one signs too.

    Raises:
        Forbidden: It needs `webhooks:manage`.
        NotFound: There is no such webhook.
    """
    by.demand("webhooks:manage")
    found = read(session, webhook)
    found.old_secret = found.secret
    found.old_secret_until = now() + dt.timedelta(hours=OLD_SECRET_HOURS)
    found.secret = _secret()
    audit.note(session, by, "webhook.rotate", _target(found))
    return found, found.secret


def test(session: Session, by: Principal, webhook: str) -> Outgoing:
    """Send a webhook a delivery of the type `ping`, whatever events it wants.

    Raises:
        Forbidden: It needs `webhooks:manage`.
        NotFound: There is no such webhook.
        ConversationError: It is not active.
    """
    by.demand("webhooks:manage")
    found = read(session, webhook)
    if not found.active:
        raise ConversationError("The webhook is paused.", "Set it active first.")
    audit.note(session, by, "webhook.test", _target(found))
    return put(session, found, PING, None, {"webhook": found.id})


def checked_url(url: str, allow_private: bool = False) -> str:
    """A URL events may be posted to. Where its name leads to is checked at each delivery.

    Raises:
        InvalidInput: It is not https (or, where private addresses are allowed, http on this machine), holds a user
            name or a fragment, is too long, or names a port websites do not use.
    """
    url = url.strip()
    if len(url) > 1000:
        raise InvalidInput("A webhook's URL must have at most 1,000 characters.", "Use a shorter one.")
    try:
        parsed = httpx.URL(url)
        host = parsed.raw_host.decode("ascii")
    except (httpx.InvalidURL, ValueError) as error:
        raise InvalidInput("A webhook's URL must be valid.", _AS_IN) from error
    plain = parsed.scheme == "http" and allow_private and host in _LOOPBACK
    if not (parsed.scheme == "https" or plain):
        raise InvalidInput(
            "A webhook's URL must begin with https://.",
            "http:// is for this machine only, and needs the setting outbox.allow_private.",
        )
    if not is_host(host) or not 0 < (parsed.port or 443) < 65536:
        raise InvalidInput("A webhook's URL must be valid.", _AS_IN)
    if parsed.userinfo:
        raise InvalidInput("A webhook's URL must not hold a user name or password.", "The signature says who sends.")
    if parsed.fragment:
        raise InvalidInput("A webhook's URL must not have a part behind #.", "Remove it: it would not be sent.")
    if not allow_private and parsed.port is not None and parsed.port not in PORTS:
        raise InvalidInput(
            f"A webhook's port must be one of {', '.join(map(str, sorted(PORTS)))}. Currently, it is {parsed.port}.",
            "Others need the setting outbox.allow_private.",
        )
    return str(parsed)


def checked_events(events: Sequence[str]) -> list[str]:
    """Names and groups of events, each once.

    Raises:
        InvalidInput: There is none, or one is unknown.
    """
    unknown = [name for name in events if name not in EVENTS and name not in GROUPS]
    if unknown:
        raise InvalidInput(
            f"There are no events called {', '.join(repr(name[:40]) for name in unknown[:5])}.",
            f"Groups are {', '.join(GROUPS)}; docs/webhooks.md lists all events.",
        )
    if not events:
        raise InvalidInput("A webhook needs at least one event.", "Write * for all of them.")
    return list(dict.fromkeys(events))


def _checked_description(description: str) -> str:
    description = description.strip()
    if len(description) > 200:
        raise InvalidInput("A webhook's description must have at most 200 characters.")
    return description


def _secret() -> str:
    return f"whsec_{secrets.token_urlsafe(32)}"


def _target(webhook: Webhook) -> str:
    return f"webhook:{webhook.id}"
