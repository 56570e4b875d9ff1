"""Transactions whose readers are told: once one is kept, the bells of the places it changed ring."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from bot.conversation.delivery import Delivery
from bot.conversation.events import TOUCHED

Ring = Callable[[frozenset[str]], None]


class Changes:
    """Makes transactions; safe from any thread.

    Args:
        engine: Of a migrated database.
        ring: Called with the places a transaction changed (conversations, topics), once it is kept; in the thread of
            the transaction.
    """

    def __init__(self, engine: Engine, ring: Ring = lambda places: None) -> None:
        self.engine = engine
        self.ring = ring

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session whose changes are kept, and told, when the context ends without an error.

        What was loaded stays readable afterwards.
        """
        with Session(self.engine, expire_on_commit=False) as session:
            with session.begin():
                yield session
            touched: set[str] = session.info.get(TOUCHED, set())
        if touched:
            self.ring(frozenset(touched))

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session to read with; nothing it changes is kept."""
        with Session(self.engine) as session:
            yield session


def bells(delivery: Delivery) -> Ring:
    """Ring a delivery's bells from any thread; made in the event loop of the delivery."""
    loop = asyncio.get_running_loop()

    def notify(places: frozenset[str]) -> None:
        for place in places:
            delivery.notify(place)

    def ring(places: frozenset[str]) -> None:
        # The loop may have ended; what was kept stays kept, and readers of the next one find it.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(notify, places)

    return ring
