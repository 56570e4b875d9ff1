"""The two applications: headers, errors, health, a description that is true, and the side only Rasa reaches."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from sqlalchemy.orm import Session

import bot
from bot.app import create_app, create_internal_app
from bot.channels.webchat.state import WebchatState
from bot.conversation.models import now
from bot.desk.state import TeamState
from bot.dialogue.turn import Answered, Choice, Escalate, Reply, TurnResult
from bot.encoder.encoder import Encoder
from bot.errors import StorageError
from bot.handoff.models import Escalation, Rating
from bot.knowledge.answer import Answer, Answerer, Citation
from tests.actions.conftest import StubAnswerer, call_of
from tests.conversation.fakes import Bench, new_database, said
from tests.described import Operation, conforms, operations
from tests.tagging.fakes import word_tagger

KEY = "k" * 16


class Public:
    """The public application and what stands behind it."""

    def __init__(self, folder: Path) -> None:
        self.bench = Bench(new_database(folder), max_waiting=1)
        self.rasa_ready = True
        state = WebchatState(
            self.bench.service, self.bench.store, self.bench.delivery, lambda: cast(Answerer, StubAnswerer())
        )
        self.app = create_app(state, TeamState(self.bench.changes, word_tagger({}), KEY), lambda: self.rasa_ready)
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://test")


@pytest.fixture
async def public(tmp_path: Path) -> AsyncIterator[Public]:
    """The public application on a database of its own."""
    public = Public(tmp_path)
    yield public
    await public.http.aclose()
    await public.bench.service.stop(0)
    public.bench.engine.dispose()


# Health, headers, errors


@pytest.mark.parametrize(("ready", "status"), [(True, "ok"), (False, "degraded")])
async def test_health(public: Public, ready: bool, status: str) -> None:
    public.rasa_ready = ready
    response = await public.http.get("/health")
    assert response.status_code == 200
    assert response.json() == {"status": status, "rasa": ready, "version": bot.__version__}


HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "x-frame-options": "SAMEORIGIN",
}


@pytest.mark.parametrize("path", ["/health", "/nothing", "/openapi.json", "/api/v1/conversations/x"])
async def test_security_headers(public: Public, path: str) -> None:
    response = await public.http.get(path)
    assert HEADERS.items() <= dict(response.headers).items()
    policy = response.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "object-src 'none'" in policy
    assert "unsafe" not in policy
    assert response.headers.get_list("x-frame-options") == ["SAMEORIGIN"]


def add_failing_route(app: FastAPI, error: Exception) -> None:
    """A route that fails."""

    @app.get("/fails")
    async def fails() -> None:
        raise error


async def test_unexpected_error_tells_nothing(public: Public) -> None:
    add_failing_route(public.app, RuntimeError("the password is 1234"))
    response = await public.http.get("/fails")
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "internal"
    assert response.json()["error"]["remedy"]
    assert "1234" not in response.text


async def test_unexpected_error_has_the_security_headers(public: Public) -> None:
    add_failing_route(public.app, RuntimeError("a bug"))
    response = await public.http.get("/fails")
    assert HEADERS.items() <= dict(response.headers).items()


async def test_own_error_keeps_its_code_and_status(public: Public) -> None:
    add_failing_route(public.app, StorageError("The disk is full.", "Make room."))
    response = await public.http.get("/fails")
    assert response.status_code == 503
    error = {"code": "storage", "message": "The disk is full.", "remedy": "Make room."}
    assert response.json() == {"error": error}
    assert "retry-after" not in response.headers


# The description is true


API = "/api/v1/conversations"
CONVERSATION = API + "/{conversation_id}"
MESSAGES = CONVERSATION + "/messages"
EVENTS = CONVERSATION + "/events"
THUMB = MESSAGES + "/{number}/thumb"
TYPING = CONVERSATION + "/typing"
RATING = CONVERSATION + "/rating"
CONTACT = CONVERSATION + "/contact"


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
        **request: Any,
    ) -> httpx.Response:
        """Send one as the visitor."""
        headers = {"authorization": f"Bearer {token or self.token}", "content-type": "application/json"}
        url = path.replace("{conversation_id}", identifier or self.id).replace("{number}", str(number))
        response = await self.http.request(method, url, headers=headers, **request)
        self.answers.append(((method.lower(), path), response))
        return response


async def everything_once(public: Public) -> Recorder:
    """Each operation with each of its outcomes, against a conversation with all kinds of messages."""
    recorder = Recorder(public.http)
    send = recorder.send
    created = (await send("POST", API)).json()
    recorder.id, recorder.token = created["id"], created["token"]
    await send("POST", API, json={"language": "fr"})
    await send("POST", API, content=b" " * 2_000_000)
    await send("GET", "/health")
    await send("GET", CONVERSATION)
    await send("GET", CONVERSATION, identifier="x")
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
    await send("POST", MESSAGES, content=b" " * 2_000_000)
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
    await send("POST", THUMB, content=b" " * 2_000_000)
    await send("POST", THUMB, token="another", json={"thumb": "up"})
    public.bench.store.add_customer_message(recorder.id, "waits", "Hello", {})
    await public.bench.service.start()
    await send("POST", MESSAGES, json={"client_id": "b", "text": "Too much"})
    await public.bench.settled()
    for path in (CONVERSATION, MESSAGES):
        await send("GET", path)
    for path in (MESSAGES, EVENTS):
        await send("GET", path, params={"after": -1})
    for method, path in (("GET", CONVERSATION), ("GET", MESSAGES), ("POST", MESSAGES), ("GET", EVENTS)):
        await send(
            method, path, token="another", json={"client_id": "a", "text": "Hello"} if method == "POST" else None
        )
    await _about_the_case(public, recorder)
    return recorder


async def _about_the_case(public: Public, recorder: Recorder) -> None:
    """What a customer says beside messages: that they type, how to reach them, what they think of the help."""
    send = recorder.send
    contact, rating = {"email": "me@example.com"}, {"case": 1, "csat": 4}
    for path, body in ((TYPING, {"typing": False}), (CONTACT, contact), (RATING, rating)):
        await send("POST", path, json=body)
        await send("POST", path, json={**body, "more": 1})
        await send("POST", path, token="another", json=body)
        await send("POST", path, content=b" " * 2_000_000)
    with Session(public.bench.engine) as session, session.begin():
        session.add(Rating(case_id=1, conversation_id=recorder.id, number=1))
        session.get_one(Escalation, 1).status = "closed"
    await send("POST", RATING, json=rating)
    await send("GET", CONVERSATION)
    await send("POST", CONTACT, json=contact)
    with Session(public.bench.engine) as session, session.begin():
        session.get_one(Rating, 1).rated_at = now() - dt.timedelta(days=2)
    await send("POST", RATING, json={**rating, "csat": 1})


def documented(app: FastAPI) -> dict[Operation, dict[str, Any]]:
    """The answers of each operation but the team's, which `tests.desk.test_description` tries."""
    return {operation: one["responses"] for operation, one in operations(app) if "team" not in one["tags"]}


