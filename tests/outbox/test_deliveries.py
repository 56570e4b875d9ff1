"""Looking through deliveries, and retrying those that were given up."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy.orm import Session

from bot.conversation.models import now
from bot.errors import ConversationError, InvalidInput, NotFound
from bot.outbox import deliveries, outbox
from bot.outbox.models import Outgoing, Webhook
from bot.people import audit
from bot.people.roles import PERMISSIONS_OF, Forbidden, Principal
from tests.outbox.conftest import BY

AGENT = Principal("person", "p1", "Ada", PERMISSIONS_OF["agent"])


def put(session: Session, webhook: Webhook, state: str = "pending") -> Outgoing:
    outgoing = outbox.put(session, webhook, "signal.reported", None, {})
    if state != "pending":
        outgoing.state, outgoing.finished_at, outgoing.started_at, outgoing.attempts = state, now(), now(), 12
    session.commit()
    return outgoing


def test_pages_newest_first(session: Session, add_webhook: Callable[..., Webhook]) -> None:
    one, other = add_webhook(), add_webhook()
    made = [put(session, one, state) for state in ("pending", "delivered", "dead", "dead")]
    put(session, other)
    for outgoing in made[1:3]:
        outgoing.created_at = made[0].created_at  # At the same moment, the id decides.
    session.commit()
    pages: list[Outgoing] = []
    while page := deliveries.list_deliveries(session, None, one.id, pages[-1].id if pages else None, 1):
        pages += page
    assert pages[0] is made[3]
    assert pages[1:] == sorted(made[:3], key=lambda outgoing: outgoing.id, reverse=True)
    assert deliveries.list_deliveries(session, "delivered") == [made[1]]
    assert deliveries.counts(session) == {"pending": 2, "delivered": 1, "dead": 2}
    assert deliveries.counts(session, other.id) == {"pending": 1, "delivered": 0, "dead": 0}
    with pytest.raises(InvalidInput, match="pending, delivered, dead"):
        deliveries.list_deliveries(session, "lost")
    with pytest.raises(NotFound):
        deliveries.list_deliveries(session, before="f" * 32)


def test_a_retry_begins_another_round(session: Session, add_webhook: Callable[..., Webhook]) -> None:
    dead = put(session, add_webhook(), "dead")
    deliveries.retry(session, BY, dead.id)
    assert (dead.state, dead.round, dead.attempts) == ("pending", 1, 12)
    assert (dead.started_at, dead.finished_at) == (None, None)
    with pytest.raises(ConversationError, match="pending"):
        deliveries.retry(session, BY, dead.id)
    entry = audit.entries(session)[0]
    assert (entry.action, entry.target) == ("delivery.retry", f"delivery:{dead.id}")


def test_all_dead_ones_of_a_webhook(session: Session, add_webhook: Callable[..., Webhook]) -> None:
    one, other = add_webhook(), add_webhook()
    for webhook in (one, one, other):
        put(session, webhook, "dead")
    put(session, one, "delivered")
    assert deliveries.retry_dead(session, BY, one.id) == 2
    assert deliveries.retry_dead(session, BY, one.id) == 0
    assert deliveries.counts(session) == {"pending": 2, "delivered": 1, "dead": 1}


def test_only_who_may(session: Session, add_webhook: Callable[..., Webhook]) -> None:
    webhook = add_webhook()
    dead = put(session, webhook, "dead")
    with pytest.raises(Forbidden):
        deliveries.retry(session, AGENT, dead.id)
    with pytest.raises(Forbidden):
        deliveries.retry_dead(session, AGENT, webhook.id)
    with pytest.raises(NotFound):
        deliveries.retry(session, BY, "f" * 32)
