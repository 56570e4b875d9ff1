"""Answer a question, ask which article is meant, or say that there is none."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions.base import TurnAction, context_of, hand_off, intent_of, probability_of, request, say
from bot.dialogue.turn import Answered, TurnContext
from bot.knowledge.answer import Answer, Answerer

# After that many questions in a row without an answer, a person gets the conversation.
MISSES_BEFORE_HAND_OFF = 2
# Where no article answers, a hint of a wish for a person is enough to follow it.
MAY_WANT_PERSON = 0.3
# Intents whose own rule goes on after the answer; without one they say nothing here.
_GO_ON = {"leaving", "wants_more", "onboarding_help"}
# Intents of what may be the customer's own words on the second question.
_MAY_TELL = {"nlu_fallback", "out_of_scope"}


class ActionAnswer(TurnAction):
    """Decides on the text of the turn, or answers from the article that was chosen.

    Args:
        answerer: Gives the answerer in force.
    """

    def __init__(self, answerer: Callable[[], Answerer]) -> None:
        self._answerer = answerer

    def name(self) -> str:
        """As in domain.yml."""
        return "action_answer"

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Encoding takes a moment: other turns go on meanwhile."""
        context = context_of(tracker)
        answer = await asyncio.to_thread(self._decide, context)
        intent, _ = intent_of(tracker)
        if answer.decision != "answer" and probability_of(tracker, "request_human") >= MAY_WANT_PERSON:
            request(dispatcher, Answered(answer=answer))
            hand_off(dispatcher, context, "asked_for")
        else:
            self._utter(dispatcher, context, answer, intent)
        return []

    def _decide(self, context: TurnContext) -> Answer:
        answerer = self._answerer()
        if context.article_id:
            chosen = answerer.article_answer(context.article_id, context.text, context.audience)
            if chosen:
                return chosen
        return answerer.decide(context.text, context.audience, context.language, context.before)

    def _utter(self, dispatcher: CollectingDispatcher, context: TurnContext, answer: Answer, intent: str) -> None:
        if answer.decision != "answer" and intent in _GO_ON:
            return
        if answer.decision == "answer" and answer.language != context.language:
            say(dispatcher, "utter_other_language")
        # These are not questions we failed to answer: they do not count towards a hand-off.
        if answer.decision != "answer" and context.offer == "second_question" and intent in _MAY_TELL:
            say(dispatcher, "utter_feedback_noted")
            return
        if answer.decision == "hand_off" and intent == "out_of_scope":
            say(dispatcher, "utter_out_of_scope")
            return
        request(dispatcher, Answered(answer=answer))
        if answer.decision == "clarify":
            buttons = [
                {"title": choice.title, "payload": "/choose_article" + json.dumps({"article_id": choice.article_id})}
                for choice in answer.alternatives
            ]
            say(dispatcher, "utter_clarify", buttons=buttons)
        elif answer.decision == "hand_off":
            self._no_answer(dispatcher, context)

    def _no_answer(self, dispatcher: CollectingDispatcher, context: TurnContext) -> None:
        if not any(character.isalnum() for character in context.text):
            say(dispatcher, "utter_empty_question")
        elif context.misses + 1 < MISSES_BEFORE_HAND_OFF:
            say(dispatcher, "utter_no_answer")
        else:
            hand_off(dispatcher, context, "low_confidence")
