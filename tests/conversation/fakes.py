"""A scripted dialogue and a conversation service on a real database file, for tests without Rasa."""

from __future__ import annotations

import asyncio
import functools
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event, func, select, update
from sqlalchemy.orm import Session

from bot.conversation import events
from bot.conversation.changes import Changes, bells
from bot.conversation.delivery import Delivery
from bot.conversation.models import Conversation, Message
from bot.conversation.records import StoredMessage
from bot.conversation.service import ConversationService
from bot.conversation.store import ConversationStore
from bot.dialogue.replies import Replies
from bot.dialogue.turn import Choice, Effect, Reply, TurnContext, TurnResult
from bot.handoff.models import Escalation
from bot.settings import load_settings
from bot.storage.engine import migrate, open_engine

PROJECT = Path(__file__).resolve().parents[2]
DOMAIN = PROJECT / "domain.yml"
# Longer than any turn here takes; a test that would wait for ever fails instead.
PATIENCE = 20.0


@functools.cache
def _migrated_file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "refill.db"
        engine = open_engine(load_settings(Path(folder), {"REFILL_STORAGE_URL": f"sqlite:///{file}"}))
        migrate(engine)
        engine.dispose()
        return file.read_bytes()


def new_database(folder: Path) -> Engine:
    """An engine for a new, migrated database file in a folder."""
    file = folder / "refill.db"
    file.write_bytes(_migrated_file())
    engine = open_engine(load_settings(folder, {"REFILL_STORAGE_URL": f"sqlite:///{file}"}))

    @event.listens_for(engine, "connect")
    def hurry(connection: Any, record: Any) -> None:
        connection.execute("PRAGMA synchronous=OFF")  # No test here pulls the plug.

    return engine


@dataclass(frozen=True)
class Call:
    """What the dialogue was asked."""

    sender: str
    context: TurnContext
    payload: str | None
    slots: dict[str, str]


Script = Callable[[Call], Awaitable[TurnResult]]


def said(*texts: str, choices: Sequence[Choice] = (), effects: Sequence[Effect] = ()) -> TurnResult:
    """A turn that says these texts; the choices stand below the last."""
    replies = [Reply(text=text) for text in texts]
    replies[-1] = replies[-1].model_copy(update={"choices": list(choices)})
    return TurnResult(replies=replies, effects=list(effects))


async def echo(call: Call) -> TurnResult:
    """Say what was written."""
    return said(f"You wrote: {call.context.text}")


class ScriptedDialogue:
    """Stands in for Rasa: follows a script, remembers what it was asked."""

    def __init__(self, script: Script = echo) -> None:
        self.script = script
        self.calls: list[Call] = []

    async def respond(
        self, sender: str, context: TurnContext, payload: str | None, slots: dict[str, str]
    ) -> TurnResult:
        """As the script says."""
        call = Call(sender, context, payload, slots)
        self.calls.append(call)
        return await self.script(call)

    def follow(self, *results: TurnResult) -> None:
        """Give these results one after the other, the last for ever."""
        left = list(results)

        async def script(call: Call) -> TurnResult:
            return left.pop(0) if len(left) > 1 else left[0]

        self.script = script


@functools.cache
def domain_replies() -> Replies:
    """The bot's real sentences."""
    return Replies(DOMAIN)


class Bench:
    """A conversation service with all around it that it needs; made in an event loop."""

    def __init__(self, engine: Engine, lease_seconds: float = 15.0, **options: Any) -> None:
        self.engine = engine
        self.delivery = Delivery()
        self.changes = Changes(engine, bells(self.delivery))
        self.store = ConversationStore(self.changes, None, lease_seconds, domain_replies().reply)
        self.replies = domain_replies()
        self.dialogue = ScriptedDialogue()
        self.service = ConversationService(self.store, self.dialogue, self.replies, self.delivery, **options)

    async def new(self, language: str | None = None, audience: str = "public") -> str:
        """A new conversation's id."""
        return (await self.service.create("webchat", audience, language))[0]

    async def settled(self) -> None:
        """Wait until no message waits and nobody here is at work on one."""
        for _ in range(int(PATIENCE * 100)):
            if not await asyncio.to_thread(self.store.count_waiting) and not self.service._workers:
                return
            await asyncio.sleep(0.01)
        raise AssertionError("Messages still wait.")

    async def say(self, conversation_id: str, text: str = "", payload: str | None = None) -> list[StoredMessage]:
        """Post a message under a new id, wait for the turn's end; returns what the bot said."""
        number = await asyncio.to_thread(lambda: len(self.messages(conversation_id)))
        message, _ = await self.service.post(conversation_id, f"m{number}", text, payload)
        await self.settled()
        return self.store.messages_after(conversation_id, message.number)

    def messages(self, conversation_id: str) -> list[StoredMessage]:
        """All messages of a conversation."""
        return self.store.messages_after(conversation_id, 0, 10_000)

    def count(self) -> int:
        """Messages in the database."""
        with Session(self.engine) as session:
            return session.scalar(select(func.count()).select_from(Message)) or 0

    def give_to(self, conversation_id: str, owner: str) -> None:
        """Change the owner, as the desk does."""
        with Session(self.engine) as session, session.begin():
            session.execute(
                update(Conversation)
                .where(Conversation.id == conversation_id)
                .values(owner=owner, owner_version=Conversation.owner_version + 1)
            )

    def escalations(self) -> list[Escalation]:
        """All escalations, oldest first."""
        with Session(self.engine, expire_on_commit=False) as session:
            return list(session.scalars(select(Escalation).order_by(Escalation.id)))


def agent_says(changes: Changes | Engine, conversation_id: str, agent: str, text: str) -> StoredMessage:
    """Take a conversation as a person and write to the customer."""
    changes = changes if isinstance(changes, Changes) else Changes(changes)
    with changes.transaction() as session:
        conversation = events.locked(session, conversation_id)
        conversation.hand_to(f"agent:{agent}")
        message = events.add_message(session, conversation, "agent", text, {"name": agent}, f"person:{agent}")
    return ConversationStore(changes).message(conversation_id, message.number)


@asynccontextmanager
async def silent_server() -> AsyncIterator[str]:
    """Address of a server that takes requests and never answers."""

    handlers: list[asyncio.Task[Any]] = []

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers.append(task)
        await reader.read()  # Until the other side gives up.
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await asyncio.gather(*handlers)
