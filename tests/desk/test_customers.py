"""On the desk: who is vouched for and who only says so; ending a customer's sessions by the API."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from bot.conversation import events
from bot.conversation.changes import Changes, bells
from bot.conversation.delivery import Delivery
from bot.conversation.models import Conversation
from bot.customers import visitors
from bot.customers.identify import identify
from bot.handoff.models import Escalation
from tests.customers.signing import Website
from tests.desk.calls import API
from tests.desk.rig import signed_in
from tests.desk.shop import Shop, open_shop
from tests.desk.test_live import listening
from tests.desk.world import KEY, World, new_world

pytestmark = pytest.mark.slow
WEBSITE = Website()
ADA = {"name": "Ada Lovelace", "email": "ada.l@example.com", "account": "acme", "plan": "gold"}


@pytest.fixture
async def shop(engine: Engine) -> Shop:
    """The desk, with bells that ring."""
    delivery = Delivery()
    return open_shop(engine, Changes(engine, bells(delivery)), delivery=delivery)


def sign_in(shop: Shop, number: int, **claims: str) -> None:
    """Let the visitor of a case, anonymous until now, be identified."""
    there = shop.case(number).conversation_id
    with shop.desk.changes.transaction() as session:
        visitor, _ = visitors.create(session, "")
        conversation = events.locked(session, there)
        conversation.visitor_id, conversation.customer_id, conversation.account_id = visitor.id, None, None
        session.flush()
        identity = WEBSITE.trusted.check(WEBSITE.token("u1", **claims))
        assert identify(session, visitor.id, identity, True, shop.desk.queues).joined == 1


async def test_who_is_vouched_for_shows_at_once(shop: Shop) -> None:
    number = shop.cases[0]
    ada = await signed_in(shop.app, "ada@example.com")
    with Session(shop.engine) as session, session.begin():
        conversation = session.get_one(Conversation, shop.case(number).conversation_id)
        conversation.customer_id = None
        contact = {"name": "Ann", "email": "ann@example.com", "time": ""}
        conversation.contact = session.get_one(Escalation, number).contact = contact
    before = (await ada.get(f"/desk/cases/{number}/side")).text
    assert ("Not verified" in before, "Ada Lovelace" in before) == (True, False)
    async with listening(ada, f"/desk/cases/{number}/events", after="0") as heard:
        while "customer" in (await heard.next("parts"))[1]:
            pass
        await asyncio.to_thread(sign_in, shop, number, **ADA)
        while "customer" not in (await heard.next("parts"))[1]:
            pass
    side = (await ada.get(f"/desk/cases/{number}/side")).text
    for told in ("Ada Lovelace", "ada.l@example.com", "<dd>u1</dd>", "acme", "gold", 'class="vouched"'):
        assert told in side
    assert "Not verified" not in side
    assert side.count("As they wrote it") == 2
    assert contact["email"] in side
    assert "Ada Lovelace" in (await ada.get("/desk")).text


async def test_what_a_token_says_is_text_on_the_desk(shop: Shop) -> None:
    number = shop.cases[0]
    sign_in(shop, number, name='"><script>alert(1)</script>', email="ada@example.com")
    ada = await signed_in(shop.app, "ada@example.com")
    for path in ("/desk", f"/desk/cases/{number}", f"/desk/cases/{number}/side"):
        page = (await ada.get(path)).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)" in page


@pytest.fixture
def world() -> Iterator[World]:
    """An installation with verified customers."""
    world = new_world()
    yield world
    world.engine.dispose()


async def test_a_customers_sessions_are_ended(world: World) -> None:
    place = world.places["support"]
    team = {"authorization": f"Bearer {KEY}"}
    browser = {"authorization": f"Bearer {place.browser}"}
    transport = httpx.ASGITransport(world.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        assert (await http.get(f"{API}/conversations/{place.conversation}", headers=browser)).status_code == 200
        path = f"{API}/customers/customer%20of%20support/sessions"
        assert (await http.delete(path, headers=browser)).status_code == 401
        for ended in (1, 0):
            answer = await http.delete(path, headers=team)
            assert answer.json() == {"customer": "customer of support", "ended": ended}
        refused = await http.get(f"{API}/conversations/{place.conversation}", headers=browser)
        assert refused.json()["error"]["code"] == "visitor_unknown"
        assert (await http.delete(f"{API}/customers/a%2Fb/sessions", headers=team)).status_code == 404
        entry = (await http.get(f"{API}/audit", headers=team)).json()["entries"][0]
        assert (entry["action"], entry["target"]) == ("customer.end_sessions", "customer:customer of support")
