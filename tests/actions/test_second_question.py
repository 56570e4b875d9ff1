"""The actions around the second question: solved, insulted, the answer."""

from __future__ import annotations

from typing import Any

import pytest

from bot.dialogue.turn import Effect, Insulted, OfferPerson, SecondAnswer, Solved, TurnContext, read_effect
from bot.knowledge.answer import Answer
from bot.tagging.tags import STAGES
from tests.actions.conftest import Run, StubAnswerer
from tests.conversation.fakes import domain_replies


@pytest.mark.parametrize("intent", ["answer_helped", "affirm", "thank"])
async def test_solved(run: Run, intent: str) -> None:
    done = await run("action_solved", TurnContext(text="that helped"), intent)
    assert [read_effect(effect) for effect in done.effects] == [Solved()]
    assert done.said == ["utter_glad"]


async def test_insulted(run: Run) -> None:
    done = await run("action_insulted", TurnContext(text="you fool"), "insult")
    assert [read_effect(effect) for effect in done.effects] == [Insulted()]
    assert done.said == ["utter_sorry"]


NONE = [SecondAnswer(signal=None)]


@pytest.mark.parametrize(
    ("stage", "intent", "said", "effects"),
    [
        ("onboarding", "affirm", "thanks", NONE),
        ("onboarding", "deny", "onboarding", [SecondAnswer(signal="onboarding_need"), OfferPerson(queue="success")]),
        ("adoption", "affirm", "tell", NONE),
        ("adoption", "deny", "later", NONE),
        ("retention", "affirm", "retention", [SecondAnswer(signal="churn_risk"), OfferPerson(queue="success")]),
        ("retention", "deny", "thanks", NONE),
        (
            "expansion",
            "affirm",
            "expansion",
            [SecondAnswer(signal="expansion"), OfferPerson(queue="account_management")],
        ),
        ("expansion", "deny", "thanks", NONE),
        ("onboarding", "answer_helped", "thanks", NONE),
        ("retention", "answer_helped", "thanks", NONE),
    ],
)
async def test_yes_and_no(run: Run, stage: Any, intent: str, said: str, effects: list[Effect]) -> None:
    context = TurnContext(text="…", offer="second_question", second_question=stage)
    done = await run("action_second_answer", context, intent)
    assert done.said == [f"utter_second_answer_{said}"]
    assert domain_replies().reply(done.said[0], "en").text
    assert [read_effect(effect) for effect in done.effects] == effects


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("intent", ["not_now", "stop"])
async def test_not_now(run: Run, stage: Any, intent: str) -> None:
    context = TurnContext(text="not now", offer="second_question", second_question=stage)
    done = await run("action_second_answer", context, intent)
    assert done.said == ["utter_second_answer_later"]
    assert [read_effect(effect) for effect in done.effects] == NONE


async def test_answer_to_a_question_that_is_not_known(run: Run) -> None:
    done = await run("action_second_answer", TurnContext(text="yes"), "affirm")
    assert done.said == ["utter_anything_else"]
    assert done.effects == []


ANSWER = Answer("answer", 0.95, "refunds", "en", "Open **Sales**.", (), ())
OWN_WORDS = TurnContext(text="a shorter queue", offer="second_question", second_question="adoption")


@pytest.mark.parametrize("intent", ["nlu_fallback", "out_of_scope"])
@pytest.mark.parametrize("decision", ["clarify", "hand_off"])
async def test_own_words_are_no_question_without_an_answer(
    run: Run, answerer: StubAnswerer, intent: str, decision: Any
) -> None:
    answerer.answer = Answer(decision, 0.4, None, None, None, (), ())
    done = await run("action_answer", OWN_WORDS, intent)
    assert done.said == ["utter_feedback_noted"]
    assert done.effects == []


@pytest.mark.parametrize(("intent", "found"), [("product_question", False), ("nlu_fallback", True)])
async def test_a_question_instead_of_an_answer_is_answered(
    run: Run, answerer: StubAnswerer, intent: str, found: bool
) -> None:
    if found:
        answerer.answer = ANSWER
    done = await run("action_answer", OWN_WORDS, intent)
    assert [effect["effect"] for effect in done.effects] == ["answered"]
    assert done.said == ([] if found else ["utter_no_answer"])
