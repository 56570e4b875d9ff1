"""Messages come in once, are answered in order, and never by the bot where a person is at work."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from bot.conversation.records import DuplicateId, Outcome, StoredMessage
from bot.conversation.store import ConversationStore
from bot.dialogue.turn import Choice, Escalate, OfferPerson, TurnResult
from bot.errors import EncoderError, InvalidInput, NotFound, Overloaded, StorageError
from tests.conversation.fakes import PATIENCE, Bench, Call, echo, said

MakeBench = Callable[..., Bench]

PERSON = Choice(label="Talk to a person", payload="/request_human")


# Each message once


async def test_message_is_stored_and_answered(bench: Bench) -> None:
    conversation = await bench.new()
    message, new = await bench.service.post(conversation, "a", "  Hello  ")
    assert new
    assert (message.number, message.author, message.client_id, message.text) == (1, "customer", "a", "Hello")
    await bench.settled()
    assert [(m.number, m.author, m.text) for m in bench.messages(conversation)] == [
        (1, "customer", "Hello"),
        (2, "bot", "You wrote: Hello"),
    ]


async def test_same_id_is_the_same_message(bench: Bench) -> None:
    conversation = await bench.new()
    first, new = await bench.service.post(conversation, "a", "Hello")
    await bench.settled()
    again, new_again = await bench.service.post(conversation, "a", "Hello")
    await bench.settled()
    assert (new, new_again) == (True, False)
    assert again == first
    assert len(bench.messages(conversation)) == 2
    assert len(bench.dialogue.calls) == 1


async def test_same_id_twenty_times_at_once_is_one_message(bench: Bench) -> None:
    conversation = await bench.new()
    results = await asyncio.gather(*(bench.service.post(conversation, "a", "Hello") for _ in range(20)))
    await bench.settled()
    assert [new for _, new in results].count(True) == 1
    assert {message.number for message, _ in results} == {1}
    assert [m.number for m in bench.messages(conversation)] == [1, 2]
    assert len(bench.dialogue.calls) == 1


async def test_same_id_with_another_text_is_refused(bench: Bench) -> None:
    conversation = await bench.new()
    await bench.service.post(conversation, "a", "Hello")
    await bench.settled()
    with pytest.raises(DuplicateId) as caught:
        await bench.service.post(conversation, "a", "Something else")
    assert (caught.value.code, caught.value.status) == ("duplicate_id", 409)
    assert caught.value.remedy
    assert [m.text for m in bench.messages(conversation)] == ["Hello", "You wrote: Hello"]


async def test_same_id_in_another_conversation_is_another_message(bench: Bench) -> None:
    one, other = await bench.new(), await bench.new()
    await bench.service.post(one, "a", "Hello")
    _, new = await bench.service.post(other, "a", "Hello")
    await bench.settled()
    assert new
    assert len(bench.messages(one)) == len(bench.messages(other)) == 2


async def test_choice_sent_again_is_the_same_message(bench: Bench) -> None:
    conversation = await bench.new()
    bench.dialogue.follow(said("A person?", choices=[PERSON]), said("Done."))
    await bench.say(conversation, "Hello")
    first, new = await bench.service.post(conversation, "c", payload="/request_human")
    await bench.settled()
    again, new_again = await bench.service.post(conversation, "c", payload="/request_human")
    assert (new, new_again) == (True, False)
    assert again == first


async def test_choice_sent_again_after_a_later_offer_is_the_same_message(bench: Bench) -> None:
    conversation = await bench.new()
    bench.dialogue.follow(
        said("A person?", choices=[PERSON]),
        said("The success team?", choices=[PERSON], effects=[OfferPerson(queue="success")]),
    )
    await bench.say(conversation, "Hello")
    first, _ = await bench.service.post(conversation, "c", payload="/request_human")
    await bench.settled()
    again, new = await bench.service.post(conversation, "c", payload="/request_human")
    assert not new
    assert again == first


async def test_unknown_conversation(bench: Bench) -> None:
    with pytest.raises(NotFound):
        await bench.service.post("0" * 32, "a", "Hello")
    assert bench.count() == 0


# In order


async def test_fifty_posts_at_once_to_one_conversation(bench: Bench) -> None:
    conversation = await bench.new()
    results = await asyncio.gather(*(bench.service.post(conversation, f"c{i}", f"text {i}") for i in range(50)))
    await bench.settled()
    messages = bench.messages(conversation)
    asked = [m for m in messages if m.author == "customer"]
    assert [m.number for m in messages] == list(range(1, 101))
    assert Counter(m.author for m in messages) == {"customer": 50, "bot": 50}
    assert {m.number: m.text for m, _ in results} == {m.number: m.text for m in asked}
    assert [call.context.text for call in bench.dialogue.calls] == [m.text for m in asked]
    assert [m.text for m in messages if m.author == "bot"] == [f"You wrote: {m.text}" for m in asked]


async def test_fifty_posts_at_once_over_five_conversations(bench: Bench) -> None:
    conversations = [await bench.new() for _ in range(5)]
    await asyncio.gather(*(bench.service.post(conversations[i % 5], f"c{i}", f"text {i}") for i in range(50)))
    await bench.settled()
    for index, conversation in enumerate(conversations):
        messages = bench.messages(conversation)
        assert [m.number for m in messages] == list(range(1, 21))
        asked = [m.text for m in messages if m.author == "customer"]
        assert sorted(asked) == sorted(f"text {i}" for i in range(index, 50, 5))
        assert [m.text for m in messages if m.author == "bot"] == [f"You wrote: {text}" for text in asked]


async def test_replies_of_a_turn_stay_in_order(bench: Bench) -> None:
    conversation = await bench.new()
    bench.dialogue.follow(said("one", "two", "three"))
    assert [(m.number, m.text) for m in await bench.say(conversation, "Hello")] == [
        (2, "one"),
        (3, "two"),
        (4, "three"),
    ]


async def test_one_turn_at_a_time_in_a_conversation(bench: Bench) -> None:
    conversation = await bench.new()
    running = 0
    seen: list[int] = []

    async def script(call: Call) -> TurnResult:
        nonlocal running
        running += 1
        seen.append(running)
        await asyncio.sleep(0.001)
        running -= 1
        return said("ok")

    bench.dialogue.script = script
    await asyncio.gather(*(bench.service.post(conversation, f"c{i}", "Hello") for i in range(10)))
    await bench.settled()
    assert seen == [1] * 10


async def test_conversations_do_not_wait_for_each_other(bench: Bench) -> None:
    barrier = asyncio.Barrier(3)

    async def script(call: Call) -> TurnResult:
        await barrier.wait()  # Passes only when all three are here at once.
        return said("met")

    bench.dialogue.script = script
    conversations = [await bench.new() for _ in range(3)]
    for conversation in conversations:
        await bench.service.post(conversation, "a", "Hello")
    await bench.settled()
    assert [bench.messages(c)[-1].text for c in conversations] == ["met"] * 3


async def test_no_more_conversations_at_once_than_allowed(make_bench: MakeBench) -> None:
    bench = make_bench(concurrency=2)
    running = 0
    seen: list[int] = []

    async def script(call: Call) -> TurnResult:
        nonlocal running
        running += 1
        seen.append(running)
        await asyncio.sleep(0.01)
        running -= 1
        return said("ok")

    bench.dialogue.script = script
    for conversation in [await bench.new() for _ in range(6)]:
        await bench.service.post(conversation, "a", "Hello")
    await bench.settled()
    assert len(seen) == 6
    assert max(seen) == 2


async def test_typing_shows_while_the_bot_works(bench: Bench) -> None:
    conversation = await bench.new()
    seen: list[bool] = []
    with bench.delivery.reader(conversation) as reader:

        async def script(call: Call) -> TurnResult:
            seen.append(reader.typing)
            return said("ok")

        bench.dialogue.script = script
        await bench.say(conversation, "Hello")
        async with asyncio.timeout(PATIENCE):
            while reader.typing:
                await reader.wait(1)
        seen.append(reader.typing)
    assert seen == [True, False]


# The bot never talks over a person


async def test_reply_made_under_an_older_owner_is_dropped(bench: Bench) -> None:
    conversation = await bench.new()

    async def script(call: Call) -> TurnResult:
        await asyncio.to_thread(bench.give_to, conversation, "agent:ayse")
        return said("Too late", effects=[Escalate(queue="support", reason="asked_for")])

    bench.dialogue.script = script
    assert await bench.say(conversation, "Hello") == []
    assert bench.escalations() == []
    assert bench.store.snapshot(conversation).last_number == 1


async def test_reply_is_made_anew_when_a_person_had_the_conversation_meanwhile(bench: Bench) -> None:
    conversation = await bench.new()

    async def script(call: Call) -> TurnResult:
        if len(bench.dialogue.calls) == 1:
            await asyncio.to_thread(bench.give_to, conversation, "agent:ayse")
            await asyncio.to_thread(bench.give_to, conversation, "bot")
        return said(f"Said {len(bench.dialogue.calls)}")

    bench.dialogue.script = script
    assert [m.text for m in await bench.say(conversation, "Hello")] == ["Said 2"]
    before, after = (call.sender for call in bench.dialogue.calls)
    assert before != after, "Rasa must not go on from a turn that nobody heard of"


async def test_nothing_is_said_while_an_agent_owns_the_conversation(bench: Bench) -> None:
    conversation = await bench.new()
    bench.give_to(conversation, "agent:ayse")
    assert await bench.say(conversation, "Hello") == []
    assert bench.dialogue.calls == []
    assert [m.text for m in bench.messages(conversation)] == ["Hello"]
    bench.give_to(conversation, "bot")
    assert [m.text for m in await bench.say(conversation, "Again")] == ["You wrote: Again"]


async def test_bot_does_not_type_while_an_agent_owns_the_conversation(bench: Bench) -> None:
    conversation = await bench.new()
    bench.give_to(conversation, "agent:ayse")
    signs: list[bool | None] = []
    notify = bench.delivery.notify

    def noted(conversation_id: str, typing: bool | None = None) -> None:
        signs.append(typing)
        notify(conversation_id, typing)

    bench.delivery.notify = noted  # type: ignore[method-assign]
    await bench.say(conversation, "Hello")
    assert signs
    assert True not in signs


async def test_bot_goes_on_while_a_queue_owns_the_conversation(bench: Bench) -> None:
    conversation = await bench.new()
    bench.give_to(conversation, "queue:support")
    assert [m.text for m in await bench.say(conversation, "Hello")] == ["You wrote: Hello"]


# Start, stop, too much, a database that fails


async def test_restart_takes_up_what_was_waiting(make_bench: MakeBench) -> None:
    before = make_bench(lease_seconds=0.01)
    conversations = [await before.new() for _ in range(2)]
    for conversation in conversations:
        for number in range(3):
            before.store.add_customer_message(conversation, f"c{number}", f"text {number}", {})
    after = make_bench(look=0.02)
    await after.service.start()
    await after.settled()
    for conversation in conversations:
        replies = [m.text for m in after.messages(conversation) if m.author == "bot"]
        assert replies == [f"You wrote: text {number}" for number in range(3)]


async def test_what_waits_at_the_start_counts_as_waiting(make_bench: MakeBench) -> None:
    before = make_bench(lease_seconds=0.01)
    conversation = await before.new()
    before.store.add_customer_message(conversation, "a", "Hello", {})
    after = make_bench(max_waiting=1)
    gate = asyncio.Event()

    async def script(call: Call) -> TurnResult:
        await gate.wait()
        return said("ok")

    after.dialogue.script = script
    await after.service.start()
    with pytest.raises(Overloaded):
        await after.service.post(conversation, "b", "More")
    gate.set()
    await after.settled()
    assert [m.text for m in after.messages(conversation)] == ["Hello", "ok"]


async def test_stop_finishes_the_turn_under_way(bench: Bench) -> None:
    conversation = await bench.new()
    begun, gate = asyncio.Event(), asyncio.Event()

    async def script(call: Call) -> TurnResult:
        begun.set()
        await gate.wait()
        return said("Finished.")

    bench.dialogue.script = script
    await bench.service.post(conversation, "a", "Hello")
    async with asyncio.timeout(PATIENCE):
        await begun.wait()
        stopping = asyncio.create_task(bench.service.stop(PATIENCE))
        await asyncio.sleep(0)
        assert not stopping.done()
        gate.set()
        await stopping
    assert [m.text for m in bench.messages(conversation)] == ["Hello", "Finished."]
    assert bench.store.count_waiting() == 0


async def _stop_during_a_turn_that_hangs(bench: Bench, messages: int) -> str:
    conversation = await bench.new()
    begun = asyncio.Event()

    async def script(call: Call) -> TurnResult:
        begun.set()
        await asyncio.Event().wait()
        return said("never")

    bench.dialogue.script = script
    for number in range(messages):
        await bench.service.post(conversation, f"c{number}", f"text {number}")
    async with asyncio.timeout(PATIENCE):
        await begun.wait()
        await bench.service.stop(0.01)
    return conversation


async def test_turn_that_outlasts_the_stop_is_taken_up_once_at_the_next_start(make_bench: MakeBench) -> None:
    before = make_bench()
    conversation = await _stop_during_a_turn_that_hangs(before, 1)
    assert before.store.waiting() == [conversation]
    after = make_bench()
    await after.service.start()
    await after.settled()
    assert [m.text for m in after.messages(conversation)] == ["text 0", "You wrote: text 0"]


async def test_what_is_stored_while_the_stop_begins_is_free_for_other_processes(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends, other = make_bench(), make_bench()
    conversation = await ends.new()
    add = ConversationStore.add_customer_message
    begun, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def slow(*arguments: Any) -> tuple[StoredMessage, bool]:
        stored = add(*arguments)
        loop.call_soon_threadsafe(begun.set)
        go_on.wait(PATIENCE)
        return stored

    monkeypatch.setattr(ConversationStore, "add_customer_message", slow)
    post = asyncio.create_task(ends.service.post(conversation, "a", "Hello"))
    await asyncio.wait_for(begun.wait(), PATIENCE)
    assert other.store.waiting() == []
    await ends.service.stop(0)
    go_on.set()
    await post
    assert other.store.waiting() == [conversation]


async def test_nothing_is_begun_after_the_stop(bench: Bench) -> None:
    await _stop_during_a_turn_that_hangs(bench, 2)
    begun = len(bench.dialogue.calls)
    bench.dialogue.script = echo
    for _ in range(20):
        await asyncio.sleep(0.01)
    assert len(bench.dialogue.calls) == begun
    assert bench.store.count_waiting() == 2


async def test_too_much_waiting_is_refused_and_not_stored(make_bench: MakeBench) -> None:
    bench = make_bench(max_waiting=2)
    conversation = await bench.new()
    gate = asyncio.Event()

    async def script(call: Call) -> TurnResult:
        await gate.wait()
        return said("ok")

    bench.dialogue.script = script
    for number in range(2):
        await bench.service.post(conversation, f"c{number}", "Hello")
    with pytest.raises(Overloaded) as caught:
        await bench.service.post(conversation, "c2", "One too many")
    assert caught.value.status == 503
    assert [m.text for m in bench.messages(conversation)] == ["Hello", "Hello"]
    gate.set()
    await bench.settled()
    assert [m.text for m in await bench.say(conversation, "Now then")] == ["ok"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_database_that_fails_once_leaves_no_message_unanswered(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = await bench.new()
    finish_turn = ConversationStore.finish_turn
    failures = [StorageError("The disk is full.")]

    def fail_once(
        store: ConversationStore, message: StoredMessage, version: int, outcome: Outcome
    ) -> list[StoredMessage] | None:
        if failures:
            raise failures.pop()
        return finish_turn(store, message, version, outcome)

    monkeypatch.setattr(ConversationStore, "finish_turn", fail_once)
    await bench.service.post(conversation, "a", "Hello")
    for _ in range(200):
        if not bench.store.count_waiting():
            break
        await asyncio.sleep(0.01)
    assert failures == []
    assert [m.author for m in bench.messages(conversation)] == ["customer", "bot"]


async def test_an_outcome_that_can_never_be_kept_means_a_person(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("bot.conversation.service._FIRST_PAUSE", 0.001)
    conversation = await bench.new()
    finish_turn = ConversationStore.finish_turn

    def refuse(
        store: ConversationStore, message: StoredMessage, version: int, outcome: Outcome
    ) -> list[StoredMessage] | None:
        if outcome.replies[0].text.startswith("You wrote"):
            raise InvalidInput("A value does not fit into the database.")
        return finish_turn(store, message, version, outcome)

    monkeypatch.setattr(ConversationStore, "finish_turn", refuse)
    await bench.say(conversation, "Hello")
    assert [case.reason for case in bench.escalations()] == ["bot_unavailable"]
    assert len(bench.dialogue.calls) == 3
    assert "A value does not fit" in caplog.text


async def test_a_text_is_foreseen_while_it_is_stored_and_a_choice_is_not(make_bench: MakeBench) -> None:
    seen: list[str] = []
    bench = make_bench(foresee=seen.append)
    conversation = await bench.new()
    await bench.say(conversation, "  Hello  ")
    assert seen == ["Hello"]


async def test_what_cannot_be_foreseen_does_not_stop_the_turn(
    make_bench: MakeBench, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(text: str) -> None:
        raise EncoderError("The encoder is away.")

    bench = make_bench(foresee=fail)
    conversation = await bench.new()
    assert [message.author for message in await bench.say(conversation, "Hello")] == ["bot"]
    assert "The encoder is away." in caplog.text
