"""Tell how a customer's case stands."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions.base import TurnAction, say
from bot.dialogue.turn import TurnContext


class ActionCaseStatus(TurnAction):
    """Open since when, closed, or none."""

    def name(self) -> str:
        """As in domain.yml."""
        return "action_case_status"

    def act(self, dispatcher: CollectingDispatcher, tracker: Tracker, context: TurnContext) -> list[dict[str, Any]]:
        """Say it."""
        if context.case is None:
            say(dispatcher, "utter_case_none")
        elif context.case.open:
            say(dispatcher, "utter_case_open", case_number=context.case.number, since=context.case.since)
        else:
            say(dispatcher, "utter_case_closed", case_number=context.case.number)
        return []
