"""Rasa's process is started, watched, restarted and ended. Its place is taken by a small server."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable

import httpx
import psutil
import pytest

from bot.dialogue.sidecar import Sidecar
from bot.errors import DialogueError
from bot.settings import Settings

PATIENCE = 20.0

# Answers as Rasa does, on the port it is given, to whoever calls itself by its arguments.
SERVER = """#!{python}
import http.server, json, os, sys
{before}
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, body):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.answer(b"Hello from Rasa: 3.6.21")
    def do_POST(self):
        self.answer(json.dumps([{{"recipient_id": "warm-up", "text": "Hello!"}}]).encode())
    def log_message(self, *arguments):
        pass
arguments = sys.argv[1:]
port = int(arguments[arguments.index("--port") + 1])
assert arguments[arguments.index("--interface") + 1] == "127.0.0.1"
assert "--enable-api" not in arguments
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


def fake_rasa(project: Settings, before: str = "") -> None:
    """Put the server in the place of Rasa's interpreter; `before` runs first."""
    python = project.path(".venv-rasa", "bin", "python")
    python.parent.mkdir(parents=True, exist_ok=True)
    python.write_text(SERVER.format(python=sys.executable, before=before), "utf-8")
    python.chmod(0o755)


def start(command: list[str]) -> subprocess.Popen[bytes]:
    """Run a program beside the test."""
    return subprocess.Popen(command)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
async def make_sidecar(project: Settings) -> AsyncIterator[Callable[..., Sidecar]]:
    """Makes sidecars of the project; stops them at the end."""
    made: list[Sidecar] = []

    def make(port: int | None = None) -> Sidecar:
        made.append(Sidecar(project, 5055, port or free_port()))
        return made[-1]

    yield make
    for sidecar in made:
        await sidecar.stop()


async def test_starts_answers_and_stops(project: Settings, make_sidecar: Callable[..., Sidecar]) -> None:
    fake_rasa(project)
    sidecar = make_sidecar()
    assert sidecar.pid is None
    async with asyncio.timeout(PATIENCE):
        await sidecar.start()
    assert sidecar.ready.is_set()
    pid = sidecar.pid
    assert pid is not None
    async with httpx.AsyncClient(trust_env=False) as http:
        assert "Rasa" in (await http.get(sidecar.url)).text
    pid_file = project.path("var", f"rasa-{sidecar.port}.pid")
    assert pid_file.read_text() == str(pid)
    await sidecar.stop()
    assert sidecar.pid is None
    assert not psutil.pid_exists(pid)
    assert not pid_file.exists()


async def test_killed_rasa_is_started_again(project: Settings, make_sidecar: Callable[..., Sidecar]) -> None:
    fake_rasa(project)
    sidecar = make_sidecar()
    async with asyncio.timeout(PATIENCE):
        await sidecar.start()
        first = sidecar.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        for _ in range(1000):
            if sidecar.pid not in (None, first) and sidecar.ready.is_set():
                break
            await asyncio.sleep(0.01)
    assert sidecar.ready.is_set()
    assert sidecar.pid not in (None, first)
    assert sidecar.restarts == 1
    assert sidecar.problem == ""


async def test_taken_port_names_the_setting(project: Settings, make_sidecar: Callable[..., Sidecar]) -> None:
    fake_rasa(project)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        sidecar = make_sidecar(other.getsockname()[1])
        with pytest.raises(DialogueError, match=f"Port {sidecar.port} is taken") as caught:
            await sidecar.start()
    assert "dialogue.rasa_port" in caught.value.remedy
    assert sidecar.pid is None


async def test_tampered_model_is_not_started(project: Settings, make_sidecar: Callable[..., Sidecar]) -> None:
    fake_rasa(project, "open('started', 'w')")
    (project.models / "rasa" / "refill.tar.gz").write_bytes(b"another")
    with pytest.raises(DialogueError, match="not the model trained here"):
        await make_sidecar().start()
    assert not project.path("started").exists()


async def test_runtime_is_missing(make_sidecar: Callable[..., Sidecar]) -> None:
    with pytest.raises(DialogueError, match=r"\.venv-rasa is missing"):
        await make_sidecar().start()


async def test_rasa_that_ends_while_starting(project: Settings, make_sidecar: Callable[..., Sidecar]) -> None:
    fake_rasa(project, "print('no module named x'); sys.exit(3)")
    sidecar = make_sidecar()
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(DialogueError, match=r"status 3\)") as caught:
            await sidecar.start()
    assert "no module named x" in str(caught.value)
    assert not sidecar.ready.is_set()


async def test_rasa_that_ignores_the_wish_to_end(
    project: Settings, make_sidecar: Callable[..., Sidecar], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.dialogue.sidecar._STOP_SECONDS", 0.2)
    fake_rasa(project, "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    sidecar = make_sidecar()
    async with asyncio.timeout(PATIENCE):
        await sidecar.start()
        pid = sidecar.pid
        assert pid is not None
        await sidecar.stop()
    assert not psutil.pid_exists(pid)


async def test_leftover_of_a_killed_refill_is_ended(project: Settings, make_sidecar: Callable[..., Sidecar]) -> None:
    fake_rasa(project)
    sidecar = make_sidecar()
    command = [str(project.path(".venv-rasa", "bin", "python")), "-m", "bot.nlu.launch", "run"]
    leftover = start([*command, "--port", str(sidecar.port), "--interface", "127.0.0.1"])
    pid_file = project.path("var", f"rasa-{sidecar.port}.pid")
    pid_file.parent.mkdir()
    pid_file.write_text(str(leftover.pid), "utf-8")
    try:
        async with asyncio.timeout(PATIENCE):
            await sidecar.start()
        assert not psutil.pid_exists(leftover.pid)
        assert sidecar.ready.is_set()
    finally:
        leftover.kill()
        leftover.wait()


async def test_another_program_with_the_leftover_s_number_is_left_alone(
    project: Settings, make_sidecar: Callable[..., Sidecar]
) -> None:
    fake_rasa(project)
    sidecar = make_sidecar()
    other = start([sys.executable, "-c", "import time; time.sleep(60)"])
    pid_file = project.path("var", f"rasa-{sidecar.port}.pid")
    pid_file.parent.mkdir()
    pid_file.write_text(str(other.pid), "utf-8")
    try:
        async with asyncio.timeout(PATIENCE):
            await sidecar.start()
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


@pytest.mark.parametrize("content", ["", "rasa", "999999999", "-1"])
async def test_pid_file_that_means_nothing(
    project: Settings, make_sidecar: Callable[..., Sidecar], content: str
) -> None:
    fake_rasa(project)
    sidecar = make_sidecar()
    pid_file = project.path("var", f"rasa-{sidecar.port}.pid")
    pid_file.parent.mkdir()
    pid_file.write_text(content, "utf-8")
    async with asyncio.timeout(PATIENCE):
        await sidecar.start()
    assert sidecar.ready.is_set()


async def test_rasa_that_prints_a_very_long_line(project: Settings, make_sidecar: Callable[..., Sidecar]) -> None:
    fake_rasa(project, "print('x' * 500_000, flush=True)")
    sidecar = make_sidecar()
    async with asyncio.timeout(PATIENCE):
        await sidecar.start()
    assert sidecar.ready.is_set()
