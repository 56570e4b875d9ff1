"""Invitations as a page gets them: whose they are, what is told of them, and what stays behind."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.conversation.changes import Changes
from bot.success.accounts import ensure_account
from bot.success.invitations.offers import Invitations, Limits
from bot.success.invitations.rules import Rule
from bot.success.models import InvitationOutcome
from tests.channels.webchat.conftest import API, Chat, assert_error
from tests.customers.signing import Website

WIDGET = "/api/v1/widget"
VISITORS = "/api/v1/visitors"
MINE = f"{VISITORS}/me/invitations"
# Words that stand in names and segments, and must never reach a page.
CANARY = "canary"
RULES = (
    Rule.model_validate(
        {
            "name": f"{CANARY}-churn",
            "texts": {"en": "Stay **with** us <b>!</b>", "tr": "Kalın"},
            "pages": ["/account*"],
            "segment": {"plans": [f"{CANARY} plan"], "accounts": [f"{CANARY}-account"], "stages": ["retention"]},
        }
    ),
    Rule.model_validate({"name": f"{CANARY}-all", "texts": {"en": "Hello"}, "segment": {"returning": True}}),
)


class Browser:
    """A visitor's, on our own pages."""

    def __init__(self, chat: Chat, token: str) -> None:
        self._chat = chat
        self._headers = {"authorization": f"Bearer {token}"}
        self.said: list[str] = []

    async def ask(self, method: str, path: str, body: Any = None, **query: Any) -> httpx.Response:
        """Make a request; what comes back is kept."""
        answer = await self._chat.http.request(method, path, json=body, params=query or None, headers=self._headers)
        self.said.append(f"{answer.headers} {answer.text}")
        return answer

    async def tell(self, identifier: str, outcome: str) -> httpx.Response:
        """Say what became of an invitation."""
        return await self.ask("POST", f"{MINE}/{identifier}/outcome", {"outcome": outcome})


@pytest.fixture
def website() -> Website:
    """Who vouches for customers."""
    return Website()


@pytest.fixture
def invited(chat: Chat, website: Website) -> Chat:
    """A web chat with the rules above."""
    chat.state.identity = website.trusted
    chat.state.invitations = Invitations(RULES, Limits(12, 90))
    chat.state.invitations.prepare(Changes(chat.bench.engine))
    with Session(chat.bench.engine) as session, session.begin():
        ensure_account(session, f"{CANARY}-account").stage = "retention"
    return chat


async def browser(chat: Chat) -> Browser:
    """An anonymous one."""
    return Browser(chat, (await chat.http.post(VISITORS)).json()["token"])


async def customers(chat: Chat, website: Website, sub: str = "u1") -> Browser:
    """One of a customer who is meant by the first rule."""
    made = await browser(chat)
    token = website.token(sub, account=f"{CANARY}-account", plan=f"{CANARY} plan")
    answer = await made.ask("POST", f"{VISITORS}/me/identity", {"token": token})
    assert answer.status_code == 200, answer.text
    made.said.clear()  # It tells the website's own claims.
    return made


async def test_configuration_of_a_stranger(invited: Chat) -> None:
    answer = await invited.http.get(WIDGET)
    body = answer.json()
    assert body["invitation_limits"] == {"pause_hours": 12, "not_now_days": 90, "quiet_until": None}
    only = body["invitations"][0]
    assert [offer["html"] for offer in body["invitations"]] == ["<p>Hello</p>\n"]
    assert (only["pages"], only["after"], only["every_days"], only["most"]) == ([], 10, 7, 3)
    assert (only["language"], only["returning"]) == ("en", True)
    assert answer.headers["cache-control"] == "public, max-age=60"
    for token in ("v.unknown", "nonsense"):
        again = await invited.http.get(WIDGET, headers={"authorization": f"Bearer {token}"})
        assert again.json() == body


