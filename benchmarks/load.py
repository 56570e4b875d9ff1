"""Conversations per second under load, with one and with two server processes on one PostgreSQL and one Redis.

200 visitors keep their event streams open. 20 of them talk at a time: three questions, each after the answer to the one
before, then the wish for a person. 20 agents, each with a token of their own, list the cases, claim one, reply to it
and resolve it. Visitors and agents are spread over the processes. A turn ends when its answer arrives on the visitor's
event stream; so does an agent's reply, which the other process may have taken in.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import random
import tempfile
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from benchmarks.turn_latency import questions
from bot.handoff.models import Escalation
from bot.people.roles import operator
from bot.people.tokens import create_token
from bot.settings import Settings, load_settings
from bot.storage.engine import open_engine
from tests.faults.harness import Server, server_sent
from tests.services import RedisServer, postgresql

VISITORS = 200
TALKING = 20
AGENTS = 20
TURNS = 3
PROCESSES = (1, 2)
PERSON = "I want to talk to a person"
# An agent who finds nothing to do looks again after this.
LOOK_SECONDS = 2.0
PATIENCE = 120.0


@dataclass
class Load:
    """What a number of processes did: per second, and milliseconds.

    Attributes:
        seconds: From the first message to the last case.
        unavailable: Turns that a person had to take since a part failed or was late.
    """

    processes: int
    conversations: int
    seconds: float
    conversations_per_second: float
    turns_per_second: float
    turn_p50: float
    turn_p95: float
    reply_p50: float
    reply_p95: float
    unavailable: int


@dataclass
class Visitor:
    """A conversation whose event stream is open.

    Attributes:
        said: Who said something, in order, as it arrived.
        news: Told whenever something arrived.
        finished: Whether everything was said.
    """

    http: httpx.AsyncClient
    url: str
    id: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    said: list[dict[str, Any]] = field(default_factory=list)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)
    finished: bool = False

    async def connect(self) -> asyncio.Task[None]:
        """Begin, and follow the conversation in a task."""
        created = (await self.http.post(f"{self.url}/api/v1/conversations", json={"language": "en"})).json()
        self.id = created["id"]
        self.headers = {"authorization": f"Bearer {created['token']}"}
        connected = asyncio.Event()

        async def follow() -> None:
            url = f"{self.url}/api/v1/conversations/{self.id}/events"
            async with self.http.stream("GET", url, headers=self.headers) as stream:
                connected.set()
                async for _, name, data in server_sent(stream):
                    if name == "message":
                        async with self.news:
                            self.said.append(data)
                            self.news.notify_all()

        task = asyncio.create_task(follow())
        waiting = asyncio.create_task(connected.wait())
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        return task

    async def until(self, authors: Sequence[str], after: int) -> None:
        """Wait for a message of one of these behind a number.

        Raises:
            RuntimeError: None comes.
        """

        def came() -> bool:
            return any(message["author"] in authors and message["number"] > after for message in self.said)

        async with self.news:
            try:
                await asyncio.wait_for(self.news.wait_for(came), PATIENCE)
            except TimeoutError as error:
                url = f"{self.url}/api/v1/conversations/{self.id}"
                stored = (await self.http.get(f"{url}/messages", headers=self.headers)).json()["messages"]
                raise RuntimeError(
                    f"Nothing of {authors} came behind {after} in {PATIENCE:g} s. "
                    f"Heard: {[(m['number'], m['author']) for m in self.said]}. "
                    f"Stored: {[(m['number'], m['author'], m['text'][:60]) for m in stored]}."
                ) from error

    async def turn(self, text: str) -> float:
        """Say something; milliseconds until the answer is there."""
        begun = time.perf_counter()
        body = {"client_id": uuid.uuid4().hex, "text": text}
        url = f"{self.url}/api/v1/conversations/{self.id}/messages"
        posted = await self.http.post(url, json=body, headers=self.headers)
        posted.raise_for_status()
        await self.until(("bot",), posted.json()["number"])
        return 1000 * (time.perf_counter() - begun)


async def work(http: httpx.AsyncClient, url: str, token: str, visitors: dict[str, Visitor], times: list[float]) -> None:
    """An agent: take cases of visitors who said all they had to say, as long as there are any to come."""
    headers = {"authorization": f"Bearer {token}"}
    dice = random.Random(token)

    async def ask(method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        return await http.request(method, f"{url}/api/v1{path}", json=body, headers=headers)

    while True:
        to_come = not all(visitor.finished for visitor in visitors.values())
        listed = await ask("GET", "/cases?status=open&assignee=nobody&limit=50")
        free = {
            case["number"]: visitors.get(case["conversation_id"]) for case in listed.raise_for_status().json()["cases"]
        }
        cases = [(number, visitor) for number, visitor in free.items() if visitor is not None and visitor.finished]
        if not cases and not to_come:
            return
        if not cases:
            await asyncio.sleep(LOOK_SECONDS)
            continue
        number, visitor = dice.choice(cases)
        if (await ask("POST", f"/cases/{number}/claim", {})).status_code == 409:
            continue  # Another agent was quicker.
        begun = time.perf_counter()
        body = {"client_id": uuid.uuid4().hex, "text": "A person is here."}
        replied = (await ask("POST", f"/cases/{number}/replies", body)).raise_for_status().json()
        await visitor.until(("agent",), replied["number"] - 1)
        times.append(1000 * (time.perf_counter() - begun))
        (await ask("POST", f"/cases/{number}/resolve", {"resolution": "solved"})).raise_for_status()


async def load(
    urls: Sequence[str], tokens: Sequence[str], texts: Sequence[str]
) -> tuple[float, list[float], list[float]]:
    """All conversations on the servers: seconds, milliseconds of the turns and of the agents' replies."""
    # A server closes a connection that was idle for 5 seconds: it must not be used again just then.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=VISITORS, keepalive_expiry=2)
    turns: list[float] = []
    replies: list[float] = []
    async with httpx.AsyncClient(timeout=PATIENCE, trust_env=False, limits=limits) as http:
        visitors = [Visitor(http, urls[number % len(urls)]) for number in range(VISITORS)]
        streams = await asyncio.gather(*(visitor.connect() for visitor in visitors))
        slots = asyncio.Semaphore(TALKING)

        async def talk(number: int, visitor: Visitor) -> None:
            async with slots:
                for turn in range(TURNS):
                    turns.append(await visitor.turn(texts[(TURNS * number + turn) % len(texts)]))
                turns.append(await visitor.turn(PERSON))
            visitor.finished = True

        by_id = {visitor.id: visitor for visitor in visitors}
        begun = time.perf_counter()
        # An agent asks the process that the next visitor does not.
        agents = [
            work(http, urls[(number + 1) % len(urls)], token, by_id, replies) for number, token in enumerate(tokens)
        ]
        await asyncio.gather(*(talk(number, visitor) for number, visitor in enumerate(visitors)), *agents)
        seconds = time.perf_counter() - begun
        for stream in streams:
            stream.cancel()
        await asyncio.gather(*streams, return_exceptions=True)
    return seconds, turns, replies


