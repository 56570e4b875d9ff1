"""Events count every lasting change of a conversation, and bells ring for those that were kept."""

from __future__ import annotations

import asyncio
import random
import threading

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from bot.conversation import events
from bot.conversation.changes import Changes, bells
from bot.conversation.delivery import Delivery
from bot.conversation.records import Outcome
from bot.conversation.store import ConversationStore
from bot.dialogue.turn import Escalate, Reply
from bot.errors import NotFound


def numbers(engine: Engine, conversation: str, after: int = 0, visible_only: bool = False) -> list[int]:
    """Numbers of the events behind one."""
    with Session(engine) as session:
        return [e.number for e in events.events_after(session, conversation, after, visible_only, 10_000)]


@pytest.fixture
def conversation(engine: Engine) -> str:
    """A conversation's id."""
    return ConversationStore(engine).create("webchat", "public", "en")[0]


def test_every_message_is_an_event_with_its_message(engine: Engine, conversation: str) -> None:
    store = ConversationStore(engine)
    message, _ = store.add_customer_message(conversation, "a", "Hello", {})
    store.finish_turn(message, 0, Outcome([Reply(text="Hi"), Reply(text="How can I help?")]))
    with Session(engine) as session:
        found = events.events_after(session, conversation, 0, visible_only=True)
        told = [(e.number, e.kind, e.by, e.message.text if e.message else None) for e in found]
    assert told == [
        (1, "message", "customer", "Hello"),
        (2, "message", "bot", "Hi"),
        (3, "message", "bot", "How can I help?"),
    ]


def test_what_is_for_the_team_only_is_not_for_the_visitor(engine: Engine, conversation: str) -> None:
    with Changes(engine).transaction() as session:
        row = events.locked(session, conversation)
        events.append(session, row, "note", {"note": 1}, "person:ada")
        events.append(session, row, "owner", {"owner": "agent", "name": "Ada"}, "person:ada", visible=True)
    assert numbers(engine, conversation) == [1, 2]
    assert numbers(engine, conversation, visible_only=True) == [2]


def test_readers_get_exactly_what_they_missed(engine: Engine, conversation: str) -> None:
    """1,000 breaks at random moments: nothing missed, nothing twice."""
    chance = random.Random(5)
    changes = Changes(engine)
    seen: dict[int, list[int]] = {reader: [] for reader in range(20)}
    written = 0
    for _ in range(50):
        with changes.transaction() as session:
            row = events.locked(session, conversation)
            for _ in range(chance.randint(0, 40)):
                events.append(session, row, "tags", {}, "system", visible=chance.random() < 0.7)
                written += 1
        for got in seen.values():
            after = got[-1] if got else 0
            with Session(engine) as session:
                batch = events.events_after(session, conversation, after, False, chance.choice([1, 7, 200]))
            got.extend(event.number for event in batch)
    for got in seen.values():
        while missed := numbers(engine, conversation, got[-1] if got else 0):
            got.extend(missed)
        assert got == list(range(1, written + 1))
    assert written > 500


def test_an_event_that_is_not_kept_leaves_no_gap_and_rings_no_bell(engine: Engine, conversation: str) -> None:
    rung: list[frozenset[str]] = []
    changes = Changes(engine, rung.append)

    def fail() -> None:
        with changes.transaction() as session:
            events.append(session, events.locked(session, conversation), "note", {"note": 1}, "person:ada")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert rung == []
    with changes.transaction() as session:
        events.append(session, events.locked(session, conversation), "note", {"note": 2}, "person:ada")
    assert rung == [frozenset({conversation})]
    assert numbers(engine, conversation) == [1]


def test_a_case_rings_in_the_lists_of_the_desk(engine: Engine, conversation: str) -> None:
    rung: set[str] = set()
    store = ConversationStore(Changes(engine, rung.update))
    message, _ = store.add_customer_message(conversation, "a", "A person, please", {})
    assert rung == {conversation}
    outcome = Outcome([Reply(text="Yes")], [Escalate(queue="support", reason="asked_for")])
    store.finish_turn(message, 0, outcome)
    assert {"topic:cases", "topic:signals"} < rung


def test_there_is_no_lock_on_nothing(engine: Engine) -> None:
    with pytest.raises(NotFound), Changes(engine).transaction() as session:
        events.locked(session, "0" * 32)


def test_changes_of_one_conversation_follow_each_other(any_engine: Engine) -> None:
    changes = Changes(any_engine)
    conversation, _ = ConversationStore(changes).create("webchat", "public", "en")

    def write() -> None:
        for _ in range(10):
            with changes.transaction() as session:
                events.add_message(session, events.locked(session, conversation), "bot", "…")

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers(any_engine, conversation) == list(range(1, 41))
    told = [m.number for m in ConversationStore(changes).messages_after(conversation, 0)]
    assert told == list(range(1, 41))


async def test_bells_ring_from_any_thread(engine: Engine, conversation: str) -> None:
    delivery = Delivery()
    changes = Changes(engine, bells(delivery))

    def write() -> None:
        with changes.transaction() as session:
            events.append(session, events.locked(session, conversation), "note", {"note": 1}, "person:ada")

    with delivery.reader(conversation) as reader:
        await asyncio.to_thread(write)
        assert await reader.wait(5)
