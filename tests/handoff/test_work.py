"""Signals make work of their own; the customer's case goes where the conversation's tags call for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from sqlalchemy.orm import Session

from bot.conversation.models import Conversation, Message, now
from bot.conversation.records import StoredMessage
from bot.conversation.tags import record
from bot.handoff.escalation import escalate, keep_contact, latest, list_cases, read_case
from bot.handoff.models import Escalation
from bot.handoff.routing import Routing
from bot.handoff.work import act_on_tags, place_case
from tests.handoff.fakes import close
from tests.tagging.fakes import word_tagger

ROUTING = Routing()
CONTACT = {"name": "Ayşe", "email": "ayse@example.com", "time": "yarın"}
tag = word_tagger(
    {
        "printer": "defect",
        "leave": "churn_risk",
        "unused": "low_adoption",
        "two more": ("expansion", 0.8),
        "contract": ("renewal", 0.65),
        "perhaps": ("expansion", 0.59),
        "goal": "goal",
        "price": "pre_sales",
    }
)
Say = Callable[..., StoredMessage]


@pytest.fixture
def say(session: Session, conversation: Conversation) -> Say:
    """Stores a customer's message; with `case`, its turn hands over to this queue."""

    def add(text: str, case: str = "", age: dt.timedelta = dt.timedelta(), payload: str = "") -> StoredMessage:
        conversation.last_number += 1
        content = {"payload": payload} if payload else {}
        message = Message(
            conversation_id=conversation.id,
            number=conversation.last_number,
            author="customer",
            text=text,
            content=content,
            created_at=now() - age,
        )
        session.add(message)
        if case:
            escalate(session, conversation, case, "asked_for", message.number)
        session.flush()
        return StoredMessage(conversation.id, message.number, "customer", None, text, content, message.created_at)

    return add


@pytest.fixture
def hear(session: Session, conversation: Conversation) -> Callable[[StoredMessage], None]:
    """Has a message tagged, and acts on it."""

    def heard(message: StoredMessage) -> None:
        tagged = tag(message.text, "en")
        assert record(session, conversation.id, message.number, tagged)
        place_case(session, conversation, message.number, ROUTING)
        act_on_tags(session, conversation, message, tagged, ROUTING)

    return heard


Hear = Callable[[StoredMessage], None]


def shown(session: Session) -> list[tuple[str, str]]:
    """Queue and reason of all that is open."""
    return [(case.queue, case.reason) for case in list_cases(session)]


# Work on signals


def test_problem_and_signal_give_two_pieces_of_work(
    session: Session, conversation: Conversation, say: Say, hear: Hear
) -> None:
    hear(say("The printer is dead, and we open two more cafés. A person please", case="support"))
    support, work = list_cases(session)
    assert (support.queue, support.reason, support.signals) == ("support", "asked_for", None)
    assert (work.queue, work.reason, work.signals) == ("account_management", "signal", ["expansion"])
    assert (work.turn_number, work.language, work.status) == (1, "tr", "open")
    assert conversation.owner == "queue:support"
    case = read_case(session, work.id)
    assert case.signals == ("expansion",)
    assert case.tags.kind == "both"
    assert [one.quote for one in case.tags.signals[0].evidence] == ["two more"]


@pytest.mark.parametrize("first", [0, 1])
def test_closing_one_leaves_the_other_open(
    session: Session, conversation: Conversation, say: Say, hear: Hear, first: int
) -> None:
    hear(say("The printer is dead, we leave. A person please", case="support"))
    both = list_cases(session)
    close(session, both[first].id)
    assert list_cases(session) == [both[1 - first]]
    assert conversation.owner == ("bot" if both[first].reason == "asked_for" else "queue:support")
    close(session, both[1 - first].id)
    assert list_cases(session) == []
    assert conversation.owner == "bot"


def test_work_does_not_change_who_answers(session: Session, conversation: Conversation, say: Say, hear: Hear) -> None:
    hear(say("we leave"))
    assert shown(session) == [("success", "signal")]
    assert (conversation.owner, conversation.owner_version) == ("bot", 0)


