"""Let a program of the operator's look at each file before it is kept."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Sequence

from bot.attachments.errors import FileInfected, FileUnscanned

logger = logging.getLogger(__name__)

_CLEAN, _INFECTED = 0, 1
_AT_ONCE = 4
_LONGEST_REPORT = 300


class Scanner:
    """Runs a command for each file, which it gets on its standard input.

    It ends with 0 where the file is clean and 1 where it is not, as `clamdscan` does. Whatever else happens, the file
    could not be scanned, and is not taken.

    Args:
        command: Program and arguments; no shell takes part.
        seconds: So long a file may take, with the wait for its turn.
    """

    def __init__(self, command: Sequence[str], seconds: float) -> None:
        self._command = tuple(command)
        self._seconds = seconds
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def scan(self, name: str, data: bytes) -> None:
        """Let a clean file pass.

        Raises:
            FileInfected: It is not clean.
            FileUnscanned: It could not be scanned.
        """
        try:
            async with asyncio.timeout(self._seconds), self._turns:
                status, report = await self._run(data)
        except TimeoutError:
            raise self._failed(name, f"took more than {self._seconds:g} s") from None
        except OSError as error:
            raise self._failed(name, f"cannot be run: {error.strerror}") from error
        if status == _INFECTED:
            logger.warning("The scanner refused a file: %s", report)
            raise FileInfected(
                f"The scanner found something harmful in '{name}'.",
                "Check the device it comes from.",
                rule="file_infected",
                name=name,
            )
        if status != _CLEAN:
            raise self._failed(name, f"ended with {status}: {report}")

    async def _run(self, data: bytes) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            output, _ = await process.communicate(data)
        finally:
            if process.returncode is None:
                # What it started itself ends with it.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        return process.returncode or 0, output.decode("utf-8", "replace").strip()[:_LONGEST_REPORT]

    def _failed(self, name: str, why: str) -> FileUnscanned:
        logger.error("The scanner %s %s", self._command[0], why)
        return FileUnscanned(
            f"'{name}' could not be checked for viruses.",
            "Send it again in a few minutes.",
            rule="file_unscanned",
            name=name,
        )
