"""Pass the conversation to a person."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions.base import CASE_NUMBER, TurnAction, request, say
from bot.dialogue.turn import Escalate, TurnContext


class ActionHandOff(TurnAction):
    """Escalates to the queue that was offered, support by default; once, however often it is asked for."""

    def name(self) -> str:
        """As in domain.yml."""
        return "action_hand_off"

    def act(self, dispatcher: CollectingDispatcher, tracker: Tracker, context: TurnContext) -> list[dict[str, Any]]:
        """Escalate, or say that it has been done."""
        if context.case and context.case.open:
            say(dispatcher, "utter_already_handed_off", case_number=context.case.number)
        else:
            request(dispatcher, Escalate(queue=context.offered_queue, reason="asked_for"))
            say(dispatcher, "utter_handed_off", case_number=CASE_NUMBER)
        return []
