"""Messages are numbered, in order and stored once, on every kind of database, however many write at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from bot.conversation.changes import Changes
from bot.conversation.models import Conversation, Event
from bot.conversation.records import DuplicateId, Outcome
from bot.conversation.store import ConversationStore
from bot.dialogue.turn import Reply

WRITERS = 6


def test_many_writers_leave_no_gap_and_no_double(any_engine: Engine) -> None:
    store = ConversationStore(Changes(any_engine))
    conversation, _ = store.create("webchat", "public", "en")
    begin = threading.Barrier(WRITERS)

    def write(writer: int) -> list[tuple[int, bool]]:
        """Messages of the writer's own, between others that every writer sends under the same id."""
        begin.wait(20)
        stored = []
        for number in range(4):
            for client_id in (f"{writer}-{number}", f"all-{number}"):
                message, new = store.add_customer_message(conversation, client_id, client_id, {})
                stored.append((message.number, new))
        return stored

    with ThreadPoolExecutor(WRITERS) as pool:
        written = list(pool.map(write, range(WRITERS)))
    messages = store.messages_after(conversation, 0)
    assert [message.number for message in messages] == list(range(1, 4 * WRITERS + 4 + 1))
    assert len({message.client_id for message in messages}) == len(messages)
    assert sorted(number for stored in written for number, new in stored if new) == [m.number for m in messages]
    for stored in written:
        own = [number for number, _ in stored[::2]]
        assert own == sorted(own)
    with Session(any_engine) as session:
        numbers = session.scalars(select(Event.number).where(Event.conversation_id == conversation)).all()
        last = session.get_one(Conversation, conversation).last_event
    assert sorted(numbers) == list(range(1, last + 1))


def test_one_id_for_two_texts_at_once_is_one_message(any_engine: Engine) -> None:
    store = ConversationStore(Changes(any_engine))
    conversation, _ = store.create("webchat", "public", "en")
    begin = threading.Barrier(2)

    def write(text: str) -> str:
        begin.wait(20)
        try:
            return store.add_customer_message(conversation, "same", text, {})[0].text
        except DuplicateId:
            return "refused"

    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(write, ("one", "two")))
    (message,) = store.messages_after(conversation, 0)
    assert sorted(said) == sorted([message.text, "refused"])


def test_turn_finished_while_the_customer_writes(any_engine: Engine) -> None:
    store = ConversationStore(Changes(any_engine))
    conversation, _ = store.create("webchat", "public", "en")
    asked, _ = store.add_customer_message(conversation, "a", "How?", {})
    begin = threading.Barrier(2)

    def finish() -> None:
        begin.wait(20)
        store.finish_turn(asked, 0, Outcome([Reply(text="So."), Reply(text="And so.")]))

    def write() -> None:
        begin.wait(20)
        for number in range(5):
            store.add_customer_message(conversation, f"b{number}", "And?", {})

    with ThreadPoolExecutor(2) as pool:
        for done in (pool.submit(finish), pool.submit(write)):
            done.result(30)
    messages = store.messages_after(conversation, 0)
    assert [message.number for message in messages] == list(range(1, 9))
    replies = [message.number for message in messages if message.author == "bot"]
    assert replies[1] == replies[0] + 1
    assert store.count_waiting() == 5
