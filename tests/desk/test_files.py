"""Files on the desk and by the team's API: what customers sent, what goes with replies; pictures of people."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, select

from bot.app import create_app
from bot.attachments import faces, store
from bot.attachments.intake import Intake
from bot.attachments.limits import Limits
from bot.attachments.models import Picture
from bot.channels.webchat.state import WebchatState
from bot.conversation import events
from bot.conversation.changes import Changes
from bot.conversation.models import Message, now
from bot.conversation.store import ConversationStore
from bot.desk.desk_state import DeskState
from bot.desk.state import TeamState
from bot.desk.words import words
from bot.handoff.models import Escalation
from bot.outbox import webhooks
from bot.outbox.models import Outgoing, Webhook
from bot.people.models import Person
from bot.settings import load_settings
from tests.attachments.samples import PDF, PNG, picture
from tests.conversation.fakes import PROJECT
from tests.desk.rig import Browser, add_person, new_app, new_desk, signed_in
from tests.tagging.fakes import word_tagger

pytestmark = pytest.mark.slow

KEY = "k" * 16
MISLEADING = '"><img src=x onerror=alert(1)>\u202e.png'


@dataclass
class Rig:
    """A case in the support queue, with a picture from the customer, and an agent's browser."""

    desk: DeskState
    app: FastAPI
    ada: Person
    browser: Browser
    conversation: str
    case: int
    file: str

    @property
    def url(self) -> str:
        """Of the case."""
        return f"/desk/cases/{self.case}"

    async def upload(self, name: str = "a.pdf", data: bytes = PDF, **headers: str) -> httpx.Response:
        """Upload a file for a reply, as the page's script does."""
        return await self.browser.http.post(
            f"{self.url}/attachments",
            params={"name": name, "client_id": "f1"},
            content=data,
            headers={"x-csrf-token": self.browser.csrf, "hx-request": "true", **headers},
        )

    async def reply(self, *files: str, said: str = "", client_id: str = "r") -> httpx.Response:
        """Send a reply with files."""
        form: dict[str, Any] = {"text": said, "client_id": client_id, "attachment": list(files)}
        return await self.browser.post(f"{self.url}/reply", form, headers={"hx-request": "true"})

    def last(self) -> Message:
        """The newest message."""
        with self.desk.changes.reading() as session:
            query = select(Message).where(Message.conversation_id == self.conversation).order_by(Message.number.desc())
            return session.scalars(query.limit(1)).one()


@pytest.fixture
async def rig(engine: Engine) -> AsyncIterator[Rig]:
    settings = load_settings(PROJECT, {}).with_section("queues", {"support": {"members": ["ada@example.com"]}})
    desk = new_desk(engine, settings)
    app = new_app(desk)
    ada = add_person(engine, role="lead")
    conversation_id, _ = ConversationStore(Changes(engine)).create("webchat", "public", "en")
    with desk.changes.transaction() as session:
        conversation = events.locked(session, conversation_id)
        kept = store.keep(session, conversation_id, store.CUSTOMER, "c1", MISLEADING, "image/png", PNG)
        events.add_message(session, conversation, "customer", "", store.content_of([kept]), store.CUSTOMER)
        session.flush()
        store.send([kept], 1)
        case = Escalation(
            conversation_id=conversation_id, queue="support", reason="asked_for", language="en", turn_number=1
        )
        case.opened_at_number, case.created_at = 1, now()
        session.add(case)
        session.flush()
        number, file = case.id, kept.id
    browser = await signed_in(app, "ada@example.com")
    yield Rig(desk, app, ada, browser, conversation_id, number, file)
    await browser.http.aclose()


