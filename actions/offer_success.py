"""Offer a talk with the people for what the customer said between the problems."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions.base import TurnAction, intent_of, request, say
from bot.dialogue.turn import OfferPerson, TurnContext


class ActionOfferSuccess(TurnAction):
    """Offers the success team, or account management to who wants more."""

    def name(self) -> str:
        """As in domain.yml."""
        return "action_offer_success"

    def act(self, dispatcher: CollectingDispatcher, tracker: Tracker, context: TurnContext) -> list[dict[str, Any]]:
        """Say the offer and note the queue it means."""
        intent, _ = intent_of(tracker)
        request(dispatcher, OfferPerson(queue="account_management" if intent == "wants_more" else "success"))
        say(dispatcher, "utter_offer_success")
        return []
