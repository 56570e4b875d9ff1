"""The visitor's event stream: every lasting change once, in order, after any break; typing; nothing of others."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from bot.conversation import events as happenings
from bot.conversation.delivery import Delivery
from bot.dialogue.turn import Escalate
from bot.handoff import cases
from bot.handoff.queues import default_queues
from bot.handoff.ratings import rate
from bot.people.roles import Principal
from tests.channels.webchat.conftest import Chat, Visitor, assert_error
from tests.conversation.fakes import PATIENCE, domain_replies, said
from tests.handoff.fakes import person

QUEUES = default_queues()
HANDED_OFF = said("Case {case_number}.", effects=[Escalate(queue="support", reason="asked_for")])


async def read(chat: Chat, visitor: Visitor, after: int = 0, **headers: str) -> list[tuple[int, str, Any]]:
    """All events after one, as (id or 0, name, data); the stream ends behind them."""
    found = await chat.http.get(
        f"{visitor.url}/events", headers={**visitor.headers, **headers}, params={"after": after, "wait": 0}
    )
    assert found.status_code == 200
    return parse(found.text)


def parse(text: str) -> list[tuple[int, str, Any]]:
    """The events of a stream."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line and not line.startswith(":"))
        if "event" in fields:
            found.append((int(fields.get("id", 0)), fields["event"], json.loads(fields["data"])))
    return found


async def served(chat: Chat, visitor: Visitor) -> Principal:
    """A case from the hand-off to the rating; gives who served it."""
    chat.bench.dialogue.follow(HANDED_OFF)
    await chat.post(visitor, "A person, please")
    await chat.bench.settled()
    (case,) = chat.bench.escalations()
    with chat.bench.changes.transaction() as session:
        ada = person(session, "Ada")
        cases.reply(session, case.id, ada, "Hello")
        cases.add_note(session, visitor.id, ada, "for the team only", case.id)
        cases.resolve(session, case.id, ada, "solved", domain_replies().reply)
        rate(session, happenings.locked(session, visitor.id), case.id, 4)
    return ada


async def test_everything_that_lasts_is_told_and_nothing_of_the_team(chat: Chat) -> None:
    visitor = await chat.begin()
    ada = await served(chat, visitor)
    found = await read(chat, visitor)
    told = [(kind, data) for number, kind, data in found if number]
    assert [kind for kind, _ in told] == [
        "message",
        "case",
        "owner",
        "message",
        "owner",
        "message",
        "owner",
        "message",
        "case",
        "rating",
    ]
    owners = [(data["owner"], data["name"]) for kind, data in told if kind == "owner"]
    assert owners == [("queue", None), ("agent", "Ada"), ("bot", None)]
    assert [(set(data), data["open"]) for kind, data in told if kind == "case"] == [
        ({"number", "open", "created_at"}, True),
        ({"number", "open", "created_at"}, False),
    ]
    messages = [data for kind, data in told if kind == "message"]
    assert messages == (await chat.read(visitor)).json()["messages"]
    assert (messages[2]["author"], messages[2]["name"]) == ("agent", "Ada")
    assert messages[3]["rating"] == {"case": 1, "effort": False}
    assert {key: told[-1][1][key] for key in ("case", "csat", "effort")} == {"case": 1, "csat": 4, "effort": None}
    shown = json.dumps(found)
    for hidden in ("for the team only", ada.id, "normal", "asked_for", "note"):
        assert hidden not in shown
    state = (await chat.http.get(visitor.url, headers=visitor.headers)).json()
    assert state["last_event"] == found[-2][0]
    assert state["rating"] == {"case": 1, "asks_effort": False, "csat": 4, "effort": None, "comment": None}
    assert (state["case"]["open"], state["case"]["position"], state["owner"]["kind"]) == (False, None, "bot")


async def test_queue_is_named_only_where_a_person_passed_the_case_on(chat: Chat) -> None:
    """Where tags routed it, its name would tell what was made of the customer's words."""
    visitor = await chat.begin()
    chat.bench.dialogue.follow(said("ok", effects=[Escalate(queue="account_management", reason="asked_for")]))
    await chat.post(visitor, "A person, please")
    await chat.bench.settled()
    assert "account_management" not in json.dumps(await read(chat, visitor))
    state = await chat.http.get(visitor.url, headers=visitor.headers)
    assert "account_management" not in state.text
    (case,) = chat.bench.escalations()
    with chat.bench.changes.transaction() as session:
        mira = person(session, "Mira", "success_manager")
        cases.claim(session, case.id, mira)
        cases.transfer(session, case.id, mira, QUEUES, queue="success")
    owners = [(data["owner"], data["name"]) for _, kind, data in await read(chat, visitor) if kind == "owner"]
    assert owners == [("queue", None), ("agent", "Mira"), ("queue", "success")]


