"""Tell readers that there is something new. What is new stands in the database; who is typing stands only here.

A reader listens to a conversation, by its id, or to a topic, as `topic:cases`. With a relay (`bot.conversation.relay`),
a bell rung in one process rings in the others too.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

BOT = "bot"
# A person's typing sign ends by itself this long after the last key.
PERSON_SECONDS = 6.0
# The bot takes its sign down itself; that of another process, which may have died meanwhile, ends after this.
RELAYED_BOT_SECONDS = 60.0


@dataclass(frozen=True)
class Bell:
    """What rings.

    Attributes:
        place: A conversation's id, `topic:…`, or empty: everywhere.
        who: Whose typing sign changes: `bot`, `customer` or `agent:<id>`; empty: nobody's.
        on: Whether who is typing.
    """

    place: str
    who: str = ""
    on: bool = False


class Reader:
    """One reader's bell: rings when something is new; knows who is typing.

    Attributes:
        typists: `bot`, `customer` and `agent:<id>`, those who are typing.
    """

    def __init__(self, typists: frozenset[str] = frozenset()) -> None:
        self._bell = asyncio.Event()
        self.typists = typists

    @property
    def typing(self) -> bool:
        """Whether the bot is typing."""
        return BOT in self.typists

    def ring(self, typists: frozenset[str]) -> None:
        """Wake the reader."""
        self.typists = typists
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
    """Bells by conversation and topic. All in one event loop.

    Attributes:
        relay: Told of every bell rung here, so that it rings in other processes.
    """

    def __init__(self) -> None:
        self.relay: Callable[[Bell], None] | None = None
        self._readers: dict[str, set[Reader]] = defaultdict(set)
        self._typing: dict[str, dict[str, asyncio.TimerHandle | None]] = {}

    def notify(self, conversation_id: str, typing: bool | None = None) -> None:
        """Ring the bells of a conversation; typing None leaves the bot's typing sign as it is."""
        self._ring_everywhere(Bell(conversation_id) if typing is None else Bell(conversation_id, BOT, typing))

    def typing(self, conversation_id: str, who: str, on: bool) -> None:
        """Put up or take down a typing sign; a person's ends by itself 6 s after the last call.

        Args:
            who: `bot`, `customer` or `agent:<id>`.

        Raises:
            ValueError: who is nobody of these.
        """
        if who not in (BOT, "customer") and not re.fullmatch("agent:.+", who):
            raise ValueError(f"Who is typing must be bot, customer or agent:<id>. Currently, it is {who!r}.")
        self._ring_everywhere(Bell(conversation_id, who, on))

    def notify_topic(self, topic: str) -> None:
        """Ring the bells of those who read `topic:<topic>`."""
        self._ring_everywhere(Bell(f"topic:{topic}"))

    def receive(self, bell: Bell) -> None:
        """Ring a bell that was rung in another process."""
        if bell.place:
            self._ring(bell, RELAYED_BOT_SECONDS)
            return
        for place in list(self._readers):
            self._wake(place)

    @contextmanager
    def reader(self, place: str) -> Iterator[Reader]:
        """A bell for as long as somebody reads; place is a conversation's id or `topic:…`."""
        reader = Reader(self._typists(place))
        self._readers[place].add(reader)
        try:
            yield reader
        finally:
            self._readers[place].discard(reader)
            if not self._readers[place]:
                del self._readers[place]

    def _ring_everywhere(self, bell: Bell) -> None:
        self._ring(bell, None)
        if self.relay:
            self.relay(bell)

    def _ring(self, bell: Bell, bot_seconds: float | None) -> None:
        if not bell.who:
            self._wake(bell.place)
            return
        before = self._typists(bell.place)
        self._sign(bell, bot_seconds if bell.who == BOT else PERSON_SECONDS)
        # A person's sign is put up again with every few keys: nothing is new then.
        if bell.who == BOT or self._typists(bell.place) != before:
            self._wake(bell.place)

    def _sign(self, bell: Bell, seconds: float | None) -> None:
        """Put up a sign, for some seconds or until it is taken down, or take it down."""
        signs = self._typing.setdefault(bell.place, {})
        if timer := signs.pop(bell.who, None):
            timer.cancel()
        if bell.on:
            down = Bell(bell.place, bell.who)
            loop = asyncio.get_running_loop()
            signs[bell.who] = None if seconds is None else loop.call_later(seconds, self._ring, down, None)
        if not signs:
            del self._typing[bell.place]

    def _typists(self, place: str) -> frozenset[str]:
        return frozenset(self._typing.get(place, ()))

    def _wake(self, place: str) -> None:
        for reader in self._readers.get(place, ()):
            reader.ring(self._typists(place))
