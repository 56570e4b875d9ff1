"""What goes to Rasa is never a command a customer typed; what comes back is understood or refused."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from bot.dialogue.client import RasaClient, plain_text, read_messages
from bot.dialogue.turn import (
    Answered,
    Case,
    Choice,
    Contact,
    Escalate,
    OfferPerson,
    SaveContact,
    TurnContext,
    TurnResult,
)
from bot.errors import DialogueError
from bot.knowledge.answer import Alternative, Citation
from tests.conversation.fakes import silent_server

ANSWER: dict[str, Any] = {
    "decision": "answer",
    "confidence": 0.93,
    "article_id": "refunds",
    "language": "en",
    "answer": "Open **Sales**.",
    "citations": [{"article_id": "refunds", "title": "Refunds", "url": "/help/refunds", "language": "en"}],
    "alternatives": [],
}
CLARIFY: dict[str, Any] = {
    **ANSWER,
    "decision": "clarify",
    "answer": None,
    "citations": [],
    "alternatives": [{"article_id": "refunds", "title": "Refunds", "language": "en"}],
}


def decided(answer: dict[str, Any]) -> dict[str, Any]:
    """A message that carries a decision."""
    return custom({"effect": "answered", "answer": answer})


def text(value: str, **rest: Any) -> dict[str, Any]:
    """A message of the REST channel."""
    return {"recipient_id": "c.0", "text": value, **rest}


def custom(value: Any) -> dict[str, Any]:
    """A custom payload of the REST channel."""
    return {"recipient_id": "c.0", "custom": value}


# Reading


def test_texts_and_buttons() -> None:
    buttons = [{"title": "Yes", "payload": "/affirm"}, {"title": "No", "payload": "/deny"}]
    result = read_messages([text("one"), text("two", buttons=buttons)])
    assert [reply.text for reply in result.replies] == ["one", "two"]
    assert result.replies[0].choices == []
    assert result.replies[1].choices == [
        Choice(label="Yes", payload="/affirm"),
        Choice(label="No", payload="/deny"),
    ]
    assert result.effects == []


def test_answer_is_a_reply_with_its_citation_where_it_came() -> None:
    result = read_messages([text("Only in another language:"), decided(ANSWER), text("Did it help?")])
    assert [reply.text for reply in result.replies] == ["Only in another language:", "Open **Sales**.", "Did it help?"]
    answer = result.replies[1]
    assert answer.citations == [Citation("refunds", "Refunds", "/help/refunds", "en")]
    assert answer.answered is not None
    assert answer.answered.decision == "answer"
    assert result.effects == [Answered(answer=answer.answered)]


def test_decision_without_an_answer_goes_with_the_first_reply() -> None:
    result = read_messages([decided(CLARIFY), text("Which?"), text("More")])
    assert [reply.text for reply in result.replies] == ["Which?", "More"]
    first, second = result.replies
    assert first.answered is not None
    assert first.answered.decision == "clarify"
    assert first.answered.alternatives == (Alternative("refunds", "Refunds", "en"),)
    assert second.answered is None


def test_articles_to_choose_from_come_first() -> None:
    buttons = [
        {"title": "None of these", "payload": "/none_of_these"},
        {"title": "B", "payload": '/choose_article{"article_id": "b"}'},
        {"title": "A", "payload": '/choose_article{"article_id": "a"}'},
    ]
    (reply,) = read_messages([text("Which?", buttons=buttons)]).replies
    assert [choice.label for choice in reply.choices] == ["B", "A", "None of these"]


@pytest.mark.parametrize(
    ("payload", "effect"),
    [
        (
            {"effect": "escalate", "queue": "success", "reason": "asked_for"},
            Escalate(queue="success", reason="asked_for"),
        ),
        ({"effect": "offer_person", "queue": "support"}, OfferPerson(queue="support")),
        (
            {"effect": "save_contact", "contact": {"name": "A", "email": "a@b.co", "time": "now"}},
            SaveContact(contact=Contact(name="A", email="a@b.co", time="now")),
        ),
    ],
    ids=["escalate", "offer_person", "save_contact"],
)
def test_effects(payload: dict[str, Any], effect: object) -> None:
    result = read_messages([custom(payload), text("ok")])
    assert result.effects == [effect]
    assert [reply.text for reply in result.replies] == ["ok"]


@pytest.mark.parametrize("messages", [[], [{"recipient_id": "c.0"}], [text("")], [{"text": None, "custom": None}]])
def test_nothing_said(messages: list[Any]) -> None:
    assert read_messages(messages) == TurnResult(replies=[], effects=[])


MALFORMED = [
    None,
    7,
    True,
    "text",
    {"text": "not in a list"},
    [None],
    ["text"],
    [["text"]],
    [text("x", buttons=[{"title": "no payload"}])],
    [text("x", buttons=[{"payload": "/no_title"}])],
    [text("x", buttons=["Yes"])],
    [text("x", buttons=7)],
    [text("x", buttons=[{"title": 1, "payload": "/a"}])],
    [{"text": 7}],
    [{"text": ["a"]}],
    [custom("escalate")],
    [custom([1])],
    [custom({"effect": "unknown"})],
    [custom({"queue": "support"})],
    [custom({"effect": "escalate", "queue": "nobody", "reason": "asked_for"})],
    [custom({"effect": "escalate", "queue": "support", "reason": "asked_for", "more": 1})],
    [decided({**ANSWER, "decision": "guess"})],
    [decided({**ANSWER, "citations": [{"title": "no url"}]})],
    [decided({**ANSWER, "confidence": "high"})],
]


@pytest.mark.parametrize("messages", MALFORMED, ids=lambda value: ascii(value)[:50])
def test_malformed_answer_is_refused(messages: Any) -> None:
    with pytest.raises(DialogueError, match="not in a known form"):
        read_messages(messages)


# Writing


def _texts() -> list[str]:
    parts = ("/", " ", "\n", "\t", "\u3000", "\u00a0", "restart", '{"a":1}')
    return ["".join(chosen) for length in range(1, 5) for chosen in itertools.product(parts, repeat=length)]


def test_no_text_begins_with_a_slash() -> None:
    assert [text for text in _texts() if plain_text(text).strip().startswith("/")] == []


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("Hello", "Hello"),
        ("  Hello ", "Hello"),
        ("and/or", "and/or"),
        ("/restart", "restart"),
        ("///restart", "restart"),
        (" /intent{'a': 1}", "intent{'a': 1}"),
        ("/", "…"),
        ("", "…"),
        (" // ", "…"),
        ("中文/ไทย", "中文/ไทย"),
    ],
)
def test_plain_text(written: str, sent: str) -> None:
    assert plain_text(written) == sent


CONTEXT = TurnContext(text="Hello", language="tr", offer="person", case=Case(number=7, open=True, since="today"))

Handler = Callable[[httpx.Request], httpx.Response]


async def ask(handler: Handler, context: TurnContext = CONTEXT, payload: str | None = None) -> TurnResult:
    """One turn against a Rasa that answers as the handler does."""
    async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as http:
        return await RasaClient("http://rasa/", http, 5).respond("c.0", context, payload, {"contact_name": "Ayşe"})


async def sent_for(context: TurnContext, payload: str | None = None) -> dict[str, Any]:
    """The body Rasa gets for a turn."""
    bodies = []

    def handler(request: httpx.Request) -> httpx.Response:
        assert str(request.url) == "http://rasa/webhooks/rest/webhook"
        bodies.append(json.loads(request.content))
        return httpx.Response(200, json=[text("ok")])

    await ask(handler, context, payload)
    (body,) = bodies
    assert isinstance(body, dict)
    return body


async def test_turn_travels_with_the_message() -> None:
    body = await sent_for(CONTEXT)
    assert (body["sender"], body["message"]) == ("c.0", "Hello")
    assert body["metadata"]["slots"] == {"contact_name": "Ayşe", "language": "tr", "last_offer": "person"}
    assert TurnContext.model_validate(body["metadata"]["turn"]) == CONTEXT


async def test_text_that_looks_like_a_command_is_sent_as_text() -> None:
    body = await sent_for(TurnContext(text='/request_human{"language": "th"}'))
    assert body["message"] == 'request_human{"language": "th"}'
    assert body["metadata"]["turn"]["text"] == '/request_human{"language": "th"}'


@pytest.mark.parametrize("payload", ["/request_human", '/choose_article{"article_id": "refunds"}'])
async def test_choice_is_sent_as_a_command_with_the_slots(payload: str) -> None:
    body = await sent_for(CONTEXT, payload)
    intent, _, entities = body["message"].partition("{")
    assert intent == payload.partition("{")[0]
    assert json.loads("{" + entities) == {"contact_name": "Ayşe", "language": "tr", "last_offer": "person"}


def _raise(error: Exception) -> Handler:
    def handler(request: httpx.Request) -> httpx.Response:
        raise error

    return handler


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        (_raise(httpx.ConnectError("refused")), "cannot be reached"),
        (_raise(httpx.ReadTimeout("late")), "within 5 seconds"),
        (lambda request: httpx.Response(500, json=[text("no")]), "cannot be reached"),
        (lambda request: httpx.Response(404), "cannot be reached"),
        (lambda request: httpx.Response(200, text="<html>"), "cannot be reached"),
        (lambda request: httpx.Response(200, content=b"\xff\xfe\x00"), "cannot be reached"),
        (lambda request: httpx.Response(200, json={"status": "failure"}), "not in a known form"),
        (lambda request: httpx.Response(200, json=[]), "said nothing"),
        (lambda request: httpx.Response(200, json=[decided(CLARIFY)]), "said nothing"),
    ],
)
async def test_rasa_that_cannot_be_used(handler: Handler, message: str) -> None:
    with pytest.raises(DialogueError, match=message):
        await ask(handler)


async def test_late_rasa() -> None:
    async with silent_server() as url, httpx.AsyncClient(trust_env=False) as http:
        with pytest.raises(DialogueError, match=r"within 0\.05 seconds"):
            await RasaClient(url, http, 0.05).respond("c.0", CONTEXT, None, {})


@pytest.mark.parametrize("deadline", [0, -1])
async def test_deadline_is_checked(deadline: float) -> None:
    async with httpx.AsyncClient() as http:
        with pytest.raises(ValueError, match="deadline must be greater than 0"):
            RasaClient("http://rasa", http, deadline)