async def test_description_names_every_operation_once(public: Public) -> None:
    assert set(documented(public.app)) == {
        *{("get", "/health"), ("post", API), ("get", CONVERSATION), ("get", MESSAGES), ("post", MESSAGES)},
        *{("get", EVENTS), ("post", THUMB), ("post", TYPING), ("post", RATING), ("post", CONTACT)},
    }


async def test_answers_are_as_described(public: Public) -> None:
    recorder = await everything_once(public)
    components = public.app.openapi()["components"]["schemas"]
    described = documented(public.app)
    wrong = []
    for operation, response in recorder.answers:
        found = described[operation].get(str(response.status_code))
        if found and "application/json" in found.get("content", {}):
            schema = found["content"]["application/json"]["schema"]
            wrong += [f"{operation} {problem}" for problem in conforms(response.json(), schema, components)]
    assert len(recorder.answers) >= 40
    assert wrong == []


async def _undescribed(public: Public) -> set[tuple[str, str, int]]:
    described = documented(public.app)
    answers = {(*operation, response.status_code) for operation, response in (await everything_once(public)).answers}
    return {answer for answer in answers if str(answer[2]) not in described[(answer[0], answer[1])]}


async def test_all_statuses_are_described(public: Public) -> None:
    assert await _undescribed(public) == set()


