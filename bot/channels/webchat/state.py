"""What the web chat's routes need; made once by the application."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from fastapi import Request

from bot.conversation.delivery import Delivery
from bot.conversation.records import Snapshot, StoredMessage, Thumb
from bot.conversation.service import ConversationService
from bot.conversation.store import ConversationStore
from bot.knowledge.answer import Answerer


@dataclass
class WebchatState:
    """Services of the web chat.

    Attributes:
        service: Takes messages in.
        store: Gives them back.
        delivery: Rings when there are new ones.
        answerer: Gives the answerer in force, for the help pages.
        closing: The server is about to stop; streams end.
    """

    service: ConversationService
    store: ConversationStore
    delivery: Delivery
    answerer: Callable[[], Answerer]
    closing: bool = False

    async def authorise(self, conversation_id: str, token: str) -> None:
        """See `ConversationStore.authorise`."""
        await asyncio.to_thread(self.store.authorise, conversation_id, token)

    async def snapshot(self, conversation_id: str) -> Snapshot:
        """See `ConversationStore.snapshot`."""
        return await asyncio.to_thread(self.store.snapshot, conversation_id)

    async def messages_after(self, conversation_id: str, number: int, limit: int) -> list[StoredMessage]:
        """See `ConversationStore.messages_after`."""
        return await asyncio.to_thread(self.store.messages_after, conversation_id, number, limit)

    async def give_thumb(self, conversation_id: str, number: int, thumb: Thumb | None) -> None:
        """See `ConversationStore.give_thumb`."""
        await asyncio.to_thread(self.store.give_thumb, conversation_id, number, thumb)


def state_of(request: Request) -> WebchatState:
    """The state of the application a request came to."""
    state: WebchatState = request.app.state.webchat
    return state
