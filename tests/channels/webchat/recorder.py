"""Every operation of the chat's API with each of its outcomes, to hold against its description."""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path
from typing import Any, cast

import httpx
from sqlalchemy.orm import Session

from bot.app import create_app
from bot.attachments.intake import Intake
from bot.attachments.limits import Limits
from bot.attachments.models import Picture
from bot.channels.webchat.site import Logo, Site
from bot.channels.webchat.state import WebchatState
from bot.conversation.models import now
from bot.customers.models import Visitor
from bot.desk.state import TeamState
from bot.dialogue.turn import Answered, Choice, Escalate, Reply, TurnResult
from bot.handoff.models import Escalation, Rating
from bot.knowledge.answer import Answer, Answerer, Citation
from tests.actions.conftest import StubAnswerer
from tests.conversation.fakes import Bench, Call, new_database, said
from tests.customers.signing import Website
from tests.described import Operation, operations
from tests.tagging.fakes import word_tagger

KEY = "k" * 16
API = "/api/v1/conversations"
CONVERSATION = API + "/{conversation_id}"
MESSAGES = CONVERSATION + "/messages"
EVENTS = CONVERSATION + "/events"
THUMB = MESSAGES + "/{number}/thumb"
TYPING = CONVERSATION + "/typing"
RATING = CONVERSATION + "/rating"
CONTACT = CONVERSATION + "/contact"
READ = CONVERSATION + "/read"
CONTEXT = CONVERSATION + "/context"
TRANSCRIPT = CONVERSATION + "/transcript"
FILES = CONVERSATION + "/attachments"
FILE = FILES + "/{attachment_id}"
FACE = "/api/v1/faces/{digest}"
VISITORS = "/api/v1/visitors"
ME = VISITORS + "/me"
IDENTITY = ME + "/identity"
INVITED = ME + "/invitations"
OUTCOME = INVITED + "/{invitation_id}/outcome"
WIDGET = "/api/v1/widget"
LOGO = WIDGET + "/logo/{digest}"

