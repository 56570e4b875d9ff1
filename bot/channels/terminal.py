"""Talk to a running bot in the terminal, over the same HTTP API a browser uses."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import httpx
from rich.console import Console
from rich.markdown import Markdown

from bot.errors import ConversationError

_PATIENCE = 30.0
# Seconds to wait for a turn's replies, which are stored together, and for a second question behind them.
_WAITS = (20.0, 0.5)
_HELP = "Write a message, a choice's number, or /quit."


async def talk(url: str, console: Console) -> None:
    """Run a conversation until /quit or the end of the input.

    Raises:
        ConversationError: The bot at the address cannot be reached.
    """
    async with httpx.AsyncClient(base_url=url, timeout=_PATIENCE, trust_env=False) as http:
        try:
            created = (await http.post("/api/v1/conversations", json={})).raise_for_status().json()
        except httpx.HTTPError as error:
            raise ConversationError(
                f"No bot answers at {url}: {error}.", "Start one with `make run`, or leave --url out."
            ) from error
        http.headers["authorization"] = f"Bearer {created['token']}"
        base = f"/api/v1/conversations/{created['id']}/messages"
        console.print(f"[dim]{_HELP}[/]")
        seen = 0
        choices: list[dict[str, str]] = []
        while True:
            try:
                text = (await asyncio.to_thread(console.input, "[bold]you[/]  ")).strip()
            except (EOFError, KeyboardInterrupt):
                return
            if text in ("/quit", "/exit"):
                return
            if not text:
                continue
            body: dict[str, Any] = {"client_id": uuid.uuid4().hex, "text": text}
            if text.isdecimal() and 1 <= int(text) <= len(choices):
                body = {"client_id": body["client_id"], "choice": choices[int(text) - 1]["payload"]}
            response = await http.post(base, json=body)
            if response.is_error:
                problem = response.json()["error"]
                console.print(f"[red]{problem['message']} {problem['remedy']}[/]")
                continue
            seen = max(seen, response.json()["number"])
            choices = []
            for wait in _WAITS:
                for message in await _messages(http, base, seen, wait):
                    seen = message["number"]
                    _show(console, message, choices)


async def _messages(http: httpx.AsyncClient, base: str, seen: int, wait: float) -> list[dict[str, Any]]:
    """What came after a message, waited for at most so many seconds."""
    found = (await http.get(base, params={"after": seen, "wait": wait})).raise_for_status().json()
    messages: list[dict[str, Any]] = found["messages"]
    return messages


def _show(console: Console, message: dict[str, Any], choices: list[dict[str, str]]) -> None:
    console.print(message["name"] or message["author"], style="bold cyan", markup=False, highlight=False)
    console.print(Markdown(message["text"]))
    for citation in message["citations"]:
        console.print(f"[dim]  ↳ {citation['title']}  {citation['url']}[/]")
    for choice in message["choices"]:
        choices.append(choice)
        console.print(f"  [bold]{len(choices)}[/] {choice['label']}")
