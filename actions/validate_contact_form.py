"""Read an answer to the contact form's question, or leave the turn to what else was said."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions.base import TurnAction, intent_of, say
from bot.dialogue.turn import TurnContext
from bot.handoff.contact import read_detail


class ValidateContactForm(TurnAction):
    """A detail fills its slot, a wrong one is asked for again, a question or a "stop" interrupts the form."""

    def name(self) -> str:
        """As in domain.yml."""
        return "validate_contact_form"

    def act(self, dispatcher: CollectingDispatcher, tracker: Tracker, context: TurnContext) -> list[dict[str, Any]]:
        """Fill, refuse or step aside."""
        slot = tracker.get_slot("requested_slot")
        if slot is None:
            return []
        found = read_detail(slot.removeprefix("contact_"), context.text, *intent_of(tracker))
        if found.interrupts:
            return []
        if found.value is None and found.problem:
            say(dispatcher, found.problem)
        return [SlotSet(slot, found.value)]
