"""An answer did not help: offer other words or a person."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions.base import TurnAction, hand_off, request, say
from bot.dialogue.turn import DidNotHelp, TurnContext


class ActionDidNotHelp(TurnAction):
    """Counts as a question without an answer; the second in a row is handed off."""

    def name(self) -> str:
        """As in domain.yml."""
        return "action_did_not_help"

    def act(self, dispatcher: CollectingDispatcher, tracker: Tracker, context: TurnContext) -> list[dict[str, Any]]:
        """Offer, or hand off when it happened before."""
        request(dispatcher, DidNotHelp())
        if context.misses == 0:
            say(dispatcher, "utter_not_helped")
        else:
            hand_off(dispatcher, context, "low_confidence")
        return []
