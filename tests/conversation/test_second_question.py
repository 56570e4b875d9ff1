"""The second question in a conversation: asked at the right moment, once, never over a person; its answer is kept."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from bot.channels.webchat.bodies import shown as as_shown
from bot.conversation.models import Conversation, Message, MessageTag, now
from bot.conversation.records import StoredMessage
from bot.conversation.tags import conversation_tags
from bot.dialogue.turn import (
    Choice,
    DidNotHelp,
    Effect,
    Escalate,
    Insulted,
    OfferPerson,
    SecondAnswer,
    Solved,
    TurnResult,
)
from bot.success.models import Account, SecondQuestion
from bot.success.second_question import Policy
from bot.tagging.tags import STAGES, Stage
from tests.conversation.fakes import PATIENCE, Bench, agent_says, said
from tests.conversation.test_learning import answer_of, answers, has_none
from tests.tagging.fakes import word_tagger

MakeBench = Callable[..., Bench]
TAG = word_tagger({"broken": "defect", "awful": "negative", "closed": "urgent", "cafés": "expansion", "aim": "goal"})
POLICY = Policy()
GLAD = said("I am glad.", effects=[Solved()])


async def solved(bench: Bench, *earlier: str, audience: str = "public", **account: Any) -> StoredMessage:
    """A conversation in which an answer has just helped; the customer's message that says so.

    Args:
        bench: Whose service does not tag; earlier messages are tagged here.
        earlier: What the customer wrote before, each answered.
        audience: Of the conversation.
        account: Attributes of its account, if it has one.
    """
    conversation = await bench.new(audience=audience)
    if account:
        belongs_to(bench.engine, conversation, **account)
    bench.dialogue.follow(answers(answer_of()))
    for text in earlier or ("How do I refund?",):
        await bench.say(conversation, text)
    bench.dialogue.follow(GLAD)
    await bench.say(conversation, "That helped")
    for message in bench.messages(conversation):
        if message.author == "customer":
            bench.store.record_tags(message, TAG(message.text, "en"))
    return next(m for m in reversed(bench.messages(conversation)) if m.author == "customer")


def belongs_to(engine: Engine, conversation: str, id: str = "cafe", stage: str | None = None) -> None:
    """Link a conversation to an account."""
    with Session(engine) as session, session.begin():
        session.merge(Account(id=id, stage=stage, created_at=now(), updated_at=now()))
        session.flush()
        session.execute(update(Conversation).where(Conversation.id == conversation).values(account_id=id))


def ask(bench: Bench, message: StoredMessage, policy: Policy = POLICY) -> StoredMessage | None:
    """Ask the second question if it is due."""
    return bench.store.ask_second_question(message, policy, bench.replies.reply)


def asked(engine: Engine) -> list[tuple[str, str | None, int, str]]:
    """All second questions: (conversation, account, number, stage)."""
    with Session(engine) as session:
        rows = session.scalars(select(SecondQuestion).order_by(SecondQuestion.id))
        return [(row.conversation_id, row.account_id, row.number, row.stage) for row in rows]


# Asking


async def test_question_follows_the_reply(make_bench: MakeBench) -> None:
    bench = make_bench(tag=TAG, second_question=POLICY)
    conversation = await bench.new("tr")
    bench.dialogue.follow(answers(answer_of()), GLAD)
    await bench.say(conversation, "İade nasıl yapılır?")
    with bench.delivery.reader(conversation) as reader:
        await bench.say(conversation, "Bu yardımcı oldu, teşekkürler")
        async with asyncio.timeout(PATIENCE):
            while len(bench.messages(conversation)) < 5:
                await reader.wait(PATIENCE)
    messages = bench.messages(conversation)
    assert [(m.number, m.author) for m in messages] == [
        (1, "customer"),
        (2, "bot"),
        (3, "customer"),
        (4, "bot"),
        (5, "bot"),
    ]
    wording = bench.replies.reply("utter_second_question_adoption", "tr")
    assert messages[-1].text == wording.text
    assert messages[-1].content["second_question"] == "adoption"
    assert asked(bench.engine) == [(conversation, None, 5, "adoption")]


async def test_nothing_is_asked_without_a_policy(make_bench: MakeBench) -> None:
    bench = make_bench(tag=TAG)
    conversation = await bench.new()
    bench.dialogue.follow(answers(answer_of()), GLAD)
    await bench.say(conversation, "How do I refund?")
    await bench.say(conversation, "That helped")
    await bench.service.stop(PATIENCE)
    assert len(bench.messages(conversation)) == 4
    assert asked(bench.engine) == []


@pytest.mark.parametrize("stage", STAGES)
async def test_question_fits_the_stage_of_the_account(bench: Bench, stage: Stage) -> None:
    message = await solved(bench, stage=stage)
    question = ask(bench, message)
    assert question is not None
    assert question.text == bench.replies.reply(f"utter_second_question_{stage}", "en").text
    assert asked(bench.engine) == [(message.conversation_id, "cafe", question.number, stage)]
    payloads = [choice["payload"] for choice in question.content["choices"]]
    assert payloads[-1] == '/not_now{"question": 5}'
    assert all(payload.endswith('{"question": 5}') for payload in payloads)


@pytest.mark.parametrize("account", [{}, {"id": "cafe"}])
async def test_question_fits_what_was_heard(bench: Bench, account: dict[str, str]) -> None:
    tag = word_tagger({"contract": "renewal"})
    message = await solved(bench, "How do I refund, before our contract ends?", **account)
    first = bench.messages(message.conversation_id)[0]
    with Session(bench.engine) as session, session.begin():
        found = tag(first.text, "en").tags[0]
        session.add(
            MessageTag(
                conversation_id=first.conversation_id,
                number=first.number,
                name=found.name,
                probability=found.probability,
                start=found.start,
                end=found.end,
                quote=found.quote,
                model="words",
            )
        )
    question = ask(bench, message)
    assert question is not None
    assert question.content["second_question"] == "retention"


# Not asking


@pytest.mark.parametrize(
    "earlier",
    [
        ("This is awful, how do I refund?",),
        ("Everything is closed, how do I refund?",),
        ("Our aim is less waste. How do I refund?",),
        ("How do I refund? We open two more cafés.",),
    ],
    ids=["bad mood", "urgent", "heard already", "people have work"],
)
async def test_not_asked_after(bench: Bench, earlier: tuple[str, ...]) -> None:
    message = await solved(bench, *earlier)
    assert ask(bench, message, Policy(default_stage="adoption")) is None
    assert asked(bench.engine) == []


async def test_a_bad_mood_passes(bench: Bench) -> None:
    message = await solved(bench, "This is awful, how do I refund?", "And receipts?", "And tips?")
    assert ask(bench, message) is not None


async def test_not_asked_after_an_insult(bench: Bench) -> None:
    conversation = await bench.new()
    bench.dialogue.follow(said("I am sorry.", effects=[Insulted()]), answers(answer_of()), GLAD)
    for text in ("You fool", "How do I refund?", "That helped"):
        await bench.say(conversation, text)
    assert ask(bench, bench.messages(conversation)[-2]) is None


async def test_not_asked_after_a_thumb_down(bench: Bench) -> None:
    message = await solved(bench, "How do I refund?", "And receipts?")
    bench.store.give_thumb(message.conversation_id, 2, "down")
    assert ask(bench, message) is None
    bench.store.give_thumb(message.conversation_id, 2, "up")
    assert ask(bench, message) is not None


@pytest.mark.parametrize(
    "before",
    [
        [said("Hello!")],
        [has_none()],
        [answers(answer_of()), has_none()],
        [answers(answer_of()), said("Sorry.", effects=[DidNotHelp()])],
    ],
    ids=["nothing asked", "no answer", "no answer since", "did not help"],
)
async def test_not_asked_when_nothing_was_solved(bench: Bench, before: list[TurnResult]) -> None:
    conversation = await bench.new()
    bench.dialogue.follow(*before, GLAD)
    for number in range(len(before) + 1):
        await bench.say(conversation, f"message {number}")
    assert bench.messages(conversation)[-1].content.get("solved")
    assert ask(bench, bench.messages(conversation)[-2]) is None


async def test_not_asked_after_another_reply(bench: Bench) -> None:
    message = await solved(bench)
    bench.dialogue.follow(said("You are welcome."))
    await bench.say(message.conversation_id, "Thanks")
    assert ask(bench, bench.messages(message.conversation_id)[-2]) is None


async def test_not_asked_when_a_new_message_has_arrived(bench: Bench) -> None:
    message = await solved(bench)
    bench.store.add_customer_message(message.conversation_id, "new", "One more thing", {})
    assert ask(bench, message) is None
    assert [m.number for m in bench.messages(message.conversation_id)] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("owner", ["agent:ada", "queue:support"])
async def test_not_asked_when_the_owner_has_changed(bench: Bench, owner: str) -> None:
    message = await solved(bench)
    bench.give_to(message.conversation_id, owner)
    assert ask(bench, message) is None


async def test_not_asked_when_a_person_has_written(bench: Bench) -> None:
    message = await solved(bench)
    agent_says(bench.changes, message.conversation_id, "ada", "Good that it works.")
    bench.give_to(message.conversation_id, "bot")
    assert ask(bench, message) is None


async def test_not_asked_while_a_case_is_open(bench: Bench) -> None:
    conversation = await bench.new()
    bench.dialogue.follow(
        said("Case {case_number}.", effects=[Escalate(queue="support", reason="asked_for")]), answers(answer_of()), GLAD
    )
    for text in ("A person, please", "How do I refund?", "That helped"):
        await bench.say(conversation, text)
    assert ask(bench, bench.messages(conversation)[-2]) is None


async def test_employees_are_not_asked(bench: Bench) -> None:
    assert ask(bench, await solved(bench, audience="internal")) is None


async def test_not_asked_long_after_the_reply(bench: Bench) -> None:
    message = await solved(bench)
    with Session(bench.engine) as session, session.begin():
        for stored in session.scalars(select(Message).where(Message.conversation_id == message.conversation_id)):
            stored.created_at -= dt.timedelta(hours=1)
    assert ask(bench, message) is None


# Once


async def test_asked_once_in_a_conversation(bench: Bench) -> None:
    message = await solved(bench)
    assert ask(bench, message) is not None
    assert ask(bench, message) is None
    bench.dialogue.follow(answers(answer_of("tips")), GLAD)
    await bench.say(message.conversation_id, "And tips?")
    await bench.say(message.conversation_id, "That helped")
    again = bench.messages(message.conversation_id)[-2]
    assert ask(bench, again) is None
    assert len(asked(bench.engine)) == 1


async def test_asked_once_by_many_at_once(bench: Bench) -> None:
    message = await solved(bench)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: ask(bench, message), range(8)))
    assert sum(question is not None for question in found) == 1
    assert [m.number for m in bench.messages(message.conversation_id)] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(("other", "is_asked"), [("cafe", False), ("bakery", True)])
async def test_asked_once_in_an_account(bench: Bench, other: str, is_asked: bool) -> None:
    assert ask(bench, await solved(bench, id="cafe")) is not None
    assert (ask(bench, await solved(bench, id=other)) is not None) is is_asked


async def test_asked_again_after_the_pause(bench: Bench) -> None:
    assert ask(bench, await solved(bench, id="cafe")) is not None
    with Session(bench.engine) as session, session.begin():
        session.execute(update(SecondQuestion).values(created_at=now() - dt.timedelta(days=31)))
    assert ask(bench, await solved(bench, id="cafe"), Policy(pause=dt.timedelta(days=40))) is None
    assert ask(bench, await solved(bench, id="cafe")) is not None


# The answer


async def answer(bench: Bench, stage: Stage, payload: str = "", text: str = "") -> None:
    """Ask a stage's question, and answer it with a choice or a text that tells of growth."""
    message = await solved(bench, stage=stage)
    assert ask(bench, message) is not None
    effects: list[Effect] = [SecondAnswer(signal="expansion"), OfferPerson(queue="account_management")]
    bench.dialogue.follow(said("I see.", effects=effects))
    await bench.say(message.conversation_id, text, payload or None)


