"""Files by the API: into a conversation, with a message, and out again."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, update

from bot.attachments import faces, store
from bot.attachments.errors import FileTooLarge
from bot.attachments.intake import Intake
from bot.attachments.limits import MOST_FILES, Limits
from bot.attachments.models import Attachment, AttachmentContent
from bot.channels.webchat.site import Site
from bot.conversation import events
from bot.conversation.models import Conversation, now
from bot.handoff.queues import queues
from bot.handoff.watch import Watch
from bot.settings import load_settings
from tests.attachments.samples import PDF, PNG, RIGHT
from tests.channels.webchat.conftest import Chat, Visitor, assert_error
from tests.conversation.fakes import PATIENCE, PROJECT
from tests.desk.rig import add_person

Make = Callable[..., Chat]


async def upload(
    chat: Chat, visitor: Visitor, name: str = "a.png", data: Any = PNG, client_id: str = "f1", **headers: str
) -> httpx.Response:
    """Upload a file."""
    return await chat.http.post(
        f"{visitor.url}/attachments",
        params={"name": name, "client_id": client_id},
        content=data,
        headers={**visitor.headers, "content-type": "application/octet-stream", **headers},
    )


async def send(chat: Chat, visitor: Visitor, *ids: str, client_id: str = "m", **body: str) -> httpx.Response:
    """Send a message with files."""
    content = {"client_id": client_id, "attachments": list(ids), **body}
    return await chat.http.post(f"{visitor.url}/messages", json=content, headers=visitor.headers)


async def held(chat: Chat, size: int) -> None:
    """Wait until so many bytes are under way."""
    for _ in range(int(PATIENCE * 100)):
        if chat.state.files._held == size:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{chat.state.files._held} bytes are under way.")


async def said(chat: Chat, visitor: Visitor) -> list[dict[str, Any]]:
    """All messages, once nobody is at work."""
    await chat.bench.settled()
    found: list[dict[str, Any]] = (await chat.read(visitor)).json()["messages"]
    return found


async def test_a_file_is_kept_sent_and_given_back(chat: Chat) -> None:
    visitor = await chat.begin()
    kept = await upload(chat, visitor, "..\\fiş\u202egnp.png")
    assert kept.status_code == 201
    file = kept.json()
    assert file == {"id": file["id"], "name": "fişgnp.png", "media_type": "image/png", "size": len(PNG)}
    answer = await send(chat, visitor, file["id"], text="What is this?")
    assert answer.json()["attachments"] == [file]
    question, reply = await said(chat, visitor)
    assert (question["text"], question["attachments"], reply["attachments"]) == ("What is this?", [file], [])
    assert reply["text"] == "You wrote: What is this?"
    got = await chat.http.get(f"{visitor.url}/attachments/{file['id']}", headers=visitor.headers)
    assert (got.status_code, got.content) == (200, PNG)
    headers = got.headers
    assert headers["content-type"] == "image/png"
    assert headers["content-disposition"] == "attachment; filename*=UTF-8''fi%C5%9Fgnp.png"
    assert headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "private, no-store"


async def test_what_looks_like_a_page_is_never_run(chat: Chat) -> None:
    visitor = await chat.begin()
    page = b"<!doctype html><script>alert(document.domain)</script>"
    file = (await upload(chat, visitor, "notes.txt", page)).json()
    got = await chat.http.get(f"{visitor.url}/attachments/{file['id']}", headers=visitor.headers)
    assert got.content == page
    assert got.headers["content-type"].startswith("text/plain")
    assert got.headers["content-disposition"].startswith("attachment;")
    assert got.headers["content-security-policy"].startswith("sandbox;")


async def test_the_same_id_is_the_same_file(chat: Chat) -> None:
    visitor = await chat.begin()
    first, again = await upload(chat, visitor), await upload(chat, visitor)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert_error(await upload(chat, visitor, "a.pdf", PDF), 409, "duplicate_id")
    assert (await send(chat, visitor, first.json()["id"])).status_code == 202
    assert (await upload(chat, visitor)).json() == first.json()


async def test_two_uploads_at_once_under_one_id_are_one_file(chat: Chat) -> None:
    visitor = await chat.begin()
    found = await asyncio.gather(*(upload(chat, visitor) for _ in range(4)))
    assert sorted(one.status_code for one in found) == [200, 200, 200, 201]
    assert len({one.json()["id"] for one in found}) == 1


async def test_a_message_may_be_files_alone(chat: Chat) -> None:
    visitor = await chat.begin()
    file = (await upload(chat, visitor, "a.pdf", PDF)).json()
    assert (await send(chat, visitor, file["id"])).status_code == 202
    question, reply = await said(chat, visitor)
    assert (question["text"], question["attachments"]) == ("", [file])
    assert "cannot open files" in reply["text"]
    assert [choice["payload"] for choice in reply["choices"]] == ["/request_human"]
    more = (await upload(chat, visitor, client_id="more")).json()["id"]
    await send(chat, visitor, more, client_id="more")
    assert [message["author"] for message in await said(chat, visitor)] == ["customer", "bot", "customer"]
    assert chat.bench.dialogue.calls == []


@pytest.mark.parametrize("owner", ["queue:support", f"agent:{'ada':0<32}"])
async def test_people_get_files_without_a_word_of_the_bot(chat: Chat, owner: str) -> None:
    visitor = await chat.begin()
    chat.bench.give_to(visitor.id, owner)
    file = (await upload(chat, visitor)).json()
    await send(chat, visitor, file["id"])
    assert [message["author"] for message in await said(chat, visitor)] == ["customer"]


async def test_a_yes_to_the_bots_offer_is_understood_as_one(chat: Chat) -> None:
    visitor = await chat.begin()
    await send(chat, visitor, (await upload(chat, visitor)).json()["id"])
    await chat.bench.settled()
    await chat.post(visitor, "yes please", "y")
    await chat.bench.settled()
    assert chat.bench.dialogue.calls[0].context.offer == "person"


async def test_a_message_sent_again_is_the_same_only_with_the_same_files(chat: Chat) -> None:
    visitor = await chat.begin()
    one, two = [(await upload(chat, visitor, client_id=key)).json()["id"] for key in ("f1", "f2")]
    assert (await send(chat, visitor, one, two)).status_code == 202
    assert (await send(chat, visitor, one, two)).status_code == 200
    assert_error(await send(chat, visitor, two, one), 409, "duplicate_id")
    assert_error(await send(chat, visitor, text="Hi"), 409, "duplicate_id")


async def test_files_go_with_one_message_and_are_their_senders(chat: Chat) -> None:
    visitor, other = await chat.begin(), await chat.begin()
    file = (await upload(chat, visitor)).json()["id"]
    assert_error(await send(chat, other, file), 422, "invalid_input")
    assert_error(await send(chat, visitor, file, file), 422, "invalid_input")
    assert_error(await send(chat, visitor, "0" * 32), 422, "invalid_input")
    assert (await send(chat, visitor, file)).status_code == 202
    assert_error(await send(chat, visitor, file, client_id="n"), 422, "invalid_input")
    most = [(await upload(chat, visitor, client_id=f"g{n}")).json()["id"] for n in range(MOST_FILES + 1)]
    assert_error(await send(chat, visitor, *most, client_id="n"), 422, "invalid_input")
    assert (await send(chat, visitor, *most[1:], client_id="n")).status_code == 202


@pytest.mark.parametrize("body", [{"text": " "}, {"text": None}, {}, {"choice": "/x", "attachments": ["0" * 32]}])
async def test_a_message_needs_words_or_files(chat: Chat, body: dict[str, Any]) -> None:
    visitor = await chat.begin()
    content = {"client_id": "m", **body}
    answer = await chat.http.post(f"{visitor.url}/messages", json=content, headers=visitor.headers)
    assert_error(answer, 422, "invalid_input")


async def test_files_are_for_those_who_may_read_the_conversation(chat: Chat) -> None:
    visitor, other = await chat.begin(), await chat.begin()
    file = (await upload(chat, visitor)).json()["id"]
    path = f"{visitor.url}/attachments/{file}"
    assert (await chat.http.get(path, headers=visitor.headers)).status_code == 200
    assert_error(await chat.http.get(path, headers=other.headers), 404, "not_found")
    assert_error(await chat.http.get(path), 404, "not_found")
    assert_error(await chat.http.get(f"{other.url}/attachments/{file}", headers=other.headers), 404, "not_found")
    assert_error(await upload(chat, replace(visitor, token=other.token)), 404, "not_found")


async def test_what_a_person_has_not_sent_yet_is_not_seen(chat: Chat) -> None:
    visitor = await chat.begin()
    with chat.bench.changes.transaction() as session:
        events.locked(session, visitor.id)
        file = store.keep(session, visitor.id, "person:ada", "f", "a.png", "image/png", PNG).id
    path = f"{visitor.url}/attachments/{file}"
    assert_error(await chat.http.get(path, headers=visitor.headers), 404, "not_found")
    assert_error(await send(chat, visitor, file), 422, "invalid_input")
    with chat.bench.changes.transaction() as session:
        conversation = events.locked(session, visitor.id)
        sent = store.unsent(session, visitor.id, "person:ada", [file])
        message = events.add_message(session, conversation, "agent", "", store.content_of(sent), "person:ada")
        session.flush()
        store.send(sent, message.number)
    assert (await chat.http.get(path, headers=visitor.headers)).content == PNG


@pytest.mark.parametrize(
    ("name", "data", "status", "code"),
    [
        ("a.png", b"", 422, "file_empty"),
        ("a.html", b"<p>", 422, "file_type"),
        ("a.png", PDF, 422, "file_type"),
        ("a.png.exe", PNG, 422, "file_type"),
        ("a.txt", b"a" * 1001, 413, "file_too_large"),
        ("", PNG, 422, "invalid_input"),
        ("a" * 600, PNG, 422, "invalid_input"),
    ],
)
async def test_what_is_refused_leaves_nothing(chat: Chat, name: str, data: bytes, status: int, code: str) -> None:
    chat.state.files = Intake(Limits(max_bytes=1000))
    visitor = await chat.begin()
    assert_error(await upload(chat, visitor, name, data), status, code)
    with chat.bench.changes.reading() as session:
        assert session.scalar(select(func.count()).select_from(Attachment)) == 0


async def test_a_file_that_is_too_large_is_not_read_to_its_end(chat: Chat) -> None:
    intake = Intake(Limits(max_bytes=1000))
    visitor = await chat.begin()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"a" * 600
        yield b"a" * 600
        raise AssertionError("It is read on.")

    with pytest.raises(FileTooLarge):
        await intake.take(chat.bench.changes, visitor.id, store.CUSTOMER, "f", "a.txt", pieces())
    assert intake._held == 0


async def test_files_larger_than_other_requests_are_taken(chat: Chat) -> None:
    visitor = await chat.begin()
    data = RIGHT["mp4"] + b"\0" * 9_000_000
    answer = await upload(chat, visitor, "film.mp4", data)
    assert (answer.status_code, answer.json()["size"]) == (201, len(data))
    got = await chat.http.get(f"{visitor.url}/attachments/{answer.json()['id']}", headers=visitor.headers)
    assert got.content == data


async def test_files_under_way_share_the_memory(chat: Chat) -> None:
    chat.state.files = Intake(Limits(max_bytes=1000))
    chat.state.files._held = 8 * 1000
    visitor = await chat.begin()
    answer = await upload(chat, visitor)
    assert_error(answer, 503, "overloaded")
    assert answer.headers["retry-after"]
    assert chat.state.files._held == 8 * 1000


async def test_one_address_leaves_room_for_others(make_chat: Make) -> None:
    office, other = (make_chat(address=address) for address in ("8.8.8.8", "9.9.9.9"))
    one, two = await office.begin(), await other.begin()
    office.state.files = other.state.files = Intake(Limits(max_bytes=1000))
    stalled = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield PNG + b"\0" * (900 - len(PNG))
        await stalled.wait()

    waiting = [asyncio.create_task(upload(office, one, data=slowly(), client_id=f"s{n}")) for n in range(4)]
    await held(office, 4 * 900)
    late = PNG + b"\0" * (900 - len(PNG))
    assert_error(await upload(office, one, data=late), 503, "overloaded")
    assert (await upload(other, two, data=late)).status_code == 201
    stalled.set()
    assert {answer.status_code for answer in await asyncio.gather(*waiting)} == {201}
    assert (office.state.files._held, dict(office.state.files._held_by)) == (0, {})


async def test_an_address_sends_so_many_files_an_hour(make_chat: Make) -> None:
    chat = make_chat(Site(new_per_hour=2), "8.8.8.8")
    visitor = await chat.begin()
    assert [(await upload(chat, visitor, client_id=key)).status_code for key in "ab"] == [201, 201]
    refused = await upload(chat, await chat.begin(), client_id="c")
    assert_error(refused, 429, "too_many")
    assert int(refused.headers["retry-after"]) > 0


async def test_who_may_no_longer_write_leaves_no_file(chat: Chat) -> None:
    visitor = await chat.begin()

    async def pieces() -> AsyncIterator[bytes]:
        with chat.bench.changes.transaction() as session:
            session.get_one(Conversation, visitor.id).token_hash = ""
        yield PNG

    assert_error(await upload(chat, visitor, data=pieces()), 404, "not_found")
    with chat.bench.changes.reading() as session:
        assert session.scalar(select(func.count()).select_from(Attachment)) == 0


async def test_an_upload_that_breaks_off_is_nothing_to_log(chat: Chat, caplog: pytest.LogCaptureFixture) -> None:
    visitor = await chat.begin()
    async with chat.live() as http:
        _, writer = await asyncio.open_connection(http.base_url.host, http.base_url.port)
        head = (
            f"POST {visitor.url}/attachments?name=a.png&client_id=a HTTP/1.1\r\nHost: test\r\nContent-Length: 9000\r\n"
        )
        writer.write(f"{head}Authorization: Bearer {visitor.token}\r\n\r\n".encode() + PNG)
        await held(chat, len(PNG))
        writer.close()
        await held(chat, 0)
    assert not caplog.records


async def test_files_can_be_off(chat: Chat) -> None:
    chat.state.files = Intake(Limits(enabled=False))
    visitor = await chat.begin()
    assert_error(await upload(chat, visitor), 403, "files_off")


async def test_a_day_has_its_share(chat: Chat) -> None:
    chat.state.files = Intake(Limits(daily_bytes=2 * len(PNG)))
    visitor = await chat.begin()
    assert [(await upload(chat, visitor, client_id=key)).status_code for key in "ab"] == [201, 201]
    assert_error(await upload(chat, visitor, client_id="c"), 429, "too_many_files")
    assert (await upload(chat, visitor, client_id="b")).status_code == 200
    with chat.bench.changes.transaction() as session:
        session.execute(update(Attachment).values(created_at=now() - dt.timedelta(days=1, minutes=1)))
    assert (await upload(chat, visitor, client_id="c")).status_code == 201


@pytest.mark.parametrize(
    ("word", "status", "code"), [("exit 1", 422, "file_infected"), ("exit 3", 503, "file_unscanned")]
)
async def test_the_scanner_has_the_last_word(chat: Chat, word: str, status: int, code: str) -> None:
    chat.state.files = Intake(Limits(scanner=("sh", "-c", f"cat > /dev/null; {word}")))
    visitor = await chat.begin()
    assert_error(await upload(chat, visitor), status, code)
    chat.state.files = Intake(Limits(scanner=("sh", "-c", "cat > /dev/null")))
    assert (await upload(chat, visitor)).status_code == 201


async def test_what_was_never_sent_is_gone_after_a_day(chat: Chat) -> None:
    visitor = await chat.begin()
    sent, unsent, fresh = [(await upload(chat, visitor, client_id=key)).json()["id"] for key in "abc"]
    await send(chat, visitor, sent)
    with chat.bench.changes.transaction() as session:
        old = update(Attachment).where(Attachment.id.in_((sent, unsent)))
        session.execute(old.values(created_at=now() - dt.timedelta(days=1, minutes=1)))
    Watch(chat.bench.changes, queues(load_settings(PROJECT, {}))).look()
    with chat.bench.changes.reading() as session:
        assert set(session.scalars(select(Attachment.id))) == {sent, fresh}
        assert set(session.scalars(select(AttachmentContent.attachment_id))) == {sent, fresh}
    assert_error(await send(chat, visitor, unsent, client_id="n"), 422, "invalid_input")


async def test_a_persons_face_is_seen_where_they_speak(chat: Chat) -> None:
    visitor = await chat.begin()
    ada = add_person(chat.bench.engine)
    chat.bench.give_to(visitor.id, f"agent:{ada.id}")
    with chat.bench.changes.transaction() as session:
        conversation = events.locked(session, visitor.id)
        events.append(session, conversation, "owner", {"owner": "agent", "name": "Ada", "person": ada.id}, "x", True)
        events.add_message(session, conversation, "agent", "Hello", {"name": "Ada", "person": ada.id}, "x")
    assert (await said(chat, visitor))[0]["picture"] is None
    with chat.bench.changes.transaction() as session:
        faces.set_face(session, session.merge(ada), faces.squared(PNG))
    picture = (await said(chat, visitor))[0]["picture"]
    state = (await chat.http.get(visitor.url, headers=visitor.headers)).json()
    assert state["owner"] == {"kind": "agent", "name": "Ada", "picture": picture}
    stream = await chat.http.get(f"{visitor.url}/events?wait=0", headers=visitor.headers)
    assert stream.text.count(f'"picture":"{picture}"') == 2
    got = await chat.http.get(picture)
    assert (got.status_code, got.headers["content-type"]) == (200, "image/jpeg")
    assert got.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert got.headers["cross-origin-resource-policy"] == "cross-origin"
    assert_error(await chat.http.get(f"/api/v1/faces/{'0' * 64}"), 404, "not_found")
