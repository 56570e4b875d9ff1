"""Several processes on one database: each message is answered once, in order, whoever dies. See `ConversationStore`."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import time
from collections.abc import AsyncIterator, Callable

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.orm import Session

from bot.conversation.models import Conversation, now
from bot.conversation.records import Outcome, StoredMessage
from bot.conversation.store import ConversationStore
from bot.dialogue.turn import Reply, TurnResult
from tests.conversation.fakes import PATIENCE, Bench, Call, said
from tests.conversation.test_learning import answer_of, answers

MakeBench = Callable[..., Bench]


@pytest.fixture
async def two(any_engine: Engine) -> AsyncIterator[tuple[Bench, Bench]]:
    """Two services, as in two processes, on one database of either kind."""
    pair = Bench(any_engine, look=0.05), Bench(any_engine, look=0.05)
    yield pair
    for bench in pair:
        await bench.service.stop(0)


def run_out(engine: Engine, conversation_id: str) -> None:
    """Let time pass until the lease of a conversation has run out."""
    with Session(engine) as session, session.begin():
        past = now() - dt.timedelta(seconds=1)
        session.execute(update(Conversation).where(Conversation.id == conversation_id).values(lease_until=past))


def test_a_conversation_is_held_by_one_process_and_given_back_with_its_last_answer(any_engine: Engine) -> None:
    one, other = ConversationStore(any_engine), ConversationStore(any_engine)
    conversation, _ = one.create("webchat", "public", "en")
    first, _ = one.add_customer_message(conversation, "a", "One", {})
    other.add_customer_message(conversation, "b", "Two", {})
    assert (one.waiting(), other.waiting()) == ([conversation], [])
    assert other.next_waiting(conversation) is None
    found = one.next_waiting(conversation)
    assert found is not None
    assert found[0] == first
    one.finish_turn(first, 0, Outcome([Reply(text="1")]))
    assert other.next_waiting(conversation) is None, "one goes on with what waits"
    second = one.next_waiting(conversation)
    assert second is not None
    one.finish_turn(second[0], 0, Outcome([Reply(text="2")]))
    third, _ = other.add_customer_message(conversation, "c", "Three", {})
    assert one.next_waiting(conversation) is None
    found = other.next_waiting(conversation)
    assert found is not None
    assert found[0] == third


def test_what_a_dead_process_held_is_taken_up_and_its_late_answer_is_dropped(any_engine: Engine) -> None:
    dead, alive = ConversationStore(any_engine), ConversationStore(any_engine)
    conversation, _ = dead.create("webchat", "public", "en")
    message, _ = dead.add_customer_message(conversation, "a", "Hello", {})
    run_out(any_engine, conversation)
    assert alive.waiting() == [conversation]
    assert alive.next_waiting(conversation) is not None
    assert dead.finish_turn(message, 0, Outcome([Reply(text="Late, while the other is at work")])) is None
    replies = alive.finish_turn(message, 0, Outcome([Reply(text="Hello!")]))
    assert dead.finish_turn(message, 0, Outcome([Reply(text="Late, when it is answered")])) is None
    assert replies is not None
    assert [m.text for m in alive.messages_after(conversation, 0)] == ["Hello", "Hello!"]


async def test_two_processes_answer_one_conversation_once_and_in_order(two: tuple[Bench, Bench]) -> None:
    for bench in two:
        await bench.service.start()
    conversations = [await two[0].new() for _ in range(3)]
    for number in range(6):
        await asyncio.gather(
            *(two[number % 2].service.post(conversation, f"m{number}", f"{number}") for conversation in conversations)
        )
    await two[0].settled()
    for conversation in conversations:
        messages = two[1].messages(conversation)
        answers = [m.text for m in messages if m.author == "bot"]
        assert answers == [f"You wrote: {number}" for number in range(6)]
        assert [m.number for m in messages] == list(range(1, 13))


async def test_a_process_takes_up_what_another_left(two: tuple[Bench, Bench]) -> None:
    dead, alive = two
    conversation = await dead.new()
    dead.store.add_customer_message(conversation, "a", "Hello", {})
    await alive.service.start()
    await asyncio.sleep(0.2)
    assert [m.author for m in alive.messages(conversation)] == ["customer"], "it is held"
    run_out(alive.engine, conversation)
    await alive.settled()
    assert [m.author for m in alive.messages(conversation)] == ["customer", "bot"]


async def test_a_process_that_stops_gives_back_what_it_has_not_finished(make_bench: MakeBench) -> None:
    going, staying = make_bench(), make_bench()

    asked = asyncio.Event()

    async def hang(call: Call) -> TurnResult:
        asked.set()
        await asyncio.sleep(60)
        return said("never")

    going.dialogue.script = hang
    conversation = await going.new()
    await going.service.post(conversation, "a", "Hello")
    await asyncio.wait_for(asked.wait(), PATIENCE)
    await going.service.stop(0)
    await staying.service.start()
    await staying.settled()
    assert [m.text for m in staying.messages(conversation)] == ["Hello", "You wrote: Hello"]


async def test_a_turn_that_takes_too_long_means_a_person(
    make_bench: MakeBench, caplog: pytest.LogCaptureFixture
) -> None:
    async def hang(call: Call) -> TurnResult:
        await asyncio.sleep(60)
        return said("never")

    bench = make_bench(deadline=0.1)
    bench.dialogue.script = hang
    began = time.monotonic()
    conversation = await bench.new()
    (told,) = await bench.say(conversation, "The till is frozen")
    assert time.monotonic() - began < PATIENCE / 2
    (case,) = bench.escalations()
    assert case.reason == "bot_unavailable"
    assert f"{case.id}" in told.text
    assert "took more than 0.1 s" in caplog.text


async def test_nobody_waits_for_turns_of_others_that_hang(
    make_bench: MakeBench, caplog: pytest.LogCaptureFixture
) -> None:
    release = asyncio.Event()

    async def hang(call: Call) -> TurnResult:
        await release.wait()
        return said("late")

    bench = make_bench(deadline=0.2, concurrency=1)
    bench.dialogue.script = hang
    stuck, other = await bench.new(), await bench.new()
    for client_id in ("a", "b", "c"):
        await bench.service.post(stuck, client_id, "Hello")
    await bench.service.post(other, "a", "Hello")
    await bench.settled()
    release.set()
    assert {case.conversation_id for case in bench.escalations()} == {stuck, other}
    waited = [line for line in caplog.messages if other in line]
    assert len(waited) == 1
    assert "took more than 0.2 s" in waited[0]


async def test_no_answer_waits_for_what_would_be_learnt_from_it(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("bot.conversation.service._COMPARE_SECONDS", 0.05)
    release = asyncio.Event()
    loop = asyncio.get_running_loop()

    def compare(earlier: str, later: str) -> bool:
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result(PATIENCE)
        return True

    bench = make_bench(asks_again=compare)
    bench.dialogue.follow(answers(answer_of("printers")))
    conversation = await bench.new()
    with caplog.at_level(logging.WARNING):
        await bench.say(conversation, "How do I restart it?")
        replies: list[StoredMessage] = await bench.say(conversation, "How can I restart it?")
    release.set()
    assert [reply.text for reply in replies] == ["Passage of printers."]
    assert "was not compared" in caplog.text
