"""People confirm, reject, add and withdraw tags; what is measured and learned from that."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from bot.conversation.corrections import Corrected, correct, corrected_examples, precision, wilson
from bot.conversation.models import Conversation, Correction, Message, MessageTag
from bot.conversation.tags import conversation_tags, record
from bot.errors import InvalidInput, NotFound
from bot.tagging.tags import TAGS
from tests.tagging.fakes import word_tagger

HERE, THERE = "a" * 32, "b" * 32
TEXT = "The printer is dead. We may switch to another till, another till!"
TAG = word_tagger({"printer": "defect", "switch": ("churn_risk", 0.7)}, model="v1")
Say = Callable[..., Corrected]


def add_message(session: Session, number: int, author: str, text: str, where: str = HERE, **content: str) -> None:
    """A message, tagged if it is a customer's or an employee's."""
    session.add(Message(conversation_id=where, number=number, author=author, text=text, content=content))
    session.flush()
    if author in ("customer", "employee"):
        record(session, where, number, TAG(text, "en"))


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """Two conversations: a customer's words in 1 and 3, the bot's in 2, a person's in 4; one of an employee."""
    with Session(engine) as session, session.begin():
        for where in (HERE, THERE):
            session.add(
                Conversation(id=where, channel="webchat", audience="public", language="en", token_hash="0" * 64)
            )
        session.flush()
        add_message(session, 1, "customer", TEXT)
        add_message(session, 2, "bot", "The printer is dead?")
        add_message(session, 3, "customer", "Thank you")
        add_message(session, 4, "agent", "I switch it on")
        add_message(session, 1, "employee", "They told me: the printer again", THERE)
    with Session(engine) as session:
        yield session


@pytest.fixture
def say(session: Session) -> Say:
    """Corrects a tag, each time in a transaction of its own."""

    def say(
        number: int, name: str, verdict: str, quote: str | None = None, by: str = "ada", where: str = HERE
    ) -> Corrected:
        session.rollback()
        with session.begin():
            return correct(session, where, number, name, verdict, by, quote)

    return say


def tags(session: Session, where: str = HERE) -> dict[tuple[int, str], tuple[str, str]]:
    """Origin and state of every tag of a conversation by message and name."""
    rows = session.scalars(select(MessageTag).where(MessageTag.conversation_id == where))
    return {(row.number, row.name): (row.origin, row.state) for row in rows}


def verdicts(session: Session) -> list[tuple[str, str]]:
    """Every verdict ever said, with who said it, oldest first."""
    return [(row.verdict, row.by) for row in session.scalars(select(Correction).order_by(Correction.id))]


MODELS = {(1, "defect"): ("model", "open"), (1, "churn_risk"): ("model", "open")}


def test_confirm_reject_withdraw(session: Session, say: Say) -> None:
    assert tags(session) == MODELS
    made = say(1, "defect", "confirm")
    assert (made.new, made.verdict, made.by, made.number, made.name) == (True, "confirm", "ada", 1, "defect")
    assert made.tag is not None
    assert (made.tag.quote, made.tag.state, made.tag.origin, made.tag.model) == ("printer", "confirmed", "model", "v1")
    assert made.tag.probability == 1.0
    assert abs(made.created_at - dt.datetime.now(dt.UTC)) < dt.timedelta(seconds=30)
    assert tags(session)[1, "defect"] == ("model", "confirmed")
    rejected = say(1, "churn_risk", "reject")
    assert rejected.tag is not None
    assert (rejected.tag.state, rejected.tag.probability) == ("rejected", 0.7)
    found = conversation_tags(session, HERE)
    assert found.kind == "reactive_support"
    assert found.probabilities == pytest.approx({"defect": 1.0})
    say(1, "churn_risk", "withdraw")
    say(1, "defect", "withdraw")
    assert tags(session) == MODELS
    assert conversation_tags(session, HERE).probabilities == pytest.approx({"defect": 0.9, "churn_risk": 0.7})
    assert [verdict for verdict, _ in verdicts(session)] == ["confirm", "reject", "withdraw", "withdraw"]


def test_later_verdict_replaces_the_earlier_and_all_are_kept(session: Session, say: Say) -> None:
    say(1, "defect", "confirm", by="ada")
    say(1, "defect", "reject", by="bo")
    assert tags(session)[1, "defect"] == ("model", "rejected")
    say(1, "defect", "confirm", by="ada")
    assert tags(session)[1, "defect"] == ("model", "confirmed")
    assert verdicts(session) == [("confirm", "ada"), ("reject", "bo"), ("confirm", "ada")]


