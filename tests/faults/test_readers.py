"""Readers whose connection breaks: each gets what it missed, all of it, once and in order."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import random
from collections.abc import AsyncIterator, Callable
from typing import cast

import httpx
import pytest
import uvicorn
from sqlalchemy import Engine, update

from bot.app import create_app
from bot.channels.webchat.state import WebchatState
from bot.conversation import events
from bot.conversation.models import Event, now
from bot.desk.state import TeamState
from bot.knowledge.answer import Answerer
from bot.serve import listen
from tests.conversation.fakes import Bench
from tests.faults.history import Witness, read_history, verdict

READERS = 20
BREAKS = 1000
LONGEST_SECONDS = 600
# Events of a conversation that a reader misses in a break: at one a second, up to 600 seconds of them.
MISSED = (*(0, 1, 2, 5) * 50, 40, 199, 200, 201, LONGEST_SECONDS)
_KINDS: tuple[events.Kind, ...] = ("owner", "note", "tags")


@contextlib.asynccontextmanager
async def serving(bench: Bench) -> AsyncIterator[str]:
    """The public application behind a real socket; gives its address."""
    webchat = WebchatState(bench.service, bench.store, bench.delivery, cast(Callable[[], Answerer], None))
    app = create_app(webchat, cast(TeamState, None), lambda: True)
    config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    listener = listen("127.0.0.1", 0, "")
    task = asyncio.create_task(server.serve(sockets=[listener]))
    host, port = listener.getsockname()
    try:
        yield f"http://{host}:{port}"
    finally:
        webchat.closing = True
        server.should_exit = True
        await task


class Reader:
    """Follows a conversation over connections that are cut anywhere, also within an event."""

    def __init__(self, http: httpx.AsyncClient, conversation_id: str, token: str) -> None:
        self._http = http
        self._path = f"/api/v1/conversations/{conversation_id}/events"
        self._headers = {"authorization": f"Bearer {token}"}
        self.seen: list[int] = []

    async def read(self, most: int, until: int, seconds: float = 5.0) -> None:
        """Read on after what was seen, at most so many bytes and seconds, or until an event's number."""
        headers = {**self._headers, **({"last-event-id": f"{self.seen[-1]}"} if self.seen else {})}
        received = b""
        numbers: list[int] = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._http.stream("GET", self._path, headers=headers) as stream:
                assert stream.status_code == 200
                async for chunk in stream.aiter_raw():
                    received += chunk[: most - len(received)]
                    *whole, _ = received.split(b"\n\n")
                    ids = [event.split(b"\n")[0] for event in whole if event.startswith(b"id: ")]
                    numbers = [int(line.removeprefix(b"id: ")) for line in ids]
                    if len(received) >= most or (numbers and numbers[-1] >= until):
                        break
        self.seen += numbers


def happen(bench: Bench, conversation_id: str, number: int, dice: random.Random) -> int:
    """Let so many things happen, most of them messages, some the visitor does not see; the newest event's number."""
    with bench.changes.transaction() as session:
        conversation = events.locked(session, conversation_id)
        before = conversation.last_event
        for _ in range(number):
            if dice.random() < 0.7:
                events.add_message(session, conversation, "bot", "x" * dice.randrange(200))
            else:
                kind = dice.choice(_KINDS)
                data = {"owner": "queue", "name": "support"}
                events.append(session, conversation, kind, data, "system", visible=kind == "owner")
        # Something visible at the end, to be waited for.
        events.add_message(session, conversation, "bot", "last")
        session.flush()
        new = update(Event).where(Event.conversation_id == conversation_id, Event.number > before)
        session.execute(new.values(created_at=now() - dt.timedelta(seconds=dice.uniform(0, LONGEST_SECONDS))))
        return conversation.last_event


@pytest.mark.slow
async def test_a_thousand_breaks_lose_nothing_and_double_nothing(engine: Engine) -> None:
    bench = Bench(engine)
    limits = httpx.Limits(max_connections=None)
    async with (
        serving(bench) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=20, limits=limits) as http,
    ):

        async def follow(seed: int) -> tuple[str, Reader]:
            dice = random.Random(seed)
            conversation_id, token = await bench.service.create("webchat")
            reader = Reader(http, conversation_id, token)
            newest = 0
            for _ in range(BREAKS // READERS):
                meanwhile = asyncio.create_task(
                    asyncio.to_thread(happen, bench, conversation_id, dice.choice(MISSED), dice)
                )
                if dice.random() < 0.5:
                    newest = await meanwhile  # Else it happens while the reader reads.
                # At least the first line, which comes at once.
                await reader.read(dice.choice((1, dice.randrange(1, 2000), dice.randrange(1, 100_000))), newest or 1)
                newest = await meanwhile
            if not reader.seen or reader.seen[-1] < newest:
                await reader.read(10_000_000, newest, 30)
            return conversation_id, reader

        followed = await asyncio.gather(*(follow(seed) for seed in range(READERS)))
        await bench.service.stop(0)
    for conversation_id, reader in followed:
        history = read_history(engine, conversation_id)
        assert len(history.visible) > BREAKS // READERS
        wrong = [problem for problem in verdict(history, Witness(read=[reader.seen])) if problem.startswith("reader")]
        assert wrong == []
