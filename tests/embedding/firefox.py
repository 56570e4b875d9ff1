"""The system's Firefox, driven over WebDriver BiDi, which it speaks itself: no driver stands between.

Playwright cannot drive it: it needs a build of its own. Elements are found by CSS selector, in the page and in the
widget's shadow root; keys and clicks are the browser's own, not events made by scripts.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.connection import Connection

START_SECONDS = 60.0
PATIENCE = 20.0
_PAUSE = 0.05
_LISTENING = re.compile(r"WebDriver BiDi listening on (ws://\S+)")
_PREFERENCES = {
    "app.normandy.enabled": False,
    "app.update.disabledForTesting": True,
    "browser.safebrowsing.downloads.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "intl.accept_languages": "en-GB, en",
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.proxy.type": 0,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "toolkit.telemetry.enabled": False,
}
_KEYS = {"Enter": "\ue007", "Escape": "\ue00c", "Tab": "\ue004"}
_FIND = """(selector) => {
  const roots = [document, ...[...document.querySelectorAll("*")].map((one) => one.shadowRoot).filter(Boolean)];
  return roots.flatMap((root) => [...root.querySelectorAll(selector)]).filter((one) => one.checkVisibility());
}"""
_TEXTS = f"(selector) => ({_FIND})(selector).map((one) => one.innerText.trim())"
_FIRST = f"(selector) => ({_FIND})(selector)[0] ?? null"


class FirefoxError(Exception):
    """Firefox did not start, or refused a command."""


class Tab:
    """A tab of a profile of its own.

    Attributes:
        complaints: Errors and warnings its pages have logged, exceptions included.
    """

    def __init__(self, firefox: Firefox, context: str) -> None:
        self._firefox = firefox
        self._context = context
        self.complaints: list[str] = []

    def goto(self, url: str) -> None:
        """Open an address and wait until it has loaded."""
        self._call("browsingContext.navigate", url=url, wait="complete")

    def reload(self) -> None:
        """Load the page again."""
        self._call("browsingContext.reload", wait="complete")

    def resize(self, width: int, height: int) -> None:
        """Set the viewport, in CSS pixels."""
        self._call("browsingContext.setViewport", viewport={"width": width, "height": height})

    def evaluate(self, function: str, *arguments: str) -> Any:
        """Call a function in the page; its strings, numbers, booleans, lists and null come back.

        Raises:
            FirefoxError: It threw.
        """
        return _plain(self._evaluate(function, *arguments))

    def texts(self, selector: str) -> list[str]:
        """What the visible elements say, one after the other."""
        found: list[str] = self.evaluate(_TEXTS, selector)
        return found

    def wait_for(self, selector: str, text: str = "", least: int = 1) -> list[str]:
        """Wait until so many visible elements match, one of them with this text; gives what they say.

        Raises:
            AssertionError: They do not, within PATIENCE seconds.
        """
        end = time.monotonic() + PATIENCE
        while True:
            texts = self.texts(selector)
            if len(texts) >= least and any(text in found for found in texts):
                return texts
            assert time.monotonic() < end, f"no {least} × '{selector}' with '{text}'; there is {texts}"
            time.sleep(_PAUSE)

    def click(self, selector: str) -> None:
        """Click the middle of the first visible element."""
        self.wait_for(selector)
        element = self._evaluate(_FIRST, selector)
        move = {"type": "pointerMove", "x": 0, "y": 0, "origin": {"type": "element", "element": element}}
        buttons = [{"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp")]
        self._perform({"type": "pointer", "id": "mouse", "actions": [move, *buttons]})

    def type(self, text: str) -> None:
        """Type a text where the focus is."""
        self._press(*text)

    def press(self, key: str) -> None:
        """Press one key: Enter, Escape or Tab."""
        self._press(_KEYS[key])

    def _press(self, *keys: str) -> None:
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self._perform({"type": "key", "id": "keyboard", "actions": actions})

    def _perform(self, source: dict[str, Any]) -> None:
        self._call("input.performActions", actions=[source])

    def _evaluate(self, function: str, *arguments: str) -> dict[str, Any]:
        answer = self._firefox.call(
            "script.callFunction",
            functionDeclaration=function,
            arguments=[{"type": "string", "value": argument} for argument in arguments],
            target={"context": self._context},
            awaitPromise=True,
        )
        if answer["type"] == "exception":
            raise FirefoxError(answer["exceptionDetails"]["text"])
        result: dict[str, Any] = answer["result"]
        return result

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._firefox.call(method, context=self._context, **parameters)


class Firefox:
    """A running Firefox; see `running`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._number = 0
        self._tabs: dict[str, Tab] = {}
        self.call("session.new", capabilities={})
        self.call("session.subscribe", events=["log.entryAdded"])

    def tab(self) -> Tab:
        """A new tab that shares nothing with the others."""
        profile = self.call("browser.createUserContext")["userContext"]
        context = self.call("browsingContext.create", type="tab", userContext=profile)["context"]
        self._tabs[context] = Tab(self, context)
        return self._tabs[context]

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Give a command and wait for what comes of it.

        Raises:
            FirefoxError: Firefox refuses it.
        """
        self._number += 1
        self._connection.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._connection.recv(PATIENCE))
            if answer["type"] == "event":
                self._note(answer["params"])
            elif answer["id"] == self._number:
                break
        if answer["type"] == "error":
            raise FirefoxError(f"{method}: {answer['error']}: {answer['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    def _note(self, entry: dict[str, Any]) -> None:
        tab = self._tabs.get(entry["source"].get("context", ""))
        if tab is not None and entry["level"] in ("error", "warn"):
            tab.complaints.append(str(entry["text"]))


@contextlib.contextmanager
def running(program: str, profile: Path) -> Iterator[Firefox]:
    """Run Firefox without a window for as long as the context lasts.

    Args:
        program: Its path; see `tests.needs.firefox`.
        profile: An empty folder.

    Raises:
        FirefoxError: It does not start.
    """
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in _PREFERENCES.items()]
    (profile / "user.js").write_text("\n".join(lines), "utf-8")
    command = [program, "--headless", "--no-remote", "--remote-debugging-port", "0", "--profile", str(profile)]
    log = profile / "stderr.log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr)
    try:
        address = _address(process, log)
        with connect(f"{address}/session", max_size=None, proxy=None) as connection:
            yield Firefox(connection)
            # Firefox closes the connection with itself, maybe before it has answered.
            with contextlib.suppress(ConnectionClosed):
                connection.send(json.dumps({"id": 0, "method": "browser.close", "params": {}}))
                connection.recv(PATIENCE)
        process.wait(PATIENCE)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(PATIENCE)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        if found := _LISTENING.search(log.read_text("utf-8", "replace")):
            return found[1]
        time.sleep(_PAUSE)
    raise FirefoxError(f"Firefox does not listen. It says: {log.read_text('utf-8', 'replace')}")


def _plain(value: dict[str, Any]) -> Any:
    kind = value["type"]
    if kind in ("array", "object"):
        if kind == "array":
            return [_plain(one) for one in value["value"]]
        return {key: _plain(one) for key, one in value["value"]}
    return value.get("value")
