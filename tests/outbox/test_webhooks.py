"""What people do with webhooks: rules, secrets, the audit log, who may."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.conversation.models import now
from bot.errors import ConversationError, InvalidInput, NotFound
from bot.outbox import webhooks
from bot.outbox.models import Outgoing, Webhook
from bot.people import audit
from bot.people.roles import PERMISSIONS_OF, Forbidden, Principal
from tests.outbox.conftest import BY

LEAD = Principal("person", "p1", "Ada", PERMISSIONS_OF["lead"])


def actions(session: Session) -> list[str]:
    return [entry.action for entry in reversed(audit.entries(session))]


def test_the_life_of_a_webhook(session: Session) -> None:
    webhook, secret = webhooks.create(
        session, BY, " https://example.com/a?b=c ", ["case.*", "case.*", "ping"[:0] or "*"]
    )
    assert (webhook.url, webhook.events, webhook.active) == ("https://example.com/a?b=c", ["case.*", "*"], True)
    assert webhook.secret == secret
    assert len(secret) > 40
    assert webhooks.list_webhooks(session) == [webhook]

    webhooks.change(session, BY, webhook.id, url="https://example.org/", events=["tag.added"], description=" CRM ")
    assert (webhook.url, webhook.events, webhook.description) == ("https://example.org/", ["tag.added"], "CRM")
    webhooks.change(session, BY, webhook.id, url="https://example.org/")

    _, second = webhooks.rotate(session, BY, webhook.id)
    assert second != secret
    assert (webhook.secret, webhook.old_secret) == (second, secret)
    assert webhook.old_secret_until
    assert dt.timedelta(hours=23) < webhook.old_secret_until - now() < dt.timedelta(hours=25)

    delivery = webhooks.test(session, BY, webhook.id)
    assert (delivery.event, delivery.payload["type"], delivery.payload["conversation"]) == ("ping", "ping", None)
    session.flush()
    webhooks.delete(session, BY, webhook.id)
    assert session.scalars(select(Outgoing)).all() == []
    assert actions(session) == [f"webhook.{did}" for did in ("create", "change", "rotate", "test", "delete")]
    assert secret not in str([entry.detail for entry in audit.entries(session)])


def test_active_again_forgets_why_it_was_paused(session: Session, add_webhook: Callable[..., Webhook]) -> None:
    webhook = add_webhook()
    webhook.active, webhook.paused_reason = False, "It answered 410 Gone."
    with pytest.raises(ConversationError, match="paused"):
        webhooks.test(session, BY, webhook.id)
    assert webhooks.change(session, BY, webhook.id, active=True).paused_reason is None


@pytest.mark.parametrize(
    ("url", "allow_private"),
    [
        ("https://example.com", False),
        ("https://example.com:8443/a", False),
        ("https://bücher.example/", False),
        ("https://10.0.0.1/", False),
        ("https://10.0.0.1:9999/", True),
        ("http://127.0.0.1:9999/", True),
        ("http://localhost/", True),
        ("http://[::1]:80/", True),
    ],
)
def test_a_url_that_may_be_written(url: str, allow_private: bool) -> None:
    """Where it leads to is checked at delivery."""
    assert webhooks.checked_url(url, allow_private).startswith("http")


@pytest.mark.parametrize("allow_private", [False, True])
@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "must begin with https"),
        ("example.com/a", "must begin with https"),
        ("http://example.com/", "must begin with https"),
        ("http://10.0.0.1/", "must begin with https"),
        ("http://localhost.example.com/", "must begin with https"),
        ("ftp://example.com/", "must begin with https"),
        ("https://", "valid"),
        ("https:///path", "valid"),
        ("https://0x7f.1/", "valid"),
        ("https://user:password@example.com/", "user name"),
        ("https://user@example.com/", "user name"),
        ("https://example.com/#part", "behind #"),
        ("https://example.com:99999/", "valid"),
        ("https://exa mple.com/", "valid"),
        ("https://exam\nple.com/", "valid"),
        ("https://example.com/" + "a" * 1000, "1,000"),
    ],
)
def test_a_url_that_may_not(url: str, why: str, allow_private: bool) -> None:
    with pytest.raises(InvalidInput, match=why):
        webhooks.checked_url(url, allow_private)


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "http://localhost/", "https://example.com:9999/"])
def test_what_only_the_setting_allows(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"https|port"):
        webhooks.checked_url(url)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"events": []}, "at least one"),
        ({"events": ["case.eaten"]}, "'case.eaten'"),
        ({"events": ["ping"]}, "'ping'"),
        ({"events": ["case.opened", "c*"]}, r"'c\*'"),
        ({"description": "a" * 201}, "200"),
    ],
)
def test_other_rules(session: Session, changes: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        webhooks.create(session, BY, **({"url": "https://example.com/", "events": ["*"]} | changes))


def test_there_is_an_end_to_them(session: Session, add_webhook: Callable[..., Webhook]) -> None:
    for _ in range(webhooks.MOST_WEBHOOKS):
        add_webhook()
    with pytest.raises(ConversationError, match="50 webhooks"):
        add_webhook()


def test_only_who_may(session: Session, add_webhook: Callable[..., Webhook]) -> None:
    webhook = add_webhook().id
    tries: list[Callable[[], object]] = [
        lambda: webhooks.create(session, LEAD, "https://example.com/", ["*"]),
        lambda: webhooks.change(session, LEAD, webhook, active=False),
        lambda: webhooks.delete(session, LEAD, webhook),
        lambda: webhooks.rotate(session, LEAD, webhook),
        lambda: webhooks.test(session, LEAD, webhook),
    ]
    for attempt in tries:
        with pytest.raises(Forbidden):
            attempt()


def test_one_that_is_not_there(session: Session) -> None:
    for did in (webhooks.delete, webhooks.rotate, webhooks.test, webhooks.change):
        with pytest.raises(NotFound):
            did(session, BY, "f" * 32)
