"""Actions as Rasa calls them, with an answerer that follows a script."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from actions import create_executor
from bot.dialogue.turn import TurnContext
from bot.knowledge.answer import Answer, Answerer
from bot.knowledge.article import Audience

NOTHING = Answer("hand_off", 0.1, None, None, None, (), ())


@dataclass
class StubAnswerer:
    """Gives the answers it was given; remembers what it was asked."""

    answer: Answer = NOTHING
    articles: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def decide(
        self, question: str, audience: Audience = "public", language: str | None = None, before: str | None = None
    ) -> Answer:
        """As `Answerer.decide`."""
        self.asked.append(("decide", question, audience, language or "", *([before] if before else [])))
        return self.answer

    def article_answer(self, article_id: str, question: str = "", audience: Audience = "public") -> Answer | None:
        """As `Answerer.article_answer`."""
        self.asked.append(("article", article_id, question, audience))
        return self.articles.get(article_id)


@dataclass
class Done:
    """What an action said, asked for and changed."""

    responses: list[dict[str, Any]]
    events: list[dict[str, Any]]

    @property
    def said(self) -> list[str]:
        """Names of the responses uttered."""
        return [str(response["response"]) for response in self.responses if response.get("response")]

    @property
    def effects(self) -> list[dict[str, Any]]:
        """The effects asked for."""
        return [dict(response["custom"]) for response in self.responses if response.get("custom")]

    @property
    def slots(self) -> dict[str, Any]:
        """Slots that were set."""
        assert all(event["event"] == "slot" for event in self.events)
        return {event["name"]: event["value"] for event in self.events}


Run = Callable[..., Awaitable[Done]]


def call_of(
    action: str,
    context: TurnContext | None,
    intent: str,
    confidence: float,
    slots: dict[str, Any],
    others: dict[str, float] | None = None,
) -> dict[str, Any]:
    """The body Rasa 3.6 sends to its action server."""
    ranking = {intent: confidence, **(others or {})}
    metadata = {"turn": context.model_dump(mode="json")} if context else {}
    message = {
        "intent": {"name": intent, "confidence": confidence},
        "entities": [],
        "text": context.text if context else "",
        "message_id": "0b6ea1d3a1f94f1c8f0d1a2b3c4d5e6f",
        "metadata": metadata,
        "intent_ranking": [{"name": name, "confidence": value} for name, value in ranking.items()],
    }
    return {
        "next_action": action,
        "sender_id": "c.0",
        "tracker": {
            "sender_id": "c.0",
            "slots": {
                **dict.fromkeys(("language", "contact_name", "contact_email", "contact_time", "requested_slot")),
                "last_offer": "none",
                **slots,
            },
            "latest_message": message,
            "latest_event_time": 1770000000.0,
            "followup_action": None,
            "paused": False,
            "events": [
                {"event": "action", "timestamp": 1769999999.0, "name": "action_listen", "confidence": None},
                {"event": "user", "timestamp": 1770000000.0, "text": message["text"], "parse_data": message},
            ],
            "latest_input_channel": "rest",
            "active_loop": {},
            "latest_action": {"action_name": "action_listen"},
            "latest_action_name": "action_listen",
        },
        "domain": {},
        "version": "3.6.21",
    }


@pytest.fixture
def answerer() -> StubAnswerer:
    """The answerer the actions ask."""
    return StubAnswerer()


@pytest.fixture
def run(answerer: StubAnswerer) -> Run:
    """Runs an action."""
    executor = create_executor(lambda: cast(Answerer, answerer))

    async def run(
        action: str,
        context: TurnContext | None = None,
        intent: str = "product_question",
        confidence: float = 0.9,
        others: dict[str, float] | None = None,
        **slots: Any,
    ) -> Done:
        result = await executor.run(call_of(action, context, intent, confidence, slots, others))
        assert result is not None
        return Done(**result.model_dump())

    return run
