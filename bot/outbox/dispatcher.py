"""Take up what is pending and start, or resume, its workflows; all of it in one event loop.

Posts run in at most DELIVERIES threads, at most PER_WEBHOOK for one webhook, so that a slow receiver holds up only
itself. A workflow that waits for its next try costs no thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import functools
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from dbos import DBOS, SetWorkflowID

from bot.conversation.models import now
from bot.outbox.attempts import Attempts, Outcome
from bot.outbox.claims import Claim, Claims
from bot.outbox.timing import Timing

DELIVERIES = 8
PER_WEBHOOK = 2
_FINISHED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
_SHORTEST_PAUSE = 0.05
_AFTER_FAILURE = 5.0
_TIDY_SECONDS = 3600.0
_AT_ONCE = 500
_Result = TypeVar("_Result")
logger = logging.getLogger(__name__)


class Dispatcher:
    """Delivers until it is told to stop. DBOS must be made before, and not be launched.

    Args:
        claims: Of this process.
        attempts: Make the tries.
        timing: When.
        stopping: Set to stop; `wake` makes it notice.
    """

    def __init__(self, claims: Claims, attempts: Attempts, timing: Timing, stopping: threading.Event) -> None:
        self._claims = claims
        self._attempts = attempts
        self._timing = timing
        self._stopping = stopping
        self._posts = ThreadPoolExecutor(DELIVERIES, "outbox-post")
        self._books = ThreadPoolExecutor(1, "outbox-books")
        self._per_webhook: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(PER_WEBHOOK))
        self._under_way: set[str] = set()
        self._posting = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._bell = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._renewed = self._tidied = time.monotonic()

        # These names are in the database of workflows: with other ones, nobody would go on with what is there.
        @DBOS.step(name="try")
        async def once(delivery: str, webhook: str, tries: int) -> Outcome:
            return await self._once(delivery, webhook, tries)

        @DBOS.workflow(name="deliver")
        async def deliver(delivery: str, webhook: str) -> str:
            self._under_way.add(delivery)
            try:
                # Another process may have claimed what is resumed here.
                await self._in(self._books, self._claims.take, delivery)
                tries = 1
                while (outcome := await once(delivery, webhook, tries))["state"] == "again":
                    await DBOS.sleep_async(outcome["seconds"])
                    tries += 1
                return outcome["state"]
            finally:
                self._under_way.discard(delivery)
                self._bell.set()

        self._deliver = deliver

    def wake(self) -> None:
        """Look into the outbox now. From any thread, at any time."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # It has ended meanwhile.
                self._loop.call_soon_threadsafe(self._bell.set)

    async def run(self, patience: Callable[[], float]) -> None:
        """Deliver until it is told to stop.

        Args:
            patience: Seconds posts under way may then take to end.
        """
        self._loop = asyncio.get_running_loop()
        DBOS.launch()  # From within the loop, so that workflows run in this one.
        failed = False
        while not self._stopping.is_set():
            pause = self._timing.poll
            try:
                await self._look()
                failed = False
            except Exception:
                if not failed:
                    logger.exception("Looking into the outbox failed; it is tried again until it succeeds.")
                failed = True
                pause = max(pause, _AFTER_FAILURE)
            await asyncio.sleep(_SHORTEST_PAUSE)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._bell.wait(), pause)
            self._bell.clear()
        await self._drain(patience())

    async def _look(self) -> None:
        if time.monotonic() - self._renewed > self._timing.lease / 3:
            await self._in(self._books, self._claims.renew, list(self._under_way))
            self._renewed = time.monotonic()
        for claim in await self._in(self._books, self._claims.claim):
            await self._begin(claim)
        if time.monotonic() - self._tidied > _TIDY_SECONDS:
            self._tidied = time.monotonic()
            await self._in(self._books, self._claims.tidy)
            await _tidy_workflows()

    async def _begin(self, claim: Claim) -> None:
        if claim.delivery in self._under_way:
            return
        status = await DBOS.get_workflow_status_async(claim.workflow) if claim.begun else None
        if status is None:
            with SetWorkflowID(claim.workflow):
                await DBOS.start_workflow_async(self._deliver, claim.delivery, claim.webhook)
        elif status.status in _FINISHED:
            await self._in(self._books, self._claims.begin_again, claim.delivery)
        else:
            await DBOS.resume_workflow_async(claim.workflow)

    async def _once(self, delivery: str, webhook: str, tries: int) -> Outcome:
        async with self._per_webhook[webhook]:
            if self._stopping.is_set():
                await asyncio.Event().wait()  # Until the workflow is left for the next start.
            self._posting += 1
            self._quiet.clear()
            try:
                return await self._in(self._posts, self._attempts.make, delivery, tries)
            finally:
                self._posting -= 1
                if not self._posting:
                    self._quiet.set()

    async def _drain(self, seconds: float) -> None:
        """Let posts end, leave the workflows where they are."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._quiet.wait(), seconds)
        await asyncio.sleep(0.05)  # What became of them is being written down.
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._in(self._books, self._claims.release)
        self._posts.shutdown(wait=False, cancel_futures=True)
        self._books.shutdown(wait=False)

    async def _in(self, pool: ThreadPoolExecutor, call: Callable[..., _Result], *arguments: object) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(pool, functools.partial(call, *arguments))


async def _tidy_workflows() -> None:
    """Forget the workflows that ended more than an hour ago."""
    before = (now() - dt.timedelta(hours=1)).isoformat()
    while True:
        old = await DBOS.list_workflows_async(
            status=_FINISHED, completed_before=before, limit=_AT_ONCE, load_input=False, load_output=False
        )
        if old:
            await DBOS.delete_workflows_async([workflow.workflow_id for workflow in old])
        if len(old) < _AT_ONCE:
            return