LARGE = b" " * 2_000_000
SITE = Site(logo=Logo(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"), new_per_hour=20)


class Public:
    """The public application and what stands behind it."""

    def __init__(self, folder: Path) -> None:
        self.bench = Bench(new_database(folder), max_waiting=1)
        self.rasa_ready = True
        self.website = Website()
        self.webchat = WebchatState(
            self.bench.service,
            self.bench.store,
            self.bench.delivery,
            lambda: cast(Answerer, StubAnswerer()),
            identity=self.website.trusted,
        )
        team = TeamState(self.bench.changes, word_tagger({}), KEY)
        self.app = create_app(self.webchat, team, lambda: self.rasa_ready, site=SITE)
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=("8.8.8.8", 4711))
        self.http = httpx.AsyncClient(transport=transport, base_url="http://test")


class Recorder:
    """Sends requests and keeps the answers by the operation of the description they belong to."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.answers: list[tuple[Operation, httpx.Response]] = []
        self.id = self.token = ""

    async def send(
        self,
        method: str,
        path: str,
        token: str | None = None,
        identifier: str | None = None,
        number: int = 1,
        places: dict[str, str] | None = None,
        origin: str = "",
        **request: Any,
    ) -> httpx.Response:
        """Send one with the conversation's token, or another; an empty one is left out."""
        headers = {"content-type": "application/json"}
        if bearer := self.token if token is None else token:
            headers["authorization"] = f"Bearer {bearer}"
        if origin:
            headers["origin"] = origin
        values = {"conversation_id": identifier or self.id, "number": str(number), **(places or {})}
        url = path
        for name, value in values.items():
            url = url.replace(f"{{{name}}}", value)
        response = await self.http.request(method, url, headers=headers, **request)
        self.answers.append(((method.lower(), path), response))
        return response


async def everything_once(public: Public) -> Recorder:
    """Each operation with each of its outcomes, against a conversation with all kinds of messages."""
    recorder = Recorder(public.http)
    await recorder.send("GET", "/health")
    await _conversation(public, recorder)
    await _about_the_case(public, recorder)
    await _around_messages(recorder)
    await _files(public, recorder)
    await _visitors(public, recorder)
    await _widget(recorder)
    await _everywhere(public, recorder)
    return recorder


async def _conversation(public: Public, recorder: Recorder) -> None:
    send = recorder.send
    created = (await send("POST", API)).json()
    recorder.id, recorder.token = created["id"], created["token"]
    await send("POST", API, token="", json={"language": "fr"})
    await send("GET", CONVERSATION)
    public.bench.dialogue.follow(
        said(
            "Case {case_number}.",
            choices=[Choice(label="Skip", payload="/stop")],
            effects=[Escalate(queue="support", reason="asked_for")],
        )
    )
    await send("POST", MESSAGES, json={"client_id": "a", "text": "Hello"})
    await public.bench.settled()
    await send("POST", MESSAGES, json={"client_id": "a", "text": "Hello"})
    await send("POST", MESSAGES, json={"client_id": "a", "text": "Other"})
    await send("POST", MESSAGES, json={"client_id": "a"})
    await send("POST", MESSAGES, content=b'{"client_id": "\xff"}')
    answer = Answer("answer", 0.9, "refunds", "en", "Tap it.", (Citation("refunds", "Refunds", "/x", "en"),), ())
    public.bench.dialogue.follow(
        TurnResult(replies=[Reply(text="Tap it.", answered=answer)], effects=[Answered(answer=answer)])
    )
    await send("POST", MESSAGES, json={"client_id": "q", "text": "How?"})
    await public.bench.settled()
    messages = (await send("GET", MESSAGES)).json()["messages"]
    answered = next(message["number"] for message in messages if message["answer"])
    for number in (answered, 1, 99):
        await send("POST", THUMB, number=number, json={"thumb": "up"})
    said_next, follow = asyncio.Event(), public.bench.dialogue.script

    async def slowly(call: Call) -> TurnResult:
        await said_next.wait()
        return await follow(call)

    public.bench.dialogue.script = slowly
    await send("POST", MESSAGES, json={"client_id": "waits", "text": "Hello"})
    await send("POST", MESSAGES, json={"client_id": "b", "text": "Too much"})
    said_next.set()
    await public.bench.settled()
    for path in (CONVERSATION, MESSAGES):
        await send("GET", path)
    for path in (MESSAGES, EVENTS):
        await send("GET", path, params={"after": -1})


async def _about_the_case(public: Public, recorder: Recorder) -> None:
    """What a customer says beside messages: that they type, how to reach them, what they think of the help."""
    send = recorder.send
    contact, rating = {"email": "me@example.com"}, {"case": 1, "csat": 4}
    for path, body in ((TYPING, {"typing": False}), (CONTACT, contact), (RATING, rating)):
        await send("POST", path, json=body)
        await send("POST", path, json={**body, "more": 1})
    with Session(public.bench.engine) as session, session.begin():
        session.add(Rating(case_id=1, conversation_id=recorder.id, number=1))
        session.get_one(Escalation, 1).status = "closed"
    await send("POST", RATING, json=rating)
    await send("GET", CONVERSATION)
    await send("POST", CONTACT, json=contact)
    with Session(public.bench.engine) as session, session.begin():
        session.get_one(Rating, 1).rated_at = now() - dt.timedelta(days=2)
    await send("POST", RATING, json={**rating, "csat": 1})


async def _around_messages(recorder: Recorder) -> None:
    """How far they read, where they are, what they keep."""
    send = recorder.send
    for path, right, wrong in (
        (READ, {"number": 2}, {"number": 0}),
        (CONTEXT, {"page": "https://www.example.com/"}, {"page": "javascript:alert(1)"}),
    ):
        await send("POST", path, json=right)
        await send("POST", path, json=wrong)
    await send("GET", TRANSCRIPT, params={"format": "html"})
    await send("GET", TRANSCRIPT, params={"zone": "Moon"})


async def _files(public: Public, recorder: Recorder) -> None:
    send = recorder.send

    async def upload(client_id: str, content: bytes = b"Till: 12.50", name: str = "till.txt") -> httpx.Response:
        return await send("POST", FILES, params={"name": name, "client_id": client_id}, content=content)

    kept = (await upload("f")).json()
    for client_id, content, name in (
        ("f", b"Till: 12.50", "till.txt"),
        ("f", b"Other", "till.txt"),
        ("e", b"", "e.txt"),
    ):
        await upload(client_id, content, name)
    for number, limits in enumerate(
        (Limits(enabled=False), Limits(max_bytes=5), Limits(daily_bytes=12), Limits(scanner=("false", "x", "y")))
    ):
        public.webchat.files = Intake(limits)
        await upload(f"l{number}")
    public.webchat.files = Intake(Limits(scanner=("sh", "-c", "exit 3")))
    await upload("scanned")
    await send("GET", FILE, places={"attachment_id": kept["id"]})
    digest = "f" * 64
    with Session(public.bench.engine) as session, session.begin():
        session.add(Picture(digest=digest, media_type="image/jpeg", data=b"face"))
    for known in (digest, "0" * 64, "x"):
        await send("GET", FACE, places={"digest": known})


async def _visitors(public: Public, recorder: Recorder) -> None:
    send, website = recorder.send, public.website
    visitor = (await send("POST", VISITORS, token="")).json()
    token = visitor["token"]
    await send("GET", ME, token=token)
    await send("POST", IDENTITY, token=token, json={"token": website.token("u1")})
    await send("POST", IDENTITY, token=token, json={"token": website.token("u2")})
    await send("POST", IDENTITY, token=token, json={"token": "x.y.z"})
    await send("POST", IDENTITY, token=token, json={"token": 1})
    begun = (await send("POST", API, token=token)).json()
    await send("GET", API, token=token)
    await send("GET", API, token=token, params={"limit": 0})
    for language in ("tr", "fr"):
        await send("GET", INVITED, token=token, params={"language": language})
    for known, outcome in (("page", "shown"), ("page", "eaten"), ("0" * 32, "shown")):
        await send("POST", OUTCOME, token=token, places={"invitation_id": known}, json={"outcome": outcome})
    with Session(public.bench.engine) as session, session.begin():
        session.get_one(Visitor, visitor["id"]).identified_until = now() - dt.timedelta(seconds=1)
    for (method, path), one in operations(public.app):
        if "team" not in one["tags"] and path.startswith(CONVERSATION):
            await send(method, path, token=token, identifier=begun["id"], places={"attachment_id": "0" * 32})
    for method in ("GET", "POST"):
        await send(method, API, token=token)
    await send("DELETE", ME, token=token)


async def _widget(recorder: Recorder) -> None:
    await recorder.send("GET", WIDGET, token="")
    await recorder.send("GET", WIDGET, token="", params={"language": "x" * 200})
    assert SITE.logo is not None
    for digest in (SITE.logo.digest, "0" * 16, "x"):
        await recorder.send("GET", LOGO, token="", places={"digest": digest})


async def _everywhere(public: Public, recorder: Recorder) -> None:
    """What is refused alike on every route: others' tokens and ids, large bodies, strangers' pages, haste."""
    places = {"attachment_id": "0" * 32, "invitation_id": "page", "digest": "0" * 16}
    for (method, path), one in operations(public.app):
        if "team" in one["tags"] or path == "/health":
            continue
        described = one["responses"]
        await recorder.send(method, path, token="another", places=places)
        if path.startswith(CONVERSATION):
            await recorder.send(method, path, identifier="x", places=places)
        if "413" in described:
            await recorder.send(method, path, places=places, content=LARGE)
        await recorder.send(method, path, places=places, origin="https://stranger.example")
        if "429" in described and path in (API, VISITORS):
            for _ in range(SITE.new_per_hour):
                await recorder.send(method, path, token="")
