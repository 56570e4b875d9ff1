"""Thumbs over the HTTP API."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from bot.dialogue.turn import Answered, Reply, TurnResult
from bot.knowledge.answer import Answer, Citation
from tests.channels.webchat.conftest import Chat, Visitor, assert_error

ANSWER = Answer("answer", 0.9, "refunds", "en", "Open **Sales**.", (Citation("refunds", "Refunds", "/x", "en"),), ())


@pytest.fixture
async def visitor(chat: Chat) -> Visitor:
    """One whose message 2 is an answer."""
    visitor = await chat.begin()
    replies = [Reply(text="Open **Sales**.", answered=ANSWER), Reply(text="Anything else?")]
    chat.bench.dialogue.follow(TurnResult(replies=replies, effects=[Answered(answer=ANSWER)]))
    await chat.post(visitor, "How do I refund?")
    await chat.bench.settled()
    return visitor


async def give(chat: Chat, visitor: Visitor, thumb: Any, number: int | str = 2) -> httpx.Response:
    """Post a thumb."""
    url = f"{visitor.url}/messages/{number}/thumb"
    return await chat.http.post(url, headers=visitor.headers, json={"thumb": thumb})


async def test_messages_tell_what_takes_a_thumb(chat: Chat, visitor: Visitor) -> None:
    messages = (await chat.read(visitor)).json()["messages"]
    assert [(m["answer"], m["thumb"]) for m in messages] == [(False, None), (True, None), (False, None)]


async def test_thumb_is_given_changed_and_taken_back(chat: Chat, visitor: Visitor) -> None:
    for thumb in ("up", "up", "down", None, None, "down"):
        response = await give(chat, visitor, thumb)
        assert (response.status_code, response.json()) == (200, {"number": 2, "thumb": thumb})
        messages = (await chat.read(visitor)).json()["messages"]
        assert [m["thumb"] for m in messages] == [None, thumb, None]


@pytest.mark.parametrize("number", [1, 3])
async def test_message_that_is_no_answer(chat: Chat, visitor: Visitor, number: int) -> None:
    assert_error(await give(chat, visitor, "up", number), 422, "invalid_input")


@pytest.mark.parametrize("number", [4, 2**53])
async def test_message_that_is_not_there(chat: Chat, visitor: Visitor, number: int) -> None:
    assert_error(await give(chat, visitor, "up", number), 404, "not_found")


@pytest.mark.parametrize("number", [0, -1, 2**53 + 1, "two"])
async def test_number_that_is_none(chat: Chat, visitor: Visitor, number: int | str) -> None:
    assert_error(await give(chat, visitor, "up", number), 422, "invalid_input")


@pytest.mark.parametrize("thumb", ["", "sideways", 1, True, ["up"], {}])
async def test_thumb_that_is_none(chat: Chat, visitor: Visitor, thumb: Any) -> None:
    assert_error(await give(chat, visitor, thumb), 422, "invalid_input")


@pytest.mark.parametrize("body", [{}, {"thumb": "up", "stars": 5}, [], "up", None])
async def test_body_of_another_form(chat: Chat, visitor: Visitor, body: Any) -> None:
    response = await chat.http.post(f"{visitor.url}/messages/2/thumb", headers=visitor.headers, json=body)
    assert_error(response, 422, "invalid_input")


async def test_conversation_of_another(chat: Chat, visitor: Visitor) -> None:
    other = await chat.begin()
    url = f"{visitor.url}/messages/2/thumb"
    for headers in ({}, other.headers):
        assert_error(await chat.http.post(url, headers=headers, json={"thumb": "up"}), 404, "not_found")
    assert (await chat.read(visitor)).json()["messages"][1]["thumb"] is None
