"""Invitations over the team API: made, listed, taken back, counted."""

from __future__ import annotations

import datetime as dt
from typing import Any

import httpx
from sqlalchemy.orm import Session

from bot.conversation.models import now
from bot.people.models import AuditEntry
from bot.success.invitations import outcomes
from bot.success.models import Invitation
from tests.channels.webchat.conftest import assert_error
from tests.desk.conftest import API, Team

END = (now() + dt.timedelta(days=7)).isoformat()
INVITATIONS = f"{API}/invitations"


async def send(team: Team, **body: Any) -> httpx.Response:
    """Make an invitation for Ada; None leaves a key out."""
    values = {"external_id": "1", "customer": "ada", "texts": {"en": "Hello"}, "expires_at": END, **body}
    return await team.http.post(INVITATIONS, json={key: value for key, value in values.items() if value is not None})


async def test_made_once(team: Team) -> None:
    first = await send(team, pages=["/a*"], after=5)
    again = await send(team, pages=["/a*"], after=5)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    body = first.json()
    assert (body["customer"], body["account"], body["by"]) == ("ada", None, "key:Team")
    assert (body["texts"], body["pages"], body["after"]) == ({"en": "Hello"}, ["/a*"], 5)
    assert_error(await send(team), 409, "duplicate_id")
    assert (await send(team, external_id="2", customer=None, account="acme")).json()["account"] == "acme"
    assert team.rows(Invitation) == 2


async def test_refused(team: Team) -> None:
    mistakes: tuple[dict[str, Any], ...] = (
        {"external_id": "a b"},
        {"customer": None},
        {"account": "acme"},
        {"texts": {}},
        {"texts": {"de": "Hallo"}},
        {"texts": {"en": " "}},
        {"pages": ["nowhere"]},
        {"after": -1},
        {"after": "5"},
        {"expires_at": "2027-01-01"},
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"more": 1},
    )
    for wrong in mistakes:
        assert_error(await send(team, **wrong), 422, "invalid_input")
    assert team.rows(Invitation) == 0


async def test_listed_and_taken_back(team: Team) -> None:
    made = [(await send(team, external_id=str(number))).json()["id"] for number in range(3)]
    first = (await team.http.get(INVITATIONS, params={"limit": 2})).json()
    rest = (await team.http.get(INVITATIONS, params={"limit": 2, "before": first["next"]})).json()
    assert [one["id"] for one in (*first["invitations"], *rest["invitations"])] == made[::-1]
    assert rest["next"] is None
    assert (await team.http.get(INVITATIONS, params={"customer": "bob"})).json()["invitations"] == []
    assert (await team.http.delete(f"{INVITATIONS}/{made[0]}")).status_code == 204
    assert_error(await team.http.delete(f"{INVITATIONS}/{made[0]}"), 404, "not_found")
    assert_error(await team.http.get(INVITATIONS, params={"before": made[0]}), 404, "not_found")
    with Session(team.engine) as session:
        done = [entry.action for entry in session.query(AuditEntry).order_by(AuditEntry.id)]
    assert done == ["invitation.create"] * 3 + ["invitation.delete"]


async def test_counted(team: Team) -> None:
    with Session(team.engine) as session, session.begin():
        for customer in ("ada", "bob"):
            outcomes.record(session, "prices", "shown", customer)
        outcomes.record(session, "prices", "not_now", "ada")
        outcomes.record(session, "prices", "answered", None, "c" * 32)
    report = (await team.http.get(f"{INVITATIONS}/report", params={"days": 1})).json()
    assert report == {
        "days": 1,
        "invitations": [
            {
                **{"name": "prices", "shown": 2, "opened": 0, "answered": 0, "dismissed": 0, "not_now": 1},
                "answered_anonymously": 1,
            }
        ],
    }
    assert_error(await team.http.get(f"{INVITATIONS}/report", params={"days": 0}), 422, "invalid_input")
