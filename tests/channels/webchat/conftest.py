"""The public application with a scripted dialogue, reached without a network and over a real one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from bot.app import create_app
from bot.channels.webchat.site import Site
from bot.channels.webchat.state import WebchatState
from bot.desk.state import TeamState
from bot.knowledge.answer import Answerer
from bot.serve import _serving, listen
from tests.conversation.fakes import Bench, new_database
from tests.tagging.fakes import word_tagger

API = "/api/v1/conversations"


def _no_answerer() -> Answerer:
    raise AssertionError("The API does not answer questions itself.")


@dataclass(frozen=True)
class Visitor:
    """A conversation and what opens it."""

    id: str
    token: str

    @property
    def url(self) -> str:
        """Of the conversation."""
        return f"{API}/{self.id}"

    @property
    def headers(self) -> dict[str, str]:
        """That let the visitor in."""
        return {"authorization": f"Bearer {self.token}"}


class Chat:
    """The web chat, a client for it, and what stands behind it."""

    def __init__(self, bench: Bench, http: httpx.AsyncClient, app: FastAPI) -> None:
        self.bench = bench
        self.http = http
        self.app = app

    @property
    def state(self) -> WebchatState:
        """Of the application."""
        state: WebchatState = self.app.state.webchat
        return state

    async def begin(self) -> Visitor:
        """A new conversation."""
        created = (await self.http.post(API, json={})).json()
        return Visitor(created["id"], created["token"])

    async def post(self, visitor: Visitor, text: str, client_id: str = "a") -> httpx.Response:
        """Send a text."""
        return await self.http.post(
            f"{visitor.url}/messages", headers=visitor.headers, json={"client_id": client_id, "text": text}
        )

    async def read(self, visitor: Visitor, **query: str | int | float) -> httpx.Response:
        """Read messages."""
        return await self.http.get(f"{visitor.url}/messages", headers=visitor.headers, params=query)

    @asynccontextmanager
    async def live(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client that reaches the application over a real server."""
        listener = listen("127.0.0.1", 0, "server.port")
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with _serving(self.app, listener), httpx.AsyncClient(base_url=url, trust_env=False) as http:
            yield http


@pytest.fixture
async def make_chat(tmp_path: Path) -> AsyncIterator[Callable[..., Chat]]:
    """Makes web chats on one database; stops them at the end."""
    engine = new_database(tmp_path)
    made: list[Chat] = []

    def make(site: Site | None = None, address: str = "127.0.0.1", **options: Any) -> Chat:
        bench = Bench(engine, **options)
        webchat = WebchatState(bench.service, bench.store, bench.delivery, _no_answerer)
        app = create_app(webchat, TeamState(engine, word_tagger({}), key=""), lambda: True, site=site)
        transport = httpx.ASGITransport(app, client=(address, 4711))
        http = httpx.AsyncClient(transport=transport, base_url="http://test")
        made.append(Chat(bench, http, app))
        return made[-1]

    yield make
    for chat in made:
        await chat.http.aclose()
        await chat.bench.service.stop(0)
    engine.dispose()


@pytest.fixture
async def chat(make_chat: Callable[..., Chat]) -> Chat:
    """A web chat with the usual limits."""
    return make_chat()


def assert_error(response: httpx.Response, status: int, code: str) -> None:
    """The answer is an error in the one shape."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "remedy"}
    assert all(isinstance(value, str) for value in body["error"].values())
    assert body["error"]["code"] == code
    assert body["error"]["message"]
