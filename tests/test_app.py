"""The two applications: headers, errors, health, a description that is true, and the side only Rasa reaches."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import httpx
import numpy as np
import pytest
from fastapi import FastAPI

import bot
from bot.app import create_internal_app
from bot.encoder.encoder import Encoder
from bot.errors import StorageError
from bot.knowledge.answer import Answerer
from tests.actions.conftest import StubAnswerer, call_of
from tests.channels.webchat.recorder import (
    API,
    CONTACT,
    CONTEXT,
    CONVERSATION,
    EVENTS,
    FACE,
    FILE,
    FILES,
    IDENTITY,
    INVITED,
    LOGO,
    ME,
    MESSAGES,
    OUTCOME,
    RATING,
    READ,
    THUMB,
    TRANSCRIPT,
    TYPING,
    VISITORS,
    WIDGET,
    Public,
    everything_once,
)
from tests.described import Operation, conforms, operations


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


def documented(app: FastAPI) -> dict[Operation, dict[str, Any]]:
    """The answers of each operation but the team's, which `tests.desk.test_description` tries."""
    return {operation: one["responses"] for operation, one in operations(app) if "team" not in one["tags"]}


async def test_description_names_every_operation_once(public: Public) -> None:
    assert set(documented(public.app)) == {
        *{("get", path) for path in ("/health", API, CONVERSATION, MESSAGES, EVENTS, TRANSCRIPT, FILE, FACE)},
        *{("get", path) for path in (ME, INVITED, WIDGET, LOGO)},
        *{("post", path) for path in (API, MESSAGES, THUMB, TYPING, RATING, CONTACT, READ, CONTEXT, FILES)},
        *{("post", path) for path in (VISITORS, IDENTITY, OUTCOME)},
        ("delete", ME),
    }


async def test_every_answer_is_described_and_every_description_happens(public: Public) -> None:
    recorder = await everything_once(public)
    components = public.app.openapi()["components"]["schemas"]
    described = documented(public.app)
    wrong = []
    for operation, response in recorder.answers:
        found = described[operation].get(str(response.status_code))
        if found and "application/json" in found.get("content", {}):
            schema = found["content"]["application/json"]["schema"]
            wrong += [f"{operation} {problem}" for problem in conforms(response.json(), schema, components)]
    assert wrong == []
    seen = {(operation, str(response.status_code)) for operation, response in recorder.answers}
    told = {(operation, status) for operation, statuses in described.items() for status in statuses}
    assert seen - told == set()
    streams = {(("get", EVENTS), "200")}
    # What takes nothing but a token or an address cannot be called wrongly.
    never = {(operation, "422") for operation in (("post", VISITORS), ("get", ME), ("delete", ME))}
    assert told - seen - streams - never == set()


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
