"""The real product in processes of its own that can be killed, and what talks to it without ever giving up."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import psutil

from bot.settings import Settings
from tests.conftest import TEAM_KEY
from tests.faults.history import Acknowledged, Witness

START_SECONDS = 300.0
_PAUSE = 0.2


def lasting_port() -> int:
    """A free loopback port that stays free while its server is down: out of the range of outgoing connections."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Server:
    """A `refill serve` with ports of its own.

    Args:
        settings: Of the project.
        folder: For its log.
        storage_url: `storage.url`.
        redis_url: `storage.redis_url`.
        variables: More of its environment.

    Attributes:
        url: Its address.
    """

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        storage_url: str,
        redis_url: str = "",
        variables: dict[str, str] | None = None,
    ) -> None:
        self._root = settings.root
        port, internal, rasa = lasting_port(), lasting_port(), lasting_port()
        self.url = f"http://127.0.0.1:{port}"
        self._log = folder / f"server-{port}.log"
        self._pid_file = settings.path("var", f"rasa-{rasa}.pid")
        self._environment = {
            **os.environ,
            "REFILL_SERVER_PORT": f"{port}",
            "REFILL_SERVER_INTERNAL_PORT": f"{internal}",
            "REFILL_SERVER_API_KEY": TEAM_KEY,
            "REFILL_DIALOGUE_RASA_PORT": f"{rasa}",
            "REFILL_STORAGE_URL": storage_url,
            "REFILL_STORAGE_REDIS_URL": redis_url,
            **(variables or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """What it said since it was made."""
        return self._log.read_text("utf-8", "replace") if self._log.exists() else ""

    def launch(self) -> None:
        """Start the process; see `ready`."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bot.cli", "serve"],
                cwd=self._root,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    async def ready(self) -> None:
        """Wait until it answers and its Rasa does too.

        Raises:
            RuntimeError: It ended, or it takes too long.
        """
        end = asyncio.get_running_loop().time() + START_SECONDS
        async with httpx.AsyncClient(base_url=self.url, trust_env=False, timeout=5) as http:
            while asyncio.get_running_loop().time() < end:
                if self._process is None or self._process.poll() is not None:
                    raise RuntimeError(f"The server at {self.url} ended. It says:\n{self.log}")
                with contextlib.suppress(httpx.HTTPError):
                    if (await http.get("/health")).json()["status"] == "ok":
                        return
                await asyncio.sleep(_PAUSE)
        raise RuntimeError(f"The server at {self.url} is not up after {START_SECONDS:g} s. It says:\n{self.log}")

    def kill(self) -> None:
        """Kill the server's process alone, as a crash does: its Rasa lives on."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    def kill_rasa(self) -> bool:
        """Kill its Rasa; False if none runs at the moment."""
        try:
            process = psutil.Process(int(self._pid_file.read_text("utf-8")))
            if "bot.nlu.launch" not in process.cmdline():
                return False
            process.kill()
        except (OSError, ValueError, psutil.Error):
            return False
        return True

    def end(self) -> None:
        """Stop it, and what outlived it."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()
        self.kill_rasa()
        self._pid_file.unlink(missing_ok=True)


async def ask(
    http: httpx.AsyncClient, urls: Sequence[str], method: str, path: str, good: Sequence[int], **options: Any
) -> httpx.Response:
    """Ask one server after the other until one gives an answer that is good.

    Args:
        http: Asks.
        urls: Of the servers.
        method: Of the request.
        path: Behind the address.
        good: Status codes of an answer; 503 is asked again, any other is an error.
        options: As for `httpx.AsyncClient.request`.

    Raises:
        RuntimeError: A server answered with another status.
    """
    turn = 0
    while True:
        url = urls[turn % len(urls)]
        turn += 1
        with contextlib.suppress(httpx.TransportError):
            answer = await http.request(method, f"{url}{path}", **options)
            if answer.status_code in good:
                return answer
            if answer.status_code != 503:
                raise RuntimeError(f"{method} {path} at {url}: {answer.status_code} {answer.text}")
        await asyncio.sleep(_PAUSE)


class Visitor:
    """A customer who sends each message until it is acknowledged, and follows the conversation.

    Args:
        http: To ask with.
        urls: Of the servers, the one to be asked first in front.

    Attributes:
        id: Of the conversation.
        begun: Set once there is one, and it is read.
        witness: What this visitor saw.
    """

    def __init__(self, http: httpx.AsyncClient, urls: Sequence[str]) -> None:
        self._http = http
        self._urls = urls
        self.id = ""
        self.begun = asyncio.Event()
        self.witness = Witness()
        self._headers: dict[str, str] = {}
        self._reading: list[asyncio.Task[None]] = []

    async def begin(self) -> None:
        """Begin a conversation and follow it from two places: from the last server and from the first."""
        created = await ask(self._http, self._urls, "POST", "/api/v1/conversations", (201,), json={"language": "en"})
        self.id = created.json()["id"]
        self._headers = {"authorization": f"Bearer {created.json()['token']}"}
        for urls in ([*self._urls[::-1]], [*self._urls])[: len(self._urls)]:
            seen: list[int] = []
            self.witness.read.append(seen)
            self._reading.append(asyncio.create_task(self._read(urls, seen)))
        self.begun.set()

    async def say(self, text: str) -> int:
        """Send a text until it is acknowledged; its number."""
        client_id = uuid.uuid4().hex
        answer = await ask(
            self._http,
            self._urls,
            "POST",
            f"/api/v1/conversations/{self.id}/messages",
            (200, 202),
            json={"client_id": client_id, "text": text},
            headers=self._headers,
        )
        number: int = answer.json()["number"]
        self.witness.sent.append(Acknowledged(client_id, text, number))
        return number

    async def _read(self, urls: Sequence[str], seen: list[int]) -> None:
        """Follow the conversation for good, from one server after the other."""
        turn = 0
        while True:
            headers = {**self._headers, **({"last-event-id": str(seen[-1])} if seen else {})}
            url = f"{urls[turn % len(urls)]}/api/v1/conversations/{self.id}/events"
            turn += 1
            with contextlib.suppress(httpx.TransportError):
                async with self._http.stream("GET", url, headers=headers, timeout=httpx.Timeout(5, read=12)) as stream:
                    if stream.status_code != 200:
                        await stream.aread()
                        raise RuntimeError(f"GET {url}: {stream.status_code} {stream.text}")
                    async for number, name, _ in server_sent(stream):
                        if number is not None and name != "typing":
                            seen.append(number)
            await asyncio.sleep(_PAUSE)

    def failed(self) -> BaseException | None:
        """The error of a reader that ended."""
        return next((task.exception() for task in self._reading if task.done() and not task.cancelled()), None)

    async def leave(self) -> None:
        """Stop reading."""
        for task in self._reading:
            task.cancel()
        await asyncio.gather(*self._reading, return_exceptions=True)


async def server_sent(stream: httpx.Response) -> AsyncIterator[tuple[int | None, str, Any]]:
    """Events of a stream, each with its id, its name and its data; one that was cut off is none."""
    fields: dict[str, str] = {}
    async for line in stream.aiter_lines():
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value
        elif not line:
            if "data" in fields:
                number = int(fields["id"]) if "id" in fields else None
                yield number, fields.get("event", "message"), json.loads(fields["data"])
            fields = {}


class Agent:
    """Somebody of the team who works over the API: takes cases, replies, resolves.

    Args:
        http: To ask with.
        urls: Of the servers, the one to be asked first in front.
        visitors: By conversation; others' cases are left alone.

    Attributes:
        answered: Cases replied to.
        done: Whether to stop after the case in hand.
    """

    def __init__(self, http: httpx.AsyncClient, urls: Sequence[str], visitors: dict[str, Visitor]) -> None:
        self._http = http
        self._urls = urls
        self._visitors = visitors
        self.answered = 0
        self.done = False

    async def work(self) -> None:
        """Until `done` is set: answer two of three cases, and resolve every other one of them."""
        while not self.done:
            answer = await self._ask("GET", "/cases?status=open&assignee=nobody&order=newest&limit=20", None, (200,))
            for case in answer.json()["cases"]:
                if case["conversation_id"] in self._visitors and case["number"] % 3:
                    await self.take(case["number"], self._visitors[case["conversation_id"]])
            await asyncio.sleep(0.5)

    async def take(self, number: int, visitor: Visitor) -> None:
        """Claim a case, reply, and resolve it if its number is even."""
        await self._ask("POST", f"/cases/{number}/claim", {}, (200,))
        client_id = uuid.uuid4().hex
        said = {"client_id": client_id, "text": f"A person has case {number}."}
        await self._ask("POST", f"/cases/{number}/replies", said, (200, 201))
        visitor.witness.by_agents.append(client_id)
        self.answered += 1
        if number % 2 == 0:
            await asyncio.sleep(0.5)
            # 409: it was resolved, and the answer was lost.
            await self._ask("POST", f"/cases/{number}/resolve", {"resolution": "solved"}, (200, 409))

    async def _ask(self, method: str, path: str, body: dict[str, str] | None, good: Sequence[int]) -> httpx.Response:
        headers = {"authorization": f"Bearer {TEAM_KEY}"}
        return await ask(self._http, self._urls, method, f"/api/v1{path}", good, json=body, headers=headers)
