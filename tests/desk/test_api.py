"""Tags, corrections, accounts and signals over HTTP."""

from __future__ import annotations

import datetime as dt
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from bot.conversation.models import Correction, MessageTag
from bot.errors import EncoderError
from bot.success.models import Account, AccountSignal
from tests.channels.webchat.conftest import assert_error
from tests.desk.conftest import API, Team

UNKNOWN = "f" * 32

# Tags


async def test_tags_with_their_evidence(team: Team) -> None:
    body = (await team.http.get(f"{API}/conversations/{team.here}/tags")).json()
    assert (body["conversation_id"], body["kind"], body["stage"]) == (team.here, "both", "expansion")
    assert (body["urgent"], body["sentiment"]) == (False, "neutral")
    ((defect,), (expansion,)) = (body["topics"], body["signals"])
    assert (defect["name"], expansion["name"]) == ("defect", "expansion")
    (evidence,) = expansion["evidence"]
    moment = dt.datetime.fromisoformat(evidence.pop("created_at"))
    assert abs(moment - dt.datetime.now(dt.UTC)) < dt.timedelta(seconds=30)
    assert evidence == {
        **{"number": 1, "quote": "two more cafés", "start": 29, "end": 43, "probability": 0.9},
        **{"origin": "model", "state": "open", "model": "words"},
    }


async def test_tags_of_no_conversation(team: Team) -> None:
    assert_error(await team.http.get(f"{API}/conversations/{UNKNOWN}/tags"), 404, "not_found")
    assert_error(await team.http.get(f"{API}/conversations/x/tags"), 422, "invalid_input")


# Corrections


async def test_correction(team: Team) -> None:
    response = await team.correct(name="defect", verdict="confirm")
    assert response.status_code == 201
    body = response.json()
    assert (body["number"], body["name"], body["verdict"], body["by"]) == (1, "defect", "confirm", "ada")
    assert (body["tag"]["state"], body["tag"]["quote"], body["tag"]["model"]) == ("confirmed", "printer", "words")
    again = await team.correct(name="defect", verdict="confirm")
    assert (again.status_code, again.json()) == (200, body)
    tags = (await team.http.get(f"{API}/conversations/{team.here}/tags")).json()
    assert tags["topics"][0]["evidence"][0]["state"] == "confirmed"
    assert (await team.correct(name="expansion", verdict="reject")).json()["tag"]["state"] == "rejected"
    tags = (await team.http.get(f"{API}/conversations/{team.here}/tags")).json()
    assert (tags["kind"], tags["signals"]) == ("reactive_support", [])
    assert team.rows(Correction) == 2


async def test_tag_is_added_and_withdrawn(team: Team) -> None:
    body = (await team.correct(name="goal", verdict="add", quote="open two")).json()
    assert (body["tag"]["start"], body["tag"]["end"], body["tag"]["model"]) == (24, 32, None)
    tags = (await team.http.get(f"{API}/conversations/{team.here}/tags")).json()
    goal = next(tag for tag in tags["signals"] if tag["name"] == "goal")
    assert (goal["evidence"][0]["origin"], goal["evidence"][0]["model"]) == ("person", None)
    assert (await team.correct(name="goal", verdict="withdraw")).json()["tag"] is None
    assert team.rows(MessageTag) == 3


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"number": 2, "verdict": "add"}, 422, "written by the bot"),
        ({"number": 9}, 404, "no message 9"),
        ({"number": 0}, 422, "number"),
        ({"number": "1"}, 422, "number"),
        ({"number": 2**60}, 422, "number"),
        ({"name": "churn"}, 422, "name"),
        ({"name": "churn_risk"}, 422, "has no tag"),
        ({"verdict": "maybe"}, 422, "verdict"),
        ({"verdict": "add", "name": "goal", "quote": "leave you"}, 422, "not in message 1"),
        ({"verdict": "add", "name": "goal", "quote": ""}, 422, "quote is empty"),
        ({"quote": "printer"}, 422, "'add' only"),
        ({"by": ""}, 422, "by"),
        ({"by": "  "}, 422, "'by'"),
        ({"by": "a" * 51}, 422, "by"),
        ({"by": "ada\x00"}, 422, "one line"),
        ({"more": 1}, 422, "more"),
    ],
)
async def test_bad_correction(team: Team, change: dict[str, Any], status: int, message: str) -> None:
    response = await team.correct(**{"name": "defect", "verdict": "confirm", **change})
    assert_error(response, status, "not_found" if status == 404 else "invalid_input")
    assert message in response.json()["error"]["message"]
    assert (team.rows(Correction), team.rows(MessageTag)) == (0, 3)


async def test_half_a_character_is_refused(team: Team) -> None:
    content = b'{"number": 1, "name": "defect", "verdict": "confirm", "by": "\\ud800"}'
    headers = {"content-type": "application/json"}
    url = f"{API}/conversations/{team.here}/corrections"
    assert_error(await team.http.post(url, content=content, headers=headers), 422, "invalid_input")
    assert team.rows(Correction) == 0


