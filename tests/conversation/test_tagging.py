"""Messages are tagged behind their turns: nothing waits for it, and nothing is lost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.conversation.models import Conversation, MessageTag, Tagging
from bot.conversation.records import StoredMessage
from bot.conversation.service import ConversationService
from bot.dialogue.turn import Choice, Escalate, TurnResult
from bot.errors import DialogueError, TaggingError
from bot.tagging.tags import Tagged
from tests.conversation.fakes import PATIENCE, Bench, Call, said
from tests.tagging.fakes import word_tagger

MakeBench = Callable[..., Bench]

tag = word_tagger({"printer": "defect", "cafés": "expansion", "leave": "churn_risk"})
PERSON = Choice(label="Talk to a person", payload="/request_human")
HAND_OVER = Escalate(queue="support", reason="asked_for")


class Gate:
    """A tagger that waits to be let go; keeps what it was asked."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.begun = threading.Event()
        self.seen: list[tuple[str, str]] = []

    def __call__(self, text: str, language: str) -> Tagged:
        self.seen.append((text, language))
        self.begun.set()
        assert self.open.wait(PATIENCE)
        return tag(text, language)

    async def wait(self) -> None:
        """Until it is asked."""
        assert await asyncio.to_thread(self.begun.wait, PATIENCE)


def fail(text: str, language: str) -> Tagged:
    raise TaggingError("The tagger is away.")


def tags_of(bench: Bench) -> list[tuple[int, str]]:
    with Session(bench.engine) as session:
        rows = session.execute(select(MessageTag.number, MessageTag.name).order_by(MessageTag.id))
        return [(number, name) for number, name in rows]


def tagged_numbers(bench: Bench) -> list[int]:
    with Session(bench.engine) as session:
        return list(session.scalars(select(Tagging.number).order_by(Tagging.created_at)))


def owner(bench: Bench) -> str:
    with Session(bench.engine) as session:
        return session.scalars(select(Conversation.owner)).one()


async def finished(bench: Bench) -> None:
    """Let everything under way come to its end."""
    await bench.service.stop(PATIENCE)


# Behind the turn


async def test_message_is_tagged_and_the_reply_is_not(make_bench: MakeBench) -> None:
    bench = make_bench(tag=tag)
    conversation = await bench.new()
    bench.dialogue.follow(said("Which printer? Do you want to leave?"))
    await bench.say(conversation, "The printer is dead")
    await finished(bench)
    assert tags_of(bench) == [(1, "defect")]
    assert tagged_numbers(bench) == [1]


async def test_reply_does_not_wait_for_the_tags(make_bench: MakeBench) -> None:
    gate = Gate()
    bench = make_bench(tag=gate)
    conversation = await bench.new()
    assert [m.text for m in await bench.say(conversation, "The printer")] == ["You wrote: The printer"]
    assert [m.text for m in await bench.say(conversation, "Hello")] == ["You wrote: Hello"]
    assert tagged_numbers(bench) == []
    gate.open.set()
    await finished(bench)
    assert tagged_numbers(bench) == [1, 3]


async def test_one_message_at_a_time_in_order(make_bench: MakeBench) -> None:
    running = 0
    seen: list[tuple[str, int]] = []

    def one(text: str, language: str) -> Tagged:
        nonlocal running
        running += 1
        seen.append((text, running))
        threading.Event().wait(0.005)
        running -= 1
        return tag(text, language)

    bench = make_bench(tag=one)
    conversation = await bench.new()
    for number in range(5):
        await bench.service.post(conversation, f"c{number}", f"text {number}")
    await bench.settled()
    await finished(bench)
    assert seen == [(f"text {number}", 1) for number in range(5)]


async def test_tagger_gets_the_conversations_language(make_bench: MakeBench) -> None:
    gate = Gate()
    gate.open.set()
    bench = make_bench(tag=gate)
    conversation = await bench.new("tr")
    await bench.say(conversation, "打印机坏了")
    await bench.say(conversation, "ok")
    await finished(bench)
    assert gate.seen == [("打印机坏了", "zh"), ("ok", "zh")]


async def test_message_is_tagged_while_a_person_owns_the_conversation(make_bench: MakeBench) -> None:
    bench = make_bench(tag=tag)
    conversation = await bench.new()
    bench.give_to(conversation, "agent:ayse")
    assert await bench.say(conversation, "And the printer?") == []
    await finished(bench)
    assert tags_of(bench) == [(1, "defect")]
    assert owner(bench) == "agent:ayse"


