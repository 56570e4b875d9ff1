"""Yes, no or not now to the second question."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions.base import TurnAction, intent_of, request, say
from bot.dialogue.turn import OfferPerson, SecondAnswer, TurnContext
from bot.success.second_question import QUESTIONS


class ActionSecondAnswer(TurnAction):
    """Notes the signal in the answer, and offers the people who act on it."""

    def name(self) -> str:
        """As in domain.yml."""
        return "action_second_answer"

    def act(self, dispatcher: CollectingDispatcher, tracker: Tracker, context: TurnContext) -> list[dict[str, Any]]:
        """Say what fits question and answer."""
        if context.second_question is None:
            say(dispatcher, "utter_anything_else")
            return []
        question = QUESTIONS[context.second_question]
        intent, _ = intent_of(tracker)
        heard = intent == question.telling
        request(dispatcher, SecondAnswer(signal=question.signal if heard else None))
        if heard:
            request(dispatcher, OfferPerson(queue=question.queue))
            say(dispatcher, f"utter_second_answer_{context.second_question}")
        elif intent not in ("affirm", "deny", "answer_helped"):
            say(dispatcher, "utter_second_answer_later")
        elif question.telling or intent == "answer_helped":
            say(dispatcher, "utter_second_answer_thanks")
        else:
            # The question was which result: only the customer's own words answer it.
            say(dispatcher, "utter_second_answer_tell" if intent == "affirm" else "utter_second_answer_later")
        return []