async def test_correction_in_another_conversation(team: Team) -> None:
    """The tag is there, but in the other one."""
    assert_error(await team.correct(name="churn_risk", verdict="reject"), 422, "invalid_input")
    body = {"number": 1, "name": "churn_risk", "verdict": "reject", "by": "ada"}
    assert_error(await team.http.post(f"{API}/conversations/{UNKNOWN}/corrections", json=body), 404, "not_found")
    assert team.rows(Correction) == 0


async def test_measured_precision(team: Team) -> None:
    await team.correct(name="defect", verdict="confirm")
    tags = (await team.http.get(f"{API}/tags")).json()["tags"]
    assert len(tags) == 16
    defect = next(tag for tag in tags if tag["name"] == "defect")
    assert (defect["confirmed"], defect["rejected"], defect["added"], defect["precision"]) == (1, 0, 0, 1.0)
    assert 0.2 < defect["low"] < 0.21
    assert tags[0]["precision"] is None


# Accounts


async def test_account_of_a_conversation(team: Team) -> None:
    response = await team.link("acme")
    assert (response.status_code, response.json()) == (200, {"conversation_id": team.here, "account": "acme"})
    (signal,) = await team.signals()
    assert signal == {
        **{"name": "expansion", "source": "conversation", "quote": "two more cafés", "probability": 0.9},
        **{"model": "words", "by": None, "conversation_id": team.here, "number": 1},
        "occurred_at": signal["occurred_at"],
    }
    account = (await team.http.get(f"{API}/accounts/acme")).json()
    assert account == {"account": "acme", "name": None, "stage": "expansion", "stage_from": "signals"}
    assert (await team.link(None)).json()["account"] is None
    assert await team.signals() == []


async def test_account_is_changed(team: Team) -> None:
    url = f"{API}/accounts/acme"
    body = (await team.http.put(url, json={"name": " Acme Coffee ", "stage": "retention"})).json()
    assert body == {"account": "acme", "name": "Acme Coffee", "stage": "retention", "stage_from": "set"}
    assert (await team.http.put(url, json={})).json() == body
    assert (await team.http.put(url, json={"stage": None})).json()["stage_from"] is None
    assert (await team.http.get(url)).json() == {**body, "stage": None, "stage_from": None}
    assert (await team.http.put(url, json={"name": None})).json()["name"] is None


@pytest.mark.parametrize(
    ("account", "body"),
    [
        ("acme", {"stage": "churned"}),
        ("acme", {"name": ""}),
        ("acme", {"name": "two\nlines"}),
        ("acme", {"name": "a" * 201}),
        ("acme", {"more": 1}),
        ("acme", []),
        ("%20acme", {}),
        ("a" * 101, {}),
        ("acme%0a", {}),
    ],
)
async def test_bad_account(team: Team, account: str, body: Any) -> None:
    assert_error(await team.http.put(f"{API}/accounts/{account}", json=body), 422, "invalid_input")
    assert team.rows(Account) == 0


async def test_link_that_cannot_be_made(team: Team) -> None:
    assert_error(await team.link("acme", UNKNOWN), 404, "not_found")
    assert_error(await team.link(""), 422, "invalid_input")
    assert_error(await team.link("a b"), 422, "invalid_input")
    url = f"{API}/conversations/{team.here}/account"
    assert_error(await team.http.put(url, json={}), 422, "invalid_input")
    assert team.rows(Account) == 0


async def test_unknown_account(team: Team) -> None:
    for path in ("acme", "acme/signals"):
        assert_error(await team.http.get(f"{API}/accounts/{path}"), 404, "not_found")


# Signals


async def test_named_signal(team: Team) -> None:
    response = await team.report(name="low_adoption", source="product_usage", occurred_at="2026-01-02T03:04:05+03:00")
    assert response.status_code == 201
    body = response.json()
    signal = {
        **{"name": "low_adoption", "source": "product_usage", "quote": "", "probability": 1.0, "model": None},
        **{"by": None, "occurred_at": "2026-01-02T00:04:05Z", "conversation_id": None, "number": None},
    }
    assert body == {"id": "1", "account": "acme", "source": "product_usage", "landed": 1, "signals": [signal]}
    assert await team.signals() == [signal]


async def test_signals_heard_in_what_an_employee_reports(team: Team) -> None:
    text = "They open two more cafés, or leave. The printer is dead."
    body = (await team.report(source="employee", by="ada", text=text)).json()
    assert body["landed"] == 2
    found = [(s["name"], s["quote"], s["probability"], s["model"], s["by"], s["source"]) for s in body["signals"]]
    assert found == [
        ("expansion", "two more cafés", 0.9, "words", "ada", "employee"),
        ("churn_risk", "leave", 0.7, "words", "ada", "employee"),
    ]


async def test_named_signal_keeps_its_text_as_evidence(team: Team) -> None:
    body = (await team.report(name="renewal", text="Contract ends; we may leave.")).json()
    assert [(s["name"], s["quote"], s["model"]) for s in body["signals"]] == [
        ("renewal", "Contract ends; we may leave.", None)
    ]


