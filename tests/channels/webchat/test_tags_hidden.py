"""Nothing of tags reaches the customer: not their names, quotes or probabilities, nor the work they make."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable

from sqlalchemy.orm import Session

from bot.channels.webchat.api import router
from bot.conversation.models import MessageTag
from bot.dialogue.turn import Escalate
from bot.tagging.tags import TAGS
from tests.channels.webchat.conftest import API, Chat, Visitor
from tests.conversation.fakes import PATIENCE, said
from tests.tagging.fakes import word_tagger
from tests.test_docs import flat

# Their words are neither the customer's nor the bot's here, so that they tell where they came from.
MODEL = "model-7f3a"
tag = word_tagger(
    {"broke": ("defect", 0.8713), "grow": ("expansion", 0.9137), "quit": ("churn_risk", 0.7771), "hurry": "urgent"},
    model=MODEL,
)
SAID = "It broke, hurry! Else we quit; we wanted to grow."
SECRETS = (*TAGS, MODEL, "signal", "urgent", "sentiment", "proactive", "reactive", "quote", "evidence", "probability")
NUMBERS = ("0.8713", "0.9137", "0.7771", "0.9", "0.87", "0.91", "0.78")
# It may hold the digits of a probability by chance.
_MOMENT = re.compile(r'"created_at": ?"[^"]*"')
# What a reader of the conversation can ask for.
ROUTES = {"", "/messages", "/events", "/transcript"}


async def conversation_with_work(chat: Chat) -> Visitor:
    """A visitor whose conversation has all tags, the customer's case, and work for two queues."""
    visitor = await chat.begin()
    chat.bench.dialogue.follow(said("Noted: {case_number}.", effects=[Escalate(queue="support", reason="asked_for")]))
    await chat.post(visitor, SAID)
    await chat.bench.settled()
    await chat.bench.service.stop(PATIENCE)
    with Session(chat.bench.engine) as session:
        session.add(
            MessageTag(
                conversation_id=visitor.id,
                number=1,
                name="advocacy",
                probability=1.0,
                start=0,
                end=2,
                quote="a quote nobody wrote",
                model="",
                origin="person",
                state="confirmed",
            )
        )
        session.commit()
    assert [(one.queue, one.reason) for one in chat.bench.escalations()] == [
        ("support", "asked_for"),
        ("account_management", "signal"),
        ("success", "signal"),
    ]
    return visitor


def assert_hidden(shown: str, chat: Chat) -> None:
    """The answer to a request has nothing of tags in it."""
    shown = _MOMENT.sub("", shown)
    for word in (*SECRETS, *NUMBERS, "a quote nobody wrote", "account_management", "success"):
        assert word not in shown.casefold(), word
    work = [one.id for one in chat.bench.escalations() if one.reason == "signal"]
    assert len(work) == 2
    for number in work:
        assert f'"number":{number},"open"' not in shown.replace(" ", "")


async def test_no_route_shows_anything_of_tags(make_chat: Callable[..., Chat]) -> None:
    chat = make_chat(tag=tag)
    visitor = await conversation_with_work(chat)
    for route in ("", "/messages", "/transcript"):
        answer = await chat.http.get(visitor.url + route, headers=visitor.headers)
        assert answer.status_code == 200
        assert_hidden(answer.text, chat)
        assert_hidden(json.dumps(dict(answer.headers)), chat)
    again = await make_chat(tag=tag).post(visitor, SAID)  # The first server has stopped.
    assert again.json()["text"] == SAID
    assert_hidden(again.text, chat)


async def test_events_show_nothing_of_tags(make_chat: Callable[..., Chat]) -> None:
    chat = make_chat(tag=tag)
    visitor = await conversation_with_work(chat)
    seen = ""
    async with (
        chat.live() as http,
        asyncio.timeout(PATIENCE),
        http.stream("GET", f"{visitor.url}/events", headers=visitor.headers) as response,
    ):
        async for part in response.aiter_text():
            seen += part
            if "Noted: 1." in seen:
                break
    assert SAID in seen
    assert_hidden(seen, chat)


async def test_the_customers_case_is_their_own(make_chat: Callable[..., Chat]) -> None:
    chat = make_chat(tag=tag)
    visitor = await conversation_with_work(chat)
    state = (await chat.http.get(visitor.url, headers=visitor.headers)).json()
    own = chat.bench.escalations()[0]
    assert state["case"]["number"] == own.id
    assert (state["owner"]["kind"], state["last_number"]) == ("queue", 2)


async def test_work_alone_shows_in_nothing(make_chat: Callable[..., Chat]) -> None:
    chat = make_chat(tag=tag)
    visitor = await chat.begin()
    before = (await chat.http.get(visitor.url, headers=visitor.headers)).json()
    await chat.post(visitor, "We quit")
    await chat.bench.settled()
    await chat.bench.service.stop(PATIENCE)
    (work,) = chat.bench.escalations()
    assert (work.queue, work.reason) == ("success", "signal")
    state = (await chat.http.get(visitor.url, headers=visitor.headers)).json()
    assert state == {**before, "last_number": 2, "last_event": 2}


def test_every_way_to_read_a_conversation_is_looked_at() -> None:
    reading = {route.path for route in flat(router.routes) if "GET" in (route.methods or ())}
    assert reading == {f"{API}/{{conversation_id}}{route}" for route in ROUTES}


async def test_the_customers_secret_does_not_open_the_teams_api(make_chat: Callable[..., Chat]) -> None:
    chat = make_chat(tag=tag)
    visitor = await conversation_with_work(chat)
    answer = await chat.http.get(f"{visitor.url}/tags", headers=visitor.headers)
    assert answer.status_code in (401, 403)
    assert_hidden(answer.text, chat)
