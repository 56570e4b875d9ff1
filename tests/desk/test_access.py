"""Who may call the team API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from sqlalchemy import Engine

from bot.conversation.models import Correction
from bot.desk.api import router
from bot.success.models import Account, AccountSignal
from tests.channels.webchat.conftest import assert_error
from tests.desk.conftest import API, KEY, Team

BODIES: dict[str, dict[str, Any]] = {
    "/corrections": {"number": 1, "name": "defect", "verdict": "confirm", "by": "ada"},
    "/account": {"account": "acme"},
    "/signals": {"id": "1", "account": "acme", "source": "crm", "name": "renewal"},
    "/accounts/acme": {"stage": "adoption"},
}
ROUTES = [
    (method, route.path) for route in router.routes if isinstance(route, APIRoute) for method in route.methods or ()
]


async def call(team: Team, method: str, path: str, headers: Mapping[bytes, bytes]) -> httpx.Response:
    """Call a route with a request that would be carried out."""
    url = path.replace("{conversation_id}", team.here).replace("{account}", "acme")
    body = next((body for end, body in BODIES.items() if url.endswith(end)), None) if method != "GET" else None
    team.http.headers.pop("authorization", None)
    return await team.http.request(method, url, headers=headers, json=body)


def test_routes_are_found() -> None:
    """The tests below would pass on an empty list."""
    assert len(ROUTES) == 8
    assert ("POST", f"{API}/signals") in ROUTES


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_without_a_key_set_it_is_closed(engine: Engine, method: str, path: str) -> None:
    team = Team(engine, key="")
    for value in ("", "Bearer ", f"Bearer {KEY}"):
        response = await call(team, method, path, {b"authorization": value.encode()})
        assert_error(response, 403, "closed")
        assert "server.api_key" in response.json()["error"]["remedy"]
        assert "REFILL_SERVER_API_KEY" in response.json()["error"]["remedy"]
    assert (team.rows(Correction), team.rows(Account), team.rows(AccountSignal)) == (0, 0, 0)
    await team.http.aclose()


@pytest.mark.parametrize("value", [None, "Bearer", "Bearer ", f"Basic {KEY}", KEY, f"Bearer {KEY}x", "Bearer kéy"])
@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_wrong_key(team: Team, method: str, path: str, value: str | None) -> None:
    headers = {b"authorization": value.encode()} if value else {}
    response = await call(team, method, path, headers)
    assert_error(response, 401, "unauthorised")
    assert response.headers["www-authenticate"] == "Bearer"
    assert KEY not in response.text
    assert (team.rows(Correction), team.rows(Account), team.rows(AccountSignal)) == (0, 0, 0)


async def test_visitors_token_is_no_key(team: Team) -> None:
    """Signals never show to the customer."""
    visitor = {"authorization": f"Bearer {team.token}"}
    assert_error(await team.http.get(f"{API}/conversations/{team.here}/tags", headers=visitor), 401, "unauthorised")
    key = {"authorization": f"Bearer {KEY}"}
    assert_error(await team.http.get(f"{API}/conversations/{team.here}", headers=key), 404, "not_found")


async def test_key_is_not_shown(team: Team) -> None:
    assert KEY not in repr(team.app.state.team)


async def test_scheme_may_be_written_in_small_letters(team: Team) -> None:
    response = await team.http.get(f"{API}/tags", headers={"authorization": f"bearer {KEY}"})
    assert response.status_code == 200


async def test_description_tells_of_the_key(team: Team) -> None:
    description = team.app.openapi()
    assert description["components"]["securitySchemes"]["Team key"]["scheme"] == "bearer"
    assert description["paths"][f"{API}/signals"]["post"]["security"] == [{"Team key": []}]
