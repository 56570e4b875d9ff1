"""Carry bells between processes over Redis publish and subscribe.

Bells carry no words of anybody, and none has to arrive: readers look into the database by themselves every few seconds.
So nothing is kept while there is no connection; once it is back, every reader is rung, here and in the other processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid

from pydantic import BaseModel, ValidationError
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from bot.conversation.delivery import Bell, Delivery
from bot.errors import StorageError
from bot.settings import without_password

_CHANNEL = "refill:bells"
_WAITING = 10_000
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 10.0
_HEALTH_SECONDS = 5.0
logger = logging.getLogger(__name__)


class _Wire(BaseModel):
    """A bell as it travels."""

    sender: str
    place: str
    who: str = ""
    on: bool = False


class RedisRelay:
    """Rings in this process what others ring, and the other way round.

    Args:
        url: `storage.redis_url`.
        delivery: This process's bells.

    Attributes:
        connected: Set while there is a connection.

    Raises:
        StorageError: The URL is no Redis one.
    """

    def __init__(self, url: str, delivery: Delivery) -> None:
        self._name = without_password(url)
        try:
            # One attempt each: the client's own retries would hide that bells were lost.
            self._redis = Redis.from_url(
                url,
                retry=Retry(NoBackoff(), 0),
                socket_connect_timeout=5,
                socket_keepalive=True,
                health_check_interval=_HEALTH_SECONDS,
            )
        except ValueError as error:
            raise StorageError(
                f"storage.redis_url is not a Redis URL: {self._name!r}.",
                "Write redis://host, redis://:password@host:6379/0, or leave it empty for one process.",
            ) from error
        self._delivery = delivery
        self._me = uuid.uuid4().hex
        self._bells: asyncio.Queue[Bell] = asyncio.Queue(_WAITING)
        self._task: asyncio.Task[None] | None = None
        self.connected = asyncio.Event()

    async def start(self) -> None:
        """Begin to relay. Redis may still be down: it is waited for."""
        self._delivery.relay = self._put
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop relaying; bells ring in this process only."""
        self._delivery.relay = None
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._redis.aclose()

    def _put(self, bell: Bell) -> None:
        # What is lost here is made good by the bell for everywhere that opens a connection.
        if self.connected.is_set():
            with contextlib.suppress(asyncio.QueueFull):
                self._bells.put_nowait(bell)

    async def _run(self) -> None:
        pause = _FIRST_PAUSE
        told = False
        clock = asyncio.get_running_loop().time
        while True:
            begun = clock()
            try:
                async with self._redis.pubsub() as subscription:
                    await subscription.subscribe(_CHANNEL)
                    if await subscription.get_message(timeout=_HEALTH_SECONDS) is None:
                        raise TimeoutError("it does not answer")
                    if told:
                        logger.info("Redis at %s is back: bells ring in all processes.", self._name)
                        told = False
                    await self._relay(subscription)
            except (RedisError, OSError) as error:
                if not told:
                    logger.warning(
                        "Redis at %s cannot be used (%s): bells ring in one process only until it can.",
                        self._name,
                        error,
                    )
                told = True
            except Exception:
                # Nobody would notice that the relay has ended.
                logger.exception("Bells could not be relayed; they are again in a moment")
            # What the pool keeps may be as dead as what failed.
            await self._redis.connection_pool.disconnect()
            if clock() - begun > 2 * _LONGEST_PAUSE:
                pause = _FIRST_PAUSE
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _relay(self, subscription: PubSub) -> None:
        """Pass bells both ways until the connection is lost."""
        everywhere = Bell("")
        self._bells = asyncio.Queue(_WAITING)
        self._bells.put_nowait(everywhere)
        self.connected.set()
        self._delivery.receive(everywhere)
        tasks = [asyncio.create_task(self._send()), asyncio.create_task(self._hear(subscription))]
        try:
            await asyncio.gather(*tasks)
        finally:
            self.connected.clear()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _send(self) -> None:
        while True:
            bell = await self._bells.get()
            wire = _Wire(sender=self._me, place=bell.place, who=bell.who, on=bell.on)
            await self._redis.publish(_CHANNEL, wire.model_dump_json())

    async def _hear(self, subscription: PubSub) -> None:
        while True:
            # Comes back now and then, so that the client asks after a connection that fell silent.
            message = await subscription.get_message(ignore_subscribe_messages=True, timeout=_HEALTH_SECONDS)
            if message is None:
                continue
            try:
                wire = _Wire.model_validate_json(message["data"])
            except ValidationError:
                logger.warning("A message on Redis's channel %s is not a bell; it is left out.", _CHANNEL)
                continue
            if wire.sender != self._me:
                self._delivery.receive(Bell(wire.place, wire.who, wire.on))
