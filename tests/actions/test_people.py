"""The actions that bring people in: hand off, offer, case, contact."""

from __future__ import annotations

from typing import Any

import pytest

from bot.dialogue.turn import (
    Case,
    Contact,
    DidNotHelp,
    Escalate,
    OfferPerson,
    SaveContact,
    TurnContext,
    read_effect,
)
from tests.actions.conftest import Run

OPEN = Case(number=7, open=True, since="2026-05-01 12:00 UTC")
CLOSED = Case(number=7, open=False, since="2026-05-01 12:00 UTC")


@pytest.mark.parametrize("queue", ["support", "success", "account_management"])
@pytest.mark.parametrize("case", [None, CLOSED])
async def test_hand_off(run: Run, case: Case | None, queue: Any) -> None:
    done = await run("action_hand_off", TurnContext(text="A person", offered_queue=queue, case=case))
    assert [read_effect(effect) for effect in done.effects] == [Escalate(queue=queue, reason="asked_for")]
    assert done.said == ["utter_handed_off"]
    assert done.responses[-1]["case_number"] == "{case_number}"


async def test_hand_off_again(run: Run) -> None:
    done = await run("action_hand_off", TurnContext(text="A person!!", case=OPEN))
    assert done.effects == []
    assert done.said == ["utter_already_handed_off"]
    assert done.responses[-1]["case_number"] == 7


@pytest.mark.parametrize(
    ("intent", "queue"),
    [
        ("wants_more", "account_management"),
        ("leaving", "success"),
        ("onboarding_help", "success"),
        ("state_goal", "success"),
    ],
)
async def test_offer_means_a_queue(run: Run, intent: str, queue: Any) -> None:
    done = await run("action_offer_success", TurnContext(text="…"), intent=intent)
    assert [read_effect(effect) for effect in done.effects] == [OfferPerson(queue=queue)]
    assert done.said == ["utter_offer_success"]


async def test_answer_that_did_not_help(run: Run) -> None:
    done = await run("action_did_not_help", TurnContext(text="no"))
    (effect,) = map(read_effect, done.effects)
    assert effect == DidNotHelp()
    assert done.said == ["utter_not_helped"]


async def test_second_answer_that_did_not_help(run: Run) -> None:
    done = await run("action_did_not_help", TurnContext(text="no", misses=1, offered_queue="success"))
    assert read_effect(done.effects[1]) == Escalate(queue="success", reason="low_confidence")
    assert done.said == ["utter_handed_off"]


async def test_second_answer_that_did_not_help_while_a_case_is_open(run: Run) -> None:
    done = await run("action_did_not_help", TurnContext(text="no", misses=1, case=OPEN))
    assert [effect["effect"] for effect in done.effects] == ["did_not_help"]
    assert done.said == ["utter_already_handed_off"]
    assert done.responses[-1]["case_number"] == 7


@pytest.mark.parametrize(
    ("case", "said", "values"),
    [
        (None, "utter_case_none", {}),
        (OPEN, "utter_case_open", {"case_number": 7, "since": "2026-05-01 12:00 UTC"}),
        (CLOSED, "utter_case_closed", {"case_number": 7}),
    ],
)
async def test_case_status(run: Run, case: Case | None, said: str, values: dict[str, Any]) -> None:
    done = await run("action_case_status", TurnContext(text="my case?", case=case))
    assert done.said == [said]
    assert done.effects == []
    assert values.items() <= done.responses[0].items()


CONTACT = Contact(name="Ayşe", email="ayse@example.com", time="yarın")
SLOTS = {f"contact_{key}": value for key, value in CONTACT.model_dump().items()}


async def test_contact_is_saved(run: Run) -> None:
    done = await run("action_save_contact", TurnContext(text="yarın"), **SLOTS)
    assert [read_effect(effect) for effect in done.effects] == [SaveContact(contact=CONTACT)]
    assert done.said == ["utter_contact_saved"]
    assert {"contact_name": "Ayşe", "contact_email": "ayse@example.com"}.items() <= done.responses[-1].items()


async def test_contact_that_is_known_is_not_saved_again(run: Run) -> None:
    done = await run("action_save_contact", TurnContext(text="yarın", contact=CONTACT), **SLOTS)
    assert done.responses == []


async def test_other_contact_than_the_known_one_is_saved(run: Run) -> None:
    known = CONTACT.model_copy(update={"time": "today"})
    done = await run("action_save_contact", TurnContext(text="yarın", contact=known), **SLOTS)
    assert [read_effect(effect) for effect in done.effects] == [SaveContact(contact=CONTACT)]


async def test_contact_is_skipped(run: Run) -> None:
    done = await run("action_skip_contact", TurnContext(text="skip"), **SLOTS)
    assert done.said == ["utter_contact_skipped"]
    assert done.slots == {"contact_name": None, "contact_email": None, "contact_time": None}