@pytest.mark.parametrize("stage", STAGES)
async def test_dialogue_learns_which_question_was_asked(bench: Bench, stage: Stage) -> None:
    await answer(bench, stage, text="hm")
    context = bench.dialogue.calls[-1].context
    assert (context.offer, context.second_question) == ("second_question", stage)


async def test_choice_answers_the_question_it_stands_below(bench: Bench) -> None:
    message = await solved(bench, stage="expansion")
    assert ask(bench, message) is not None
    bench.dialogue.follow(said("Hello!"))
    await bench.say(message.conversation_id, "hello")
    await bench.say(message.conversation_id, "hello again")
    await bench.say(message.conversation_id, payload='/affirm{"question": 5}')
    contexts = [call.context for call in bench.dialogue.calls[-3:]]
    assert [context.offer for context in contexts] == ["second_question", "none", "second_question"]
    assert contexts[-1].second_question == "expansion"


@pytest.mark.parametrize(
    ("text", "payload"),
    [("Not now", '/not_now{"question": 5}'), ("yes.", '/affirm{"question": 5}'), ("yes, perhaps", None)],
)
async def test_choice_may_be_typed(bench: Bench, text: str, payload: str | None) -> None:
    await answer(bench, "expansion", text=text)
    call = bench.dialogue.calls[-1]
    assert (call.payload, call.context.text, call.context.second_question) == (payload, text, "expansion")