def test_same_again_changes_nothing(session: Session, say: Say) -> None:
    first = say(1, "defect", "confirm")
    again = say(1, "defect", "confirm", by=" ada ")
    assert (again.new, again.created_at, again.tag) == (False, first.created_at, first.tag)
    added = say(3, "advocacy", "add", "Thank")
    again = say(3, "advocacy", "add", " Thank ")
    assert (again.new, again.tag) == (False, added.tag)
    gone = say(3, "advocacy", "withdraw")
    again = say(3, "advocacy", "withdraw")
    assert (gone.new, gone.tag, again.new, again.tag) == (True, None, False, None)
    assert len(verdicts(session)) == 3


def test_second_person_is_kept_too(session: Session, say: Say) -> None:
    say(1, "defect", "confirm", by="ada")
    assert say(1, "defect", "confirm", by="bo").new
    assert verdicts(session) == [("confirm", "ada"), ("confirm", "bo")]


def test_add_with_a_quote(session: Session, say: Say) -> None:
    made = say(1, "product_feedback", "add", "another till")
    assert made.tag is not None
    start = TEXT.index("another till")
    assert (made.tag.start, made.tag.end, made.tag.quote) == (start, start + 12, "another till")
    assert (made.tag.probability, made.tag.origin, made.tag.state, made.tag.model) == (1.0, "person", "confirmed", "")
    moved = say(1, "product_feedback", "add", "dead")
    assert moved.new
    assert moved.tag is not None
    assert (moved.tag.quote, TEXT[moved.tag.start : moved.tag.end]) == ("dead", "dead")
    assert conversation_tags(session, HERE).probabilities["product_feedback"] == pytest.approx(1.0)


def test_add_without_a_quote_takes_the_whole_message(session: Session, say: Say) -> None:
    made = say(3, "advocacy", "add")
    assert made.tag is not None
    assert (made.tag.start, made.tag.end, made.tag.quote) == (0, 9, "Thank you")


def test_add_to_an_employees_message(session: Session, say: Say) -> None:
    assert say(1, "low_adoption", "add", "again", where=THERE).tag is not None
    assert tags(session, THERE)[1, "low_adoption"] == ("person", "confirmed")
    assert tags(session) == MODELS


def test_added_tag_is_rejected_confirmed_and_vanishes(session: Session, say: Say) -> None:
    say(3, "advocacy", "add")
    say(3, "advocacy", "reject", by="bo")
    assert "advocacy" not in conversation_tags(session, HERE).probabilities
    say(3, "advocacy", "confirm", by="cem")
    assert conversation_tags(session, HERE).probabilities["advocacy"] == pytest.approx(1.0)
    say(3, "advocacy", "withdraw")
    assert tags(session) == MODELS


REFUSED: dict[str, tuple[tuple[object, ...], type[Exception], str]] = {
    "unknown tag": ((1, "chrun_risk", "confirm"), InvalidInput, "no tag 'chrun_risk'"),
    "unknown verdict": ((1, "defect", "maybe"), InvalidInput, "one of confirm, reject, add, withdraw"),
    "bot's message": ((2, "defect", "add"), InvalidInput, "written by the bot"),
    "agent's message": ((4, "churn_risk", "add"), InvalidInput, "written by the agent"),
    "no such message": ((9, "defect", "confirm"), NotFound, "no message 9"),
    "no number at all": ((10**30, "defect", "confirm"), NotFound, "no message 1000"),
    "tag that is not there": ((3, "defect", "confirm"), InvalidInput, "has no tag 'defect'"),
    "rejected tag that is not there": ((3, "defect", "reject"), InvalidInput, "has no tag 'defect'"),
    "tag that is there": ((1, "defect", "add", "dead"), InvalidInput, "has the tag 'defect' already"),
    "nothing to withdraw": ((1, "defect", "withdraw"), InvalidInput, "Nobody has corrected"),
    "another message's words": ((3, "goal", "add", "printer"), InvalidInput, "not in message 3"),
    "words in other letters": ((1, "goal", "add", "PRINTER"), InvalidInput, "not in message 1"),
    "empty quote": ((1, "goal", "add", "  "), InvalidInput, "quote is empty"),
    "quote with a confirmation": ((1, "defect", "confirm", "printer"), InvalidInput, "with 'add' only"),
    "nobody": ((1, "defect", "confirm", None, " "), InvalidInput, "'by' must have 1 to 50"),
    "long name": ((1, "defect", "confirm", None, "a" * 51), InvalidInput, "'by' must have 1 to 50"),
    "name of two lines": ((1, "defect", "confirm", None, "ada\nbo"), InvalidInput, "one line"),
    "half a character": ((1, "defect", "confirm", None, "ada\ud800"), InvalidInput, "one line"),
    "another conversation": ((3, "goal", "add", None, "ada", THERE), NotFound, "no message 3"),
    "unknown conversation": ((1, "defect", "confirm", None, "ada", "c" * 32), NotFound, "no such conversation"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_leaves_nothing(session: Session, say: Say, case: str) -> None:
    arguments, error, message = REFUSED[case]
    with pytest.raises(error, match=message):
        say(*arguments)
    session.rollback()
    assert tags(session) == MODELS
    assert verdicts(session) == []


def test_two_at_once_leave_one_tag(engine: Engine, session: Session) -> None:
    session.rollback()
    begin = threading.Barrier(4)

    def work(by: str) -> bool:
        begin.wait(20)
        with Session(engine) as own, own.begin():
            return correct(own, HERE, 3, "goal", "add", by).new

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, "abcd")) == [True] * 4
    assert tags(session)[3, "goal"] == ("person", "confirmed")
    assert session.scalar(select(func.count()).select_from(Correction)) == 4


