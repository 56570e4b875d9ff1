"""Tag messages in the background: one after the other, behind their turns, so that no reply waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator

from bot.conversation.records import StoredMessage
from bot.conversation.store import ConversationStore
from bot.errors import RefillError
from bot.language import detect
from bot.tagging.tags import Tagged

logger = logging.getLogger(__name__)


class Tagging:
    """Has messages tagged and their tags kept. All in one event loop; the work itself is done in threads.

    A message whose tagging fails is tried again at the next start.

    Args:
        store: Where messages and tags are kept.
        tag: What a text in a language carries.
        after: Awaited each time a message's tags were kept.
    """

    def __init__(
        self,
        store: ConversationStore,
        tag: Callable[[str, str], Tagged],
        after: Callable[[StoredMessage, Tagged], Awaitable[None]],
    ) -> None:
        self._store = store
        self._tag = tag
        self._after = after
        # It lets those who wait pass in order: a conversation's messages are tagged as they came.
        self._turn = asyncio.Lock()
        self._under_way: set[asyncio.Task[None]] = set()
        self._catching_up: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Tag what was not tagged when the process ended, oldest first; new messages go before the rest of it."""
        self._catching_up = asyncio.create_task(self._catch_up(), name="tag earlier messages")

    def add(self, message: StoredMessage, language: str) -> None:
        """Tag a message whose turn is over; a choice, or a file, has no words, and only places the customer's case."""
        if message.content.get("payload") or not message.text:
            self._begin(self._place_case(message))
        else:
            self._begin(self._tag_message(message, language))

    async def stop(self, seconds: float) -> None:
        """Finish what was added, for at most so many seconds; what remains is taken up at the next start."""
        if self._catching_up:
            self._catching_up.cancel()
            await asyncio.gather(self._catching_up, return_exceptions=True)
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _catch_up(self) -> None:
        places: list[tuple[str, int]] = []
        with _noted("Earlier messages were not tagged"):
            places = await asyncio.to_thread(self._store.untagged)
        for conversation_id, number in places:
            with _noted(f"Message {number} of {conversation_id} was not tagged"):
                message = await asyncio.to_thread(self._store.message, conversation_id, number)
                await self._tag_message(message, await asyncio.to_thread(detect, message.text))

    async def _tag_message(self, message: StoredMessage, language: str) -> None:
        with _noted(f"Message {message.number} of {message.conversation_id} was not tagged"):
            async with self._turn:
                tagged = await asyncio.to_thread(self._tag, message.text, language)
                new = await asyncio.to_thread(self._store.record_tags, message, tagged)
            if new:
                await self._after(message, tagged)

    async def _place_case(self, message: StoredMessage) -> None:
        with _noted(f"The case of conversation {message.conversation_id} stays where it is"):
            async with self._turn:
                await asyncio.to_thread(self._store.place_case, message)


@contextlib.contextmanager
def _noted(failure: str) -> Iterator[None]:
    """Log an error: nobody waits for this work, and nothing else must fail with it."""
    try:
        yield
    except RefillError as error:
        logger.error("%s: %s", failure, error)
    except Exception:
        logger.exception(failure)
