"""A process with nothing but the outbox, for tests that kill it.

`python -m tests.outbox.process <storage url> <lease>` says `ready` once it looks into the outbox, and stops when its
standard input is closed.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.outbox.timing import Backoff, Timing
from bot.outbox.workflows import Outbox
from bot.settings import load_settings
from bot.storage.engine import open_engine

PROJECT = Path(__file__).parents[2]


@contextmanager
def outbox_process(url: str, lease: float) -> Iterator[subprocess.Popen[str]]:
    """Such a process, stopped at the end unless it was killed before."""
    command = [sys.executable, "-W", "error", "-m", "tests.outbox.process", url, str(lease)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=PROJECT
    ) as process:
        assert process.stdout
        assert process.stderr
        if process.stdout.readline() != "ready\n":
            raise AssertionError(process.stderr.read())
        yield process
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) in ((0, ""), (-signal.SIGKILL, "")), errors


def main(url: str, lease: float) -> None:
    """Deliver until nobody holds the other end of standard input any more."""
    settings = load_settings(PROJECT, {"REFILL_STORAGE_URL": url, "REFILL_OUTBOX_ALLOW_PRIVATE": "true"})
    engine = open_engine(settings)
    outbox = Outbox(settings, engine, Timing(poll=0.05, idle=0.05, lease=lease, backoff=Backoff(0.1)))
    outbox.start()
    print("ready", flush=True)
    sys.stdin.read()
    outbox.stop(5)
    engine.dispose()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
