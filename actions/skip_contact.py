"""The customer would rather not leave contact details."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions.base import TurnAction, say
from bot.dialogue.turn import TurnContext


class ActionSkipContact(TurnAction):
    """Forgets what the form had so far."""

    def name(self) -> str:
        """As in domain.yml."""
        return "action_skip_contact"

    def act(self, dispatcher: CollectingDispatcher, tracker: Tracker, context: TurnContext) -> list[dict[str, Any]]:
        """Say that it is fine."""
        say(dispatcher, "utter_contact_skipped")
        return [SlotSet(f"contact_{part}", None) for part in ("name", "email", "time")]
