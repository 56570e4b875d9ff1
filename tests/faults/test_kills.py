"""`kill -9` at random moments under load: nothing is lost, doubled or out of order, and everybody gets an answer.

A few kills in the ordinary run; with `--nightly` at least 25 on each database.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx
import pytest
from sqlalchemy import Engine

from bot.settings import Settings, load_settings
from bot.storage.engine import migrate, open_engine
from tests.faults.harness import Agent, Server, Visitor
from tests.faults.history import History, answers, read_history, verdict

pytestmark = [pytest.mark.slow, pytest.mark.rasa, pytest.mark.encoder, pytest.mark.services, pytest.mark.timeout(3600)]

CLIENTS = 20
NIGHTLY = 25
SETTLE_SECONDS = 180.0
# Each is answered with one message from an article of its own.
QUESTIONS = (
    "I forgot my Back Office password",
    "How do I add a new drink to the menu?",
    "How do I add a new barista?",
    "Which barcode scanners work with the till?",
    "How do I cancel Crema?",
    "Why was my customer's card declined?",
    "How do I connect a cash drawer?",
    "How do I cash up at the end of the day?",
)
Part = Literal["server", "rasa"]


@dataclass(frozen=True)
class Kill:
    """What is killed, of which server, so many seconds after the one before."""

    part: Part
    server: int
    pause: float


def random_kills(dice: random.Random, servers: int, number: int) -> list[Kill]:
    """Kills of servers and of their Rasas, at random moments."""
    parts: list[Part] = ["server", "server", "rasa"]
    return [Kill(dice.choice(parts), dice.randrange(servers), dice.uniform(0.3, 8)) for _ in range(number)]


@contextlib.asynccontextmanager
async def running(servers: Sequence[Server]) -> AsyncIterator[None]:
    """Servers that are up; ended afterwards, with what outlived them."""
    try:
        for server in servers:
            server.launch()
        await asyncio.gather(*(server.ready() for server in servers))
        yield
    finally:
        await asyncio.gather(*(asyncio.to_thread(server.end) for server in servers))


async def kill_all(servers: Sequence[Server], kills: Sequence[Kill]) -> None:
    """Kill what the plan says; a killed server is started again at once.

    Before each kill at least one server answers: otherwise nothing would be under way.
    """
    for kill in kills:
        await asyncio.sleep(kill.pause)
        waits = [asyncio.create_task(server.ready()) for server in servers]
        done, late = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        for task in done:
            task.result()
        victim = servers[kill.server]
        if kill.part == "server":
            victim.kill()
            victim.launch()
        else:
            # A first start of Rasa's that fails ends `refill serve`, as documented; a later one is tried again.
            await victim.ready()
            while True:
                if victim.kill_rasa():
                    break
                await asyncio.sleep(0.2)
        print(f"{time.strftime('%X')} killed the {kill.part} of {victim.url}")


async def talk(visitor: Visitor, dice: random.Random, over: asyncio.Event) -> None:
    """Ask one question after the other, at times without waiting for the answer, until it is over."""
    await visitor.begin()
    while not over.is_set():
        await visitor.say(dice.choice(QUESTIONS))
        await asyncio.sleep(dice.choice((0.0, dice.uniform(0.5, 5), dice.uniform(0.5, 5))))


async def settled(engine: Engine, visitors: Sequence[Visitor]) -> dict[str, History]:
    """Histories, once no message waits and the readers are up to date; as they are if that never comes."""
    end = time.monotonic() + SETTLE_SECONDS
    while True:
        histories = {visitor.id: await asyncio.to_thread(read_history, engine, visitor.id) for visitor in visitors}
        behind = [
            visitor.id
            for visitor in visitors
            if histories[visitor.id].waiting
            or any(len(read) < len(histories[visitor.id].visible) for read in visitor.witness.read)
        ]
        if not behind or time.monotonic() > end:
            return histories
        await asyncio.sleep(0.5)


async def play(
    engine: Engine, servers: Sequence[Server], kills: Sequence[Kill], seed: int
) -> tuple[dict[str, list[str]], int]:
    """Load and kills; what went wrong, by conversation, and how many messages were sent."""
    over = asyncio.Event()
    limits = httpx.Limits(max_connections=None)
    async with running(servers), httpx.AsyncClient(trust_env=False, timeout=4, limits=limits) as http:
        urls = [server.url for server in servers]
        visitors = [Visitor(http, urls if number % 2 else urls[::-1]) for number in range(CLIENTS)]
        tasks = [
            asyncio.create_task(talk(visitor, random.Random(f"{seed} {number}"), over))
            for number, visitor in enumerate(visitors)
        ]
        try:
            await asyncio.gather(*(visitor.begun.wait() for visitor in visitors))
            agent = Agent(http, urls, {visitor.id: visitor for visitor in visitors})
            tasks.append(asyncio.create_task(agent.work()))
            await kill_all(servers, kills)
            await asyncio.sleep(3)
            over.set()
            agent.done = True
            await asyncio.gather(*tasks)
            histories = await settled(engine, visitors)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for visitor in visitors:
                await visitor.leave()
    wrong = {visitor.id: verdict(histories[visitor.id], visitor.witness) for visitor in visitors}
    for visitor in visitors:
        if error := visitor.failed():
            wrong[visitor.id].append(f"a reader failed: {error!r}")
    answered: dict[str, set[str]] = {}
    for history in histories.values():
        for text, articles in answers(history).items():
            answered.setdefault(text, set()).update(articles)
    wrong["answers"] = [f"{text!r} was answered from {found}" for text, found in answered.items() if len(found) > 1]
    sent = sum(len(visitor.witness.sent) for visitor in visitors)
    read = sum(len(numbers) for visitor in visitors for numbers in visitor.witness.read)
    print(f"{sent} messages, {read} events read, {agent.answered} cases answered by a person")
    return {name: problems for name, problems in wrong.items() if problems}, sent


async def assert_nothing_lost(engine: Engine, servers: Sequence[Server], kills: Sequence[Kill], seed: int) -> None:
    """Play it, and show the servers' logs if something is wrong."""
    print(f"seed {seed}: {kills}")
    try:
        wrong, sent = await play(engine, servers, kills, seed)
    except BaseException:
        for server in servers:
            print(server.log[-5000:])
        raise
    if wrong:
        for server in servers:
            print(server.log[-20000:])
    assert not wrong, wrong
    assert sent >= CLIENTS


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """Another one for each night; the same for every ordinary run."""
    return int(time.time()) if request.config.getoption("nightly") else 5


