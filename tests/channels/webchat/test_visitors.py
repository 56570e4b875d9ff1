"""Visitors over HTTP: made, identified, followed across devices; nobody else gets in by any route."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from bot.channels.webchat import stream
from bot.channels.webchat.site import Site
from bot.conversation.models import now
from bot.customers.models import Visitor as VisitorRow
from bot.customers.sessions import end_sessions
from bot.customers.tokens import IdentityTokens
from bot.people.roles import SYSTEM
from tests.channels.webchat.conftest import API, Chat, assert_error
from tests.conversation.fakes import PATIENCE
from tests.customers.signing import Website
from tests.customers.test_tokens import ATTACKS, EXPIRED, SITE
from tests.described import operations

VISITORS = "/api/v1/visitors"
ME = f"{VISITORS}/me"
AWAY = "https://www.example.com"
Method = Callable[..., Awaitable[httpx.Response]]


@dataclass(frozen=True)
class Browser:
    """A visitor's session in a browser."""

    http: httpx.AsyncClient
    id: str
    token: str
    origin: str = AWAY

    @property
    def headers(self) -> dict[str, str]:
        """As the browser sends them from the website."""
        return {"authorization": f"Bearer {self.token}", "origin": self.origin}

    async def get(self, path: str, **query: Any) -> httpx.Response:
        """Read something."""
        return await self.http.get(path, headers=self.headers, params=query)

    async def post(self, path: str, body: Any = None) -> httpx.Response:
        """Send something."""
        return await self.http.post(path, headers=self.headers, json=body)

    async def identify(self, token: str, **body: Any) -> httpx.Response:
        """Show an identity token."""
        return await self.post(f"{ME}/identity", {"token": token, **body})

    async def begin(self, text: str = "Hello") -> str:
        """A conversation in which something was said."""
        made = (await self.post(API, {"language": "tr"})).json()
        assert made["token"] is None
        sent = await self.post(f"{API}/{made['id']}/messages", {"client_id": "a", "text": text})
        assert sent.status_code == 202
        return str(made["id"])

    async def listed(self) -> list[str]:
        """The conversations of the list."""
        return [one["id"] for one in (await self.get(API)).json()["conversations"]]


@pytest.fixture
def website() -> Website:
    """Signs tokens."""
    return SITE


@pytest.fixture
async def shop(make_chat: Callable[..., Chat], website: Website) -> Chat:
    """A chat that another website uses."""
    chat = make_chat(site=Site(origins=frozenset({AWAY})))
    chat.state.identity = website.trusted
    return chat


async def browser(chat: Chat, origin: str = AWAY) -> Browser:
    """A new visitor."""
    made = await chat.http.post(VISITORS, headers={"origin": origin} if origin else {})
    assert made.status_code == 201
    return Browser(chat.http, **made.json(), origin=origin)


def row(chat: Chat, one: Browser, **changed: Any) -> None:
    """Change what is kept of a visitor."""
    with chat.bench.changes.transaction() as session:
        found = session.get_one(VisitorRow, one.id)
        for name, value in changed.items():
            setattr(found, name, value)


def paths(chat: Chat, conversation: str) -> Iterator[tuple[str, str]]:
    """Every operation of a conversation, as one can be called."""
    for (method, path), _ in operations(chat.app):
        if path.startswith(f"{API}/{{conversation_id}}") and "x-permission" not in _:
            filled = path.replace("{conversation_id}", conversation).replace("{number}", "1")
            yield method, re.sub(r"\{\w+\}", "f" * 32, filled)


# What is right


async def test_a_visitor(shop: Chat) -> None:
    one = await browser(shop)
    assert (await one.get(ME)).json() == {"id": one.id, "customer": None, "expires_at": None}
    assert await one.listed() == []
    mine = await one.begin("Where is my order? " + "x" * 300)
    await shop.bench.settled()
    (found,) = (await one.get(API)).json()["conversations"]
    assert (found["id"], found["language"], found["unread"], found["case_open"]) == (mine, "tr", 1, False)
    assert (found["title"][:19], len(found["title"])) == ("Where is my order? ", 200)
    assert (found["last"]["author"], found["last"]["number"], len(found["last"]["text"])) == ("bot", 2, 200)
    assert found["owner"] == {"kind": "bot", "name": None, "picture": None}
    assert (await one.get(f"{API}/{mine}/messages")).json()["messages"][0]["author"] == "customer"
    gone = await one.http.delete(ME, headers=one.headers)
    assert (gone.status_code, gone.content) == (204, b"")
    for path in (ME, API, f"{API}/{mine}"):
        assert_error(await one.get(path), 404, "visitor_unknown")
    assert_error(await one.post(API, {}), 404, "visitor_unknown")


