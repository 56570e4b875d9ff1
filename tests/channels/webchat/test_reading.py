"""Over the HTTP API: how far the customer has read, what the website tells, the transcript."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest

from bot.conversation.models import Conversation
from bot.conversation.reading import mark_read
from tests.channels.webchat.conftest import Chat, Visitor, assert_error
from tests.conversation.fakes import agent_says


@pytest.fixture
async def visitor(chat: Chat) -> Visitor:
    """One who asked, got an answer, and then one of a person."""
    visitor = await chat.begin()
    await chat.post(visitor, "How do I refund?")
    await chat.bench.settled()
    agent_says(chat.bench.store.changes, visitor.id, "Ada", "Like **this**.")
    return visitor


async def send(chat: Chat, visitor: Visitor, what: str, **body: Any) -> httpx.Response:
    return await chat.http.post(f"{visitor.url}/{what}", headers=visitor.headers, json=body)


async def events(chat: Chat, visitor: Visitor, after: int = 0) -> list[tuple[str, dict[str, Any]]]:
    """What the visitor's stream tells behind an event."""
    response = await chat.http.get(f"{visitor.url}/events", headers=visitor.headers, params={"after": after, "wait": 0})
    found = re.findall(r"^event: (\w+)\ndata: (.*)$", response.text, re.MULTILINE)
    return [(kind, json.loads(data)) for kind, data in found if kind != "typing"]


async def test_reading_is_kept_and_the_teams_is_told(chat: Chat, visitor: Visitor) -> None:
    before = (await chat.http.get(visitor.url, headers=visitor.headers)).json()
    assert (before["read_by_customer"], before["read_by_team"]) == (0, 0)
    for number in (2, 3, 1):
        response = await send(chat, visitor, "read", number=number)
        assert (response.status_code, response.content) == (204, b"")
    mark_read(chat.bench.store.changes, visitor.id, "team", 3, "person:ada")
    after = (await chat.http.get(visitor.url, headers=visitor.headers)).json()
    assert (after["read_by_customer"], after["read_by_team"]) == (3, 3)
    # That the customer read is the team's to know; that the team read, the customer's.
    told = await events(chat, visitor, before["last_event"])
    assert [(kind, data["number"], data["by"]) for kind, data in told] == [("read", 3, "team")]
    assert set(told[0][1]) == {"number", "by", "created_at"}


async def test_numbers_that_are_none(chat: Chat, visitor: Visitor) -> None:
    for number in (0, -1, 2**53 + 1, "3", 1.5, None, True):
        assert_error(await send(chat, visitor, "read", number=number), 422, "invalid_input")


async def test_a_number_beyond_the_newest_message(chat: Chat, visitor: Visitor) -> None:
    assert (await send(chat, visitor, "read", number=2**53)).status_code == 204
    found = (await chat.http.get(visitor.url, headers=visitor.headers)).json()
    assert found["read_by_customer"] == found["last_number"] == 3


async def test_context_is_kept(chat: Chat, visitor: Visitor) -> None:
    values = {"plan": "Pro\n", "seats": 3, "trial": False, "price": 1.5}
    body = {"page": "https://shop.example/?a=b#c", "title": " Prices\tand plans ", "values": values}
    assert (await send(chat, visitor, "context", **body)).status_code == 204
    assert (await send(chat, visitor, "context", title="Plans")).status_code == 204
    with chat.bench.store.changes.reading() as session:
        kept = session.get_one(Conversation, visitor.id).context
    assert kept == {"page": body["page"], "title": "Plans", "values": {**values, "plan": "Pro"}}
    state = (await chat.http.get(visitor.url, headers=visitor.headers)).json()
    assert "context" not in state


BROKEN: tuple[dict[str, Any], ...] = (
    {"page": "javascript:alert(1)"},
    {"page": "data:text/html,x"},
    {"page": "ftp://a.example/"},
    {"page": "https://"},
    {"page": "https://a b"},
    {"page": "https://a.example/\n"},
    {"page": "https://a.example/" + "x" * 2000},
    {"title": "x" * 201},
    {"values": {str(n): n for n in range(21)}},
    {"values": {"x" * 51: 1}},
    {"values": {"": 1}},
    {"values": {"a": "x" * 201}},
    {"values": {"a": {"b": 1}}},
    {"values": {"a": [1]}},
    {"values": {"a": None}},
    {"values": {"a": 2**60}},
    {"other": 1},
)


async def test_context_that_breaks_a_rule(chat: Chat, visitor: Visitor) -> None:
    for body in BROKEN:
        assert_error(await send(chat, visitor, "context", **body), 422, "invalid_input")
    with chat.bench.store.changes.reading() as session:
        assert session.get_one(Conversation, visitor.id).context is None


async def test_transcript_is_a_file(chat: Chat, visitor: Visitor) -> None:
    for form, kind, said in (
        ("text", "text/plain", "  Like **this**."),
        ("html", "text/html", "<strong>this</strong>"),
    ):
        query = {"format": form, "zone": "Europe/Istanbul", "language": "tr"}
        response = await chat.http.get(f"{visitor.url}/transcript", headers=visitor.headers, params=query)
        assert response.status_code == 200
        assert response.headers["content-type"] == f"{kind}; charset=utf-8"
        assert response.headers["content-disposition"].startswith("attachment;")
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["content-security-policy"].startswith("default-src 'none'")
        assert said in response.text
        assert "Saatler Europe/Istanbul" in response.text


async def test_transcripts_that_cannot_be_made(chat: Chat, visitor: Visitor) -> None:
    for query in ({"format": "pdf"}, {"zone": "Mars/Olympus"}, {"zone": "x" * 51}, {"language": "de"}):
        response = await chat.http.get(f"{visitor.url}/transcript", headers=visitor.headers, params=query)
        assert_error(response, 422, "invalid_input")


async def test_others_read_and_tell_nothing(chat: Chat, visitor: Visitor) -> None:
    stranger = Visitor(visitor.id, (await chat.begin()).token)
    for what, body in (("read", {"number": 1}), ("context", {"title": "x"})):
        assert_error(await send(chat, stranger, what, **body), 404, "not_found")
    assert_error(await chat.http.get(f"{visitor.url}/transcript", headers=stranger.headers), 404, "not_found")