def test_work_is_not_the_customers_case(session: Session, conversation: Conversation, say: Say, hear: Hear) -> None:
    hear(say("we leave"))
    assert latest(session, conversation.id) is None
    say("The printer! A person please", case="support")
    hear(say("two more"))
    case = latest(session, conversation.id)
    assert case is not None
    assert (case.queue, case.reason) == ("support", "asked_for")


def test_one_open_per_queue_gathers_the_signals(session: Session, say: Say, hear: Hear) -> None:
    hear(say("It is unused"))
    hear(say("we leave, it is unused"))
    (work,) = list_cases(session)
    assert (work.signals, work.turn_number) == (["low_adoption", "churn_risk"], 1)
    close(session, work.id)
    hear(say("we leave"))
    (again,) = list_cases(session)
    assert again.id > work.id
    assert again.signals == ["churn_risk"]


def test_two_queues_get_their_own(session: Session, say: Say, hear: Hear) -> None:
    hear(say("we leave when the contract ends"))
    assert shown(session) == [("success", "signal"), ("account_management", "signal")]


@pytest.mark.parametrize("text", ["The printer is dead", "perhaps", "goal", "Hello"])
def test_what_calls_for_nobody(session: Session, say: Say, hear: Hear, text: str) -> None:
    hear(say(text))
    assert list_cases(session) == []


def test_no_second_one_where_the_customers_case_is(session: Session, say: Say, hear: Hear) -> None:
    hear(say("The printer is dead"))
    say("Yes", case="success", payload="/affirm")
    hear(say("we leave, or take two more"))
    assert shown(session) == [("success", "asked_for"), ("account_management", "signal")]


def test_customers_case_takes_the_work_of_its_queue_over(session: Session, say: Say, hear: Hear) -> None:
    hear(say("we leave"))
    (work,) = list_cases(session)
    say("Yes", case="success", payload="/affirm")
    assert shown(session) == [("success", "asked_for")]
    assert (work.status, work.closed_at is not None) == ("closed", True)


def test_what_was_said_long_ago_makes_no_work(session: Session, say: Say, hear: Hear) -> None:
    hear(say("two more", age=dt.timedelta(days=13)))
    assert list_cases(session) == []
    hear(say("two more", age=dt.timedelta(days=11)))
    assert shown(session) == [("account_management", "signal")]


def test_work_has_the_contact_whenever_it_was_left(
    session: Session, conversation: Conversation, say: Say, hear: Hear
) -> None:
    conversation.contact = CONTACT
    hear(say("we leave"))
    (work,) = list_cases(session)
    assert work.contact == CONTACT
    later = {**CONTACT, "time": "bugün"}
    keep_contact(session, conversation, later)
    assert (work.contact, conversation.contact) == (later, later)
    close(session, work.id)
    keep_contact(session, conversation, CONTACT)
    assert work.contact == later


# Where the customer's case goes


@pytest.mark.parametrize(
    ("texts", "queue"),
    [
        (["we leave, a person please"], "success"),
        (["two more, a person please"], "account_management"),
        (["two more", "a person please"], "account_management"),
        (["the printer", "we leave, a person please"], "support"),
        (["the printer", "a person please"], "support"),
        (["a person please"], "support"),
        (["goal, a person please"], "support"),
        (["perhaps, a person please"], "support"),
    ],
)
def test_case_goes_to_the_queue_its_tags_call_for(
    session: Session, conversation: Conversation, say: Say, hear: Hear, texts: list[str], queue: str
) -> None:
    for text in texts[:-1]:
        hear(say(text))
    hear(say(texts[-1], case="support"))
    case = latest(session, conversation.id)
    assert case is not None
    assert (case.queue, case.status) == (queue, "open")
    assert conversation.owner == f"queue:{queue}"
    if queue != "support":
        assert list_cases(session) == [case]


def test_number_of_a_case_that_moves_stays_and_so_does_the_version(
    session: Session, conversation: Conversation, say: Say, hear: Hear
) -> None:
    message = say("we leave, a person please", case="support")
    case = latest(session, conversation.id)
    assert case is not None
    number, version = case.id, conversation.owner_version
    hear(message)
    assert (case.id, case.queue, conversation.owner_version) == (number, "success", version)


