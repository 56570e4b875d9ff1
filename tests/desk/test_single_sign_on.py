"""Signing in through an identity provider: what is believed, and what is not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from bot.conversation.models import now
from bot.desk.pages import COOKIE
from bot.people.models import AuditEntry, Person
from bot.settings import load_settings
from tests.conversation.fakes import PROJECT
from tests.desk.live import serving
from tests.desk.provider import CLIENT, CODE, OTHER, SECRET, FakeProvider
from tests.desk.rig import Browser, add_person, browser, new_app, new_desk

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served() -> Iterator[FakeProvider]:
    """A provider, for all tests here."""
    provider = FakeProvider()
    with serving(provider.app()) as url:
        provider.url = url
        yield provider


@pytest.fixture
def provider(served: FakeProvider) -> FakeProvider:
    """The provider, saying nothing but the truth."""
    fresh = FakeProvider(served.url)
    vars(served).update(vars(fresh))
    return served


def desk_browser(engine: Engine, provider: FakeProvider, role: str = "none") -> Browser:
    """A browser at a desk that trusts the provider."""
    variables = {"ISSUER": provider.url, "CLIENT_ID": CLIENT, "CLIENT_SECRET": SECRET, "ROLE": role}
    settings = load_settings(PROJECT, {f"REFILL_DESK_OIDC_{name}": value for name, value in variables.items()})
    return browser(new_app(new_desk(engine, settings)))


async def go_and_come_back(one: Browser, provider: FakeProvider, **answer: str) -> httpx.Response:
    """Go to the provider and come back with its answer."""
    sent = await one.get("/desk/sign-in/provider?next=/desk/settings")
    assert sent.status_code == 303, sent.text
    asked = provider.question(sent.headers["location"])
    return await one.get("/desk/sign-in/provider/return", params={"code": CODE, "state": asked["state"], **answer})


async def test_somebody_the_provider_vouches_for_is_signed_in(engine: Engine, provider: FakeProvider) -> None:
    ada = add_person(engine)
    one = desk_browser(engine, provider)
    assert 'href="/desk/sign-in/provider?next=' in (await one.get("/desk/sign-in")).text
    sent = await one.get("/desk/sign-in/provider?next=/desk/settings")
    asked = provider.question(sent.headers["location"])
    assert asked["response_type"] == "code"
    assert asked["redirect_uri"] == "https://desk.example/desk/sign-in/provider/return"
    assert (asked["code_challenge_method"], asked["client_id"]) == ("S256", CLIENT)
    assert set(asked["scope"].split()) == {"openid", "email", "profile"}
    answer = await one.get("/desk/sign-in/provider/return", params={"code": CODE, "state": asked["state"]})
    assert (answer.status_code, answer.headers["location"]) == (303, "/desk/settings")
    assert (await one.get("/desk/settings")).status_code == 200
    with Session(engine) as session:
        last = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        assert last is not None
        assert (last.by, last.action, last.detail) == (f"person:{ada.id}", "session.start", {"way": "provider"})


LIES: dict[str, dict[str, Any]] = {
    "another nonce": {"claims": {"nonce": "other"}},
    "no nonce": {"claims": {"nonce": None}},
    "another audience": {"claims": {"aud": "other"}},
    "made for another of two": {"claims": {"aud": [CLIENT, "other"], "azp": "other"}},
    "another issuer": {"claims": {"iss": "https://evil.example"}},
    "over": {"claims": {"exp": int(time.time()) - 3600}},
    "without an end": {"claims": {"exp": None}},
    "unsigned": {"alg": "none"},
    "signed with a shared secret": {"alg": "HS256"},
    "signed by another": {"key": OTHER},
    "describes itself as another": {"description": {"issuer": "https://evil.example"}},
    "keys elsewhere in the clear": {"description": {"jwks_uri": "ftp://evil.example/keys"}},
}


@pytest.mark.parametrize("lie", LIES)
async def test_what_is_not_to_be_trusted_is_refused(engine: Engine, provider: FakeProvider, lie: str) -> None:
    add_person(engine)
    one = desk_browser(engine, provider)
    sent = await one.get("/desk/sign-in/provider")
    asked = provider.question(sent.headers["location"])
    vars(provider).update(LIES[lie])
    answer = await one.get("/desk/sign-in/provider/return", params={"code": CODE, "state": asked["state"]})
    assert answer.status_code == 502
    assert "did not work" in answer.text
    assert COOKIE not in one.http.cookies


@pytest.mark.parametrize("verified", [None, False, "false", 1])
async def test_an_email_nobody_verified_is_refused(engine: Engine, provider: FakeProvider, verified: Any) -> None:
    add_person(engine)
    provider.claims = {"email_verified": verified}
    one = desk_browser(engine, provider)
    answer = await go_and_come_back(one, provider)
    assert answer.status_code == 403
    assert "no verified e-mail address" in answer.text
    assert COOKIE not in one.http.cookies


@pytest.mark.parametrize("wrong", [{"state": "forged"}, {"state": ""}, {"code": "stolen"}])
async def test_an_answer_to_another_question_is_refused(
    engine: Engine, provider: FakeProvider, wrong: dict[str, str]
) -> None:
    add_person(engine)
    answer = await go_and_come_back(desk_browser(engine, provider), provider, **wrong)
    assert answer.status_code == 502
    assert bool(provider.asked) == ("code" in wrong), "the code is not given away where the state is wrong"


async def test_another_browser_cannot_come_back(engine: Engine, provider: FakeProvider) -> None:
    add_person(engine)
    sent = await desk_browser(engine, provider).get("/desk/sign-in/provider")
    asked = provider.question(sent.headers["location"])
    other = desk_browser(engine, provider)
    answer = await other.get("/desk/sign-in/provider/return", params={"code": CODE, "state": asked["state"]})
    assert answer.status_code == 502
    assert provider.asked == []


@pytest.mark.parametrize("role", ["none", "agent"])
async def test_who_is_new_gets_the_role_of_the_settings_or_none(
    engine: Engine, provider: FakeProvider, role: str
) -> None:
    answer = await go_and_come_back(desk_browser(engine, provider, role), provider)
    with Session(engine) as session:
        found = [(person.email, person.name, person.role) for person in session.scalars(select(Person))]
    if role == "none":
        assert (answer.status_code, found) == (403, [])
        assert "not known here" in answer.text
    else:
        assert (answer.status_code, found) == (303, [("ada@example.com", "Ada Lovelace", "agent")])


async def test_whose_access_was_taken_away_stays_out(engine: Engine, provider: FakeProvider) -> None:
    ada = add_person(engine)
    with Session(engine) as session, session.begin():
        session.get_one(Person, ada.id).disabled_at = now()
    assert (await go_and_come_back(desk_browser(engine, provider, "agent"), provider)).status_code == 403


async def test_a_provider_that_is_down_is_told(engine: Engine) -> None:
    one = desk_browser(engine, FakeProvider("http://127.0.0.1:9"))
    answer = await one.get("/desk/sign-in/provider")
    assert answer.status_code == 502
    assert "did not work" in answer.text


async def test_without_a_provider_there_is_no_way_to_it(engine: Engine) -> None:
    one = browser(new_app(new_desk(engine)))
    assert "provider" not in (await one.get("/desk/sign-in")).text
    assert (await one.get("/desk/sign-in/provider")).status_code == 404
