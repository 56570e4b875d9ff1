"""How far customer and team have read: it only rises, and the other side hears of it where a person is concerned."""

from __future__ import annotations

import random
import threading
from collections import Counter

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from bot.conversation import events
from bot.conversation.changes import Changes
from bot.conversation.context import one_line, set_context
from bot.conversation.models import Conversation, Event
from bot.conversation.reading import Reader, mark_read, seen_by_customer, unread
from bot.conversation.store import ConversationStore
from bot.errors import NotFound


@pytest.fixture
def changes(any_engine: Engine) -> Changes:
    """On a database of each kind."""
    return Changes(any_engine)


def talk(changes: Changes, *authors: str) -> str:
    """A conversation in which these speak, one after the other."""
    conversation_id, _ = ConversationStore(changes).create("webchat", "public", "en")
    with changes.transaction() as session:
        conversation = events.locked(session, conversation_id)
        for author in authors:
            events.add_message(session, conversation, author, f"{author} speaks", by=author)
    return conversation_id


def told(changes: Changes, conversation_id: str) -> list[tuple[str, int, str, bool]]:
    """The events of reading: who read, how far, who is named, whether the visitor sees it."""
    query = select(Event).where(Event.conversation_id == conversation_id, Event.kind == "read").order_by(Event.number)
    with changes.reading() as session:
        return [(one.data["by"], one.data["number"], one.by, one.visible) for one in session.scalars(query)]


def state(changes: Changes, conversation_id: str) -> Conversation:
    with changes.reading() as session:
        return session.get_one(Conversation, conversation_id)


def test_reading_rises_and_tells_only_of_people(changes: Changes) -> None:
    there = talk(changes, "customer", "bot", "agent", "bot", "customer")
    before = state(changes, there).updated_at
    steps: list[tuple[Reader, int, bool]] = [
        ("customer", 2, True),  # A bot's message: nobody is told.
        ("customer", 3, True),
        ("customer", 3, False),
        ("customer", 1, False),
        ("customer", 99, True),  # As far as there are messages.
        ("team", 4, True),
        ("team", 5, True),
        ("team", 5, False),
    ]
    for reader, number, news in steps:
        assert mark_read(changes, there, reader, number, "person:ada" if reader == "team" else "customer") is news
    assert told(changes, there) == [
        ("customer", 3, "customer", False),
        ("team", 4, "person:ada", True),
        ("team", 5, "person:ada", True),
    ]
    after = state(changes, there)
    assert (after.read_by_customer, after.read_by_team, after.updated_at) == (5, 5, before)


def test_what_the_customer_has_seen_of_people(changes: Changes) -> None:
    there = talk(changes, "customer", "agent", "bot", "agent", "bot")

    def seen() -> tuple[int, bool] | None:
        with changes.reading() as session:
            found = seen_by_customer(session, session.get_one(Conversation, there))
            happened = session.scalars(
                select(Event.created_at).where(Event.kind == "read").order_by(Event.number)
            ).all()
            return (found.number, found.at == happened[-1]) if found else None

    assert seen() is None
    for number, expected in ((1, None), (3, (2, True)), (4, (4, True)), (5, (4, True))):
        mark_read(changes, there, "customer", number)
        assert seen() == expected


def test_unread_messages_are_counted_for_many_conversations(changes: Changes) -> None:
    busy, quiet = talk(changes, "customer", "bot", "agent", "customer", "agent"), talk(changes, "customer")
    for number, expected in ((0, 3), (2, 2), (3, 1), (5, 0)):
        mark_read(changes, busy, "customer", number)
        with changes.reading() as session:
            counts = dict(session.execute(select(Conversation.id, unread())).all())
        assert counts == {busy: expected, quiet: 0}


def test_a_conversation_that_is_not_there(changes: Changes) -> None:
    with pytest.raises(NotFound):
        mark_read(changes, "0" * 32, "customer", 1)
    with pytest.raises(NotFound), changes.transaction() as session:
        set_context(session, "0" * 32, {"title": "A page"})


def test_many_at_once_tell_each_step_once(changes: Changes) -> None:
    there = talk(changes, *["agent"] * 30)
    numbers = list(range(1, 31)) * 2
    random.Random(3).shuffle(numbers)
    parts = [threading.Thread(target=lambda n=n: mark_read(changes, there, "customer", n)) for n in numbers]
    for part in parts:
        part.start()
    for part in parts:
        part.join()
    found = [number for _, number, _, _ in told(changes, there)]
    assert found == sorted(set(found))
    assert found[-1] == 30
    assert state(changes, there).read_by_customer == 30


def test_every_span_is_told_whatever_the_order(changes: Changes) -> None:
    """Told exactly where the newly read span holds a message of a person for the reader."""
    chance = random.Random(8)
    for _ in range(10):
        authors = [chance.choice(["customer", "bot", "agent"]) for _ in range(12)]
        there = talk(changes, *authors)
        expected: list[tuple[str, int]] = []
        reached: Counter[str] = Counter()
        for _ in range(12):
            reader: Reader = chance.choice(["customer", "team"])
            number = chance.randint(1, 12)
            span = authors[reached[reader] : number]
            if ("agent" if reader == "customer" else "customer") in span:
                expected.append((reader, number))
            reached[reader] = max(reached[reader], number)
            mark_read(changes, there, reader, number)
        assert [(who, number) for who, number, _, _ in told(changes, there)] == expected


def test_context_is_kept_part_by_part(changes: Changes) -> None:
    there = talk(changes)

    def tell(**parts: object) -> object:
        with changes.transaction() as session:
            set_context(session, there, parts)
        with Session(changes.engine) as session:
            return session.get_one(Conversation, there).context

    assert tell(page="https://a.example/", values={"plan": "Pro"}) == {
        "page": "https://a.example/",
        "values": {"plan": "Pro"},
    }
    assert tell(title="Prices", values={"seats": 3}) == {
        "page": "https://a.example/",
        "title": "Prices",
        "values": {"seats": 3},
    }
    assert tell(page=None, values={}) == {"title": "Prices"}
    assert tell(title="") is None


def test_a_text_becomes_one_line() -> None:
    assert one_line("  Prices\n\x00 and\u2028plans ") == "Prices and plans"