async def test_described_statuses_happen(public: Public) -> None:
    recorder = await everything_once(public)
    seen = {(operation, str(response.status_code)) for operation, response in recorder.answers}
    told = {(operation, status) for operation, statuses in documented(public.app).items() for status in statuses}
    streams = {(("get", EVENTS), "200")}
    assert told - seen - streams == set()


async def test_errors_are_described_in_the_one_shape(public: Public) -> None:
    reference = {"$ref": "#/components/schemas/ErrorBody"}
    everything = {operation: one["responses"] for operation, one in operations(public.app)}
    for operation, answers in everything.items():
        failures = {status: answer for status, answer in answers.items() if int(status) >= 400}
        assert failures or operation == ("get", "/health"), operation
        for status, answer in failures.items():
            assert answer["content"]["application/json"]["schema"] == reference, (operation, status)


async def test_operations_are_described_in_words(public: Public) -> None:
    for operation, described in operations(public.app):
        assert described["description"], operation


# The internal application


class StubEncoder:
    """A vector of two numbers per text: its length and what it is for."""

    def encode(self, texts: list[str], role: str) -> np.ndarray[Any, np.dtype[np.float32]]:
        """As `Encoder.encode`."""
        return np.array([[len(text), role == "query"] for text in texts], dtype=np.float32)


@pytest.fixture
async def internal() -> AsyncIterator[httpx.AsyncClient]:
    """The internal application with a stub for an encoder and the real actions."""
    from actions import create_executor

    executor = create_executor(lambda: cast(Answerer, StubAnswerer()))
    app = create_internal_app(cast(Encoder, StubEncoder()), executor)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        yield http


async def test_encode(internal: httpx.AsyncClient) -> None:
    response = await internal.post("/encode", json={"texts": ["a", "bcd"], "role": "passage"})
    assert response.status_code == 200
    assert response.headers["x-dimensions"] == "2"
    assert np.frombuffer(response.content, "<f4").reshape(2, 2).tolist() == [[1, 0], [3, 0]]


@pytest.mark.parametrize(
    "body",
    [
        *({}, {"texts": []}, {"texts": "a"}, {"texts": [1]}, {"texts": ["a"] * 513}),
        *({"texts": ["a"], "role": "x"}, {"texts": ["a"], "more": 1}),
    ],
    ids=lambda body: json.dumps(body)[:30],
)
async def test_bad_encode(internal: httpx.AsyncClient, body: dict[str, Any]) -> None:
    response = await internal.post("/encode", json=body)
    assert response.status_code == 422
    assert response.json()["error"]["code"] == "invalid_input"


async def test_webhook_runs_an_action(internal: httpx.AsyncClient) -> None:
    call = call_of("action_case_status", None, "case_status", 0.9, {})
    response = await internal.post("/webhook", json=call)
    assert response.status_code == 200
    body = response.json()
    assert set(body) == {"events", "responses"}
    assert [said["response"] for said in body["responses"]] == ["utter_case_none"]


async def test_webhook_with_an_unknown_action(internal: httpx.AsyncClient) -> None:
    response = await internal.post("/webhook", json=call_of("action_nothing", None, "greet", 0.9, {}))
    assert response.status_code == 404
    assert response.json()["action_name"] == "action_nothing"


async def test_webhook_without_an_action(internal: httpx.AsyncClient) -> None:
    response = await internal.post("/webhook", json={**call_of("", None, "greet", 0.9, {})})
    assert (response.status_code, response.json()) == (200, None)


async def test_no_actions_run_while_training() -> None:
    app = create_internal_app(cast(Encoder, StubEncoder()), None)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        assert (await http.post("/webhook", json={})).status_code == 404
        assert (await http.get("/health")).json() == {"status": "ok"}


async def test_internal_application_has_no_description(internal: httpx.AsyncClient) -> None:
    for path in ("/openapi.json", "/docs", "/redoc"):
        assert (await internal.get(path)).status_code == 404
