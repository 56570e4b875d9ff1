"""Rasa's process: start it, wait until it really answers, restart it when it ends or hangs, stop it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil

from bot.dialogue.training import rasa_environment, rasa_python, verified_model
from bot.errors import DialogueError

if TYPE_CHECKING:
    from bot.settings import Settings

logger = logging.getLogger(__name__)

_START_SECONDS = 120.0
_PROBE_SECONDS = 5.0
_PROBE_EVERY = 10.0
_PROBES_FAILED = 3
_STOP_SECONDS = 10.0
_LONGEST_PAUSE = 30.0
_CHUNK = 1 << 16
_LONGEST_LINE = 2000
# Loads every part of the pipeline: the tokenizers of all languages, the encoder, the policies.
_WARM_UP = "hello 你好 merhaba สวัสดี"


class Sidecar:
    """Keeps one Rasa process running on loopback, with only its REST channel.

    Args:
        settings: Name the ports and the model.
        internal_port: Where Rasa finds the actions and the encoder.
        rasa_port: Where Rasa listens.
    """

    def __init__(self, settings: Settings, internal_port: int, rasa_port: int) -> None:
        self._settings = settings
        self._internal_port = internal_port
        self.port = rasa_port
        self.ready = asyncio.Event()
        self.restarts = 0
        self.problem = ""
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._output: deque[str] = deque(maxlen=30)

    @property
    def url(self) -> str:
        """Rasa's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """Of the process, while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> None:
        """Start Rasa and wait until it answers.

        Raises:
            DialogueError: The model is not to be trusted, the port is taken, or Rasa does not come up.
        """
        model = verified_model(self._settings)
        self._end_leftover()
        _require_free(self.port, "dialogue.rasa_port")
        self._task = asyncio.create_task(self._keep(model), name="rasa")
        waiting = asyncio.create_task(self.ready.wait())
        try:
            done, _ = await asyncio.wait({waiting, self._task}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if self._task in done:
            self._task.result()

    async def stop(self) -> None:
        """Stop Rasa for good."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._end()

    async def _keep(self, model: Path) -> None:
        """Start, watch, restart. Only the first start may fail for good."""
        pause = 1.0
        first = True
        while True:
            try:
                await self._launch(model)
                await self._wait_until_ready()
                self.ready.set()
                self.problem = ""
                first, pause = False, 1.0
                await self._watch()
                self.problem = "Rasa ended or hung."
            except DialogueError as error:
                self.problem = str(error)
                if first:
                    await self._end()
                    raise
            self.ready.clear()
            await self._end()
            logger.error("%s It is started again in %g s.", self.problem, pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
            self.restarts += 1

    async def _launch(self, model: Path) -> None:
        command = [
            str(rasa_python(self._settings)),
            *(
                "-m",
                "bot.nlu.launch",
                "run",
                "--model",
                str(model),
                "--port",
                str(self.port),
                "--interface",
                "127.0.0.1",
            ),
            *("--endpoints", "endpoints.yml", "--credentials", "credentials.yml"),
        ]
        self._process = await asyncio.create_subprocess_exec(
            *command,
            cwd=self._settings.root,
            env=rasa_environment(f"http://127.0.0.1:{self._internal_port}", 1),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        self._pid_file.parent.mkdir(parents=True, exist_ok=True)
        self._pid_file.write_text(str(self._process.pid), "utf-8")
        self._reader = asyncio.create_task(self._read_output(self._process))

    async def _read_output(self, process: asyncio.subprocess.Process) -> None:
        """Pass Rasa's warnings and errors on to our log; keep the last lines for error messages."""
        assert process.stdout is not None
        rest = b""
        while chunk := await process.stdout.read(_CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            rest = rest[-_CHUNK:]
            for raw in lines:
                text = raw.decode("utf-8", "replace").rstrip()[:_LONGEST_LINE]
                self._output.append(text)
                if any(word in text for word in ("ERROR", "error", "Exception", "Traceback")):
                    logger.warning("rasa: %s", text)

    async def _wait_until_ready(self) -> None:
        """Wait for a real turn to be answered."""
        assert self._process is not None
        body = {"sender": "warm-up", "message": _WARM_UP}
        end = asyncio.get_running_loop().time() + _START_SECONDS
        async with httpx.AsyncClient(trust_env=False) as http:
            while asyncio.get_running_loop().time() < end:
                if self._process.returncode is not None:
                    tail = "\n".join(self._output)
                    raise DialogueError(f"Rasa ended while starting (status {self._process.returncode}):\n{tail}")
                with contextlib.suppress(httpx.HTTPError, ValueError):
                    response = await http.post(f"{self.url}/webhooks/rest/webhook", json=body, timeout=30)
                    if response.status_code == 200 and response.json():
                        return
                await asyncio.sleep(0.3)
        raise DialogueError(f"Rasa did not answer within {_START_SECONDS:g} s:\n" + "\n".join(self._output))

    async def _watch(self) -> None:
        """Return when the process has ended or does not answer any more."""
        assert self._process is not None
        failed = 0
        async with httpx.AsyncClient(trust_env=False) as http:
            while failed < _PROBES_FAILED:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._process.wait(), _PROBE_EVERY)
                    return
                try:
                    await http.get(self.url, timeout=_PROBE_SECONDS)
                    failed = 0
                except httpx.HTTPError:
                    failed += 1

    async def _end(self) -> None:
        if self._process is None:
            return
        if self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), _STOP_SECONDS)
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):  # It may have ended meanwhile.
                    self._process.kill()
                await self._process.wait()
        await self._reader
        self._pid_file.unlink(missing_ok=True)
        self._process = None

    @property
    def _pid_file(self) -> Path:
        return self._settings.path("var", f"rasa-{self.port}.pid")

    def _end_leftover(self) -> None:
        """End a Rasa that outlived a killed Refill; it holds the port."""
        try:
            process = psutil.Process(int(self._pid_file.read_text("utf-8")))
            if "bot.nlu.launch" in process.cmdline() and str(self.port) in process.cmdline():
                process.kill()
                process.wait(_STOP_SECONDS)
        except (OSError, ValueError, psutil.Error):
            return


def _require_free(port: int, setting: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise DialogueError(
                f"Port {port} is taken by another program.",
                f"Stop it, or set {setting} in refill.toml to another port.",
            ) from error