@pytest.mark.slow
async def test_history_follows_the_customer_across_devices(shop: Chat, website: Website) -> None:
    desk, phone, other = [await browser(shop) for _ in range(3)]
    before = await desk.begin()
    told = {"name": "Ada", "email": "ada@example.com", "account": "acme", "plan": "gold"}
    answer = await desk.identify(website.token("u1", **told))
    assert answer.status_code == 200
    identified = answer.json()
    assert (identified["customer"], identified["joined"]) == (
        {"id": "u1", "name": "Ada", "email": "ada@example.com", "account": "acme", "plan": "gold"},
        1,
    )
    me = (await desk.get(ME)).json()
    assert (me["customer"], me["expires_at"]) == (identified["customer"], identified["expires_at"])
    anonymous = await phone.begin("Hi")
    assert (await phone.identify(website.token("u1", "pair"), join=False)).json()["joined"] == 0
    after = await phone.begin("And")
    await shop.bench.settled()
    assert set(await desk.listed()) == {before, after}
    assert set(await phone.listed()) == {before, after, anonymous}
    said = await desk.post(f"{API}/{after}/messages", {"client_id": "d", "text": "From the desk"})
    assert said.status_code == 202
    assert (await other.identify(website.token("u2"))).status_code == 200
    assert await other.listed() == []
    assert_error(await other.get(f"{API}/{before}"), 404, "not_found")
    assert_error(await desk.identify(website.token("u2")), 409, "other_customer")
    await shop.bench.settled()


@pytest.mark.slow
async def test_an_identity_that_has_ended(shop: Chat, website: Website) -> None:
    one = await browser(shop)
    await one.identify(website.token("u1"))
    mine = await one.begin()
    row(shop, one, identified_until=now())
    for method, path in paths(shop, mine):
        assert_error(await one.http.request(method, path, headers=one.headers, json={}), 401, "identity_expired")
    for answer in (await one.get(API), await one.post(API, {})):
        assert_error(answer, 401, "identity_expired")
    me = (await one.get(ME)).json()
    assert me["customer"] is None
    assert me["expires_at"] is not None
    assert (await one.identify(website.token("u1"))).status_code == 200
    assert (await one.get(f"{API}/{mine}")).status_code == 200
    await shop.bench.settled()


async def test_a_conversation_of_its_own_goes_on_without_a_visitor(shop: Chat) -> None:
    made = (await shop.http.post(API, json={})).json()
    headers = {"authorization": f"Bearer {made['token']}"}
    assert (await shop.http.get(f"{API}/{made['id']}", headers=headers)).status_code == 200
    assert_error(await shop.http.get(API, headers=headers), 404, "visitor_unknown")
    assert_error(await shop.http.get(ME, headers=headers), 404, "visitor_unknown")


# Streams and waiting


@pytest.mark.parametrize("how", ["expired", "revoked", "ended by the team"])
async def test_open_streams_end_with_the_session(
    shop: Chat, website: Website, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.02)
    one = await browser(shop)
    await one.identify(website.token("u1"))
    mine = await one.begin()
    await shop.bench.settled()
    last = (await one.get(f"{API}/{mine}")).json()
    follow = asyncio.create_task(one.get(f"{API}/{mine}/events", after=last["last_event"]))
    wait = asyncio.create_task(one.get(f"{API}/{mine}/messages", after=last["last_number"], wait=30))
    await asyncio.sleep(0.1)
    assert [follow.done(), wait.done()] == [False, False]
    if how == "expired":
        row(shop, one, identified_until=now())
    elif how == "revoked":
        row(shop, one, revoked_at=now())
    else:
        with shop.bench.changes.transaction() as session:
            end_sessions(session, SYSTEM, "u1")
    streamed = await asyncio.wait_for(follow, PATIENCE)
    assert (streamed.status_code, "event: message" in streamed.text) == (200, False)
    refused = await asyncio.wait_for(wait, PATIENCE)
    assert_error(refused, *((401, "identity_expired") if how == "expired" else (404, "visitor_unknown")))


# What is wrong, everywhere


