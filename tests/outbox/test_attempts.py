"""One try, and who may make it: what the workflows do step by step."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from bot.conversation.models import now
from bot.outbox import claims, outbox, webhooks
from bot.outbox.attempts import Attempts
from bot.outbox.claims import Claims
from bot.outbox.models import Outgoing, Webhook
from bot.outbox.sender import Sender, allowing_private
from bot.outbox.signature import BadSignature, verify
from bot.outbox.timing import Backoff
from tests.outbox.conftest import BY
from tests.outbox.receiver import Receiver, Reply

ME, OTHER = "me", "other"


@pytest.fixture
def attempts(engine: Engine) -> Attempts:
    return Attempts(engine, Sender(allowing_private(), 5, 5), 3, Backoff(1.0), ME)


@pytest.fixture
def delivery(session: Session, add_webhook: Callable[..., Webhook], receiver: Receiver) -> Outgoing:
    """A delivery this process holds."""
    outgoing = outbox.put(session, add_webhook(receiver.url()), "ping", None, {})
    outgoing.holder, outgoing.held_until, outgoing.started_at = ME, now() + dt.timedelta(seconds=30), now()
    session.commit()
    return outgoing


@pytest.mark.parametrize("change", ["holder", "state", "deleted"])
def test_nothing_is_posted_for_others(
    session: Session, attempts: Attempts, delivery: Outgoing, receiver: Receiver, change: str
) -> None:
    if change == "deleted":
        webhooks.delete(session, BY, delivery.webhook_id)
    else:
        setattr(delivery, change, {"holder": OTHER, "state": "delivered"}[change])
    identifier = delivery.id
    session.commit()
    assert attempts.make(identifier, 1)["state"] == "over"
    assert receiver.got == []


def test_what_a_pause_finds_waits(session: Session, attempts: Attempts, delivery: Outgoing) -> None:
    webhooks.change(session, BY, delivery.webhook_id, active=False)
    session.commit()
    assert attempts.make(delivery.id, 2)["state"] == "over"
    session.refresh(delivery)
    assert (delivery.state, delivery.round, delivery.holder, delivery.started_at) == ("pending", 1, None, None)


@pytest.mark.parametrize(
    ("retry_after", "least", "most"), [("0", 1.6, 2.4), ("100", 100, 100), ("86400", 3600, 3600), ("x", 1.6, 2.4)]
)
def test_who_asks_to_wait_is_waited_for(
    attempts: Attempts, delivery: Outgoing, receiver: Receiver, retry_after: str, least: float, most: float
) -> None:
    receiver.replies["/"] = [Reply(503, {"Retry-After": retry_after})]
    outcome = attempts.make(delivery.id, 2)
    assert outcome["state"] == "again"
    assert least <= outcome["seconds"] <= most


def test_an_old_secret_signs_for_a_day(
    session: Session, attempts: Attempts, delivery: Outgoing, receiver: Receiver
) -> None:
    webhook = webhooks.read(session, delivery.webhook_id)
    old = webhook.secret
    _, new = webhooks.rotate(session, BY, webhook.id)
    webhook.old_secret_until = now() - dt.timedelta(seconds=1)
    session.commit()
    attempts.make(delivery.id, 1)
    (got,) = receiver.got
    assert verify(new, got.headers, got.body) == delivery.id
    with pytest.raises(BadSignature):
        verify(old, got.headers, got.body)


def test_waits_double_up_to_the_longest() -> None:
    backoff = Backoff()
    for tries, whole in ((1, 1), (2, 2), (3, 4), (10, 512), (11, 600), (5000, 600)):
        seconds = [backoff.seconds(tries) for _ in range(50)]
        assert whole * 0.8 <= min(seconds) <= max(seconds) <= whole * 1.2
        assert len(set(seconds)) > 10, "not all at the same moment"


def test_claims(any_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each delivery is held by one process; when its claim lapses, another may have it."""
    monkeypatch.setattr(claims, "MOST_PER_WEBHOOK", 3)
    mine, others, lapsing = Claims(any_engine, ME, 30), Claims(any_engine, OTHER, 30), Claims(any_engine, "dead", -1)
    assert not mine.any_webhook()
    with Session(any_engine) as session, session.begin():
        webhook, _ = webhooks.create(session, BY, "https://example.com/", ["*"])
        paused, _ = webhooks.create(session, BY, "https://example.com/", ["*"])
        paused.active = False
        session.flush()
        made = [outbox.put(session, webhook, "ping", None, {}).id for _ in range(5)]
        outbox.put(session, paused, "ping", None, {})
    assert mine.any_webhook()
    first = lapsing.claim()
    assert ([claim.delivery for claim in first], [claim.begun for claim in first]) == (made[:3], [False] * 3)
    again = mine.claim()
    assert ([claim.delivery for claim in again], [claim.begun for claim in again]) == (made[:3], [True] * 3)
    assert again[0].workflow == f"{made[0]}.0"
    assert mine.claim() == [], "no more than so many at the same time"
    assert [claim.delivery for claim in others.claim()] == made[3:]

    others.take(made[0])
    lapsing.renew([made[1]])
    mine.begin_again(made[0])
    mine.begin_again(made[1])
    (fresh,) = [claim for claim in mine.claim() if claim.delivery == made[1]]
    assert (fresh.round, fresh.begun) == (1, False)
    others.release()
    assert {claim.delivery for claim in mine.claim()} == {made[0]}


def test_what_was_delivered_is_forgotten_after_a_week(engine: Engine, session: Session, delivery: Outgoing) -> None:
    for days, count in ((6, 1), (8, 0)):
        delivery.state, delivery.finished_at = "delivered", now() - dt.timedelta(days=days)
        session.commit()
        Claims(engine, ME, 30).tidy()
        assert session.query(Outgoing).count() == count
