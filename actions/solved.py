"""The customer says that the answer helped."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions.base import TurnAction, request, say
from bot.dialogue.turn import Solved, TurnContext


class ActionSolved(TurnAction):
    """Notes it; whether a second question follows is not decided here."""

    def name(self) -> str:
        """As in domain.yml."""
        return "action_solved"

    def act(self, dispatcher: CollectingDispatcher, tracker: Tracker, context: TurnContext) -> list[dict[str, Any]]:
        """Be glad."""
        request(dispatcher, Solved())
        say(dispatcher, "utter_glad")
        return []
