"""Throwaway servers for tests: a PostgreSQL cluster and a Redis, each on a free loopback port, without anything kept.

A server's life hangs on a pipe from this process: when it ends, in whatever way, the pipe closes, and a small shell
stops the server and removes its folder.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from redis import Redis
from redis.exceptions import RedisError

from bot.settings import load_settings
from bot.storage.engine import migrate, open_engine
from tests import needs

_PATIENCE = 30.0
_ACCOUNT = "postgres"
# $0 is the folder, the rest the server; it is stopped at once, which both servers do at SIGINT.
_KEEPER = '"$@" & server=$!; cat >/dev/null; kill -INT $server; wait $server; rm -rf "$0"'


def free_port() -> int:
    """A loopback port nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A server in a process of its own, with a folder that goes with it.

    Args:
        folder: Its data; removed at the end.
        command: What runs in the foreground.
        ready: Raises one of the errors while the server does not answer yet.
        errors: What it raises.
        user: Whom it runs as; None: as this process.
    """

    def __init__(
        self,
        folder: Path,
        command: Sequence[str | Path],
        ready: Callable[[], object],
        errors: tuple[type[Exception], ...],
        user: str | None = None,
    ) -> None:
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                ["sh", "-c", _KEEPER, folder, *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=folder,
                user=user,
                group=user,
                extra_groups=[] if user else None,
                start_new_session=True,
            )
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                ready()
                return
            except errors as error:
                if time.monotonic() > end:
                    said = self._log.read_text("utf-8", "replace")
                    self.stop()
                    raise RuntimeError(f"{command[0]} does not answer ({error}). It says:\n{said}") from error
                time.sleep(0.02)

    def stop(self) -> None:
        """Stop it and remove its folder."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(_PATIENCE)


@dataclass
class PostgreSQL:
    """A cluster with a migrated template, of which tests get copies.

    Attributes:
        port: On loopback; user postgres, no password.
    """

    port: int
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def url(self, database: str) -> str:
        """For `storage.url`."""
        return f"postgresql://{_ACCOUNT}@127.0.0.1:{self.port}/{database}"

    @contextlib.contextmanager
    def database(self, template: str = "migrated") -> Iterator[str]:
        """The URL of a new database, a copy of a template (template0: empty), for as long as the context lasts."""
        name = f"test_{next(self._numbers)}"
        with psycopg.connect(self.url(_ACCOUNT), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
            try:
                yield self.url(name)
            finally:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@contextlib.contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL cluster of its own.

    Raises:
        RuntimeError: There is no PostgreSQL, or it does not start.
    """
    programs = needs.postgresql()
    # PostgreSQL refuses to run as root.
    user = _ACCOUNT if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="refill-postgresql-"))
    if user:
        shutil.chown(folder, user, user)
    initdb: list[str | Path] = [programs / "initdb", "--pgdata", folder / "data", "--username", _ACCOUNT]
    made = subprocess.run(
        [*initdb, "--auth", "trust", "--no-sync", "--encoding", "UTF8", "--locale", "C", "--no-instructions"],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        user=user,
        group=user,
        extra_groups=[] if user else None,
    )
    if made.returncode:
        shutil.rmtree(folder)
        raise RuntimeError(f"initdb failed:\n{made.stderr}")
    cluster = PostgreSQL(free_port())
    options = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "max_connections": "200",
    }
    command: list[str | Path] = [programs / "postgres", "-D", folder / "data", "-p", str(cluster.port)]
    server = Server(
        folder,
        [*command, *(part for name, value in options.items() for part in ("-c", f"{name}={value}"))],
        lambda: psycopg.connect(cluster.url(_ACCOUNT), connect_timeout=2).close(),
        (psycopg.OperationalError,),
        user,
    )
    try:
        with psycopg.connect(cluster.url(_ACCOUNT), autocommit=True) as connection:
            connection.execute("CREATE DATABASE migrated TEMPLATE template0")
        engine = open_engine(load_settings(folder, {"REFILL_STORAGE_URL": cluster.url("migrated")}))
        migrate(engine)
        engine.dispose()
        yield cluster
    finally:
        server.stop()


class RedisServer:
    """A Redis that can be taken away and brought back on the same port.

    Attributes:
        url: For `storage.redis_url`.
    """

    def __init__(self) -> None:
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self._server: Server | None = None
        self.start()

    def start(self) -> None:
        """Start it, empty.

        Raises:
            RuntimeError: There is no Redis, or it does not start.
        """
        command = [needs.redis(), "--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        folder = Path(tempfile.mkdtemp(prefix="refill-redis-"))
        with contextlib.closing(Redis(port=self._port, socket_timeout=2)) as client:
            self._server = Server(folder, command, client.ping, (RedisError,))

    def stop(self) -> None:
        """Stop it, if it runs."""
        if self._server:
            self._server.stop()
            self._server = None