@pytest.mark.parametrize("payload", ["/request_human", '/choose_article{"article_id": "refunds"}'])
async def test_other_choices_do_not_answer_it(bench: Bench, payload: str) -> None:
    conversation = await bench.new()
    offer = said("Which?", choices=[Choice(label="This", payload=payload)])
    bench.dialogue.follow(offer, answers(answer_of()), GLAD, said("All right."))
    for text in ("hm", "How do I refund?", "That helped"):
        await bench.say(conversation, text)
    assert ask(bench, bench.messages(conversation)[-2]) is not None
    await bench.say(conversation, payload=payload)
    context = bench.dialogue.calls[-1].context
    assert (context.offer, context.second_question) == ("none", None)


@pytest.mark.parametrize(
    ("payload", "text", "quote"), [('/affirm{"question": 5}', "", "Yes"), ("", "yes, why not", "yes, why not")]
)
async def test_answer_is_tagged_with_the_whole_message(bench: Bench, payload: str, text: str, quote: str) -> None:
    await answer(bench, "expansion", payload, text)
    with Session(bench.engine) as session:
        (tag,) = session.scalars(select(MessageTag))
        assert (tag.name, tag.number, tag.probability) == ("expansion", 6, 0.9)
        assert (tag.quote, tag.start, tag.end) == (quote, 0, len(quote))
        assert (tag.origin, tag.model, tag.state) == ("answer", "answer", "open")
        assert conversation_tags(session, tag.conversation_id).stage == "expansion"
    (work,) = bench.escalations()
    assert (work.queue, work.reason, work.signals) == ("account_management", "signal", ["expansion"])


