"""Pass the conversation to a person."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions.base import TurnAction, hand_off
from bot.dialogue.turn import TurnContext


class ActionHandOff(TurnAction):
    """Escalates to the queue that was offered, support by default; once, however often it is asked for.

    Tells the case's number, and the place in the line or, outside of hours, when people are back. The contact form
    follows (data/rules/people.yml).
    """

    def name(self) -> str:
        """As in domain.yml."""
        return "action_hand_off"

    def act(self, dispatcher: CollectingDispatcher, tracker: Tracker, context: TurnContext) -> list[dict[str, Any]]:
        """Escalate, or say that it has been done."""
        hand_off(dispatcher, context, "asked_for")
        return []
