"""Deliver the outbox: each round of a delivery is a DBOS workflow, which goes on after a crash where it was.

A process holds what it delivers, for some seconds that it renews (`bot.outbox.claims`). When it dies, another one, or
the next one on this machine, takes over and resumes the workflow under the same id. DBOS admits one runner to a
workflow: whoever was thought dead and is not finds at its next step that it lost the workflow. The clocks of several
machines must agree to within some seconds.

DBOS keeps its tables in a SQLite file beside the product's, or in a schema of its own in the same PostgreSQL database.
They hold ids and outcomes, nothing of what is sent. It is loaded and started when there is a webhook, not before.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine, create_engine

from bot.network import Network
from bot.outbox.attempts import Attempts
from bot.outbox.claims import Claims
from bot.outbox.sender import Sender, allowing_private
from bot.outbox.timing import Timing

if TYPE_CHECKING:
    from dbos import DBOSConfig

    from bot.outbox.dispatcher import Dispatcher
    from bot.settings import Settings

SCHEMA = "refill_dbos"
# A process goes on with workflows of its own version only. Change it with the steps of `deliver`.
VERSION = "1"
_AFTER_FAILURE = 10.0
logger = logging.getLogger(__name__)


class Outbox:
    """Delivers what is in the outbox, from `start` to `stop`. One at a time in a process: DBOS is one.

    Args:
        settings: In force.
        engine: Of a migrated database.
        timing: For tests.
        network: For tests; None for what the settings allow.
    """

    def __init__(
        self, settings: Settings, engine: Engine, timing: Timing | None = None, network: Network | None = None
    ) -> None:
        self._engine = engine
        self._timing = timing or Timing()
        self._me = uuid.uuid4().hex
        if network is None:
            network = allowing_private() if settings["outbox.allow_private"] else Network()
        sender = Sender(network, self._timing.connect, self._timing.whole)
        most = settings["outbox.max_attempts"]
        self._attempts = Attempts(engine, sender, most, self._timing.backoff, self._me)
        self._claims = Claims(engine, self._me, self._timing.lease)
        self._thread: threading.Thread | None = None
        self._dispatcher: Dispatcher | None = None
        self._stopping = threading.Event()
        self._patience = 0.0

    @property
    def launched(self) -> bool:
        """Whether there was a webhook, so that DBOS runs."""
        return self._dispatcher is not None

    def start(self) -> None:
        """Begin to deliver, in a thread; returns at once."""
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Look into the outbox now: something may have been put there. From any thread, at any time."""
        if dispatcher := self._dispatcher:
            dispatcher.wake()

    def stop(self, seconds: float) -> None:
        """Stop; posts under way may take so long to end. What is not delivered goes on after the next start."""
        self._patience = seconds
        self._stopping.set()
        self.wake()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            pause = self._timing.idle
            try:
                if self._claims.any_webhook():
                    self._deliver()
            except Exception:
                logger.exception("Deliveries to webhooks do not start; it is tried again in %g s.", _AFTER_FAILURE)
                pause = _AFTER_FAILURE
            self._stopping.wait(pause)

    def _deliver(self) -> None:
        from bot.outbox.dispatcher import Dispatcher

        with _dbos(self._engine, self._me):
            dispatcher = Dispatcher(self._claims, self._attempts, self._timing, self._stopping)
            self._dispatcher = dispatcher
            try:
                asyncio.run(dispatcher.run(lambda: self._patience))
            finally:
                self._dispatcher = None


@contextlib.contextmanager
def _dbos(engine: Engine, executor: str) -> Iterator[None]:
    """DBOS, ready to be launched, for as long as the context lasts."""
    from dbos import DBOS

    own_log = logging.getLogger("dbos")
    if not own_log.handlers:
        own_log.addHandler(logging.NullHandler())  # Else it prints by itself, past the product's own logging.
    config: DBOSConfig = {
        "name": "refill",
        "application_version": VERSION,
        "executor_id": executor,
        "log_level": "ERROR",
        "enable_otlp": False,
        "use_listen_notify": False,
        "notification_listener_polling_interval_sec": 0.5,
        "scheduler_polling_interval_sec": 3600.0,
        "sys_db_pool_size": 5,
    }
    own: Engine | None = None
    if engine.dialect.name == "sqlite":
        config["system_database_url"] = f"sqlite:///{_file_beside(Path(str(engine.url.database)))}"
    else:
        own = create_engine(engine.url, pool_size=5, max_overflow=5, pool_pre_ping=True, hide_parameters=True)
        config |= {"system_database_engine": own, "dbos_system_schema": SCHEMA}
    DBOS(config=config)
    try:
        yield
    finally:
        DBOS.destroy(destroy_registry=True)
        if own is not None:
            own.dispose()


def _file_beside(database: Path) -> Path:
    """DBOS's own SQLite file, made if need be; with a write-ahead log, so that readers and writers do not wait."""
    file = database.with_name(f"{database.stem}.workflows{database.suffix}")
    with contextlib.closing(sqlite3.connect(file, timeout=30)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    return file