async def test_kills_on_sqlite(settings: Settings, tmp_path: Path, request: pytest.FixtureRequest, seed: int) -> None:
    url = f"sqlite:///{tmp_path / 'refill.db'}"
    engine = open_engine(load_settings(tmp_path, {"REFILL_STORAGE_URL": url}))
    migrate(engine)
    kills = [Kill("rasa", 0, 1.5), Kill("server", 0, 2.5)]
    if request.config.getoption("nightly"):
        kills = random_kills(random.Random(seed), 1, NIGHTLY)
    try:
        await assert_nothing_lost(engine, [Server(settings, tmp_path, url)], kills, seed)
    finally:
        engine.dispose()


async def test_kills_of_two_servers_on_postgresql(
    settings: Settings, tmp_path: Path, pg_url: str, redis_url: str, request: pytest.FixtureRequest, seed: int
) -> None:
    engine = open_engine(load_settings(tmp_path, {"REFILL_STORAGE_URL": pg_url}))
    kills = [Kill("server", 0, 2.0), Kill("server", 1, 1.0)]
    if request.config.getoption("nightly"):
        kills = random_kills(random.Random(seed), 2, NIGHTLY)
    servers = [Server(settings, tmp_path, pg_url, redis_url) for _ in range(2)]
    try:
        await assert_nothing_lost(engine, servers, kills, seed)
    finally:
        engine.dispose()
