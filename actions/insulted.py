"""The customer insults the bot."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions.base import TurnAction, request, say
from bot.dialogue.turn import Insulted, TurnContext


class ActionInsulted(TurnAction):
    """Notes that this is no moment for questions of the bot's own."""

    def name(self) -> str:
        """As in domain.yml."""
        return "action_insulted"

    def act(self, dispatcher: CollectingDispatcher, tracker: Tracker, context: TurnContext) -> list[dict[str, Any]]:
        """Be sorry, and offer a person."""
        request(dispatcher, Insulted())
        say(dispatcher, "utter_sorry")
        return []