def test_case_opened_with_a_choice_goes_by_what_was_typed(
    session: Session, conversation: Conversation, say: Say, hear: Hear
) -> None:
    hear(say("we leave"))
    choice = say("Talk to a person", case="support", payload="/request_human")
    assert shown(session) == [("success", "signal"), ("support", "asked_for")]
    place_case(session, conversation, choice.number, ROUTING)
    assert shown(session) == [("success", "asked_for")]


def test_what_is_said_after_the_case_was_opened_moves_it_no_more(session: Session, say: Say, hear: Hear) -> None:
    hear(say("a person please", case="support"))
    hear(say("we leave"))
    assert shown(session) == [("support", "asked_for"), ("success", "signal")]


def test_words_before_the_case_that_are_tagged_after_it_count(session: Session, say: Say, hear: Hear) -> None:
    earlier = say("we leave")
    hear(say("a person please", case="support"))
    assert shown(session) == [("support", "asked_for")]
    hear(earlier)
    assert shown(session) == [("success", "asked_for")]


def test_case_somebody_took_stays(session: Session, conversation: Conversation, say: Say, hear: Hear) -> None:
    message = say("we leave, a person please", case="support")
    conversation.hand_to("agent:ayse")
    hear(message)
    assert shown(session) == [("support", "asked_for"), ("success", "signal")]
    assert conversation.owner == "agent:ayse"


def test_case_of_another_queue_stays(session: Session, say: Say, hear: Hear) -> None:
    hear(say("we leave, a person please", case="account_management"))
    assert shown(session) == [("account_management", "asked_for"), ("success", "signal")]


@pytest.mark.parametrize("payload", ["", "/request_human"])
def test_case_of_the_queue_that_was_offered_goes_to_support_with_a_problem_and_leaves_the_signal_there(
    session: Session, conversation: Conversation, say: Say, hear: Hear, payload: str
) -> None:
    hear(say("the printer, and we open two more"))
    wish = say("A person please", case="account_management", payload=payload)
    case = latest(session, conversation.id)
    assert case is not None
    number, version = case.id, conversation.owner_version
    assert shown(session) == [("account_management", "asked_for")]
    if payload:
        place_case(session, conversation, wish.number, ROUTING)
    else:
        hear(wish)
    assert shown(session) == [("support", "asked_for"), ("account_management", "signal")]
    work = list_cases(session)[1]
    assert (work.signals, work.turn_number) == (["expansion"], 1)
    assert (case.id, case.queue, conversation.owner_version) == (number, "support", version)
    assert conversation.owner == "queue:support"


def test_both_said_with_the_wish_for_a_person(session: Session, say: Say, hear: Hear) -> None:
    hear(say("the printer, and we leave: a person please", case="success"))
    assert shown(session) == [("support", "asked_for"), ("success", "signal")]


@pytest.mark.parametrize(
    "texts", [["the printer", "that helped", "yes"], ["the printer", "we leave", "yes"], ["price, two more", "yes"]]
)
def test_offer_that_was_taken_stays_without_a_problem_that_led_to_it(
    session: Session, say: Say, hear: Hear, texts: list[str]
) -> None:
    for text in texts[:-1]:
        hear(say(text))
    hear(say(texts[-1], case="account_management"))
    assert ("account_management", "asked_for") in shown(session)
    assert "support" not in dict(shown(session))


def test_case_does_not_move_where_the_customer_has_one(
    session: Session, conversation: Conversation, say: Say, hear: Hear
) -> None:
    say("Yes", case="success", payload="/affirm")
    hear(say("we leave, a person please", case="support"))
    assert shown(session) == [("success", "asked_for"), ("support", "asked_for")]


def test_case_of_an_earlier_version_stays(session: Session, conversation: Conversation, say: Say, hear: Hear) -> None:
    message = say("we leave")
    made = escalate(session, conversation, "support", "asked_for")
    hear(message)
    assert (made.queue, made.turn_number) == ("support", None)


def test_closed_case_stays_where_it_was(session: Session, conversation: Conversation, say: Say, hear: Hear) -> None:
    message = say("we leave, a person please", case="support")
    case = latest(session, conversation.id)
    assert isinstance(case, Escalation)
    close(session, case.id)
    hear(message)
    assert (case.queue, case.status, conversation.owner) == ("support", "closed", "bot")
    assert shown(session) == [("success", "signal")]
