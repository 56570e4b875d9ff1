"""Tell how a customer's case stands."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions.base import TurnAction, next_opening, say
from bot.dialogue.turn import Case, TurnContext
from bot.handoff.case_number import mentioned


class ActionCaseStatus(TurnAction):
    """Of the case whose number was written, if it is the customer's own; else of the one in this conversation."""

    def name(self) -> str:
        """As in domain.yml."""
        return "action_case_status"

    def act(self, dispatcher: CollectingDispatcher, tracker: Tracker, context: TurnContext) -> list[dict[str, Any]]:
        """Say it."""
        number = mentioned(context.text)
        case = context.case
        if number is not None and (case is None or case.number != number):
            case = next((own for own in context.cases if own.number == number), None)
            if case is None:
                say(dispatcher, "utter_case_unknown", case_number=number)
                return []
        if case is None:
            say(dispatcher, "utter_case_none")
        elif case.open:
            _say_open(dispatcher, context, case)
        elif case.merged_into is not None:
            say(dispatcher, "utter_case_went_on", case_number=case.number, other_number=case.merged_into)
        else:
            say(dispatcher, "utter_case_closed", case_number=case.number)
        return []


def _say_open(dispatcher: CollectingDispatcher, context: TurnContext, case: Case) -> None:
    if case.assigned:
        say(dispatcher, "utter_case_assigned", case_number=case.number, agent_name=case.assigned)
    elif case.reopened:
        say(dispatcher, "utter_case_reopened", case_number=case.number)
    else:
        say(dispatcher, "utter_case_open", case_number=case.number, since=case.since)
    if case.assigned:
        return
    back = next_opening(context)
    here = context.case is not None and context.case.number == case.number
    if back and here:
        say(dispatcher, "utter_team_back", next_opening=back)
    elif case.expected_minutes:
        say(dispatcher, "utter_place_and_time", position=case.position, minutes=case.expected_minutes)
    elif case.position:
        say(dispatcher, "utter_place", position=case.position)
