"""The context of a turn survives its way through Rasa as JSON, and may lack whatever an older one does not know."""

from __future__ import annotations

from typing import get_args

import pytest
from pydantic import ValidationError

from bot.dialogue.turn import Case, Escalate, People, Reason, TurnContext, read_effect
from bot.handoff.escalation import REASONS


def test_round_trip() -> None:
    case = Case(number=7, open=True, since="2026-05-01 12:00 UTC", position=2, expected_minutes=10, assigned="Ada")
    people = People(open_now=False, next_opening="2026-11-23T09:00:00+03:00", time_zone="Europe/Istanbul", position=3)
    context = TurnContext(text="my case?", case=case, cases=[case], people=people, back_from_person=True)
    assert TurnContext.model_validate_json(context.model_dump_json()) == context


def test_defaults_promise_nothing() -> None:
    context = TurnContext.model_validate({"case": {"number": 7, "open": True, "since": "2026-05-01 12:00 UTC"}})
    assert context.case is not None
    assert (context.case.position, context.case.expected_minutes, context.case.assigned) == (None, None, None)
    assert (context.people, context.cases, context.back_from_person) == (People(), [], False)


@pytest.mark.parametrize("reason", get_args(Reason))
def test_every_reason_of_a_turn_is_one_of_a_case(reason: Reason) -> None:
    assert reason in REASONS
    assert read_effect(Escalate(queue="support", reason=reason).model_dump()) == Escalate(
        queue="support", reason=reason
    )


def test_other_reasons_are_refused() -> None:
    with pytest.raises(ValidationError):
        read_effect({"effect": "escalate", "queue": "support", "reason": "signal"})
