"""Deliveries with the real DBOS, a real receiver, real processes and real kills."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from bot.outbox import deliveries, outbox, webhooks
from bot.outbox.models import Outgoing
from bot.outbox.signature import BadSignature, verify
from bot.outbox.timing import Backoff, Timing
from bot.outbox.workflows import Outbox
from bot.people import audit
from bot.settings import Settings
from bot.storage.engine import open_engine
from tests.outbox.conftest import BY
from tests.outbox.process import outbox_process
from tests.outbox.receiver import Receiver, Reply, eventually

QUICK = Timing(poll=0.05, idle=0.05, backoff=Backoff(0.02, 0.1))
Start = Callable[..., Outbox]


@pytest.fixture
def start(settings: Settings, request: pytest.FixtureRequest) -> Iterator[Start]:
    """Starts an outbox; stops it at the end."""
    started: list[Outbox] = []

    def start(engine: Engine, timing: Timing = QUICK, attempts: int = 3) -> Outbox:
        own = settings.replace(outbox__allow_private=True, outbox__max_attempts=attempts)
        started.append(Outbox(own, engine, timing))
        started[-1].start()
        return started[-1]

    yield start
    for box in started:
        box.stop(5)


def add(engine: Engine, url: str) -> str:
    """A webhook for everything; its id."""
    with Session(engine) as session, session.begin():
        return webhooks.create(session, BY, url, ["*"], allow_private=True)[0].id


def put(engine: Engine, count: int = 1) -> None:
    """Deliveries to every active webhook, numbered."""
    with Session(engine) as session, session.begin():
        for number in range(count):
            outbox.enqueue_named(session, "signal.reported", None, {"number": number})


def state(engine: Engine, webhook: str | None = None) -> dict[str, int]:
    with Session(engine) as session:
        return {name: count for name, count in deliveries.counts(session, webhook).items() if count}


def rows(engine: Engine) -> Sequence[Outgoing]:
    with Session(engine) as session:
        return session.scalars(select(Outgoing).order_by(Outgoing.created_at)).all()


def dbos_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if "dbos" in thread.name or "queue" in thread.name]


@pytest.mark.slow
def test_nothing_starts_before_there_is_a_webhook(engine: Engine, receiver: Receiver, start: Start) -> None:
    box = start(engine)
    box.wake()
    time.sleep(0.2)
    assert not box.launched
    assert dbos_threads() == []
    add(engine, receiver.url())
    put(engine)
    receiver.wait(1)
    assert box.launched
    box.stop(5)
    assert dbos_threads() == []


def test_dbos_is_not_even_loaded() -> None:
    code = "import sys, bot.outbox.workflows, bot.conversation.events; sys.exit('dbos' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
def test_again_until_it_is_accepted(any_engine: Engine, receiver: Receiver, start: Start) -> None:
    """The same id and body each time, signed anew; while the secret is changed, with both."""
    webhook = add(any_engine, receiver.url())
    with Session(any_engine) as session, session.begin():
        old = webhooks.read(session, webhook).secret
        _, new = webhooks.rotate(session, BY, webhook)
    receiver.replies["/"] = [Reply(500), Reply(302, {"Location": receiver.url("/other")}), Reply(200)]
    start(any_engine)
    put(any_engine)
    got = receiver.wait(3)
    eventually(lambda: state(any_engine) == {"delivered": 1})
    (row,) = rows(any_engine)
    assert {(one.path, one.delivery, one.body) for one in got} == {("/", row.id, got[0].body)}
    assert got[0].json == row.payload
    assert (row.attempts, row.last_status, row.last_error, row.holder) == (3, 200, None, None)
    for one in got:
        assert verify(old, one.headers, one.body) == verify(new, one.headers, one.body) == row.id
        with pytest.raises(BadSignature):
            verify("whsec_other", one.headers, one.body)


@pytest.mark.slow
def test_given_up_and_retried_and_gone(engine: Engine, receiver: Receiver, start: Start) -> None:
    """What is tried as often as it may be is dead until people retry it; what is gone pauses its webhook."""
    dead, gone = add(engine, receiver.url("/dead")), add(engine, receiver.url("/gone"))
    receiver.replies = {"/dead": [Reply(500)], "/gone": [Reply(410)]}
    start(engine)
    put(engine)
    eventually(lambda: state(engine) == {"dead": 2})
    tries = Counter(got.path for got in receiver.got)
    assert tries == {"/dead": 3, "/gone": 1}
    with Session(engine) as session:
        paused = webhooks.read(session, gone)
        assert not paused.active
        assert "410" in (paused.paused_reason or "")
        assert (audit.entries(session)[0].by, audit.entries(session)[0].action) == ("system:refill", "webhook.pause")
        (row,) = deliveries.list_deliveries(session, "dead", dead)
        assert row.last_error == "It answered 500 Internal Server Error."
    receiver.replies = {}
    with Session(engine) as session, session.begin():
        assert deliveries.retry_dead(session, BY, dead) == 1
        assert deliveries.retry_dead(session, BY, gone) == 1
    eventually(lambda: state(engine, dead) == {"delivered": 1})
    assert state(engine, gone) == {"pending": 1}, "it waits until people set its webhook active"
    with Session(engine) as session, session.begin():
        webhooks.change(session, BY, gone, active=True)
    eventually(lambda: state(engine) == {"delivered": 2})
    assert len({got.delivery for got in receiver.got}) == 2
    (row,) = [row for row in rows(engine) if row.webhook_id == dead]
    assert (row.round, row.attempts) == (1, 4)


@pytest.mark.slow
def test_a_slow_receiver_holds_up_only_itself(engine: Engine, receiver: Receiver, start: Start) -> None:
    """Two at once for one webhook, eight in all; what is put off waits without a thread."""
    receiver.replies = {"/late": [Reply(500, seconds=0.3)], "/quick": [Reply(200, seconds=0.01)]}
    late, quick = add(engine, receiver.url("/late")), add(engine, receiver.url("/quick"))
    others = [receiver.url(f"/other{number}") for number in range(4)]
    for other in others:
        add(engine, other)
        receiver.replies[f"/other{other[-1]}"] = [Reply(200, seconds=0.1)]
    put(engine, 20)
    start(engine, Timing(poll=0.05, idle=0.05, backoff=Backoff(30.0)))
    eventually(lambda: state(engine, quick) == {"delivered": 20})
    assert state(engine, late) == {"pending": 20}
    eventually(lambda: state(engine) == {"delivered": 100, "pending": 20})
    assert receiver.most["/late"] <= 2
    assert receiver.most["/quick"] <= 2
    assert 2 < receiver.most[""] <= 8


@pytest.mark.slow
def test_a_stop_leaves_it_to_the_next_start(engine: Engine, receiver: Receiver, start: Start) -> None:
    """The workflow that waits for its next try goes on with that one."""
    receiver.replies["/"] = [Reply(500), Reply(500), Reply(200)]
    add(engine, receiver.url())
    put(engine)
    first = start(engine, Timing(poll=0.05, idle=0.05, backoff=Backoff(0.5)), 4)
    receiver.wait(1)
    eventually(lambda: rows(engine)[0].attempts == 1)
    began = time.monotonic()
    first.stop(5)
    assert time.monotonic() - began < 3
    (row,) = rows(engine)
    assert (row.state, row.holder) == ("pending", None)
    start(engine, attempts=4)
    eventually(lambda: state(engine) == {"delivered": 1})
    (row,) = rows(engine)
    assert (row.round, row.attempts, len(receiver.got)) == (0, 3, 3)


@pytest.mark.slow
def test_a_workflow_that_ended_without_an_outcome(engine: Engine, receiver: Receiver, start: Start) -> None:
    """As after a backup was restored: the database says pending, DBOS says done. It is delivered, in another round."""
    add(engine, receiver.url())
    put(engine)
    start(engine)
    eventually(lambda: state(engine) == {"delivered": 1})
    with Session(engine) as session, session.begin():
        session.query(Outgoing).update({"state": "pending", "finished_at": None})
    eventually(lambda: state(engine) == {"delivered": 1})
    (row,) = rows(engine)
    assert (row.round, row.attempts) == (1, 2)
    assert [got.delivery for got in receiver.got] == [row.id, row.id]


@pytest.mark.slow
def test_a_killed_process_loses_nothing(engine: Engine, receiver: Receiver) -> None:
    """Killed with posts under way, twice: each delivery arrives at least once, under one id."""
    url = f"sqlite:///{engine.url.database}"
    add(engine, receiver.url())
    receiver.replies["/"] = [Reply(200, seconds=0.05)]
    put(engine, 30)
    for killed_after in (5, 15):
        with outbox_process(url, 1.0) as process:
            receiver.wait(killed_after)
            process.kill()
    with outbox_process(url, 1.0):
        eventually(lambda: state(engine) == {"delivered": 30})
    times = Counter(got.delivery for got in receiver.got)
    assert times.keys() == {row.id for row in rows(engine)}
    assert max(times.values()) <= 3, "once more for each kill at most"
    assert {got.json["id"] for got in receiver.got} == times.keys()


@pytest.mark.slow
@pytest.mark.services
def test_two_processes_share_the_work(settings: Settings, pg_url: str, receiver: Receiver) -> None:
    """Each delivery once; when one of them is killed, the other takes over what it held."""
    engine = open_engine(settings.replace(storage__url=pg_url))
    add(engine, receiver.url("/a"))
    add(engine, receiver.url("/b"))
    for path in ("/a", "/b"):
        receiver.replies[path] = [Reply(200, seconds=0.1)]
    with outbox_process(pg_url, 2.0) as one, outbox_process(pg_url, 2.0):
        put(engine, 60)
        eventually(lambda: state(engine) == {"delivered": 120})
        times = Counter(got.delivery for got in receiver.got)
        assert (len(times), set(times.values())) == (120, {1})
        with Session(engine) as session:
            assert session.scalar(select(func.max(Outgoing.attempts))) == 1
        assert receiver.most["/a"] > 2, "both delivered"
        put(engine, 30)
        receiver.wait(130)
        one.kill()
        eventually(lambda: state(engine) == {"delivered": 180})
    engine.dispose()
