"""What is recorded of the bot's decisions and what customers make of them, and which questions come out unhappy."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import Engine, delete, select, update
from sqlalchemy.orm import Session

from bot.conversation import learning
from bot.conversation.models import Decided, Message, Reaction
from bot.conversation.records import Thumb
from bot.dialogue.turn import Answered, Choice, DidNotHelp, Effect, Escalate, Queue, Reason, Reply, TurnResult
from bot.errors import EncoderError, InvalidInput, NotFound
from bot.knowledge.answer import Answer, Citation
from tests.conversation.fakes import Bench, said

MakeBench = Callable[..., Bench]
LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


def answer_of(article_id: str = "refunds", confidence: float = 0.9) -> Answer:
    """An answer from an article."""
    citation = Citation(article_id, article_id.title(), f"/help/{article_id}", "en")
    return Answer("answer", confidence, article_id, "en", f"Passage of {article_id}.", (citation,), ())


CLARIFY = Answer("clarify", 0.5, "refunds", None, None, (), ())
HAND_OFF = Answer("hand_off", 0.1, "receipts", None, None, (), ())


def answers(answer: Answer) -> TurnResult:
    """A turn that answers."""
    return TurnResult(replies=[Reply(text=answer.answer or "", answered=answer)], effects=[Answered(answer=answer)])


def asks_back(*articles: str) -> TurnResult:
    """A turn that offers articles."""
    choices = [Choice(label=a.title(), payload=payload(a)) for a in articles]
    reply = Reply(text="Which of these?", choices=choices, answered=CLARIFY)
    return TurnResult(replies=[reply], effects=[Answered(answer=CLARIFY)])


def has_none() -> TurnResult:
    """A turn without an answer."""
    return TurnResult(replies=[Reply(text="I do not know.", answered=HAND_OFF)], effects=[Answered(answer=HAND_OFF)])


def escalates(queue: Queue = "support", reason: Reason = "asked_for", *more: Effect) -> TurnResult:
    """A turn that hands the conversation off."""
    return said("Case {case_number}.", effects=[Escalate(queue=queue, reason=reason), *more])


def payload(article_id: str) -> str:
    """Of the choice of an article."""
    return "/choose_article" + json.dumps({"article_id": article_id})


def decided(engine: Engine) -> list[Decided]:
    """All decisions, oldest first."""
    with Session(engine, expire_on_commit=False) as session:
        return list(session.scalars(select(Decided).order_by(Decided.id)))


def reactions(engine: Engine) -> list[tuple[int, str, int | None]]:
    """All reactions: (number of the turn reacted to, kind, number of the message that shows it)."""
    with Session(engine) as session:
        rows = session.execute(
            select(Decided.turn_number, Reaction.kind, Reaction.number)
            .join(Reaction, Reaction.decision_id == Decided.id)
            .order_by(Reaction.id)
        )
        return [(turn, kind, number) for turn, kind, number in rows]


def unhappy(engine: Engine, audience: str = "public", language: str | None = None) -> list[tuple[str, str]]:
    """(text, reason) of the questions without a good answer."""
    with Session(engine) as session:
        found = learning.unhappy_questions(session, LONG_AGO, audience, language)
        return [(question.text, question.reason) for question in found]


@pytest.mark.parametrize(
    ("result", "decision", "article", "confidence"),
    [
        (answers(answer_of()), "answer", "refunds", 0.9),
        (asks_back("refunds", "receipts"), "clarify", "refunds", 0.5),
        (has_none(), "hand_off", "receipts", 0.1),
    ],
)
async def test_every_decision_is_recorded(
    bench: Bench, result: TurnResult, decision: str, article: str, confidence: float
) -> None:
    conversation = await bench.new()
    bench.dialogue.follow(said("Hello."), result)
    await bench.say(conversation, "Hello there")
    await bench.say(conversation, "Satış iadesini nasıl yapabilirim acaba?")
    (row,) = decided(bench.engine)
    assert (row.conversation_id, row.turn_number, row.question_number, row.reply_number) == (conversation, 3, 3, 4)
    assert (row.decision, row.article_id, row.confidence) == (decision, article, confidence)
    assert (row.language, row.audience) == ("tr", "public")
    assert dt.datetime.now(dt.UTC) - row.created_at < dt.timedelta(minutes=1)


async def test_reply_that_carries_the_decision_is_found_among_others(bench: Bench) -> None:
    conversation = await bench.new()
    result = answers(answer_of())
    bench.dialogue.follow(result.model_copy(update={"replies": [Reply(text="Only in English:"), *result.replies]}))
    await bench.say(conversation, "How?")
    assert [row.reply_number for row in decided(bench.engine)] == [3]


async def test_decision_without_a_reply_of_its_own(bench: Bench) -> None:
    conversation = await bench.new()
    bench.dialogue.follow(said("An offer.", effects=[Answered(answer=HAND_OFF)]))
    await bench.say(conversation, "I want to leave")
    assert [row.reply_number for row in decided(bench.engine)] == [None]


async def test_turn_that_is_dropped_leaves_no_decision(bench: Bench) -> None:
    conversation = await bench.new()

    async def script(call: object) -> TurnResult:
        bench.give_to(conversation, "agent:ayse")
        return answers(answer_of())

    bench.dialogue.script = script
    await bench.say(conversation, "How?")
    assert decided(bench.engine) == []


async def test_decision_goes_with_its_question(bench: Bench) -> None:
    conversation = await bench.new()
    bench.dialogue.follow(answers(answer_of()), said("Sorry.", effects=[DidNotHelp()]))
    await bench.say(conversation, "How?")
    await bench.say(conversation, "That did not help")
    with Session(bench.engine) as session, session.begin():
        session.execute(delete(Message))
    assert (decided(bench.engine), reactions(bench.engine)) == ([], [])


# What customers make of it


async def test_choice_is_recorded_with_the_question_it_answers(bench: Bench) -> None:
    conversation = await bench.new()
    chosen = answer_of("receipts", 1.0)
    bench.dialogue.follow(asks_back("refunds", "receipts"), said("Hi."), answers(chosen))
    await bench.say(conversation, "receipt")
    await bench.say(conversation, "hello")
    await bench.say(conversation, payload=payload("receipts"))
    first, second = decided(bench.engine)
    assert (second.turn_number, second.question_number, second.article_id) == (5, 1, "receipts")
    assert reactions(bench.engine) == [(1, "chosen", 5)]
    with Session(bench.engine) as session:
        assert session.scalar(select(Reaction.article_id)) == "receipts"
    assert unhappy(bench.engine) == []
    bench.store.give_thumb(conversation, 6, "down")
    assert unhappy(bench.engine) == [("receipt", "thumb_down")]
    assert first.id != second.id


async def test_choice_belongs_to_the_question_that_offered_it(bench: Bench) -> None:
    conversation = await bench.new()
    bench.dialogue.follow(asks_back("refunds"), asks_back("printer"), answers(answer_of("refunds", 1.0)))
    await bench.say(conversation, "money")
    await bench.say(conversation, "paper")
    await bench.say(conversation, payload=payload("refunds"))
    assert reactions(bench.engine) == [(1, "chosen", 5)]
    assert unhappy(bench.engine) == [("paper", "no_choice")]


async def test_answer_that_did_not_help(bench: Bench) -> None:
    conversation = await bench.new()
    bench.dialogue.follow(answers(answer_of()), said("Sorry.", effects=[DidNotHelp()]))
    await bench.say(conversation, "How?")
    await bench.say(conversation, "That did not help")
    await bench.say(conversation, "Still not")
    assert reactions(bench.engine) == [(1, "did_not_help", 3)]
    assert unhappy(bench.engine) == [("How?", "did_not_help")]
    assert len(decided(bench.engine)) == 1
    assert bench.store.snapshot(conversation).misses == 2


async def test_none_of_the_choices(bench: Bench) -> None:
    conversation = await bench.new()
    bench.dialogue.follow(asks_back("refunds"), said("Sorry.", effects=[DidNotHelp()]))
    await bench.say(conversation, "printer")
    await bench.say(conversation, "none of these")
    assert reactions(bench.engine) == [(1, "did_not_help", 3)]
    assert unhappy(bench.engine) == [("printer", "no_choice")]


async def test_hand_off_right_after_an_answer(bench: Bench) -> None:
    conversation = await bench.new()
    bench.dialogue.follow(answers(answer_of()), escalates())
    await bench.say(conversation, "How?")
    await bench.say(conversation, "A person, please")
    assert reactions(bench.engine) == [(1, "handed_off", 3)]
    assert unhappy(bench.engine) == [("How?", "handed_off")]


@pytest.mark.parametrize(
    "second",
    [
        escalates("account_management"),
        escalates("support", "bot_unavailable"),
        escalates("support", "low_confidence", Answered(answer=HAND_OFF)),
    ],
    ids=["offered by the bot", "bot unavailable", "for another question"],
)
async def test_hand_off_that_does_not_blame_the_answer(bench: Bench, second: TurnResult) -> None:
    conversation = await bench.new()
    bench.dialogue.follow(answers(answer_of()), second)
    await bench.say(conversation, "How?")
    await bench.say(conversation, "Yes")
    assert reactions(bench.engine) == []


async def test_hand_off_later_on_does_not_blame_the_answer(bench: Bench) -> None:
    conversation = await bench.new()
    bench.dialogue.follow(answers(answer_of()), said("You are welcome."), escalates())
    for text in ("How?", "thanks", "A person, please"):
        await bench.say(conversation, text)
    assert reactions(bench.engine) == []


def alike(earlier: str, later: str) -> bool:
    """Texts with the same first word ask the same."""
    return earlier.split()[0] == later.split()[0]


async def test_question_in_other_words(make_bench: MakeBench) -> None:
    bench = make_bench(asks_again=alike)
    conversation = await bench.new()
    bench.dialogue.follow(answers(answer_of()))
    for text in ("refund how", "refund where", "printer broken"):
        await bench.say(conversation, text)
    assert reactions(bench.engine) == [(1, "rephrased", 3)]
    assert unhappy(bench.engine) == [("refund how", "rephrased")]


async def test_only_questions_are_compared(make_bench: MakeBench) -> None:
    compared: list[tuple[str, str]] = []

    def compare(earlier: str, later: str) -> bool:
        compared.append((earlier, later))
        return False

    bench = make_bench(asks_again=compare)
    conversation = await bench.new()
    bench.dialogue.follow(
        said("Hi."), asks_back("refunds"), said("Welcome."), answers(answer_of("refunds", 1.0)), answers(answer_of())
    )
    for text in ("hello", "printer", "thanks"):
        await bench.say(conversation, text)
    await bench.say(conversation, payload=payload("refunds"))
    await bench.say(conversation, "something else")
    assert compared == [("printer", "something else")]


async def test_what_was_asked_long_ago_is_not_compared(make_bench: MakeBench) -> None:
    bench = make_bench(asks_again=alike)
    conversation = await bench.new()
    bench.dialogue.follow(answers(answer_of()))
    await bench.say(conversation, "refund how")
    with Session(bench.engine) as session, session.begin():
        earlier = dt.datetime.now(dt.UTC) - learning.REPHRASED_WITHIN - dt.timedelta(seconds=1)
        session.execute(update(Message).values(created_at=earlier))
    await bench.say(conversation, "refund where")
    assert reactions(bench.engine) == []


async def test_answer_is_not_lost_when_nothing_can_be_compared(
    make_bench: MakeBench, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(earlier: str, later: str) -> bool:
        raise EncoderError("The encoder is gone.")

    bench = make_bench(asks_again=fail)
    conversation = await bench.new()
    bench.dialogue.follow(answers(answer_of()))
    await bench.say(conversation, "refund how")
    assert [m.text for m in await bench.say(conversation, "refund where")] == ["Passage of refunds."]
    assert "The encoder is gone." in caplog.text


# Thumbs


async def answered_once(bench: Bench) -> str:
    """A conversation whose message 2 is an answer."""
    conversation = await bench.new()
    bench.dialogue.follow(answers(answer_of()), said("Hello."))
    await bench.say(conversation, "How?")
    await bench.say(conversation, "Hi")
    return conversation


async def test_thumb_is_given_changed_and_taken_back(bench: Bench) -> None:
    conversation = await answered_once(bench)
    steps: list[Thumb | None] = ["down", "down", "up", "up", None, None, "down"]
    for thumb in steps:
        bench.store.give_thumb(conversation, 2, thumb)
        assert [m.thumb for m in bench.messages(conversation)] == [None, thumb, None, None]
        assert reactions(bench.engine) == ([(1, f"thumb_{thumb}", None)] if thumb else [])
    assert unhappy(bench.engine) == [("How?", "thumb_down")]


async def test_thumb_up_outweighs_other_signs(bench: Bench) -> None:
    conversation = await bench.new()
    bench.dialogue.follow(answers(answer_of()), escalates())
    await bench.say(conversation, "How?")
    await bench.say(conversation, "A person, please")
    bench.store.give_thumb(conversation, 2, "up")
    assert unhappy(bench.engine) == []


@pytest.mark.parametrize("number", [1, 4])
async def test_only_answers_take_a_thumb(bench: Bench, number: int) -> None:
    conversation = await answered_once(bench)
    with pytest.raises(InvalidInput, match=f"Message {number} is not an answer"):
        bench.store.give_thumb(conversation, number, "up")


async def test_choices_take_no_thumb(bench: Bench) -> None:
    conversation = await bench.new()
    bench.dialogue.follow(asks_back("refunds"))
    await bench.say(conversation, "printer")
    with pytest.raises(InvalidInput):
        bench.store.give_thumb(conversation, 2, "up")


async def test_thumb_for_a_message_that_is_not_there(bench: Bench) -> None:
    conversation = await answered_once(bench)
    with pytest.raises(NotFound, match="no message 99"):
        bench.store.give_thumb(conversation, 99, "up")


# Which questions come out unhappy


async def test_good_answers_are_no_gap(bench: Bench) -> None:
    await answered_once(bench)
    assert unhappy(bench.engine) == []


async def test_questions_are_filtered(bench: Bench) -> None:
    bench.dialogue.follow(has_none())
    await bench.say(await bench.new(), "Do you sell coffee beans wholesale?")
    await bench.say(await bench.new(), "Toptan kahve çekirdeği satıyor musunuz acaba?")
    await bench.say(await bench.new(audience="internal"), "What is the discount limit for chains?")
    await bench.say(await bench.new(), "?!")
    assert [text for text, _ in unhappy(bench.engine, language="tr")] == [
        "Toptan kahve çekirdeği satıyor musunuz acaba?"
    ]
    assert len(unhappy(bench.engine)) == 2
    assert unhappy(bench.engine, "internal") == [("What is the discount limit for chains?", "no_answer")]
    with Session(bench.engine) as session:
        later = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1)
        assert learning.unhappy_questions(session, later, "public") == []
        assert learning.count_decisions(session) == 4


async def test_question_carries_what_was_decided(bench: Bench) -> None:
    conversation = await bench.new()
    bench.dialogue.follow(answers(replace(answer_of(), confidence=0.87654)))
    await bench.say(conversation, "How?")
    bench.store.give_thumb(conversation, 2, "down")
    with Session(bench.engine) as session:
        (question,) = learning.unhappy_questions(session, LONG_AGO, "public")
    assert (question.article_id, question.confidence, question.conversation) == ("refunds", 0.8765, conversation)
