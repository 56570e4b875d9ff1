"""The conversation over HTTP: begun, written to, read, waited for, followed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from bot.channels.webchat import stream
from bot.conversation.records import Outcome
from bot.dialogue.turn import Choice, Escalate, Reply, TurnResult
from bot.knowledge.answer import Citation
from tests.channels.webchat.conftest import API, Chat, Visitor, assert_error
from tests.conversation.fakes import PATIENCE, Call, agent_says, domain_replies, said
from tests.handoff.fakes import person

# Creating and posting


@pytest.mark.parametrize("body", [None, {}, {"language": None}, {"language": "th"}])
async def test_conversation_is_begun(chat: Chat, body: dict[str, Any] | None) -> None:
    response = await chat.http.post(API, json=body) if body is not None else await chat.http.post(API)
    assert response.status_code == 201
    created = response.json()
    assert set(created) == {"id", "token"}
    visitor = Visitor(created["id"], created["token"])
    found = await chat.http.get(visitor.url, headers=visitor.headers)
    language = (body or {}).get("language") or "en"
    assert found.json() == {
        "id": visitor.id,
        "language": language,
        "owner": {"kind": "bot", "name": None, "picture": None},
        "last_number": 0,
        "last_event": 0,
        "read_by_team": 0,
        "read_by_customer": 0,
        "case": None,
        "rating": None,
    }


async def test_conversations_have_different_secrets(chat: Chat) -> None:
    one, other = await chat.begin(), await chat.begin()
    assert one.id != other.id
    assert one.token != other.token


async def test_message_is_accepted_and_answered(chat: Chat) -> None:
    visitor = await chat.begin()
    response = await chat.post(visitor, "Hello")
    assert response.status_code == 202
    message = response.json()
    assert (message["number"], message["author"], message["client_id"]) == (1, "customer", "a")
    assert (message["text"], message["html"], message["choices"], message["citations"]) == ("Hello", None, [], [])
    await chat.bench.settled()
    found = (await chat.read(visitor)).json()
    assert found["messages"][0] == message
    assert [(m["number"], m["author"], m["text"]) for m in found["messages"][1:]] == [(2, "bot", "You wrote: Hello")]
    assert found["messages"][1]["html"] == "<p>You wrote: Hello</p>\n"


async def test_same_id_again(chat: Chat) -> None:
    visitor = await chat.begin()
    first = await chat.post(visitor, "Hello")
    again = await chat.post(visitor, "Hello")
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json() == first.json()
    assert_error(await chat.post(visitor, "Something else"), 409, "duplicate_id")
    await chat.bench.settled()
    assert chat.bench.count() == 2


async def test_longest_id(chat: Chat) -> None:
    visitor = await chat.begin()
    client_id = "aZ09_-" * 16 + "abcd"
    assert (await chat.post(visitor, "Hello", client_id)).json()["client_id"] == client_id


async def test_choices_and_citations(chat: Chat) -> None:
    visitor = await chat.begin()
    citation = Citation("refunds", "Refunds", "/help/refunds", "en")
    passage = Reply(text="Open **Sales**.", citations=[citation])
    offer = Reply(text="A person?", choices=[Choice(label="Yes", payload="/request_human")])
    chat.bench.dialogue.follow(TurnResult(replies=[passage, offer], effects=[]), said("Done."))
    await chat.post(visitor, "Hello")
    await chat.bench.settled()
    first, second = (await chat.read(visitor, after=1)).json()["messages"]
    assert first["citations"] == [{"title": "Refunds", "url": "/help/refunds", "language": "en"}]
    assert first["html"] == "<p>Open <strong>Sales</strong>.</p>\n"
    assert second["choices"] == [{"label": "Yes", "payload": "/request_human"}]
    taken = await chat.http.post(
        f"{visitor.url}/messages", headers=visitor.headers, json={"client_id": "b", "choice": "/request_human"}
    )
    assert taken.status_code == 202
    assert taken.json()["text"] == "Yes"
    await chat.bench.settled()
    assert chat.bench.dialogue.calls[-1].payload == "/request_human"


async def test_choice_of_another_visitor(chat: Chat) -> None:
    one, other = await chat.begin(), await chat.begin()
    chat.bench.dialogue.follow(said("?", choices=[Choice(label="Yes", payload="/affirm")]))
    await chat.post(one, "Hello")
    await chat.bench.settled()
    body = {"client_id": "b", "choice": "/affirm"}
    assert_error(await chat.http.post(f"{other.url}/messages", headers=other.headers, json=body), 422, "invalid_input")


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "[x](javascript:alert(1))", "<img src=x onerror=alert(1)>", "![x](http://x)"]
)
async def test_html_of_a_reply_is_safe(chat: Chat, text: str) -> None:
    visitor = await chat.begin()
    chat.bench.dialogue.follow(said(text))
    await chat.post(visitor, "Hello")
    await chat.bench.settled()
    html = (await chat.read(visitor, after=1)).json()["messages"][0]["html"]
    assert html
    for forbidden in ("<script", "<img", "href"):
        assert forbidden not in html


@pytest.mark.parametrize(
    ("owner", "shown"),
    [
        ("bot", {"kind": "bot", "name": None, "picture": None}),
        ("queue:account_management", {"kind": "queue", "name": None, "picture": None}),
        (f"agent:{'ada':0<32}", {"kind": "agent", "name": "Ada", "picture": None}),
    ],
)
async def test_state_tells_who_owns_it_by_name_not_by_id(chat: Chat, owner: str, shown: dict[str, Any]) -> None:
    visitor = await chat.begin()
    with chat.bench.changes.transaction() as session:
        person(session, "Ada")
    chat.bench.give_to(visitor.id, owner)
    state = (await chat.http.get(visitor.url, headers=visitor.headers)).json()
    assert state["owner"] == shown


async def test_state_tells_the_case(chat: Chat) -> None:
    visitor = await chat.begin()
    chat.bench.dialogue.follow(said("Case {case_number}.", effects=[Escalate(queue="support", reason="asked_for")]))
    await chat.post(visitor, "A person, please")
    await chat.bench.settled()
    (escalation,) = chat.bench.escalations()
    state = (await chat.http.get(visitor.url, headers=visitor.headers)).json()
    assert state["case"] == {
        "number": escalation.id,
        "open": True,
        "since": escalation.created_at.strftime("%Y-%m-%d %H:%M UTC"),
        "position": 1,
        "expected_minutes": None,
        "open_now": True,
        "next_opening": None,
        "reachable": False,
    }
    assert (state["owner"], state["last_number"]) == ({"kind": "queue", "name": None, "picture": None}, 2)


async def test_message_of_an_agent(chat: Chat) -> None:
    visitor = await chat.begin()
    agent_says(chat.bench.changes, visitor.id, "ayse", "**Hello**, <b>I am Ayşe</b>.")
    (message,) = (await chat.read(visitor)).json()["messages"]
    assert (message["author"], message["name"], message["client_id"]) == ("agent", "ayse", None)
    assert message["html"] == "<p><strong>Hello</strong>, &lt;b&gt;I am Ayşe&lt;/b&gt;.</p>\n"


async def test_bot_that_fails(chat: Chat) -> None:
    visitor = await chat.begin()

    async def script(call: Call) -> TurnResult:
        raise RuntimeError("a bug")

    chat.bench.dialogue.script = script
    assert (await chat.post(visitor, "Hello there")).status_code == 202
    await chat.bench.settled()
    (message,) = (await chat.read(visitor, after=1)).json()["messages"]
    case = (await chat.http.get(visitor.url, headers=visitor.headers)).json()["case"]["number"]
    wanted = domain_replies().reply("utter_bot_unavailable", "en").text
    assert message["text"] == wanted.replace("{case_number}", str(case))


async def test_too_much_waiting(make_chat: Callable[..., Chat]) -> None:
    chat = make_chat(max_waiting=1)
    gate = asyncio.Event()

    async def script(call: Call) -> TurnResult:
        await gate.wait()
        return said("ok")

    chat.bench.dialogue.script = script
    visitor = await chat.begin()
    await chat.post(visitor, "Hello")
    response = await chat.post(visitor, "And", "b")
    assert_error(response, 503, "overloaded")
    assert response.headers["retry-after"] == "5"
    assert response.json()["error"]["remedy"]
    assert [m["text"] for m in (await chat.read(visitor)).json()["messages"]] == ["Hello"]
    gate.set()
    await chat.bench.settled()
    assert (await chat.post(visitor, "And", "b")).status_code == 202


# Reading


def store_messages(chat: Chat, visitor: Visitor, count: int) -> None:
    """Put messages of the bot into a conversation that has none, numbered 2 to count."""
    message, _ = chat.bench.store.add_customer_message(visitor.id, "x", "Hello", {})
    replies = [Reply(text=f"text {number}") for number in range(2, count + 1)]
    chat.bench.store.finish_turn(message, 0, Outcome(replies))


async def test_messages_after_a_number(chat: Chat) -> None:
    visitor = await chat.begin()
    store_messages(chat, visitor, 5)
    for after, numbers in ((0, [1, 2, 3, 4, 5]), (3, [4, 5]), (5, []), (10**15, [])):
        found = (await chat.read(visitor, after=after)).json()
        assert [m["number"] for m in found["messages"]] == numbers
        assert found["typing"] is False


async def test_many_messages_come_in_parts_without_a_gap(chat: Chat) -> None:
    visitor = await chat.begin()
    store_messages(chat, visitor, 450)
    numbers: list[int] = []
    for _ in range(3):
        part = (await chat.read(visitor, after=numbers[-1] if numbers else 0)).json()["messages"]
        assert len(part) <= 200
        numbers += [m["number"] for m in part]
    assert numbers == list(range(1, 451))


async def test_waiting_ends_with_the_reply(chat: Chat) -> None:
    visitor = await chat.begin()
    gate = asyncio.Event()

    async def script(call: Call) -> TurnResult:
        await gate.wait()
        return said("Here.")

    chat.bench.dialogue.script = script
    await chat.post(visitor, "Hello")
    async with asyncio.timeout(PATIENCE):
        waiting = asyncio.create_task(chat.read(visitor, after=1, wait=30))
        while not (await chat.read(visitor)).json()["typing"]:
            pass
        assert not waiting.done()
        gate.set()
        found = (await waiting).json()
    assert [m["text"] for m in found["messages"]] == ["Here."]


async def test_follower_sees_what_another_process_stored(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.01)
    visitor = await chat.begin()
    async with chat.live() as http:
        following = asyncio.create_task(take(http, visitor, 1))
        await asyncio.sleep(0.05)
        await asyncio.to_thread(agent_says, chat.bench.engine, visitor.id, "ayse", "Hello")  # Rings no bell here.
        found = await following
    assert [event.data["text"] for event in found if event.kind == "message"] == ["Hello"]


async def test_waiting_ends_without_a_reply(chat: Chat) -> None:
    visitor = await chat.begin()
    found = (await chat.read(visitor, wait=0.01)).json()
    assert found == {"messages": [], "typing": False}


# Following


@dataclass(frozen=True)
class Event:
    """One server-sent event."""

    kind: str
    id: int | None
    data: Any


async def events(response: httpx.Response) -> AsyncGenerator[Event, None]:
    """The events of a stream as they come."""
    fields: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "data" in fields:
            number = int(fields["id"]) if "id" in fields else None
            yield Event(fields["event"], number, json.loads(fields["data"]))
            fields = {}
        else:
            fields = {}


async def take(
    http: httpx.AsyncClient, visitor: Visitor, messages: int, headers: dict[str, str] | None = None, **query: int
) -> list[Event]:
    """Follow a conversation until so many messages came; returns all events."""
    found: list[Event] = []
    headers = {**visitor.headers, **(headers or {})}
    async with (
        asyncio.timeout(PATIENCE),
        http.stream("GET", f"{visitor.url}/events", headers=headers, params=query) as response,
    ):
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        async with aclosing(events(response)) as stream:
            async for event in stream:
                found.append(event)
                if sum(e.kind == "message" for e in found) == messages:
                    break
    return found


async def test_reader_who_comes_back_gets_exactly_the_rest(chat: Chat) -> None:
    visitor = await chat.begin()
    store_messages(chat, visitor, 6)
    everything = (await chat.read(visitor)).json()["messages"]
    async with chat.live() as http:
        for headers, query, seen in (
            ({}, {}, 0),
            ({"last-event-id": "4"}, {}, 4),
            ({"last-event-id": "0"}, {}, 0),
            ({}, {"after": 3}, 3),
            ({"last-event-id": "5"}, {"after": 2}, 5),
        ):
            found = await take(http, visitor, 6 - seen, headers, **query)
            messages = [event for event in found if event.kind == "message"]
            assert [event.id for event in messages] == list(range(seen + 1, 7))
            assert [event.data for event in messages] == everything[seen:]


async def test_reader_gets_more_than_a_batch_at_once(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 3600.0)
    monkeypatch.setattr("tests.channels.webchat.test_api.PATIENCE", 3.0)
    visitor = await chat.begin()
    store_messages(chat, visitor, 250)
    async with chat.live() as http:
        found = await take(http, visitor, 250)
    assert [event.id for event in found if event.kind == "message"] == list(range(1, 251))


async def test_reader_sees_the_message_the_typing_and_the_reply(chat: Chat) -> None:
    visitor = await chat.begin()
    gate = asyncio.Event()

    async def script(call: Call) -> TurnResult:
        await gate.wait()
        return said("Here.")

    chat.bench.dialogue.script = script
    found: list[Event] = []
    async with (
        asyncio.timeout(PATIENCE),
        chat.live() as http,
        http.stream("GET", f"{visitor.url}/events", headers=visitor.headers) as response,
        aclosing(events(response)) as stream,
    ):
        found.append(await anext(stream))
        assert (await chat.post(visitor, "Hello")).status_code == 202
        while len(found) < 3:
            found.append(await anext(stream))
        gate.set()
        while len(found) < 5:
            found.append(await anext(stream))
    assert found[0] == Event("typing", None, {"typing": False, "who": "bot"})
    assert {(e.kind, e.id) for e in found[1:3]} == {("message", 1), ("typing", None)}
    assert Event("typing", None, {"typing": True, "who": "bot"}) in found[1:3]
    assert [(e.kind, e.id) for e in found[3:]] == [("message", 2), ("typing", None)]
    assert found[3].data["text"] == "Here."
    assert found[4].data == {"typing": False, "who": "bot"}


async def test_readers_do_not_see_other_conversations(chat: Chat) -> None:
    mine, other = await chat.begin(), await chat.begin()
    async with (
        asyncio.timeout(PATIENCE),
        chat.live() as http,
        http.stream("GET", f"{mine.url}/events", headers=mine.headers) as response,
        aclosing(events(response)) as stream,
    ):
        await anext(stream)
        await chat.post(other, "Not for you")
        await chat.bench.settled()
        await chat.post(mine, "Mine")
        event = await anext(stream)
        while event.kind != "message":
            event = await anext(stream)
    assert event.data["text"] == "Mine"


async def test_stream_ends_when_the_server_closes(chat: Chat) -> None:
    visitor = await chat.begin()
    async with (
        asyncio.timeout(PATIENCE),
        chat.live() as http,
        http.stream("GET", f"{visitor.url}/events", headers=visitor.headers) as response,
        aclosing(events(response)) as stream,
    ):
        await anext(stream)
        chat.state.closing = True
        chat.bench.delivery.notify(visitor.id)
        assert [event async for event in stream] == []


async def test_who_waits_for_messages_is_answered_when_the_server_closes(chat: Chat) -> None:
    visitor = await chat.begin()
    async with asyncio.timeout(PATIENCE), chat.live() as http:
        waiting = asyncio.create_task(http.get(f"{visitor.url}/messages?wait=30", headers=visitor.headers))
        for _ in range(int(PATIENCE * 1000)):
            if visitor.id in chat.bench.delivery._readers:
                break
            await asyncio.sleep(0.001)
        chat.state.closing = True
        chat.bench.delivery.notify(visitor.id)
        assert (await waiting).json()["messages"] == []


async def test_heartbeat_keeps_the_line_open(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.01)
    visitor = await chat.begin()
    seen: list[str] = []
    async with (
        asyncio.timeout(PATIENCE),
        chat.live() as http,
        http.stream("GET", f"{visitor.url}/events", headers=visitor.headers) as response,
    ):
        async for line in response.aiter_lines():
            seen.append(line)
            if line == ": still here":
                break
    assert seen[-1] == ": still here"