async def test_a_customers_file_stands_in_the_thread(rig: Rig) -> None:
    page = (await rig.browser.get(rig.url)).text
    assert f'href="/desk/attachments/{rig.file}"' in page
    assert f'<img src="/desk/attachments/{rig.file}"' in page
    assert "<img src=x" not in page
    assert "&gt;&lt;img src=x onerror=alert(1)&gt;" in page
    assert 'class="bubble"' not in page
    got = await rig.browser.get(f"/desk/attachments/{rig.file}")
    assert (got.content, got.headers["content-type"]) == (PNG, "image/png")
    assert got.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert got.headers["content-disposition"].startswith("attachment; filename*=UTF-8''%22%3E%3Cimg")
    listed = (await rig.browser.get("/desk/list?view=all")).text
    assert "onerror=alert(1)&gt;" in listed


async def test_a_reply_takes_files_along(rig: Rig) -> None:
    kept = await rig.upload("..\\price list.pdf")
    file = kept.json()
    assert file == {"id": file["id"], "name": "price list.pdf", "media_type": "application/pdf", "size": len(PDF)}
    assert (await rig.upload("..\\price list.pdf")).json() == file
    assert (await rig.reply(file["id"], said="Here it is.")).status_code == 204
    message = rig.last()
    assert (message.text, message.content["attachments"]) == ("Here it is.", [file])
    assert message.content["person"] == rig.ada.id
    page = (await rig.browser.get(rig.url)).text
    assert f'href="/desk/attachments/{file["id"]}"' in page
    assert f'<img src="/desk/attachments/{file["id"]}"' not in page
    assert (await rig.browser.get(f"/desk/attachments/{file['id']}")).content == PDF


async def test_a_reply_may_be_files_alone(rig: Rig) -> None:
    file = (await rig.upload()).json()["id"]
    assert (await rig.reply(file)).status_code == 204
    assert (rig.last().text, rig.last().content["attachments"][0]["id"]) == ("", file)
    assert (await rig.reply(file, client_id="again")).status_code == 422
    assert (await rig.reply(client_id="more")).status_code == 422


@pytest.mark.parametrize(
    ("name", "data", "status", "rule"),
    [
        ("a.html", b"<p>", 422, "file_type"),
        ("a.png", PDF, 422, "file_content"),
        ("a.png", b"", 422, "file_empty"),
        ("a.txt", b"a" * 2001, 413, "file_large"),
    ],
)
async def test_what_is_refused_is_said_in_the_persons_language(
    rig: Rig, name: str, data: bytes, status: int, rule: str
) -> None:
    rig.desk.files = Intake(Limits(max_bytes=2000))
    with rig.desk.changes.transaction() as session:
        session.get_one(Person, rig.ada.id).language = "tr"
    answer = await rig.upload(name, data)
    assert answer.status_code == status
    assert words("tr").rules[rule].format(name=name) in answer.text


async def test_a_scanner_that_fails_is_said_too(rig: Rig) -> None:
    rig.desk.files = Intake(Limits(scanner=("sh", "-c", "cat > /dev/null; exit 2")))
    answer = await rig.upload()
    assert answer.status_code == 503
    assert words("en").rules.file_unscanned.format(name="a.pdf") in answer.text


async def test_another_websites_page_uploads_nothing(rig: Rig) -> None:
    assert (await rig.upload("a.pdf", PDF, **{"x-csrf-token": "wrong"})).status_code == 403
    answer = await rig.browser.post(f"{rig.url}/attachments?name=a.txt&client_id=f")
    assert answer.status_code == 403


async def test_files_are_for_those_who_see_the_case(rig: Rig, engine: Engine) -> None:
    add_person(engine, "omar@example.com")
    omar = await signed_in(rig.app, "omar@example.com")
    assert (await omar.get(f"/desk/attachments/{rig.file}")).status_code == 404
    unsent = (await rig.upload()).json()["id"]
    add_person(engine, "lea@example.com", "lead")
    lea = await signed_in(rig.app, "lea@example.com")
    assert (await lea.get(f"/desk/attachments/{rig.file}")).status_code == 200
    assert (await lea.get(f"/desk/attachments/{unsent}")).status_code == 404
    assert (await lea.get(f"/desk/attachments/{'0' * 32}")).status_code == 404
    for one in (omar, lea):
        await one.http.aclose()


