"""Bells ring in every process while there is a Redis; without it they ring in one, and nobody misses anything."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from redis import Redis
from redis.asyncio.client import PubSub

from bot.conversation.delivery import Delivery, Reader
from bot.conversation.relay import RedisRelay
from bot.errors import StorageError
from tests.conversation.fakes import PATIENCE
from tests.services import RedisServer

Join = Callable[[], Awaitable[Delivery]]


@pytest.mark.parametrize("url", ["http://:s3cret@localhost", "redis://:s3cret@localhost:port"])
async def test_url_of_no_redis(url: str) -> None:
    with pytest.raises(StorageError, match=r"storage\.redis_url") as caught:
        RedisRelay(url, Delivery())
    assert "s3cret" not in str(caught.value)


@pytest.fixture
async def relays() -> AsyncIterator[list[RedisRelay]]:
    """Those the test started; stopped at its end."""
    started: list[RedisRelay] = []
    yield started
    for relay in started:
        await relay.stop()


@pytest.fixture
def join(redis_url: str, relays: list[RedisRelay]) -> Join:
    """Gives a process's bells, connected with the others'."""

    async def join() -> Delivery:
        delivery = Delivery()
        relays.append(RedisRelay(redis_url, delivery))
        await relays[-1].start()
        await asyncio.wait_for(relays[-1].connected.wait(), PATIENCE)
        return delivery

    return join


async def rung(reader: Reader, typists: set[str]) -> None:
    """Wait until the reader knows that just these are typing."""
    async with asyncio.timeout(PATIENCE):
        while reader.typists != typists:
            await reader.wait(PATIENCE)


async def quiet(*readers: Reader) -> None:
    """Let the bells that follow a connection ring out."""
    for reader in readers:
        while await reader.wait(0.05):
            pass


@pytest.mark.services
async def test_bells_ring_in_the_other_processes(join: Join, redis_url: str, caplog: pytest.LogCaptureFixture) -> None:
    here, there = await join(), await join()
    with there.reader("a") as reader, there.reader("topic:cases") as cases, there.reader("b") as other:
        await quiet(reader, cases, other)
        here.notify("a")
        assert await reader.wait(PATIENCE)
        here.typing("a", "customer", True)
        here.typing("a", "agent:7", True)
        here.notify("a", typing=True)
        await rung(reader, {"customer", "agent:7", "bot"})
        here.notify("a", typing=False)
        here.typing("a", "agent:7", False)
        here.typing("a", "customer", False)
        await rung(reader, set())
        with Redis.from_url(redis_url) as client:
            client.publish("refill:bells", b"\xffnot a bell")
        here.notify_topic("cases")
        assert await cases.wait(PATIENCE)
        assert not await other.wait(0.001)
    assert ["is not a bell" in record.message for record in caplog.records] == [True, True]


@pytest.mark.services
async def test_lost_connection_is_told_once_and_all_readers_are_rung_when_it_is_back(
    join: Join, redis: RedisServer, relays: list[RedisRelay], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "bot.conversation.relay")
    here, there = await join(), await join()
    with here.reader("a") as near, there.reader("a") as far, there.reader("topic:cases") as cases:
        await quiet(near, far, cases)
        redis.stop()
        try:
            for _ in range(int(PATIENCE * 100)):
                if len(caplog.records) == 2:
                    break
                await asyncio.sleep(0.01)
            assert not any(relay.connected.is_set() for relay in relays)
            here.notify("a")
            assert await near.wait(PATIENCE)
            assert not await far.wait(0.001)
        finally:
            redis.start()
        for reader in (near, far, cases):
            assert await reader.wait(PATIENCE)
        for relay in relays:
            await asyncio.wait_for(relay.connected.wait(), PATIENCE)
        await quiet(far)
        here.notify("a")
        assert await far.wait(PATIENCE)
    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 2
    assert all("cannot be used" in line for line in warnings)
    assert sum("is back" in record.message for record in caplog.records) == 2


@pytest.mark.services
async def test_relay_that_was_stopped_rings_here_only(join: Join, relays: list[RedisRelay]) -> None:
    here, there = await join(), await join()
    await relays[0].stop()
    with here.reader("a") as near, there.reader("a") as far:
        await quiet(near, far)
        here.notify("a")
        assert await near.wait(PATIENCE)
        assert not await far.wait(0.05)


@pytest.mark.services
async def test_an_error_of_the_client_does_not_end_the_relay(
    join: Join, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    relay = RedisRelay._relay
    errors = [AttributeError("a mistake of the client's")]

    async def fail_once(self: RedisRelay, subscription: PubSub) -> None:
        if errors:
            raise errors.pop()
        await relay(self, subscription)

    monkeypatch.setattr(RedisRelay, "_relay", fail_once)
    one, other = await join(), await join()
    assert "could not be relayed" in caplog.text
    with one.reader("topic:cases") as reader:
        await quiet(reader)
        other.notify_topic("cases")
        assert await reader.wait(PATIENCE)