async def test_choice_is_not_tagged(make_bench: MakeBench) -> None:
    gate = Gate()
    gate.open.set()
    bench = make_bench(tag=gate)
    conversation = await bench.new()
    bench.dialogue.follow(said("A person?", choices=[Choice(label="Fix the printer", payload="/affirm")]), said("Yes."))
    await bench.say(conversation, "Hello")
    await bench.say(conversation, payload="/affirm")
    await finished(bench)
    assert [text for text, _ in gate.seen] == ["Hello"]
    assert tagged_numbers(bench) == [1]
    assert bench.store.untagged() == []


async def test_service_without_a_tagger_tags_nothing(bench: Bench) -> None:
    conversation = await bench.new()
    await bench.service.start()
    await bench.say(conversation, "The printer")
    await finished(bench)
    assert tagged_numbers(bench) == []


# Failures, start, stop


async def test_failure_is_logged_and_made_up_for_at_the_next_start(
    make_bench: MakeBench, caplog: pytest.LogCaptureFixture
) -> None:
    before = make_bench(tag=fail)
    conversation = await before.new()
    assert [m.author for m in await before.say(conversation, "The printer")] == ["bot"]
    await finished(before)
    assert f"Message 1 of {conversation} was not tagged: The tagger is away." in caplog.text
    assert "The printer" not in caplog.text
    assert tagged_numbers(before) == []
    after = make_bench(tag=tag)
    await after.service.start()
    await _all_tagged(after)
    assert tags_of(after) == [(1, "defect")]


async def test_start_tags_what_was_typed_before_there_were_tags(make_bench: MakeBench) -> None:
    before = make_bench()
    conversations = [await before.new() for _ in range(2)]
    for conversation in conversations:
        await before.say(conversation, "The printer")
        await before.say(conversation, "Yazıcı bugün de çalışmıyor")
    gate = Gate()
    gate.open.set()
    after = make_bench(tag=gate)
    await after.service.start()
    await _all_tagged(after)
    assert gate.seen == [("The printer", "en"), ("Yazıcı bugün de çalışmıyor", "tr")] * 2
    again = make_bench(tag=fail)
    await again.service.start()
    await finished(again)
    assert tagged_numbers(again) == [1, 3, 1, 3]


async def test_one_message_that_fails_does_not_stop_the_others(
    make_bench: MakeBench, caplog: pytest.LogCaptureFixture
) -> None:
    before = make_bench()
    conversation = await before.new()
    for text in ("bad", "The printer"):
        await before.say(conversation, text)

    def sometimes(text: str, language: str) -> Tagged:
        if text == "bad":
            raise ZeroDivisionError
        return tag(text, language)

    after = make_bench(tag=sometimes)
    await after.service.start()
    await _all_tagged(after, 1)
    assert tagged_numbers(after) == [3]
    assert f"Message 1 of {conversation} was not tagged" in caplog.text


async def test_new_messages_go_before_what_is_made_up_for(make_bench: MakeBench) -> None:
    before = make_bench()
    conversation = await before.new()
    for number in range(3):
        await before.say(conversation, f"old {number}")
    gate = Gate()
    after = make_bench(tag=gate)
    await after.service.start()
    await gate.wait()
    await after.say(conversation, "new")
    gate.open.set()
    await _all_tagged(after)
    assert [text for text, _ in gate.seen] == ["old 0", "new", "old 1", "old 2"]


async def test_stop_finishes_what_is_under_way(make_bench: MakeBench) -> None:
    gate = Gate()
    bench = make_bench(tag=gate)
    conversation = await bench.new()
    await bench.say(conversation, "The printer")
    await gate.wait()
    stopping = asyncio.create_task(bench.service.stop(PATIENCE))
    await asyncio.sleep(0.01)
    assert not stopping.done()
    gate.open.set()
    await stopping
    assert tags_of(bench) == [(1, "defect")]


async def test_what_outlasts_the_stop_is_tagged_once_at_the_next_start(make_bench: MakeBench) -> None:
    gate = Gate()
    before = make_bench(tag=gate)
    conversation = await before.new()
    await before.say(conversation, "The printer")
    await gate.wait()
    async with asyncio.timeout(PATIENCE):
        await before.service.stop(0.01)
    gate.open.set()
    assert tagged_numbers(before) == []
    after = make_bench(tag=tag)
    await after.service.start()
    await _all_tagged(after)
    assert tags_of(after) == [(1, "defect")]


