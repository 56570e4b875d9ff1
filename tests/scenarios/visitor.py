"""A customer who talks to a running product over HTTP, as the page does."""

from __future__ import annotations

import uuid
from typing import Any

import httpx


class Visitor:
    """One conversation.

    Args:
        url: Of the product.
        language: Of the page the visitor is on.
    """

    def __init__(self, url: str, language: str | None = None) -> None:
        self.http = httpx.Client(base_url=url, timeout=40, trust_env=False)
        created = self.http.post("/api/v1/conversations", json={"language": language} if language else {}).json()
        self.id: str = created["id"]
        self.token: str = created["token"]
        self.base = f"/api/v1/conversations/{self.id}"
        self.http.headers["authorization"] = f"Bearer {self.token}"
        self.seen = 0
        self.choices: list[dict[str, str]] = []

    def post(self, **body: Any) -> httpx.Response:
        """Send a message with an id of its own."""
        return self.http.post(f"{self.base}/messages", json={"client_id": uuid.uuid4().hex, **body})

    def say(self, text: str) -> list[dict[str, Any]]:
        """Write a text; returns the bot's replies."""
        return self._replies(self.post(text=text))

    def choose(self, payload: str) -> list[dict[str, Any]]:
        """Take a choice of the last replies by the beginning of its payload."""
        choice = next(choice for choice in self.choices if choice["payload"].startswith(payload))
        return self._replies(self.post(choice=choice["payload"]))

    def _replies(self, response: httpx.Response) -> list[dict[str, Any]]:
        assert response.status_code == 202, response.text
        number: int = response.json()["number"]
        found = self.http.get(f"{self.base}/messages", params={"after": number, "wait": 30}).json()["messages"]
        replies: list[dict[str, Any]] = [message for message in found if message["author"] == "bot"]
        self.choices = [choice for message in replies for choice in message["choices"]]
        return replies

    def messages(self) -> list[dict[str, Any]]:
        """All messages from the first on."""
        found: list[dict[str, Any]] = self.http.get(f"{self.base}/messages").json()["messages"]
        return found

    def state(self) -> dict[str, Any]:
        """The conversation as the visitor may see it."""
        found: dict[str, Any] = self.http.get(self.base).json()
        return found


def texts(replies: list[dict[str, Any]]) -> str:
    """All the bot said in a turn."""
    return "\n".join(reply["text"] for reply in replies)