# Measured precision


def test_precision_without_corrections(session: Session) -> None:
    measured = precision(session)
    assert [tag.name for tag in measured] == list(TAGS)
    for tag in measured:
        assert (tag.confirmed, tag.rejected, tag.added) == (0, 0, 0)
        assert (tag.precision, tag.low, tag.high) == (None, None, None)


def test_precision_counts_what_is_in_force(session: Session, say: Say) -> None:
    say(1, "defect", "reject")
    say(1, "defect", "confirm")
    say(1, "defect", "reject", where=THERE)
    say(1, "churn_risk", "confirm")
    say(1, "churn_risk", "withdraw")
    say(3, "goal", "add")
    say(3, "renewal", "add")
    say(3, "renewal", "reject")
    found = {tag.name: tag for tag in precision(session)}
    defect = found["defect"]
    assert (defect.confirmed, defect.rejected, defect.added, defect.precision) == (1, 1, 0, 0.5)
    assert (defect.low, defect.high) == wilson(1, 2)
    assert (found["churn_risk"].confirmed, found["churn_risk"].precision) == (0, None)
    assert (found["goal"].added, found["goal"].precision) == (1, None)
    assert found["renewal"].added == 0


def test_precision_is_the_models(session: Session, say: Say) -> None:
    """A yes to the second question was not heard by the model."""
    session.rollback()
    with session.begin():
        tag = session.scalars(select(MessageTag).where(MessageTag.name == "churn_risk")).one()
        tag.origin = "answer"
    say(1, "churn_risk", "reject")
    assert next(tag for tag in precision(session) if tag.name == "churn_risk").rejected == 0


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(0, 1, 0.0, 0.7935), (1, 1, 0.2065, 1.0), (5, 10, 0.2366, 0.7634), (81, 263, 0.2553, 0.3662)],
)
def test_wilson(successes: int, trials: int, low: float, high: float) -> None:
    """The last is R. G. Newcombe's example, Statistics in Medicine 17 (1998)."""
    assert wilson(successes, trials) == pytest.approx((low, high), abs=1e-4)


def test_wilson_without_trials() -> None:
    with pytest.raises(ValueError, match="greater than 0"):
        wilson(0, 0)


# Examples to learn from


def test_no_corrections_no_examples(session: Session) -> None:
    assert corrected_examples(session) == []


def test_examples(session: Session, say: Say) -> None:
    say(1, "defect", "confirm")
    say(1, "churn_risk", "reject")
    say(1, "goal", "add", "another till")
    say(3, "advocacy", "add")
    say(3, "advocacy", "withdraw")
    say(1, "defect", "reject", where=THERE)
    first, second = corrected_examples(session)
    assert (first.text, first.language, first.group) == (TEXT, "en", HERE)
    assert first.tags == {"defect", "goal"}
    assert first.known == {"defect", "goal", "churn_risk"}
    assert {name: [TEXT[a:b] for a, b in spans] for name, spans in first.evidence.items()} == {
        "defect": ["printer"],
        "goal": ["another till"],
    }
    assert (second.group, second.tags, second.known) == (THERE, frozenset(), frozenset({"defect"}))
    assert second.evidence == {}


def test_language_of_an_untagged_message_is_detected(session: Session, say: Say) -> None:
    session.rollback()
    with session.begin():
        session.add(Message(conversation_id=HERE, number=5, author="customer", text="我们明年可能不续约了", content={}))
    say(5, "renewal", "add")
    (example,) = corrected_examples(session)
    assert (example.language, example.tags) == ("zh", frozenset({"renewal"}))


def test_words_that_are_not_the_customers_teach_nothing(session: Session, say: Say) -> None:
    session.rollback()
    with session.begin():
        session.add(
            Message(conversation_id=HERE, number=5, author="customer", text="Yes", content={"payload": "/affirm"})
        )
        session.scalars(select(MessageTag).where(MessageTag.name == "churn_risk")).one().origin = "answer"
    say(5, "expansion", "add")
    say(1, "churn_risk", "confirm")
    assert corrected_examples(session) == []
