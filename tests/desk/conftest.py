"""The public application with an open team API, on a database with two conversations."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, cast

import httpx
import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from bot.app import create_app
from bot.channels.webchat.state import WebchatState
from bot.conversation.models import Message
from bot.conversation.store import ConversationStore
from bot.conversation.tags import record
from bot.desk.state import TeamState
from tests.tagging.fakes import word_tagger

KEY = "k" * 16
API = "/api/v1"
TAG = word_tagger({"printer": "defect", "two more cafés": "expansion", "leave": ("churn_risk", 0.7), "now": "urgent"})


class Team:
    """The team API, a client that has the key, and what stands behind it.

    Attributes:
        here: A conversation: a customer's words in 1, the bot's in 2.
        token: The visitor's, for that one.
        there: Another, of one message.
    """

    def __init__(self, engine: Engine, key: str = KEY, tag: Any = TAG) -> None:
        self.engine = engine
        store = ConversationStore(engine)
        self.here, self.token = store.create("webchat", "public", "en")
        self.there, _ = store.create("webchat", "public", "en")
        self._add(self.here, 1, "customer", "The printer is dead. We open two more cafés.")
        self._add(self.here, 2, "bot", "Is the printer on?")
        self._add(self.there, 1, "customer", "We may leave you.")
        self.state = state = TeamState(engine, tag, key, max_length=100)
        webchat = WebchatState(cast(Any, None), store, state.delivery, cast(Any, None))
        self.app = create_app(webchat, state, lambda: True)
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url="http://test", headers={"authorization": f"Bearer {KEY}"}
        )

    def _add(self, where: str, number: int, author: str, text: str) -> None:
        with Session(self.engine) as session, session.begin():
            session.add(Message(conversation_id=where, number=number, author=author, text=text, content={}))
            session.flush()
            if author == "customer":
                record(session, where, number, TAG(text, "en"))

    def rows(self, table: type[Any]) -> int:
        """How many rows a table has."""
        with Session(self.engine) as session:
            return session.query(table).count()

    async def correct(self, **body: Any) -> httpx.Response:
        """Correct a tag of the first message, as Ada."""
        return await self.http.post(
            f"{API}/conversations/{self.here}/corrections", json={"number": 1, "by": "ada", **body}
        )

    async def link(self, account: str | None, conversation: str = "") -> httpx.Response:
        """Link the first conversation, or another, to an account."""
        return await self.http.put(
            f"{API}/conversations/{conversation or self.here}/account", json={"account": account}
        )

    async def report(self, **body: Any) -> httpx.Response:
        """Report a signal on the account `acme`."""
        return await self.http.post(f"{API}/signals", json={"id": "1", "account": "acme", "source": "crm", **body})

    async def signals(self, account: str = "acme", **query: Any) -> list[dict[str, Any]]:
        """An account's signals."""
        found: list[dict[str, Any]] = (await self.http.get(f"{API}/accounts/{account}/signals", params=query)).json()[
            "signals"
        ]
        return found


@pytest.fixture
async def team(engine: Engine) -> AsyncIterator[Team]:
    """A team API with the key set."""
    team = Team(engine)
    yield team
    await team.http.aclose()
