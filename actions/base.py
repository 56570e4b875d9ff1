"""What the actions have in common."""

from __future__ import annotations

import datetime as dt
from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.executor import CollectingDispatcher

from bot.dialogue.turn import Effect, Escalate, Reason, TurnContext
from bot.handoff.moments import in_words

# Stands in a reply until the escalation is stored and has its number.
CASE_NUMBER = "{case_number}"


class TurnAction(Action):
    """An action that is given the turn's context and an effect-minded dispatcher."""

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Called by the executor."""
        return self.act(dispatcher, tracker, context_of(tracker))

    def act(self, dispatcher: CollectingDispatcher, tracker: Tracker, context: TurnContext) -> list[dict[str, Any]]:
        """Say what should happen; returns Rasa events."""
        raise NotImplementedError


def context_of(tracker: Tracker) -> TurnContext:
    """What Refill knows of the latest message's turn."""
    metadata = tracker.latest_message.get("metadata") or {}
    return TurnContext.model_validate(metadata.get("turn") or {})


def request(dispatcher: CollectingDispatcher, effect: Effect) -> None:
    """Ask the conversation to carry out an effect."""
    dispatcher.utter_message(json_message=effect.model_dump(mode="json"))


def say(dispatcher: CollectingDispatcher, response: str, **values: Any) -> None:
    """Utter a response of domain.yml."""
    dispatcher.utter_message(response=response, **values)


def hand_off(dispatcher: CollectingDispatcher, context: TurnContext, reason: Reason) -> None:
    """Escalate and say so; where people have the conversation already, say only that."""
    if context.case and context.case.open:
        say(dispatcher, "utter_already_handed_off", case_number=context.case.number)
    else:
        request(dispatcher, Escalate(queue=context.offered_queue, reason=reason))
        say_handed_off(dispatcher, context)


def say_handed_off(dispatcher: CollectingDispatcher, context: TurnContext) -> None:
    """Say that a case was made, and honestly when somebody will read it."""
    people = context.people
    back = next_opening(context)
    if back:
        say(dispatcher, "utter_handed_off_closed", case_number=CASE_NUMBER, next_opening=back)
    elif people.position and people.expected_minutes:
        values = {"position": people.position, "minutes": people.expected_minutes}
        say(dispatcher, "utter_handed_off_time", case_number=CASE_NUMBER, **values)
    elif people.position and people.position > 1:
        say(dispatcher, "utter_handed_off_place", case_number=CASE_NUMBER, position=people.position)
    else:
        say(dispatcher, "utter_handed_off", case_number=CASE_NUMBER)


def next_opening(context: TurnContext) -> str | None:
    """When people are back, in words of the conversation's language; None while they are there."""
    people = context.people
    if people.open_now or people.next_opening is None:
        return None
    return in_words(dt.datetime.fromisoformat(people.next_opening), people.time_zone, context.language)


def intent_of(tracker: Tracker) -> tuple[str, float]:
    """Name and confidence of the latest message's intent."""
    intent = tracker.latest_message.get("intent") or {}
    return str(intent.get("name") or ""), float(intent.get("confidence") or 0.0)


def probability_of(tracker: Tracker, intent: str) -> float:
    """What the classifier gave an intent for the latest message, whatever it chose in the end."""
    ranking = tracker.latest_message.get("intent_ranking") or []
    return max((float(entry["confidence"]) for entry in ranking if entry["name"] == intent), default=0.0)
