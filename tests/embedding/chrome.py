"""Chromium without anything that watches it: what a page costs there is what it costs a visitor.

Playwright listens to requests and to the console, and for that Chromium reads a script again to tell from where each
request came: half of what a small script costs. Here it is asked for its own count of the time spent, and nothing else.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from websockets.sync.client import connect
from websockets.sync.connection import Connection

PATIENCE = 30.0
_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
    "--window-size=1280,800",
)


class Chrome:
    """A running Chromium; see `running`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)

    def cost(self, url: str, script: str, slower: float, settle: float) -> tuple[float, bool]:
        """What a script costs a page that has loaded and is at rest, in a fresh profile.

        Args:
            url: Of the page.
            script: Address of the script, which is put on the page as a website would.
            slower: How many times slower the processor shall be.
            settle: Seconds until the page is at rest, before the script and after.

        Returns:
            Milliseconds of processor time on the main thread, all tasks counted, and whether there is a launcher.
            Waiting for others' processes is not counted: the time is the thread's own.
        """
        profile = self._call("Target.createBrowserContext")["browserContextId"]
        target = self._call("Target.createTarget", url=url, browserContextId=profile, width=1280, height=800)[
            "targetId"
        ]
        session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._call("Performance.enable", session, timeDomain="threadTicks")
        self._call("Emulation.setCPUThrottlingRate", session, rate=slower)
        time.sleep(settle)
        before = self._busy(session)
        add = "document.head.append(Object.assign(document.createElement('script'), { async: true, src: '%s' })), 0"
        self._evaluate(session, add % script)
        time.sleep(settle)
        after = self._busy(session)
        launcher = (
            "!!document.querySelector('refill-chat')?.shadowRoot.querySelector('[data-launcher]')?.checkVisibility()"
        )
        shown = bool(self._evaluate(session, launcher))
        self._call("Target.disposeBrowserContext", browserContextId=profile)
        return 1000 * (after - before), shown

    def _busy(self, session: str) -> float:
        metrics = self._call("Performance.getMetrics", session)["metrics"]
        return next(float(one["value"]) for one in metrics if one["name"] == "TaskDuration")

    def _evaluate(self, session: str, expression: str) -> Any:
        return self._call("Runtime.evaluate", session, expression=expression)["result"].get("value")

    def _call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters, **({"sessionId": session} if session else {})}
        self._connection.send(json.dumps(message))
        while (answer := json.loads(self._connection.recv(PATIENCE))).get("id") != number:
            pass  # Events.
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result


@contextlib.contextmanager
def running(program: str, profile: Path) -> Iterator[Chrome]:
    """Run Chromium without a window for as long as the context lasts.

    Args:
        program: Its path; see `tests.needs.browser`.
        profile: An empty folder.
    """
    process = subprocess.Popen(
        [program, *_ARGUMENTS, f"--user-data-dir={profile}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        port = profile / "DevToolsActivePort"
        end = time.monotonic() + PATIENCE
        while not port.exists() or len(port.read_text("utf-8").splitlines()) < 2:
            assert time.monotonic() < end, "Chromium does not listen"
            time.sleep(0.05)
        number, path = port.read_text("utf-8").splitlines()
        with connect(f"ws://127.0.0.1:{number}{path}", max_size=None, proxy=None) as connection:
            yield Chrome(connection)
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(PATIENCE)
