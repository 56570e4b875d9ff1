"""The product behind the widget of another website is killed while it answers: no message is lost, none doubled."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.conversation.fakes import PROJECT
from tests.embedding import host as hosts
from tests.embedding.chat import Chat
from tests.embedding.conftest import Complaints
from tests.embedding.host import Host
from tests.embedding.shop import Shop
from tests.faults.harness import lasting_port

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# Milliseconds until the server is up again, and has waited for what the killed one held.
PATIENCE = 60_000


class Server:
    """A shop in a process of its own; see `tests.embedding.shop.main`.

    Args:
        folder: For its database.
        host: The website that may embed its chat.
    """

    def __init__(self, folder: Path, host: Host) -> None:
        port = str(lasting_port())
        self.folder = folder
        self._command = [sys.executable, "-m", "tests.embedding.shop", str(folder), port, host.origins]
        self.url = host.refill = f"http://127.0.0.1:{port}"
        self.start()

    def start(self) -> None:
        """Start it."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command, cwd=PROJECT, stdout=log, stderr=log)

    def wait(self) -> None:
        """Wait until it answers."""
        end = time.monotonic() + PATIENCE / 1000
        while time.monotonic() < end:
            with contextlib.suppress(httpx.HTTPError):
                httpx.get(f"{self.url}/health", trust_env=False).raise_for_status()
                return
            time.sleep(0.1)
        raise AssertionError((self.folder / "log").read_text("utf-8"))

    def kill(self) -> None:
        """Kill it, as a crash does."""
        self._process.kill()
        self._process.wait(10)


@pytest.fixture
def host() -> Iterator[Host]:
    """The website."""
    with hosts.serving() as host:
        yield host


@pytest.fixture
def server(host: Host, tmp_path: Path) -> Iterator[Server]:
    """The product."""
    server = Server(tmp_path, host)
    yield server
    server.kill()


def test_server_killed_in_mid_answer(server: Server, page: Page, host: Host, complaints: Complaints) -> None:
    chat = Chat(page)
    server.wait()
    page.goto(f"{host.site}/strict.html")
    chat.open()
    chat.ask("one")
    chat.say("slow")
    expect(chat.own("stored")).to_have_count(2)
    server.kill()
    chat.say("two")
    (server.folder / "answer").touch()
    server.start()
    expect(chat.answers).to_have_count(3, timeout=PATIENCE)
    answers = [f"You wrote: {text}" for text in ("one", "slow", "two")]
    chat.expect_sent("one", "slow", "two")
    chat.expect_answers(*answers)
    page.reload()
    chat.expect_sent("one", "slow", "two")
    chat.expect_answers(*answers)
    shop = Shop(server.folder)
    stored = shop.stored()
    shop.engine.dispose()
    assert [text for author, text in stored if author == "customer"] == ["one", "slow", "two"]
    assert [text for author, text in stored if author == "bot"] == answers
    complaints.clear()  # The browser says on the console that the server was away.
