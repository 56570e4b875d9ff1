"""The action that answers: what it says and asks for on each decision."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bot.dialogue.turn import Answered, Case, Escalate, TurnContext, read_effect
from bot.knowledge.answer import Alternative, Answer, Citation
from tests.actions.conftest import Run, StubAnswerer

CITATION = Citation("refunds", "Refunds", "/help/refunds", "en")
ANSWER = Answer("answer", 0.95, "refunds", "en", "Open **Sales**.", (CITATION,), ())
CLARIFY = Answer(
    "clarify",
    0.6,
    "refunds",
    None,
    None,
    (),
    (Alternative("refunds", "Refunds", "en"), Alternative("receipts", 'The "receipt"', "en")),
)
HAND_OFF = Answer("hand_off", 0.1, None, None, None, (), ())
QUESTION = TurnContext(text="How do I refund?", language="en")


async def test_answer(run: Run, answerer: StubAnswerer) -> None:
    answerer.answer = ANSWER
    done = await run("action_answer", QUESTION)
    assert answerer.asked == [("decide", "How do I refund?", "public", "en")]
    assert done.said == []
    (effect,) = map(read_effect, done.effects)
    assert effect == Answered(answer=ANSWER)
    assert done.events == []


async def test_answer_in_another_language_says_so_first(run: Run, answerer: StubAnswerer) -> None:
    answerer.answer = ANSWER
    done = await run("action_answer", replace_context(language="th"))
    assert done.responses[0]["response"] == "utter_other_language"
    assert done.responses[1]["custom"]["effect"] == "answered"
    assert len(done.responses) == 2


def replace_context(**changes: object) -> TurnContext:
    """The question under other circumstances."""
    return TurnContext.model_validate({**QUESTION.model_dump(), **changes})


async def test_audience_is_that_of_the_turn(run: Run, answerer: StubAnswerer) -> None:
    await run("action_answer", replace_context(audience="internal", language="zh"))
    assert answerer.asked == [("decide", "How do I refund?", "internal", "zh")]


async def test_clarify_offers_the_articles(run: Run, answerer: StubAnswerer) -> None:
    answerer.answer = CLARIFY
    done = await run("action_answer", QUESTION)
    assert done.said == ["utter_clarify"]
    (effect,) = done.effects
    assert effect["answer"]["decision"] == "clarify"
    buttons = done.responses[-1]["buttons"]
    assert [button["title"] for button in buttons] == ["Refunds", 'The "receipt"']
    payloads = [button["payload"].removeprefix("/choose_article") for button in buttons]
    assert [json.loads(payload) for payload in payloads] == [{"article_id": "refunds"}, {"article_id": "receipts"}]


@pytest.mark.parametrize(
    ("misses", "said", "escalates"),
    [(0, "utter_no_answer", False), (1, "utter_handed_off", True), (2, "utter_handed_off", True)],
)
async def test_second_question_without_an_answer_is_handed_off(
    run: Run, answerer: StubAnswerer, misses: int, said: str, escalates: bool
) -> None:
    answerer.answer = HAND_OFF
    done = await run("action_answer", replace_context(misses=misses, offered_queue="success"))
    assert done.said == [said]
    effects = [read_effect(effect) for effect in done.effects]
    assert isinstance(effects[0], Answered)
    assert effects[1:] == ([Escalate(queue="success", reason="low_confidence")] if escalates else [])
    if escalates:
        assert done.responses[-1]["case_number"] == "{case_number}"


async def test_no_second_case(run: Run, answerer: StubAnswerer) -> None:
    answerer.answer = HAND_OFF
    done = await run("action_answer", replace_context(misses=1, case=Case(number=7, open=True, since="now")))
    assert done.said == ["utter_already_handed_off"]
    assert done.responses[-1]["case_number"] == 7
    assert [effect["effect"] for effect in done.effects] == ["answered"]


async def test_closed_case_does_not_stand_in_the_way(run: Run, answerer: StubAnswerer) -> None:
    answerer.answer = HAND_OFF
    done = await run("action_answer", replace_context(misses=1, case=Case(number=7, open=False, since="now")))
    assert done.said == ["utter_handed_off"]


@pytest.mark.parametrize("text", ["👍", "?!", "…", "   ", "👩‍👩‍👧‍👦"])
async def test_text_without_words(run: Run, answerer: StubAnswerer, text: str) -> None:
    answerer.answer = HAND_OFF
    done = await run("action_answer", replace_context(text=text, misses=5))
    assert done.said == ["utter_empty_question"]
    assert [effect["effect"] for effect in done.effects] == ["answered"]


async def test_out_of_scope_is_no_question_without_an_answer(run: Run, answerer: StubAnswerer) -> None:
    answerer.answer = HAND_OFF
    done = await run("action_answer", replace_context(misses=5), intent="out_of_scope")
    assert done.said == ["utter_out_of_scope"]
    assert done.effects == []


async def test_answer_to_what_looked_out_of_scope(run: Run, answerer: StubAnswerer) -> None:
    answerer.answer = ANSWER
    done = await run("action_answer", QUESTION, intent="out_of_scope")
    assert [effect["answer"]["decision"] for effect in done.effects] == ["answer"]


@pytest.mark.parametrize("answer", [CLARIFY, HAND_OFF], ids=["clarify", "hand_off"])
async def test_hint_of_a_wish_for_a_person_is_followed_where_no_article_answers(
    run: Run, answerer: StubAnswerer, answer: Answer
) -> None:
    answerer.answer = answer
    done = await run("action_answer", QUESTION, "nlu_fallback", 0.4, others={"request_human": 0.31})
    assert [read_effect(effect) for effect in done.effects] == [
        Answered(answer=answer),
        Escalate(queue="support", reason="asked_for"),
    ]
    assert done.said == ["utter_handed_off"]


async def test_faint_hint_of_a_wish_for_a_person_is_not_followed(run: Run, answerer: StubAnswerer) -> None:
    answerer.answer = HAND_OFF
    done = await run("action_answer", QUESTION, "nlu_fallback", 0.4, others={"request_human": 0.29})
    assert done.said == ["utter_no_answer"]


async def test_article_that_answers_comes_before_a_hint_of_a_wish(run: Run, answerer: StubAnswerer) -> None:
    answerer.answer = ANSWER
    done = await run("action_answer", QUESTION, "nlu_fallback", 0.4, others={"request_human": 0.45})
    assert [effect["effect"] for effect in done.effects] == ["answered"]


@pytest.mark.parametrize("intent", ["leaving", "wants_more", "onboarding_help"])
@pytest.mark.parametrize("answer", [CLARIFY, HAND_OFF], ids=["clarify", "hand_off"])
async def test_intents_whose_rule_goes_on_say_nothing_without_an_answer(
    run: Run, answerer: StubAnswerer, intent: str, answer: Answer
) -> None:
    answerer.answer = answer
    done = await run("action_answer", QUESTION, intent=intent)
    assert done.responses == []
    answerer.answer = ANSWER
    done = await run("action_answer", QUESTION, intent=intent)
    assert [effect["answer"]["decision"] for effect in done.effects] == ["answer"]


async def test_chosen_article(run: Run, answerer: StubAnswerer) -> None:
    answerer.articles = {"refunds": replace(ANSWER, confidence=1.0)}
    done = await run("action_answer", replace_context(article_id="refunds"), intent="choose_article")
    assert answerer.asked == [("article", "refunds", "How do I refund?", "public")]
    assert done.effects[0]["answer"]["confidence"] == 1.0


async def test_chosen_article_that_is_gone_falls_back_to_the_question(run: Run, answerer: StubAnswerer) -> None:
    answerer.answer = ANSWER
    done = await run("action_answer", replace_context(article_id="gone"), intent="choose_article")
    assert [asked[0] for asked in answerer.asked] == ["article", "decide"]
    assert done.effects[0]["answer"]["article_id"] == "refunds"