async def warm_up(urls: Sequence[str], texts: Sequence[str]) -> None:
    """A few turns on each server, which are not counted."""
    async with httpx.AsyncClient(timeout=PATIENCE, trust_env=False) as http:
        for url in urls:
            visitor = Visitor(http, url)
            stream = await visitor.connect()
            for text in texts:
                await visitor.turn(text)
            stream.cancel()
            await asyncio.gather(stream, return_exceptions=True)


async def measure(
    settings: Settings, folder: Path, processes: int, storage_url: str, redis_url: str, texts: Sequence[str]
) -> Load:
    """The load on a number of processes with a database of their own."""
    engine = open_engine(load_settings(settings.root, {"REFILL_STORAGE_URL": storage_url}))
    with Session(engine) as session, session.begin():
        scopes = ("conversations:read", "conversations:write")
        tokens = [create_token(session, operator("load"), f"Agent {number}", scopes)[1] for number in range(AGENTS)]
    servers = [Server(settings, folder, storage_url, redis_url) for _ in range(processes)]
    try:
        for server in servers:
            server.launch()
            await server.ready()
        urls = [server.url for server in servers]
        await warm_up(urls, texts[:TALKING])
        seconds, turns, replies = await load(urls, tokens, texts)
        with Session(engine) as session:
            failed = select(func.count()).select_from(Escalation).where(Escalation.reason == "bot_unavailable")
            unavailable = session.scalar(failed) or 0
    finally:
        for server in servers:
            server.end()
        engine.dispose()
    (turn_p50, turn_p95), (reply_p50, reply_p95) = (np.percentile(times, (50, 95)) for times in (turns, replies))
    return Load(
        processes,
        VISITORS,
        round(seconds, 2),
        round(VISITORS / seconds, 2),
        round(len(turns) / seconds, 1),
        round(float(turn_p50), 1),
        round(float(turn_p95), 1),
        round(float(reply_p50), 1),
        round(float(reply_p95), 1),
        unavailable,
    )


def table(loads: Sequence[Load]) -> str:
    """The results as Markdown."""
    lines = [
        "| processes | conversations/s | turns/s | turn p50 ms | turn p95 ms | reply p50 ms | reply p95 ms "
        "| unavailable |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {load.processes} | {load.conversations_per_second} | {load.turns_per_second} | {load.turn_p50} "
        f"| {load.turn_p95} | {load.reply_p50} | {load.reply_p95} | {load.unavailable} |"
        for load in loads
    ]
    one, two = loads[0], loads[-1]
    lines += [
        "",
        f"With {two.processes} processes: {two.conversations_per_second / one.conversations_per_second:.2f} × the "
        f"conversations per second, {two.turn_p95 / one.turn_p95:.2f} × the turns' p95, "
        f"{two.reply_p95 / one.reply_p95:.2f} × the replies' p95.",
    ]
    return "\n".join(lines)


def main() -> None:
    """Run everything, print the table, write results/load.json beside this file."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    settings = load_settings(environ={})
    _, texts = questions(settings)
    loads = []
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cluster = stack.enter_context(postgresql())
        redis = RedisServer()
        stack.callback(redis.stop)
        for processes in PROCESSES:
            with cluster.database() as url:
                loads.append(asyncio.run(measure(settings, folder, processes, url, redis.url, texts)))
    results = {
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
        "visitors": VISITORS,
        "talking": TALKING,
        "agents": AGENTS,
        "loads": [asdict(load) for load in loads],
    }
    target = Path(__file__).parent / "results" / "load.json"
    target.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    print(table(loads))


if __name__ == "__main__":
    main()
