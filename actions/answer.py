"""Answer a question, ask which article is meant, or say that there is none."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions.base import CASE_NUMBER, TurnAction, intent_of, request, say
from bot.dialogue.turn import Answered, Escalate, TurnContext
from bot.knowledge.answer import Answer, Answerer

# After that many questions in a row without an answer, a person gets the conversation.
MISSES_BEFORE_HAND_OFF = 2
# Intents whose own rule goes on after the answer; without one they say nothing here.
_GO_ON = {"leaving", "wants_more", "onboarding_help"}


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
        metadata = tracker.latest_message.get("metadata") or {}
        context = TurnContext.model_validate(metadata.get("turn") or {})
        answer = await asyncio.to_thread(self._decide, context)
        intent, _ = intent_of(tracker)
        self._utter(dispatcher, context, answer, intent)
        return []

    def _decide(self, context: TurnContext) -> Answer:
        answerer = self._answerer()
        if context.article_id:
            chosen = answerer.article_answer(context.article_id, context.text, context.audience)
            if chosen:
                return chosen
        return answerer.decide(context.text, context.audience, context.language)

    def _utter(self, dispatcher: CollectingDispatcher, context: TurnContext, answer: Answer, intent: str) -> None:
        if answer.decision != "answer" and intent in _GO_ON:
            return
        if answer.decision == "answer" and answer.language != context.language:
            say(dispatcher, "utter_other_language")
        request(dispatcher, Answered.model_validate(answer.to_json()))
        if answer.decision == "clarify":
            buttons = [
                {"title": choice.title, "payload": "/choose_article" + json.dumps({"article_id": choice.article_id})}
                for choice in answer.alternatives
            ]
            say(dispatcher, "utter_clarify", buttons=buttons)
        elif answer.decision == "hand_off":
            self._hand_off(dispatcher, context, intent)

    def _hand_off(self, dispatcher: CollectingDispatcher, context: TurnContext, intent: str) -> None:
        if not any(character.isalnum() for character in context.text):
            say(dispatcher, "utter_empty_question")
        elif intent == "out_of_scope":
            say(dispatcher, "utter_out_of_scope")
        elif context.misses + 1 < MISSES_BEFORE_HAND_OFF:
            say(dispatcher, "utter_no_answer")
        elif context.case and context.case.open:
            say(dispatcher, "utter_already_handed_off", case_number=context.case.number)
        else:
            request(dispatcher, Escalate(queue=context.offered_queue, reason="low_confidence"))
            say(dispatcher, "utter_handed_off", case_number=CASE_NUMBER)
