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
    People,
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


CLOSED_NOW = People(open_now=False, next_opening="2026-11-23T09:00:00+03:00", time_zone="Europe/Istanbul", position=4)


@pytest.mark.parametrize(
    ("people", "said", "values"),
    [
        (People(), "utter_handed_off", {}),
        (People(position=1), "utter_handed_off", {}),
        (People(position=3), "utter_handed_off_place", {"position": 3}),
        (People(position=1, expected_minutes=10), "utter_handed_off_time", {"position": 1, "minutes": 10}),
        (CLOSED_NOW, "utter_handed_off_closed", {"next_opening": "23 Kasım Pzt 09:00 (İstanbul)"}),
    ],
)
async def test_hand_off_tells_the_place_or_when_people_are_back(
    run: Run, people: People, said: str, values: dict[str, Any]
) -> None:
    done = await run("action_hand_off", TurnContext(text="Bir temsilci", language="tr", people=people))
    assert [read_effect(effect) for effect in done.effects] == [Escalate(queue="support", reason="asked_for")]
    assert done.said == [said]
    assert {"case_number": "{case_number}", **values}.items() <= done.responses[-1].items()


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


WAITS = OPEN.model_copy(update={"position": 2})
SOON = WAITS.model_copy(update={"expected_minutes": 5})
WITH_ADA = OPEN.model_copy(update={"assigned": "Ada"})
AGAIN = WAITS.model_copy(update={"reopened": True})
MERGED = CLOSED.model_copy(update={"merged_into": 9, "resolution": "duplicate"})


@pytest.mark.parametrize(
    ("case", "people", "said", "values"),
    [
        (WAITS, People(), ["utter_case_open", "utter_place"], {"position": 2}),
        (SOON, People(), ["utter_case_open", "utter_place_and_time"], {"position": 2, "minutes": 5}),
        (
            WAITS,
            CLOSED_NOW,
            ["utter_case_open", "utter_team_back"],
            {"next_opening": "Monday 23 November, 09:00 (Istanbul)"},
        ),
        (AGAIN, People(), ["utter_case_reopened", "utter_place"], {"position": 2}),
        (WITH_ADA, CLOSED_NOW, ["utter_case_assigned"], {"case_number": 7, "agent_name": "Ada"}),
        (MERGED, People(), ["utter_case_went_on"], {"case_number": 7, "other_number": 9}),
    ],
)
async def test_case_status_in_full(
    run: Run, case: Case, people: People, said: list[str], values: dict[str, Any]
) -> None:
    done = await run("action_case_status", TurnContext(text="my case?", case=case, cases=[case], people=people))
    assert done.said == said
    assert values.items() <= done.responses[-1].items()


@pytest.mark.parametrize(
    ("text", "said", "number"),
    [
        ("how is case 7?", "utter_case_open", 7),
        ("and case number 4", "utter_case_closed", 4),
        ("what about #12", "utter_case_unknown", 12),
        ("12 numaralı kaydım ne durumda", "utter_case_unknown", 12),
        ("my case?", "utter_case_open", 7),
    ],
)
async def test_case_status_by_number_is_told_of_own_cases_only(run: Run, text: str, said: str, number: int) -> None:
    earlier = Case(number=4, open=False, since="2026-04-01 12:00 UTC")
    done = await run("action_case_status", TurnContext(text=text, case=OPEN, cases=[OPEN, earlier]))
    assert done.said == [said]
    assert done.responses[0]["case_number"] == number


CONTACT = Contact(name="Ayşe", email="ayse@example.com", time="yarın")
SLOTS = {f"contact_{key}": value for key, value in CONTACT.model_dump().items()}


async def test_contact_is_saved(run: Run) -> None:
    done = await run("action_save_contact", TurnContext(text="yarın", case=OPEN), **SLOTS)
    assert [read_effect(effect) for effect in done.effects] == [SaveContact(contact=CONTACT)]
    assert done.said == ["utter_contact_saved"]
    assert {"contact_name": "Ayşe", "contact_email": "ayse@example.com"}.items() <= done.responses[-1].items()


@pytest.mark.parametrize("case", [None, CLOSED])
async def test_contact_without_an_open_case_opens_one(run: Run, case: Case | None) -> None:
    done = await run("action_save_contact", TurnContext(text="yarın", case=case), **SLOTS)
    effects = [read_effect(effect) for effect in done.effects]
    assert effects == [Escalate(queue="support", reason="form_sent"), SaveContact(contact=CONTACT)]
    assert done.said == ["utter_handed_off", "utter_contact_saved"]


async def test_contact_that_is_known_is_not_saved_again(run: Run) -> None:
    done = await run("action_save_contact", TurnContext(text="yarın", contact=CONTACT), **SLOTS)
    assert done.responses == []


async def test_other_contact_than_the_known_one_is_saved(run: Run) -> None:
    known = CONTACT.model_copy(update={"time": "today"})
    done = await run("action_save_contact", TurnContext(text="yarın", contact=known, case=OPEN), **SLOTS)
    assert [read_effect(effect) for effect in done.effects] == [SaveContact(contact=CONTACT)]


async def test_contact_is_skipped(run: Run) -> None:
    done = await run("action_skip_contact", TurnContext(text="skip"), **SLOTS)
    assert done.said == ["utter_contact_skipped"]
    assert done.slots == {"contact_name": None, "contact_email": None, "contact_time": None}