async def test_configuration_of_a_customer(invited: Chat, website: Website) -> None:
    theirs = await customers(invited, website)
    answer = await theirs.ask("GET", WIDGET, language="tr-TR")
    assert answer.headers["cache-control"] == "no-store"
    assert "authorization" in answer.headers["vary"]
    assert [offer["html"] for offer in answer.json()["invitations"]] == ["<p>Kalın</p>\n", "<p>Hello</p>\n"]
    asked = (await theirs.ask("GET", MINE, language="tr")).json()
    assert asked["invitations"] == answer.json()["invitations"]


async def test_nothing_of_rules_and_segments_is_told(invited: Chat, website: Website) -> None:
    theirs = await customers(invited, website)
    offer = (await theirs.ask("GET", MINE)).json()["invitations"][0]
    assert offer["html"] == "<p>Stay <strong>with</strong> us &lt;b&gt;!&lt;/b&gt;</p>\n"
    begun = (await theirs.ask("POST", API, {"language": "en", "invitation": offer["id"]})).json()["id"]
    messages = (await theirs.ask("GET", f"{API}/{begun}/messages")).json()["messages"]
    assert [(one["author"], one["text"]) for one in messages] == [("bot", "Stay **with** us <b>!</b>")]
    for path in ("", "/events?wait=0", "/transcript", "/transcript?format=html"):
        assert (await theirs.ask("GET", f"{API}/{begun}{path}")).status_code == 200
    await theirs.ask("GET", API)
    await theirs.ask("GET", WIDGET)
    stranger = await browser(invited)
    for path in (WIDGET, MINE):
        assert "Stay" not in (await stranger.ask("GET", path)).text
    stolen = (await stranger.ask("POST", API, {"language": "en", "invitation": offer["id"]})).json()["id"]
    assert (await stranger.ask("GET", f"{API}/{stolen}/messages")).json()["messages"] == []
    assert not [said for said in (*theirs.said, *stranger.said) if CANARY in said or "retention" in said]
    assert (await stranger.tell(offer["id"], "shown")).status_code == 204


async def test_limits_hold_on_all_devices(invited: Chat, website: Website) -> None:
    phone, desktop = await customers(invited, website), await customers(invited, website)
    other = await customers(invited, website, "u2")
    first = (await phone.ask("GET", MINE)).json()["invitations"][0]["id"]
    assert (await phone.tell(first, "shown")).status_code == 204
    seen = (await desktop.ask("GET", MINE)).json()
    assert first not in [offer["id"] for offer in seen["invitations"]]
    assert seen["invitation_limits"]["quiet_until"] is not None
    await phone.tell("page", "not_now")
    longer = (await desktop.ask("GET", WIDGET)).json()["invitation_limits"]["quiet_until"]
    assert longer > seen["invitation_limits"]["quiet_until"]
    assert (await other.ask("GET", MINE)).json()["invitations"][0]["id"] == first
    assert (await other.ask("GET", MINE)).json()["invitation_limits"]["quiet_until"] is None
    with Session(invited.bench.engine) as session:
        rows = [(row.name, row.outcome, row.customer_id) for row in session.scalars(select(InvitationOutcome))]
    assert rows == [(f"{CANARY}-churn", "shown", "u1"), ("page", "not_now", "u1")]


async def test_refused(invited: Chat, website: Website) -> None:
    theirs = await customers(invited, website)
    assert_error(await theirs.tell("f" * 32, "shown"), 404, "not_found")
    for identifier, outcome in (("x", "shown"), ("page", "answered"), ("page", "bought")):
        assert_error(await theirs.tell(identifier, outcome), 422, "invalid_input")
    for method, path, body in (("GET", MINE, None), ("POST", f"{MINE}/page/outcome", {"outcome": "shown"})):
        assert_error(await invited.http.request(method, path, json=body), 404, "visitor_unknown")
    assert_error(await theirs.ask("GET", MINE, language="de"), 422, "invalid_input")
    assert_error(await theirs.ask("POST", API, {"invitation": "hello"}), 422, "invalid_input")
    begun = await theirs.ask("POST", API, {"invitation": "f" * 32})
    assert begun.status_code == 201
    messages = await theirs.ask("GET", f"{API}/{begun.json()['id']}/messages")
    assert json.loads(messages.text)["messages"] == []