@pytest.mark.slow
async def test_every_wrong_token_on_every_route(shop: Chat, website: Website) -> None:
    one = await browser(shop)
    await one.identify(website.token("u1"))
    mine = await one.begin()
    await shop.bench.settled()
    attacker = await browser(shop)
    for name, make in (ATTACKS | EXPIRED).items():
        wanted = 422 if name in ("nothing", "too long") else 401
        refused = await attacker.identify(make())
        assert refused.status_code == wanted, name
        assert refused.json()["error"]["code"] == (
            "invalid_input" if wanted == 422 else "identity_expired" if name in EXPIRED else "identity_refused"
        ), name
    # No identity token, right or wrong, opens anything by itself.
    used = website.token("u1")
    assert (await attacker.identify(website.token("u2"))).status_code == 200
    right = [website.token("u1"), website.token("u1", "pair"), used]
    wrong = [ATTACKS[name]() for name in ("none", "HS256 with the public key, raw", "tampered", "an unknown kid")]
    bearers = [*right, *wrong, EXPIRED["ended"](), "", "v.", f"v.{one.token}", one.token[2:], one.token + "x", one.id]
    calls = [*paths(shop, mine), ("get", API), ("post", API), ("get", ME), ("delete", ME), ("post", f"{ME}/identity")]
    for bearer in bearers:
        for method, path in calls:
            headers = {"authorization": f"Bearer {bearer}", "origin": AWAY}
            answer = await shop.http.request(method, path, headers=headers, json={"token": used})
            assert answer.status_code == 404, (bearer, method, path, answer.text)
    assert (await one.get(f"{API}/{mine}")).status_code == 200


@pytest.mark.slow
async def test_tokens_of_others_on_every_route(shop: Chat, website: Website) -> None:
    one, other, customer, ended = [await browser(shop) for _ in range(4)]
    own = (await shop.http.post(API, json={})).json()
    await one.identify(website.token("u1"))
    mine = await one.begin()
    anonymous = await other.begin()
    await customer.identify(website.token("u2"))
    await ended.identify(website.token("u1"))
    row(shop, ended, revoked_at=now())
    await shop.bench.settled()
    strangers = [
        other,
        customer,
        ended,
        Browser(shop.http, own["id"], own["token"]),
        Browser(shop.http, one.id, one.token, "https://evil.example"),
        Browser(shop.http, one.id, one.token, "http://test"),
        Browser(shop.http, one.id, one.token, "null"),
    ]
    for stranger in strangers:
        for conversation in (mine, *((anonymous,) if stranger is not other else ())):
            for method, path in paths(shop, conversation):
                answer = await shop.http.request(method, path, headers=stranger.headers, json={})
                foreign = stranger.origin in ("https://evil.example", "null")
                assert answer.status_code == (403 if foreign else 404), (method, path, answer.text)
    assert (await one.get(f"{API}/{mine}")).status_code == 200
    assert (await other.get(f"{API}/{anonymous}")).status_code == 200
    assert len(list(paths(shop, mine))) >= 10


@pytest.mark.parametrize("origin", ["", AWAY])
async def test_a_session_stays_on_its_website(shop: Chat, origin: str) -> None:
    one = await browser(shop, origin)
    mine = await one.begin()
    elsewhere = Browser(shop.http, one.id, one.token, AWAY if origin == "" else "")
    assert_error(await elsewhere.get(f"{API}/{mine}"), 404, "visitor_unknown")
    assert_error(await elsewhere.get(ME), 404, "visitor_unknown")
    assert (await one.get(f"{API}/{mine}")).status_code == 200
    await shop.bench.settled()


async def test_a_key_that_is_retired_meanwhile(shop: Chat, website: Website) -> None:
    one = await browser(shop)
    keys = iter((website.keys["shared"], None))
    shop.state.identity = IdentityTokens(lambda _: next(keys))
    assert_error(await one.identify(website.token()), 401, "identity_refused")
    assert (await one.get(ME)).json()["customer"] is None


async def test_a_token_is_for_one_browser(shop: Chat, website: Website) -> None:
    one, other = await browser(shop), await browser(shop)
    token = website.token("u1")
    assert [(await one.identify(token)).status_code for _ in range(2)] == [200, 200]
    assert_error(await other.identify(token), 401, "identity_refused")
    assert (await other.get(ME)).json()["customer"] is None


@pytest.mark.parametrize("body", [{}, {"token": 7}, {"token": "x", "join": "yes"}, {"token": "x", "more": 1}, [], None])
async def test_requests_that_break_a_rule(shop: Chat, body: Any) -> None:
    one = await browser(shop)
    assert_error(await one.post(f"{ME}/identity", body), 422, "invalid_input")


async def test_clocks_that_differ_a_little(shop: Chat, website: Website) -> None:
    one = await browser(shop)
    ahead = int(time.time()) + 50
    assert (await one.identify(website.token(iat=ahead, exp=ahead + 60))).status_code == 200
