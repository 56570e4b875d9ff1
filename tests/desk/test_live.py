"""The streams that keep the desk's pages live: nothing is missed, nothing comes twice, nobody hears others' cases."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, delete
from sqlalchemy.orm import Session

from bot.conversation import events
from bot.conversation.changes import Changes, bells
from bot.conversation.delivery import Delivery
from bot.conversation.models import Conversation
from bot.desk.inbox import feed
from bot.handoff import cases
from bot.people.models import DeskSession, Presence
from tests.desk.rig import Browser, signed_in
from tests.desk.shop import Shop, open_shop

pytestmark = pytest.mark.slow

PATIENCE = 10


@pytest.fixture
async def shop(engine: Engine) -> Shop:
    """The desk, with bells that ring."""
    delivery = Delivery()
    return open_shop(engine, Changes(engine, bells(delivery)), delivery=delivery)


class Heard:
    """What a page's stream has brought.

    Attributes:
        last: Id of the last event that had one.
    """

    def __init__(self) -> None:
        self.last = ""
        self.status = 0
        self._chunks: asyncio.Queue[str | None] = asyncio.Queue()
        self._text = ""

    async def send(self, message: dict[str, Any]) -> None:
        """Take what the application sends."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif message.get("body"):
            self._chunks.put_nowait(message["body"].decode())
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self._chunks.put_nowait(None)

    async def next(self, *kinds: str) -> tuple[str, str]:
        """The next event of one of the kinds, with its data; others are passed over."""
        async with asyncio.timeout(PATIENCE):
            while True:
                while "\n\n" not in self._text:
                    chunk = await self._chunks.get()
                    if chunk is None:
                        return "end", ""
                    self._text += chunk
                block, _, self._text = self._text.partition("\n\n")
                if number := re.search(r"^id: (\d+)$", block, re.MULTILINE):
                    self.last = number[1]
                kind = re.search(r"^event: (\w+)$", block, re.MULTILINE)
                if kind and (not kinds or kind[1] in kinds):
                    return kind[1], "\n".join(re.findall(r"^data: (.*)$", block, re.MULTILINE))


@asynccontextmanager
async def listening(browser: Browser, path: str, last: str = "", **query: Any) -> AsyncIterator[Heard]:
    """A page's stream, for as long as the context lasts."""
    heard = Heard()
    gone = asyncio.Event()
    cookie = "; ".join(f"{name}={value}" for name, value in browser.http.cookies.items())
    headers = [(b"cookie", cookie.encode()), (b"host", b"desk.example"), (b"accept", b"text/event-stream")]
    if last:
        headers.append((b"last-event-id", last.encode()))
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": "&".join(f"{name}={value}" for name, value in query.items()).encode(),
        "headers": headers,
        "http_version": "1.1",
        "scheme": "https",
        "server": ("desk.example", 443),
        "client": ("203.0.113.9", 1),
    }

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    app: Any = browser.http._transport.app  # type: ignore[attr-defined]
    task = asyncio.create_task(app(scope, receive, heard.send))
    try:
        yield heard
    finally:
        gone.set()
        await asyncio.wait_for(task, PATIENCE)


async def test_conversation_is_followed_without_gap_or_double(shop: Shop) -> None:
    number = shop.cases[0]
    ada = await signed_in(shop.app, "ada@example.com")
    path = f"/desk/cases/{number}/events"
    async with listening(ada, path, after=0) as heard:
        missed = [await heard.next("entry") for _ in range(6)]
        assert [re.findall(r'data-event="(\d+)"', html) for _, html in missed] == [[str(n)] for n in (1, 2, 3, 4, 5, 6)]
        shop.write(number, "Hello <b>there</b>")
        _, html = await heard.next("entry")
        assert "Hello &lt;b&gt;there&lt;/b&gt;" in html
        assert json.loads((await heard.next("parts"))[1]) == ["message"]
        last = heard.last
    shop.write(number, "One")
    shop.write(number, "Two")
    async with listening(ada, path, last=last, after=0) as heard:
        assert "One" in (await heard.next("entry"))[1]
        assert "Two" in (await heard.next("entry"))[1]
        with shop.desk.changes.transaction() as session:
            cases.add_note(session, shop.case(number).conversation_id, shop.by("deniz@example.com"), "Mind.", number)
        assert "Mind." in (await heard.next("entry"))[1]
    for _ in range(PATIENCE * 100):
        if not await asyncio.to_thread(_lookers, shop):
            break
        await asyncio.sleep(0.01)
    assert _lookers(shop) == 0


async def test_who_looks_and_who_types(shop: Shop) -> None:
    number = shop.cases[0]
    ada, deniz = [await signed_in(shop.app, f"{name}@example.com") for name in ("ada", "deniz")]
    conversation_id = shop.case(number).conversation_id
    path = f"/desk/cases/{number}/events"
    with Session(shop.engine) as session:
        after = session.get_one(Conversation, conversation_id).last_event
    async with listening(ada, path, after=after) as heard:
        assert (await heard.next("lookers"))[1].strip() == ""
        async with listening(deniz, path, after=after):
            assert "Deniz Kaya is looking too" in (await heard.next("lookers"))[1]
            await deniz.post(f"/desk/cases/{number}/draft", {"kind": "reply", "text": "Dear", "seen_number": "1"})
            assert "Deniz Kaya is writing a reply" in (await heard.next("lookers"))[1]
        assert (await heard.next("lookers"))[1].strip() == ""
        shop.desk.delivery.typing(conversation_id, "customer", True)
        assert "The customer is typing" in (await heard.next("typing"))[1]
        shop.desk.delivery.typing(conversation_id, "customer", False)
        assert (await heard.next("typing"))[1].strip() == ""

    # Only whoever has the case types to the customer.
    with shop.desk.delivery.reader(conversation_id) as visitor:
        await ada.post(f"/desk/cases/{number}/typing", {"on": "yes"})
        assert visitor.typists == frozenset()
        await ada.post(f"/desk/cases/{number}/claim")
        await ada.post(f"/desk/cases/{number}/typing", {"on": "yes"})
        assert visitor.typists == {f"agent:{shop.people['ada@example.com'].id}"}