async def test_no_button_where_files_are_off(rig: Rig) -> None:
    assert "data-add-files" in (await rig.browser.get(rig.url)).text
    rig.desk.files = Intake(Limits(enabled=False))
    assert "data-add-files" not in (await rig.browser.get(rig.url)).text
    assert (await rig.upload()).status_code == 403


async def test_webhooks_name_files(rig: Rig) -> None:
    with rig.desk.changes.transaction() as session:
        made = Webhook(id="w" * 32, url="https://example.com", secret="s", events=["message.*"], created_by="x")
        session.add(made)
    assert "message.created" in webhooks.EVENTS
    file = (await rig.upload()).json()
    await rig.reply(file["id"])
    with rig.desk.changes.reading() as session:
        told = session.scalars(select(Outgoing).where(Outgoing.event == "message.created")).one()
    assert told.payload["data"]["attachments"] == [file]


async def send_picture(rig: Rig, content: bytes | None) -> httpx.Response:
    """Set the picture as the form does, or take it away."""
    files = {"picture": ("me.png", content)} if content is not None else None
    return await rig.browser.post("/desk/settings/picture", files=files)


async def test_people_set_their_picture_and_take_it_away(rig: Rig) -> None:
    answer = await send_picture(rig, picture("PNG", (60, 40)))
    assert (answer.status_code, answer.headers["location"]) == (303, "/desk/settings?done=picture")
    page = (await rig.browser.get("/desk/settings?done=picture")).text
    found = re.search('src="(/api/v1/faces/[0-9a-f]{64})"', page)
    assert found
    assert words("en").settings.done_picture in page
    with rig.desk.changes.reading() as session:
        assert session.scalars(select(Picture.digest)).all() == [found[1].rpartition("/")[2]]
    answer = await send_picture(rig, None)
    assert answer.headers["location"] == "/desk/settings?done=no_picture"
    with rig.desk.changes.reading() as session:
        assert session.scalars(select(Picture.digest)).all() == []


@pytest.mark.parametrize(("content", "rule"), [(PDF, "picture_kind"), (b"a" * (faces.MOST_BYTES + 1), "picture_large")])
async def test_other_pictures_are_refused_beside_the_field(rig: Rig, content: bytes, rule: str) -> None:
    await send_picture(rig, PNG)
    answer = await send_picture(rig, content)
    assert answer.status_code == 422
    assert words("en").rules[rule] in answer.text
    assert 'id="picture-problem"' in answer.text
    with rig.desk.changes.reading() as session:
        assert session.get_one(Person, rig.ada.id).picture


async def test_other_systems_send_and_read_files(rig: Rig, engine: Engine) -> None:
    app = create_app(cast(WebchatState, None), TeamState(engine, word_tagger({}), KEY), lambda: True)
    place = f"/api/v1/cases/{rig.case}"
    headers = {"authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test", headers=headers) as http:
        name = {"name": "prices.pdf", "client_id": "f"}
        kept = await http.post(f"{place}/attachments", params=name, content=PDF)
        again = await http.post(f"{place}/attachments", params=name, content=PDF)
        assert (kept.status_code, again.status_code) == (201, 200)
        file = kept.json()
        reply = {"client_id": "r", "attachments": [file["id"]]}
        sent = await http.post(f"{place}/replies", json=reply)
        assert (sent.status_code, sent.json()["text"], sent.json()["attachments"]) == (201, "", [file])
        assert (await http.post(f"{place}/replies", json=reply)).status_code == 200
        assert (await http.post(f"{place}/replies", json={"client_id": "s"})).status_code == 422
        said = (await http.get(f"{place}/messages")).json()["messages"]
        assert [[one["id"] for one in message["attachments"]] for message in said] == [[rig.file], [file["id"]]]
        for identifier, content in ((rig.file, PNG), (file["id"], PDF)):
            got = await http.get(f"{place}/attachments/{identifier}")
            assert got.content == content
            assert got.headers["content-security-policy"] == "sandbox; default-src 'none'"