async def _all_tagged(bench: Bench, left: int = 0) -> None:
    await _until(lambda: len(bench.store.untagged()) == left)


async def _until(reached: Callable[[], bool]) -> None:
    for _ in range(int(PATIENCE * 200)):
        if await asyncio.to_thread(reached):
            return
        await asyncio.sleep(0.005)
    raise AssertionError("It was not reached.")


# What follows


async def test_what_follows_is_told_once_of_each_message(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, list[str]]] = []

    async def after_tagging(service: ConversationService, message: StoredMessage, tagged: Tagged) -> None:
        told.append((message.text, [tag.name for tag in tagged.tags]))
        raise ZeroDivisionError

    monkeypatch.setattr(ConversationService, "_after_tagging", after_tagging)
    bench = make_bench(tag=tag)
    conversation = await bench.new()
    await bench.say(conversation, "The printer")
    await bench.say(conversation, "Hello")
    await finished(bench)
    again = make_bench(tag=tag)
    await again.service.start()
    await finished(again)
    assert told == [("The printer", ["defect"]), ("Hello", [])]


async def test_one_conversation_gives_two_pieces_of_work(make_bench: MakeBench) -> None:
    bench = make_bench(tag=tag)
    conversation = await bench.new()
    bench.dialogue.follow(said("Case {case_number}.", effects=[HAND_OVER]))
    (reply,) = await bench.say(conversation, "The printer is dead, and we open two more cafés. A person please!")
    await finished(bench)
    support, work = bench.escalations()
    assert (support.queue, support.reason) == ("support", "asked_for")
    assert (work.queue, work.reason, work.signals) == ("account_management", "signal", ["expansion"])
    assert reply.text == f"Case {support.id}."
    case = bench.store.snapshot(conversation).case
    assert case is not None
    assert case.number == support.id
    assert owner(bench) == "queue:support"


async def test_case_goes_to_success_when_only_that_is_called_for(make_bench: MakeBench) -> None:
    bench = make_bench(tag=tag)
    conversation = await bench.new()
    bench.dialogue.follow(said("Which offer?", choices=[PERSON]), said("Case {case_number}.", effects=[HAND_OVER]))
    await bench.say(conversation, "We leave")
    await bench.say(conversation, payload="/request_human")
    await finished(bench)
    work, case = bench.escalations()
    assert (work.queue, work.reason, work.status) == ("success", "signal", "closed")
    assert (case.queue, case.reason, case.status) == ("success", "asked_for", "open")
    assert owner(bench) == "queue:success"


async def test_case_that_moves_does_not_cost_the_reply_under_way(make_bench: MakeBench) -> None:
    gate = Gate()
    bench = make_bench(tag=gate)
    conversation = await bench.new()
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def script(call: Call) -> TurnResult:
        if not call.context.text.startswith("Hello"):
            return said("Case {case_number}.", effects=[HAND_OVER])
        begun.set()
        await go_on.wait()
        return said("Hello to you.")

    bench.dialogue.script = script
    await bench.say(conversation, "We leave. A person please!")
    await bench.service.post(conversation, "h", "Hello")
    async with asyncio.timeout(PATIENCE):
        await begun.wait()
    gate.open.set()
    await _until(lambda: owner(bench) == "queue:success")
    go_on.set()
    await bench.settled()
    assert bench.messages(conversation)[-1].text == "Hello to you."


async def test_customer_hears_nothing_of_work_on_signals(make_bench: MakeBench) -> None:
    bench = make_bench(tag=tag)
    conversation = await bench.new()
    await bench.say(conversation, "We leave")
    await _all_tagged(bench)
    (work,) = bench.escalations()
    assert bench.store.snapshot(conversation).case is None

    async def down(call: Call) -> TurnResult:
        raise DialogueError("Rasa is down.")

    bench.dialogue.script = down
    (reply,) = await bench.say(conversation, "Hello?")
    await finished(bench)
    case = next(one for one in bench.escalations() if one.id != work.id)
    assert case.reason == "bot_unavailable"
    wanted = bench.replies.reply("utter_bot_unavailable", "en").text
    assert reply.text == wanted.replace("{case_number}", str(case.id))
