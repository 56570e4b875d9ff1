"""A receiver of webhooks on this machine: it keeps what it gets and answers as it is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATIENCE = 30.0


@dataclass
class Got:
    """A request it got."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def delivery(self) -> str:
        return self.headers["refill-delivery"]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Reply:
    """What it answers, after some seconds."""

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass
class Receiver:
    """Answers each path with the next of its replies, the last one for ever; 204 where it has none.

    Attributes:
        most: Requests there were at the same time, by path and in all under the empty path.
    """

    port: int = 0
    replies: dict[str, list[Reply]] = field(default_factory=dict)
    got: list[Got] = field(default_factory=list)
    most: dict[str, int] = field(default_factory=dict)
    _now: dict[str, int] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def wait(self, count: int) -> list[Got]:
        """The requests, once there are so many."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.got) >= count, PATIENCE), f"only {len(self.got)} came"
            return list(self.got)

    def take(self, got: Got) -> Reply:
        with self._changed:
            self.got.append(got)
            for path in (got.path, ""):
                self._now[path] = self._now.get(path, 0) + 1
                self.most[path] = max(self.most.get(path, 0), self._now[path])
            self._changed.notify_all()
            replies = self.replies.get(got.path, [Reply()])
            return replies.pop(0) if len(replies) > 1 else replies[0]

    def leave(self, got: Got) -> None:
        with self._changed:
            for path in (got.path, ""):
                self._now[path] -= 1


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver for as long as the context lasts."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            body = self.rfile.read(length)
            if len(body) < length:
                return  # Whoever sent it was killed meanwhile.
            got = Got(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            reply = receiver.take(got)
            time.sleep(reply.seconds)
            receiver.leave(got)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 100

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # Senders go away.

    server = Server(("127.0.0.1", 0), Handler)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def eventually(check: Callable[[], object]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE
    while not check():
        assert time.monotonic() < end, "it never came to hold"
        time.sleep(0.02)