async def test_stream_ends_when_the_case_or_the_session_is_gone(shop: Shop) -> None:
    number = shop.cases[0]
    ada = await signed_in(shop.app, "ada@example.com")
    async with listening(ada, f"/desk/cases/{number}/events", after=100) as heard:
        await heard.next("lookers")
        with shop.desk.changes.transaction() as session:
            lena = shop.by("lena@example.com")
            cases.transfer(session, number, lena, shop.desk.queues, queue="success")
        assert (await heard.next("bye", "entry"))[0] == "bye"
    async with listening(ada, "/desk/events", after=0) as heard:
        await heard.next("change")
        with Session(shop.engine) as session, session.begin():
            session.execute(delete(DeskSession))
        shop.write(shop.cases[1], "Hello")
        assert (await heard.next("bye"))[0] == "bye"
    async with listening(ada, "/desk/events") as heard:
        assert (await heard.next())[0] == "end"
    assert heard.status == 401


async def test_list_tells_what_concerns_its_reader(shop: Shop) -> None:
    ada, mei = [await signed_in(shop.app, f"{name}@example.com") for name in ("ada", "mei")]
    mine, waiting, business = shop.cases[0], shop.cases[1], shop.cases[2]
    with shop.desk.changes.transaction() as session:
        cases.claim(session, mine, shop.by("ada@example.com"))
    with Session(shop.engine) as session:
        start = feed.newest(session)
    async with (
        listening(ada, "/desk/events", after=start) as heard,
        listening(mei, "/desk/events", after=start) as other,
    ):
        shop.write(mine, "Is there any news?")
        notice = json.loads((await heard.next("notice"))[1])
        assert notice == {"kind": "reply", "case": mine, "customer": "Sofia Marsh", "words": "Is there any news?"}
        assert json.loads((await heard.next("change"))[1]) == {"changed": True}
        await ada.post(f"/desk/cases/{mine}/note", {"text": "My own doing is no news."})
        with shop.desk.changes.transaction() as session:
            cases.transfer(session, waiting, shop.by("lena@example.com"), shop.desk.queues, queue="success")
        assert json.loads((await other.next("notice"))[1])["case"] == waiting
        with shop.desk.changes.transaction() as session:
            lena = shop.by("lena@example.com")
            cases.transfer(session, business, lena, shop.desk.queues, "support", lena.id)
            ada_id = shop.people["ada@example.com"].id
            cases.transfer(session, business, lena, shop.desk.queues, "support", ada_id)
        notice = json.loads((await heard.next("notice"))[1])
        assert (notice["kind"], notice["case"]) == ("assigned", business)
        await heard.next("change")
        last = heard.last
    shop.write(business, "好的")
    async with listening(ada, "/desk/events", last=last) as heard:
        assert json.loads((await heard.next("notice"))[1])["words"] == "好的"


async def test_events_that_end_late_are_told_all_the_same(shop: Shop) -> None:
    number = shop.cases[0]
    ada = shop.by("ada@example.com")
    with shop.desk.changes.transaction() as session:
        cases.claim(session, number, ada)
    with shop.desk.changes.transaction() as session:
        before = feed.begin(session, None)
        late = events.locked(session, shop.case(number).conversation_id)
        event = events.append(session, late, "message", {"number": 1}, "customer", visible=True)
        session.flush()
        early = event.id
    shop.write(shop.cases[1], "Hello")
    with Session(shop.engine) as session:
        seen = feed.news(session, ada, before)
        assert [notice.case for notice in seen.notices] == [number]
        assert feed.news(session, ada, seen).notices == ()
        skipped = feed.News(seen.last, False, (), seen.known - {early})  # As if its transaction had ended only now.
        assert [notice.case for notice in feed.news(session, ada, skipped).notices] == [number]
        assert feed.begin(session, seen.last - 2000).changed


async def test_bots_own_conversations_change_no_list(shop: Shop) -> None:
    identifier, _ = shop.store.create("webchat", "public", "en")
    ada = await signed_in(shop.app, "ada@example.com")
    async with listening(ada, "/desk/events") as heard:
        await heard.next("change")
        with shop.desk.changes.transaction() as session:
            events.add_message(session, events.locked(session, identifier), "customer", "Hello", by="customer")
        shop.write(shop.cases[0], "Hello")
        assert json.loads((await heard.next("change"))[1]) == {"changed": True}
        assert await asyncio.to_thread(_news, shop, int(heard.last)) == ()


def _lookers(shop: Shop) -> int:
    with Session(shop.engine) as session:
        return session.query(Presence).count()


def _news(shop: Shop, last: int) -> tuple[feed.Notice, ...]:
    with Session(shop.engine) as session:
        ada = shop.by("ada@example.com")
        return feed.news(session, ada, feed.begin(session, last)).notices
