"""On the desk: what was seen by whom, what the website told, the transcript as a file."""

from __future__ import annotations

import asyncio
import json
import re

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from bot.conversation.changes import Changes, bells
from bot.conversation.context import set_context
from bot.conversation.delivery import Delivery
from bot.conversation.models import Conversation
from bot.conversation.reading import mark_read
from bot.handoff import cases
from bot.handoff.models import SIGNAL
from tests.desk.rig import signed_in
from tests.desk.shop import Shop, open_shop
from tests.desk.test_live import listening

pytestmark = pytest.mark.slow

HOSTILE = '"><script>alert(1)</script>'


@pytest.fixture
async def shop(engine: Engine) -> Shop:
    """The desk, with bells that ring."""
    delivery = Delivery()
    return open_shop(engine, Changes(engine, bells(delivery)), delivery=delivery)


def conversation(shop: Shop, number: int) -> Conversation:
    identifier = shop.case(number).conversation_id
    with Session(shop.engine) as session:
        return session.get_one(Conversation, identifier)


async def test_whoever_sees_the_case_reads_for_the_team(shop: Shop) -> None:
    number = shop.cases[0]
    last = conversation(shop, number).last_number
    ada, mei = [await signed_in(shop.app, f"{name}@example.com") for name in ("ada", "mei")]
    for browser, seen, status, expected in (
        (mei, last, 404, 0),  # Not of her queues.
        (ada, "x", 204, 0),
        (ada, 1, 204, 1),
        (ada, 10**8, 204, last),
        (ada, 1, 204, last),
    ):
        answer = await browser.post(f"/desk/cases/{number}/read", {"number": str(seen)})
        assert answer.status_code == status
        assert conversation(shop, number).read_by_team == expected
    assert (await ada.http.post(f"/desk/cases/{number}/read", data={"number": "1"})).status_code == 403


async def test_work_on_signals_is_read_in_silence(shop: Shop) -> None:
    work = next(number for number in range(1, 50) if shop.case(number).reason == SIGNAL)
    lena = await signed_in(shop.app, "lena@example.com")
    before = conversation(shop, work)
    assert (await lena.post(f"/desk/cases/{work}/read", {"number": "1"})).status_code == 204
    after = conversation(shop, work)
    assert (after.read_by_team, after.last_event) == (0, before.last_event)


async def test_what_the_customer_has_seen_shows_at_once(shop: Shop) -> None:
    number = shop.cases[0]
    there = shop.case(number).conversation_id
    with shop.desk.changes.transaction() as session:
        reply = cases.reply(session, number, shop.by("ada@example.com"), "Fixed at six.").number
    ada = await signed_in(shop.app, "ada@example.com")
    page = (await ada.get(f"/desk/cases/{number}")).text
    assert 'data-read="" data-read-at=""' in page
    after = re.findall(r'data-after="(\d+)"', page)[0]
    async with listening(ada, f"/desk/cases/{number}/events", after=after) as heard:
        await asyncio.to_thread(mark_read, shop.desk.changes, there, "customer", reply)
        _, data = await heard.next("seen")
        seen = json.loads(data)
        assert seen["number"] == reply
        assert (await heard.next("parts"))[1] == '["read"]'
    page = (await ada.get(f"/desk/cases/{number}")).text
    assert f'data-read="{reply}" data-read-at="{seen["at"]}"' in page


async def test_what_the_website_told_is_shown_as_told(shop: Shop) -> None:
    number = shop.cases[0]
    ada = await signed_in(shop.app, "ada@example.com")
    assert "Told by the website" not in (await ada.get(f"/desk/cases/{number}/side")).text
    told = {"page": f"https://shop.example/{HOSTILE}", "title": HOSTILE, "values": {HOSTILE: HOSTILE, "trial": True}}
    with shop.desk.changes.transaction() as session:
        set_context(session, shop.case(number).conversation_id, told)
    side = (await ada.get(f"/desk/cases/{number}/side")).text
    assert "Told by the website, not verified" in side
    assert "<script" not in side
    assert '<a href="https://shop.example/&#34;&gt;&lt;script&gt;' in side
    assert re.search(r'<dt dir="auto">trial</dt><dd dir="auto">yes</dd>', side)


async def test_transcript_in_the_readers_language(shop: Shop) -> None:
    number = shop.cases[0]
    ada, mei = [await signed_in(shop.app, f"{name}@example.com") for name in ("ada", "mei")]
    path = f"/desk/cases/{number}/transcript"
    answer = await ada.get(path, params={"zone": "Asia/Bangkok"})
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "Times are those of Asia/Bangkok." in answer.text
    assert "<bdi>Customer</bdi>" in answer.text
    assert "churn" not in answer.text
    assert path in (await ada.get(f"/desk/cases/{number}")).text
    assert (await ada.get(path, params={"zone": "Mars"})).status_code == 422
    assert (await mei.get(path)).status_code == 404
