"""The answerer in force: a rebuilt index is taken up while questions are answered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from bot.errors import RefillError
from bot.knowledge.answer import Answerer
from bot.knowledge.index import MANIFEST, read_manifest

logger = logging.getLogger(__name__)

CHECK_SECONDS = 2.0


class LiveAnswerer:
    """Gives the answerer in force; a question is answered from first to last by the one it was given.

    Args:
        answerer: To begin with.
        folder: Of the index; its manifest is watched.
        load: Gives an answerer over the index as it stands there.
        report: Told when another index was taken up.
    """

    def __init__(
        self,
        answerer: Answerer,
        folder: Path,
        load: Callable[[], Answerer],
        report: Callable[[str], object] = lambda line: None,
    ) -> None:
        self._answerer = answerer
        self._folder = folder
        self._load = load
        self._report = report
        self._seen: tuple[int, int, int] | None = (0, 0, 0)

    def __call__(self) -> Answerer:
        """The answerer in force."""
        return self._answerer

    def refresh(self) -> bool:
        """Take up the index if it is another one; True if so. One that cannot be read is reported once.

        It blocks for as long as reading takes: call it from a thread.
        """
        state = self._state()
        if state == self._seen:
            return False
        self._seen = state
        try:
            if read_manifest(self._folder)["folder"] == self._answerer.build:
                return False
            self._answerer = self._load()
        except RefillError as error:
            logger.error("The new index is not taken up, the one before stays in use: %s", error)
            return False
        except Exception:
            logger.exception("The new index is not taken up, the one before stays in use")
            return False
        self._report("The new index is in use")
        return True

    async def watch(self) -> None:
        """Look for another index every CHECK_SECONDS, until cancelled."""
        while True:
            await asyncio.to_thread(self.refresh)
            await asyncio.sleep(CHECK_SECONDS)

    def _state(self) -> tuple[int, int, int] | None:
        """What changes with the manifest; None if it is not there."""
        try:
            found = (self._folder / MANIFEST).stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size
