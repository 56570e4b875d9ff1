"""The form's answers fill their slots, wrong ones are asked for again, questions step in."""

from __future__ import annotations

import pytest

from bot.dialogue.turn import TurnContext
from tests.actions.conftest import Run


@pytest.mark.parametrize(
    ("slot", "text", "value"),
    [
        ("contact_name", "Ayşe Yılmaz", "Ayşe Yılmaz"),
        ("contact_email", "you reach me at ayse@example.com", "ayse@example.com"),
        ("contact_time", "yarın sabah", "yarın sabah"),
    ],
)
async def test_answer_fills_its_slot(run: Run, slot: str, text: str, value: str) -> None:
    done = await run("validate_contact_form", TurnContext(text=text), "nlu_fallback", 0.3, requested_slot=slot)
    assert done.slots == {slot: value}
    assert done.responses == []


@pytest.mark.parametrize(
    ("slot", "text", "said"),
    [
        ("contact_name", "1234", "utter_invalid_name"),
        ("contact_email", "ayse at example", "utter_invalid_email"),
        ("contact_time", "…", "utter_invalid_time"),
    ],
)
async def test_wrong_answer_is_asked_for_again(run: Run, slot: str, text: str, said: str) -> None:
    done = await run("validate_contact_form", TurnContext(text=text), "nlu_fallback", 0.3, requested_slot=slot)
    assert done.slots == {slot: None}
    assert done.said == [said]


@pytest.mark.parametrize("slot", ["contact_name", "contact_email", "contact_time"])
@pytest.mark.parametrize("intent", ["request_human", "stop", "deny", "case_status", "ask_if_bot"])
async def test_something_else_steps_in(run: Run, slot: str, intent: str) -> None:
    done = await run("validate_contact_form", TurnContext(text="please"), intent, 0.95, requested_slot=slot)
    assert done.events == []
    assert done.responses == []


async def test_nothing_is_asked(run: Run) -> None:
    done = await run("validate_contact_form", TurnContext(text="please"), "greet", 0.95)
    assert (done.events, done.responses) == ([], [])


async def test_text_of_the_turn_counts_and_not_what_rasa_was_sent(run: Run) -> None:
    """Rasa gets a text without its leading slashes."""
    done = await run(
        "validate_contact_form", TurnContext(text="/dev/Null"), "nlu_fallback", 0.3, requested_slot="contact_name"
    )
    assert done.slots == {"contact_name": "/dev/Null"}