async def test_answer_is_tagged_once_when_the_model_hears_it_too(bench: Bench) -> None:
    await answer(bench, "expansion", text="yes, two more cafés")
    with Session(bench.engine) as session:
        conversation = session.scalars(select(MessageTag.conversation_id)).one()
    message = next(m for m in bench.messages(conversation) if m.number == 6)
    bench.store.record_tags(message, TAG(message.text, "en"))
    with Session(bench.engine) as session:
        assert [(tag.name, tag.origin) for tag in session.scalars(select(MessageTag))] == [("expansion", "answer")]
    assert len(bench.escalations()) == 1


async def test_answer_without_a_signal_leaves_no_tag(bench: Bench) -> None:
    message = await solved(bench)
    assert ask(bench, message) is not None
    bench.dialogue.follow(said("Another time.", effects=[SecondAnswer(signal=None)]))
    await bench.say(message.conversation_id, payload='/not_now{"question": 5}')
    with Session(bench.engine) as session:
        assert list(session.scalars(select(MessageTag))) == []
    assert bench.escalations() == []
    assert len(asked(bench.engine)) == 1


async def test_answer_under_an_older_ownership_leaves_nothing(bench: Bench) -> None:
    message = await solved(bench)

    async def slow(call: object) -> TurnResult:
        bench.give_to(message.conversation_id, "agent:ada")
        return said("I see.", effects=[SecondAnswer(signal="expansion")])

    bench.dialogue.script = slow
    await bench.say(message.conversation_id, "yes")
    with Session(bench.engine) as session:
        assert list(session.scalars(select(MessageTag))) == []


async def test_marks_are_not_shown(bench: Bench) -> None:
    """The customer's page gets the question, not what a stored message remembers of its turn."""
    message = await solved(bench, stage="retention")
    assert ask(bench, message) is not None
    shown = [as_shown(stored).model_dump_json() for stored in bench.messages(message.conversation_id)]
    assert '"choices":[{' in shown[-1]
    assert not any(word in one for one in shown for word in ("solved", "second_question", "retention"))
