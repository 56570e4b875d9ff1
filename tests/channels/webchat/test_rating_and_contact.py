"""Rating the help in a case, and leaving an e-mail address while one is open."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.orm import Session

from bot.dialogue.turn import Escalate
from bot.handoff import cases
from bot.handoff.models import Rating
from tests.channels.webchat.conftest import Chat, Visitor, assert_error
from tests.conversation.fakes import domain_replies, said
from tests.handoff.fakes import person


async def with_case(chat: Chat) -> Visitor:
    """A visitor whose case is open."""
    visitor = await chat.begin()
    chat.bench.dialogue.follow(
        said("Case {case_number}.", effects=[Escalate(queue="support", reason="asked_for")]), said("ok")
    )
    await chat.post(visitor, "A person, please")
    await chat.bench.settled()
    return visitor


async def asked(chat: Chat, earlier: int = 0) -> tuple[Visitor, int]:
    """A visitor who is asked to rate a case, after so many cases of others; and its number."""
    for _ in range(earlier):
        await with_case(chat)
    visitor = await with_case(chat)
    number = chat.bench.escalations()[-1].id
    with chat.bench.changes.transaction() as session:
        ada = person(session, "Ada")
        cases.reply(session, number, ada, "Hello")
        cases.resolve(session, number, ada, "solved", domain_replies().reply)
    return visitor, number


async def send(chat: Chat, visitor: Visitor, route: str, body: dict[str, Any]) -> Any:
    """Post to a route of the conversation."""
    return await chat.http.post(f"{visitor.url}/{route}", headers=visitor.headers, json=body)


async def test_rating_is_kept_changed_and_read_again(chat: Chat) -> None:
    visitor, number = await asked(chat, earlier=2)
    assert number == 3  # Effort is asked in every third case.
    assert (await chat.read(visitor)).json()["messages"][-1]["rating"] == {"case": 3, "effort": True}
    first = await send(chat, visitor, "rating", {"case": 3, "csat": 2})
    assert (first.status_code, first.json()["csat"], first.json()["effort"]) == (200, 2, None)
    full = {"case": 3, "csat": 5, "effort": 1, "comment": " Quick!\u0000 "}
    wanted = {"case": 3, "asks_effort": True, "csat": 5, "effort": 1, "comment": "Quick!"}
    assert (await send(chat, visitor, "rating", full)).json() == wanted
    state = (await chat.http.get(visitor.url, headers=visitor.headers)).json()
    assert state["rating"] == wanted
    before = state["last_event"]
    assert (await send(chat, visitor, "rating", full)).json() == wanted
    assert (await chat.http.get(visitor.url, headers=visitor.headers)).json()["last_event"] == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"csat": 0},
        {"csat": 6},
        {"csat": "5"},
        {"csat": None},
        {"effort": 0},
        {"effort": 3},
        {"comment": "x" * 1001},
        {"more": 1},
        {"case": 0},
    ],
)
async def test_wrong_rating_is_refused(chat: Chat, wrong: dict[str, Any]) -> None:
    visitor, number = await asked(chat)
    assert_error(await send(chat, visitor, "rating", {"case": number, "csat": 5, **wrong}), 422, "invalid_input")
    with Session(chat.bench.engine) as session:
        assert session.get_one(Rating, number).csat is None


async def test_case_that_was_not_asked_about_cannot_be_rated(chat: Chat) -> None:
    visitor = await with_case(chat)
    other, number = await asked(chat)
    for case in (chat.bench.escalations()[0].id, number, 2**31 - 1):
        assert_error(await send(chat, visitor, "rating", {"case": case, "csat": 5}), 404, "not_found")
    assert (await send(chat, other, "rating", {"case": number, "csat": 5})).status_code == 200


@pytest.mark.parametrize(
    ("text", "score", "reply"),
    [("5", 5, "utter_rating_thanks"), ("⭐⭐", 2, "utter_rating_thanks_low"), ("ห้า", 5, "utter_rating_thanks")],
)
async def test_score_typed_right_after_the_question_is_the_rating(
    chat: Chat, text: str, score: int, reply: str
) -> None:
    visitor, number = await asked(chat)
    turns = len(chat.bench.dialogue.calls)
    await chat.post(visitor, text, "typed")
    await chat.bench.settled()
    assert len(chat.bench.dialogue.calls) == turns
    with Session(chat.bench.engine) as session:
        assert session.get_one(Rating, number).csat == score
    messages = (await chat.read(visitor)).json()["messages"]
    assert messages[-1]["text"] == domain_replies().reply(reply, "en").text
    await chat.post(visitor, "5", "later")
    await chat.bench.settled()
    assert len(chat.bench.dialogue.calls) == turns + 1


async def test_email_is_left_while_a_case_is_open(chat: Chat) -> None:
    visitor = await with_case(chat)
    first = await send(chat, visitor, "contact", {"email": "guest@example.com"})
    assert (first.status_code, first.json()) == (200, {"email": "guest@example.com", "name": "", "time": ""})
    more = {"email": "me@example.com", "name": " Ayşe ", "time": "yarın"}
    wanted = {"email": "me@example.com", "name": "Ayşe", "time": "yarın"}
    assert (await send(chat, visitor, "contact", more)).json() == wanted
    assert (await send(chat, visitor, "contact", {"email": "me@example.com"})).json() == wanted
    (case,) = chat.bench.escalations()
    assert case.contact == wanted
    state = (await chat.http.get(visitor.url, headers=visitor.headers)).json()
    assert state["case"]["reachable"] is True
    assert "me@example.com" not in str(state)


@pytest.mark.parametrize("email", ["", "guest", "a@b", "a@example.com b", "x" * 250 + "@example.com", None])
async def test_wrong_email_is_refused(chat: Chat, email: Any) -> None:
    visitor = await with_case(chat)
    assert_error(await send(chat, visitor, "contact", {"email": email}), 422, "invalid_input")
    (case,) = chat.bench.escalations()
    assert case.contact is None


async def test_email_needs_an_open_case(chat: Chat) -> None:
    visitor = await chat.begin()
    assert_error(await send(chat, visitor, "contact", {"email": "guest@example.com"}), 409, "conversation")
    visitor, _ = await asked(chat)
    assert_error(await send(chat, visitor, "contact", {"email": "guest@example.com"}), 409, "conversation")
