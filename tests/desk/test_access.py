"""Who may call the team API: tokens with scopes and the operator's key. What each may do stands in `test_matrix`."""

from __future__ import annotations

import datetime as dt

import httpx
import pytest
from sqlalchemy.orm import Session

from bot.conversation.models import now
from bot.errors import InvalidInput, NotFound
from bot.people import tokens
from bot.people.models import ApiToken, AuditEntry
from bot.people.roles import PERMISSIONS, Forbidden, Permission, Principal, operator
from tests.channels.webchat.conftest import assert_error
from tests.desk.conftest import API, KEY, Team

OPERATOR = operator("tests")


def new_token(team: Team, *scopes: Permission, queues: list[str] | None = None) -> str:
    """A token as `refill tokens add` makes it."""
    with Session(team.engine) as session, session.begin():
        return tokens.create_token(session, OPERATOR, "Another system", scopes or PERMISSIONS, queues)[1]


async def ask(team: Team, token: str) -> httpx.Response:
    """Read what anybody with `reports:read` may."""
    return await team.http.get(f"{API}/tags", headers={"authorization": f"Bearer {token}"})


@pytest.mark.parametrize("value", [None, "Bearer", "Bearer ", f"Basic {KEY}", KEY, f"Bearer {KEY}x", "Bearer kéy"])
async def test_wrong_key(team: Team, value: str | None) -> None:
    team.http.headers.pop("authorization", None)
    headers = {b"authorization": value.encode()} if value else {}
    response = await team.http.get(f"{API}/tags", headers=headers)
    assert_error(response, 401, "unauthorised")
    assert response.headers["www-authenticate"] == "Bearer"
    assert KEY not in response.text


async def test_without_a_key_only_tokens_open_it(team: Team) -> None:
    token = new_token(team)
    team.state.key = ""
    for value in ("", " ", KEY):
        assert_error(await ask(team, value), 401, "unauthorised")
    assert (await ask(team, token)).status_code == 200


async def test_tokens_end(team: Team) -> None:
    revoked, over, lasting = (new_token(team) for _ in range(3))
    with Session(team.engine) as session, session.begin():
        find = {value: session.query(ApiToken).filter_by(token_hash=tokens.hash_of(value)) for value in (revoked, over)}
        tokens.revoke_token(session, OPERATOR, find[revoked].one().id)
        find[over].one().expires_at = now()
    assert [(await ask(team, token)).status_code for token in (revoked, over, lasting)] == [401, 401, 200]


async def test_use_is_noted_once_a_minute(team: Team) -> None:
    token = new_token(team)

    def used(moment: dt.datetime | None = None) -> dt.datetime | None:
        with Session(team.engine) as session, session.begin():
            found = session.query(ApiToken).one()
            found.last_used_at = moment or found.last_used_at
            return found.last_used_at

    assert used() is None
    await ask(team, token)
    first = used()
    await ask(team, token)
    assert first is not None
    assert used() == first
    used(first - dt.timedelta(seconds=61))
    await ask(team, token)
    assert used() > first  # type: ignore[operator]


def test_token_is_kept_as_its_hash_and_noted(team: Team) -> None:
    value = new_token(team, "audit:read", queues=["support"])
    with Session(team.engine) as session:
        (kept,) = session.query(ApiToken)
        (entry,) = session.query(AuditEntry)
    assert value.startswith("rf_")
    assert len(value) > 40
    assert value not in repr(vars(kept)) + repr(entry.detail)
    assert (entry.action, entry.target, entry.by) == ("token.create", f"token:{kept.id}", "operator:tests")


def test_nobody_gives_more_than_they_have(team: Team) -> None:
    scopes: frozenset[Permission] = frozenset({"tokens:manage", "audit:read"})
    narrow = Principal("token", "x", "X", scopes, frozenset({"support"}))
    with Session(team.engine) as session:
        for wanted, queues in ((["signals:read"], ["support"]), (["audit:read"], None), (["audit:read"], ["success"])):
            with pytest.raises(Forbidden):
                tokens.create_token(session, narrow, "New", wanted, queues)
        made, _ = tokens.create_token(session, narrow, "New", ["audit:read"], ["support"])
        assert (made.scopes, made.queues) == (["audit:read"], ["support"])
        with pytest.raises(Forbidden):
            tokens.create_token(session, Principal("token", "x", "X", frozenset()), "New", ["audit:read"])


def test_bad_tokens(team: Team) -> None:
    with Session(team.engine) as session:
        for name, scopes, queues, end in (
            ("", ["audit:read"], None, None),
            ("X", [], None, None),
            ("X", ["everything"], None, None),
            ("X", ["audit:read"], [], None),
            ("X", ["audit:read"], ["sales"], None),
            ("X", ["audit:read"], None, now() - dt.timedelta(seconds=1)),
            ("X", ["audit:read"], None, dt.datetime(9999, 12, 31, tzinfo=dt.UTC)),
        ):
            with pytest.raises(InvalidInput):
                tokens.create_token(session, OPERATOR, name, scopes, queues, end)
        with pytest.raises(NotFound):
            tokens.revoke_token(session, OPERATOR, "f" * 32)
        assert session.query(ApiToken).count() == 0


async def test_visitors_token_is_no_key(team: Team) -> None:
    """Signals never show to the customer."""
    visitor = {"authorization": f"Bearer {team.token}"}
    assert_error(await team.http.get(f"{API}/conversations/{team.here}/tags", headers=visitor), 401, "unauthorised")
    key = {"authorization": f"Bearer {KEY}"}
    assert_error(await team.http.get(f"{API}/conversations/{team.here}", headers=key), 404, "not_found")


def test_key_is_not_shown(team: Team) -> None:
    assert KEY not in repr(team.state)


async def test_scheme_may_be_written_in_small_letters(team: Team) -> None:
    response = await team.http.get(f"{API}/tags", headers={"authorization": f"bearer {KEY}"})
    assert response.status_code == 200