async def test_nothing_is_heard(team: Team) -> None:
    response = await team.report(text="Good morning")
    assert response.status_code == 201
    assert (response.json()["landed"], response.json()["signals"]) == (0, [])
    assert await team.signals() == []
    assert (await team.http.get(f"{API}/accounts/acme")).json()["stage"] is None
    assert (await team.report(text="Good morning")).status_code == 200
    assert_error(await team.report(text="We leave"), 409, "duplicate_id")


async def test_same_report_again(team: Team) -> None:
    first = await team.report(text="We leave")
    again = await team.report(text="We leave")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert (await team.report(text="We leave", source="billing")).status_code == 201
    assert team.rows(AccountSignal) == 2


@pytest.mark.parametrize(
    "change",
    [
        *({"text": "We leave now"}, {"account": "other"}, {"name": "churn_risk"}, {"by": "ada"}),
        {"occurred_at": "2026-01-01T00:00:00Z"},
    ],
)
async def test_other_report_under_the_same_id(team: Team, change: dict[str, str]) -> None:
    await team.report(text="We leave")
    assert_error(await team.report(**{"text": "We leave", **change}), 409, "duplicate_id")
    assert (team.rows(AccountSignal), team.rows(Account)) == (1, 1)


def soon(**ahead: float) -> str:
    """A moment ahead of now."""
    return (dt.datetime.now(dt.UTC) + dt.timedelta(**ahead)).isoformat()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, "Neither 'name' nor 'text'"),
        ({"name": "defect"}, "name"),
        ({"name": "renewal", "source": "conversation"}, "source"),
        ({"name": "renewal", "source": "employee"}, "'by' is missing"),
        ({"name": "renewal", "by": " "}, "'by'"),
        ({"name": "renewal", "id": ""}, "id"),
        ({"name": "renewal", "id": "a b"}, "id"),
        ({"name": "renewal", "id": "a" * 101}, "id"),
        ({"name": "renewal", "account": "a/b"}, "account"),
        ({"text": ""}, "empty"),
        ({"text": " \x00 "}, "empty"),
        ({"text": "a" * 101}, "at most 100"),
        ({"name": "renewal", "occurred_at": "2026-01-01T00:00:00"}, "occurred_at"),
        ({"name": "renewal", "occurred_at": "yesterday"}, "occurred_at"),
        ({"name": "renewal", "occurred_at": "1700000000"}, "occurred_at"),
        ({"name": "renewal", "occurred_at": 1700000000}, "occurred_at"),
        ({"name": "renewal", "occurred_at": soon(hours=2)}, "between 2000 and now"),
        ({"name": "renewal", "occurred_at": "0001-01-01T00:00:00+14:00"}, "between 2000 and now"),
        ({"name": "renewal", "occurred_at": "9999-12-31T23:59:59-14:00"}, "between 2000 and now"),
        ({"name": "renewal", "more": 1}, "more"),
    ],
)
async def test_bad_report(team: Team, change: dict[str, Any], message: str) -> None:
    response = await team.report(**change)
    assert_error(response, 422, "invalid_input")
    assert message in response.json()["error"]["message"]
    assert (team.rows(AccountSignal), team.rows(Account)) == (0, 0)


async def test_clocks_may_differ_a_little(team: Team) -> None:
    assert (await team.report(name="renewal", occurred_at=soon(seconds=30))).status_code == 201


async def test_tagger_that_is_down(engine: Engine) -> None:
    def down(text: str, language: str) -> Any:
        raise EncoderError("The encoder is not there.", "Run `refill setup`.")

    team = Team(engine, tag=down)
    assert_error(await team.report(text="We leave"), 503, "encoder")
    assert (team.rows(AccountSignal), team.rows(Account)) == (0, 0)
    assert (await team.report(name="churn_risk", text="We leave")).status_code == 201
    await team.http.aclose()


async def pages(team: Team, limit: int) -> list[httpx.Response]:
    """The whole list of signals, page by page."""
    found: list[httpx.Response] = []
    after: str | None = None
    while not found or after:
        query: dict[str, str | int] = {"limit": limit, **({"after": after} if after else {})}
        found.append(await team.http.get(f"{API}/accounts/acme/signals", params=query))
        after = found[-1].json()["next"]
    return found


async def test_pages(team: Team) -> None:
    await team.link("acme")
    await team.link("acme", team.there)
    for day in range(1, 6):
        await team.report(id=str(day), name="renewal", occurred_at=f"2026-01-0{day}T00:00:00Z")
    await team.report(id="same", name="goal", occurred_at="2026-01-03T00:00:00Z")
    whole = await team.signals(limit=200)
    assert [signal["occurred_at"] for signal in whole] == sorted((s["occurred_at"] for s in whole), reverse=True)
    assert len(whole) == 8
    for limit in (1, 2, 3, 8):
        read = [signal for page in await pages(team, limit) for signal in page.json()["signals"]]
        assert read == whole
    assert len(await pages(team, 8)) == 1


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 201}, {"limit": "x"}, {"after": "x"}, {"after": "-1-m1"}])
async def test_bad_page(team: Team, query: dict[str, Any]) -> None:
    await team.link("acme")
    response = await team.http.get(f"{API}/accounts/acme/signals", params=query)
    assert_error(response, 422, "invalid_input")
