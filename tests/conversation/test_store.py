"""What is written is what is read, each call one transaction."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from bot.conversation.records import DuplicateId, Outcome
from bot.conversation.store import ConversationStore
from bot.dialogue.turn import Answered, Choice, OfferPerson, Reply
from bot.errors import NotFound
from bot.knowledge.answer import Answer, Citation
from tests.conversation.fakes import agent_says


@pytest.fixture
def store(engine: Engine) -> ConversationStore:
    """A store on an empty database."""
    return ConversationStore(engine)


@pytest.fixture
def conversation(store: ConversationStore) -> str:
    """The id of a conversation."""
    return store.create("webchat", "public", "en")[0]


def test_holder_of_the_token_passes(store: ConversationStore) -> None:
    conversation, token = store.create("webchat", "public", "en")
    other, other_token = store.create("webchat", "public", "en")
    assert token != other_token
    store.authorise(conversation, token)
    for wrong in (other_token, "", token[:-1], token + "x", "ü", "\udc80"):
        with pytest.raises(NotFound):
            store.authorise(conversation, wrong)
    with pytest.raises(NotFound):
        store.authorise(other, token)


def test_unknown_and_foreign_conversations_look_the_same(store: ConversationStore, conversation: str) -> None:
    messages = []
    for identifier in (conversation, "0" * 32):
        with pytest.raises(NotFound) as caught:
            store.authorise(identifier, "guessed")
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_token_is_not_kept(store: ConversationStore, tmp_path: Path) -> None:
    _, token = store.create("webchat", "public", "en")
    kept = b"".join(file.read_bytes() for file in tmp_path.glob("refill.db*"))
    assert b"webchat" in kept
    assert token.encode() not in kept


def test_messages_after_a_number(store: ConversationStore, conversation: str) -> None:
    for number in range(1, 6):
        store.add_customer_message(conversation, f"c{number}", f"text {number}", {})
    assert [m.number for m in store.messages_after(conversation, 0)] == [1, 2, 3, 4, 5]
    assert [m.number for m in store.messages_after(conversation, 3)] == [4, 5]
    assert [m.number for m in store.messages_after(conversation, 1, limit=2)] == [2, 3]
    assert store.messages_after(conversation, 5) == []


def test_refused_duplicate_leaves_no_gap(store: ConversationStore, conversation: str) -> None:
    store.add_customer_message(conversation, "a", "one", {})
    with pytest.raises(DuplicateId):
        store.add_customer_message(conversation, "a", "two", {})
    with pytest.raises(DuplicateId):
        store.add_customer_message(conversation, "a", "one", {"payload": "/stop"})
    message, _ = store.add_customer_message(conversation, "b", "three", {})
    assert message.number == 2


def test_waiting(store: ConversationStore, conversation: str) -> None:
    store.add_customer_message(conversation, "a", "one", {})
    store.add_customer_message(conversation, "b", "two", {})
    assert (store.waiting(), store.count_waiting()) == ([conversation], 2)
    for expected in ("one", "two"):
        found = store.next_waiting(conversation)
        assert found is not None
        message, snapshot = found
        assert message.text == expected
        store.finish_turn(message, snapshot.owner_version, Outcome([Reply(text="ok")]))
    assert store.next_waiting(conversation) is None
    assert (store.waiting(), store.count_waiting()) == ([], 0)


def test_content_of_a_reply(store: ConversationStore, conversation: str) -> None:
    message, _ = store.add_customer_message(conversation, "a", "one", {})
    citation = Citation("refunds", "Refunds", "/help/refunds", "en")
    decision = Answer("answer", 0.912345, "refunds", "en", "Open Sales.", (citation,), ())
    replies = [
        Reply(text="Open Sales.", citations=[citation], answered=decision),
        Reply(text="A person?", choices=[Choice(label="Yes", payload="/request_human")]),
    ]
    store.finish_turn(message, 0, Outcome(replies, [Answered(answer=decision), OfferPerson(queue="success")]))
    answer, offer = store.messages_after(conversation, 1)
    assert answer.content == {
        "citations": [{"article_id": "refunds", "title": "Refunds", "url": "/help/refunds", "language": "en"}],
        "decision": "answer",
        "confidence": 0.9123,
        "article_id": "refunds",
    }
    assert offer.content == {
        "choices": [{"label": "Yes", "payload": "/request_human"}],
        "offered_queue": "success",
    }
    assert store.offered(conversation, "/request_human") == ("Yes", "success")
    assert store.offered(conversation, "/stop") is None


def test_only_recent_offers_stand(store: ConversationStore, conversation: str) -> None:
    message, _ = store.add_customer_message(conversation, "a", "one", {})
    yes = Reply(text="A person?", choices=[Choice(label="Yes", payload="/request_human")])
    store.finish_turn(message, 0, Outcome([yes, *(Reply(text="…") for _ in range(3))]))
    assert store.offered(conversation, "/request_human", recent=4) == ("Yes", None)
    assert store.offered(conversation, "/request_human", recent=3) is None


def test_last_question(store: ConversationStore, conversation: str) -> None:
    assert store.last_question(conversation, 1) == ""
    store.add_customer_message(conversation, "a", "typed", {})
    store.add_customer_message(conversation, "b", "a button", {"payload": "/stop"})
    chosen, _ = store.add_customer_message(conversation, "c", "another", {"payload": "/stop"})
    assert store.last_question(conversation, chosen.number) == "typed"
    assert store.last_question(conversation, 1) == ""


def test_unknown_conversation(store: ConversationStore) -> None:
    with pytest.raises(NotFound):
        store.snapshot("0" * 32)
    with pytest.raises(NotFound):
        store.add_customer_message("0" * 32, "a", "Hello", {})
    assert store.messages_after("0" * 32, 0) == []
    assert store.next_waiting("0" * 32) is None


def test_odd_text_comes_back_as_it_was(store: ConversationStore, conversation: str) -> None:
    odd = "'; DROP TABLE messages; -- 👩‍👩‍👧‍👦 \u202eabc ก็ 中文 İı"
    store.add_customer_message(conversation, "a", odd, {})
    assert [m.text for m in store.messages_after(conversation, 0)] == [odd]


def test_turn_that_fails_half_way_leaves_nothing(store: ConversationStore, engine: Engine, conversation: str) -> None:
    message, _ = store.add_customer_message(conversation, "a", "one", {})
    with Session(engine) as session, session.begin():
        session.execute(text("UPDATE conversations SET last_number = 5"))
    with Session(engine) as session, session.begin():
        session.execute(
            text(
                "INSERT INTO messages (conversation_id, number, author, text, content, waiting, created_at) "
                "SELECT id, 7, 'bot', 'in the way', '{}', 0, created_at FROM conversations"
            )
        )
    with pytest.raises(Exception, match="UNIQUE"):
        store.finish_turn(message, 0, Outcome([Reply(text="six"), Reply(text="seven")]))
    assert [m.text for m in store.messages_after(conversation, 0)] == ["one", "in the way"]
    assert store.count_waiting() == 1


def test_agent_s_message_takes_the_conversation_over(
    engine: Engine, store: ConversationStore, conversation: str
) -> None:
    asked, _ = store.add_customer_message(conversation, "a", "one", {})
    sent = agent_says(engine, conversation, "ayse", "Hello, this is Ayşe.")
    assert (sent.number, sent.author, sent.text, sent.client_id) == (2, "agent", "Hello, this is Ayşe.", None)
    snapshot = store.snapshot(conversation)
    assert (snapshot.owner, snapshot.owner_version) == ("agent:ayse", 1)
    assert store.finish_turn(asked, 0, Outcome([Reply(text="Too late")])) == []
    agent_says(engine, conversation, "ayse", "More")
    assert store.snapshot(conversation).owner_version == 1
    agent_says(engine, conversation, "can", "I take over")
    snapshot = store.snapshot(conversation)
    assert (snapshot.owner, snapshot.owner_version) == ("agent:can", 2)
    assert [m.number for m in store.messages_after(conversation, 0)] == [1, 2, 3, 4]


def test_agent_s_message_to_nobody(engine: Engine) -> None:
    with pytest.raises(NotFound):
        agent_says(engine, "0" * 32, "ayse", "Hello")