async def test_after_any_break_a_reader_gets_exactly_what_it_missed(chat: Chat) -> None:
    visitor = await chat.begin()
    await served(chat, visitor)
    everything = [event for event in await read(chat, visitor) if event[0]]
    numbers = [number for number, _, _ in everything]
    assert numbers == sorted(set(numbers))
    picks = random.Random(5)
    for _ in range(30):
        seen = picks.randint(0, numbers[-1])
        rest = [event for event in everything if event[0] > seen]
        assert [event for event in await read(chat, visitor, seen) if event[0]] == rest
        assert [event for event in await read(chat, visitor, 0, **{"last-event-id": str(seen)}) if event[0]] == rest


async def test_reader_who_is_ahead_gets_what_comes_later(chat: Chat) -> None:
    visitor = await chat.begin()
    await chat.post(visitor, "Hello")
    await chat.bench.settled()
    assert [kind for _, kind, _ in await read(chat, visitor, 10**15)] == ["typing"]
    async with asyncio.timeout(PATIENCE):
        query = {"after": 1000, "wait": 30}
        waiting = asyncio.create_task(chat.http.get(f"{visitor.url}/events", headers=visitor.headers, params=query))
        await asyncio.sleep(0.05)
        await chat.post(visitor, "And again", "b")
        found = parse((await waiting).text)
    assert next(data["text"] for _, kind, data in found if kind == "message") == "And again"


async def test_what_is_stored_between_listening_and_reading_is_not_missed(
    make_chat: Callable[..., Chat], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something new at the worst moment, right before the reader reads: it is there, and comes once."""
    chat = make_chat()
    visitor = await chat.begin()
    listen = Delivery.reader

    def late(self: Delivery, place: str) -> Any:
        monkeypatch.setattr(Delivery, "reader", listen)
        reader = listen(self, place)
        with chat.bench.changes.transaction() as session:
            conversation = happenings.locked(session, visitor.id)
            happenings.add_message(session, conversation, "bot", "just now")
        return reader

    monkeypatch.setattr(Delivery, "reader", late)
    found = await read(chat, visitor)
    assert [data["text"] for _, kind, data in found if kind == "message"] == ["just now"]


async def test_typing_of_the_team_is_shown_and_of_the_customer_to_the_team(chat: Chat) -> None:
    visitor = await chat.begin()
    with chat.bench.delivery.reader(visitor.id) as desk:
        assert (await chat.http.post(f"{visitor.url}/typing", headers=visitor.headers)).status_code == 204
        assert desk.typists == {"customer"}
        off = await chat.http.post(f"{visitor.url}/typing", headers=visitor.headers, json={"typing": False})
        assert (off.status_code, desk.typists) == (204, frozenset())
        await chat.http.post(f"{visitor.url}/typing", headers=visitor.headers, json={"typing": True})
        await chat.post(visitor, "Hello")
        assert "customer" not in desk.typists
    await chat.bench.settled()
    chat.bench.delivery.typing(visitor.id, "agent:ada", True)
    signs = [data for _, kind, data in await read(chat, visitor) if kind == "typing"]
    assert {sign["who"]: sign["typing"] for sign in signs}["agent"] is True
    chat.bench.delivery.typing(visitor.id, "agent:ada", False)
    wrong = await chat.http.post(f"{visitor.url}/typing", headers=visitor.headers, json={"typing": "yes"})
    assert_error(wrong, 422, "invalid_input")


@pytest.mark.parametrize(
    ("method", "route", "body"),
    [
        ("GET", "", None),
        ("GET", "/events?wait=0", None),
        ("GET", "/messages", None),
        ("POST", "/messages", {"client_id": "z", "text": "hello"}),
        ("POST", "/messages/2/thumb", {"thumb": "up"}),
        ("POST", "/typing", {"typing": True}),
        ("POST", "/rating", {"case": 1, "csat": 1}),
        ("POST", "/contact", {"email": "other@example.com"}),
    ],
)
async def test_another_visitor_is_told_that_there_is_nothing(
    chat: Chat, method: str, route: str, body: dict[str, Any] | None
) -> None:
    mine, other = await chat.begin(), await chat.begin()
    await served(chat, mine)
    before = await read(chat, mine)
    answers: list[httpx.Response] = [
        await chat.http.request(method, mine.url + route, headers=headers, json=body)
        for headers in (other.headers, {}, {"authorization": "Bearer x"})
    ]
    for answer in answers:
        assert_error(answer, 404, "not_found")
        assert "Hello" not in answer.text
    assert await read(chat, mine) == before
