"""Keep the contact details the form collected."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions.base import TurnAction, request, say, say_handed_off
from bot.dialogue.turn import Contact, Escalate, SaveContact, TurnContext


class ActionSaveContact(TurnAction):
    """Runs when the contact form is complete."""

    def name(self) -> str:
        """As in domain.yml."""
        return "action_save_contact"

    def act(self, dispatcher: CollectingDispatcher, tracker: Tracker, context: TurnContext) -> list[dict[str, Any]]:
        """Ask for them to be stored and thank; details that are known already need neither.

        Where no case is open, whoever leaves details still waits to be reached: that opens one.
        """
        name, email, time = (str(tracker.get_slot(f"contact_{part}") or "") for part in ("name", "email", "time"))
        contact = Contact(name=name, email=email, time=time)
        if contact == context.contact:
            return []
        waits = context.case is not None and context.case.open
        if not waits:
            request(dispatcher, Escalate(queue=context.offered_queue, reason="form_sent"))
            say_handed_off(dispatcher, context)
        request(dispatcher, SaveContact(contact=contact))
        say(dispatcher, "utter_contact_saved", contact_name=name, contact_email=email)
        return []
