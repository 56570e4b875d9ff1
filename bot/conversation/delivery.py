"""Tell the readers of a conversation that there is something new. What is new stands in the database."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class Reader:
    """One reader's bell: rings when messages were stored; knows whether the bot is typing."""

    def __init__(self) -> None:
        self._bell = asyncio.Event()
        self.typing = False

    def ring(self, typing: bool) -> None:
        """Wake the reader."""
        self.typing = typing
        self._bell.set()

    async def wait(self, seconds: float) -> bool:
        """Wait for the bell; False when it did not ring in time."""
        try:
            await asyncio.wait_for(self._bell.wait(), seconds)
        except TimeoutError:
            return False
        self._bell.clear()
        return True


class Delivery:
    """Bells by conversation. All in one event loop."""

    def __init__(self) -> None:
        self._readers: dict[str, set[Reader]] = defaultdict(set)
        self._typing: set[str] = set()

    def notify(self, conversation_id: str, typing: bool | None = None) -> None:
        """Ring the bells of a conversation; typing None leaves the typing sign as it is."""
        if typing is not None:
            (self._typing.add if typing else self._typing.discard)(conversation_id)
        for reader in self._readers.get(conversation_id, ()):
            reader.ring(conversation_id in self._typing)

    @contextmanager
    def reader(self, conversation_id: str) -> Iterator[Reader]:
        """A bell for as long as somebody reads."""
        reader = Reader()
        reader.typing = conversation_id in self._typing
        self._readers[conversation_id].add(reader)
        try:
            yield reader
        finally:
            self._readers[conversation_id].discard(reader)
            if not self._readers[conversation_id]:
                del self._readers[conversation_id]
