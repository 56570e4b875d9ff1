"""Bad input has a status and the one error shape, and leaves nothing behind; odd input that is fine is kept."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bot.conversation.models import Conversation
from tests.channels.webchat.conftest import API, Chat, Visitor, assert_error

pytestmark = pytest.mark.slow

JSON = {"content-type": "application/json"}


def message(**changes: Any) -> bytes:
    """The body of a message, with other values."""
    return json.dumps({"client_id": "a", "text": "Hello", **changes}).encode()


BAD_MESSAGES: dict[str, tuple[bytes, int, str]] = {
    "empty text": (message(text=""), 422, "invalid_input"),
    "spaces": (message(text="   "), 422, "invalid_input"),
    "white space": (message(text="\n\t\r\n\u3000\u00a0"), 422, "invalid_input"),
    "NUL": (message(text="\x00"), 422, "invalid_input"),
    "only control characters": (message(text="\x00\x07\x1b\x7f\x85"), 422, "invalid_input"),
    "100,000 characters": (message(text="x" * 100_000), 422, "invalid_input"),
    "one character too many": (message(text="ก" * 4001), 422, "invalid_input"),
    "lone surrogate as id": (b'{"client_id": "\\ud83d", "text": "Hello"}', 422, "invalid_input"),
    "lone surrogate as choice": (b'{"client_id": "a", "choice": "\\ud83d"}', 422, "invalid_input"),
    "lone surrogate as key": (b'{"client_id": "a", "text": "Hello", "\\ud83d": 1}', 422, "invalid_input"),
    "not UTF-8": (b'{"client_id": "a", "text": "caf\xe9 \xff\xfe"}', 422, "invalid_input"),
    "half a UTF-8 character": (b'{"client_id": "a", "text": "\xe4\xbd"}', 422, "invalid_input"),
    "UTF-16": (message().decode().encode("utf-16-le")[:-1], 422, "invalid_input"),
    "nothing": (b"", 422, "invalid_input"),
    "no JSON": (b"Hello", 422, "invalid_input"),
    "JSON cut off": (message()[:-4], 422, "invalid_input"),
    "JSON nested very deeply": (b"[" * 100_000, 422, "invalid_input"),
    "null": (b"null", 422, "invalid_input"),
    "a string": (b'"Hello"', 422, "invalid_input"),
    "a number": (b"7", 422, "invalid_input"),
    "an array": (b"[" + message() + b"]", 422, "invalid_input"),
    "no text": (b'{"client_id": "a"}', 422, "invalid_input"),
    "text is null": (message(text=None), 422, "invalid_input"),
    "text is a number": (message(text=7), 422, "invalid_input"),
    "text is true": (message(text=True), 422, "invalid_input"),
    "text is an array": (message(text=["Hello"]), 422, "invalid_input"),
    "text is an object": (message(text={"a": "Hello"}), 422, "invalid_input"),
    "text and choice": (message(choice="/stop"), 422, "invalid_input"),
    "choice not offered": (b'{"client_id": "a", "choice": "/stop"}', 422, "invalid_input"),
    "empty choice": (b'{"client_id": "a", "choice": ""}', 422, "invalid_input"),
    "choice is an object": (b'{"client_id": "a", "choice": {"payload": "/stop"}}', 422, "invalid_input"),
    "extra key": (message(author="agent"), 422, "invalid_input"),
    "no id": (b'{"text": "Hello"}', 422, "invalid_input"),
    "id is null": (message(client_id=None), 422, "invalid_input"),
    "id is a number": (message(client_id=7), 422, "invalid_input"),
    "empty id": (message(client_id=""), 422, "invalid_input"),
    "id with a space": (message(client_id="a b"), 422, "invalid_input"),
    "id with a line end": (message(client_id="a\n"), 422, "invalid_input"),
    "id with a letter that is not ASCII": (message(client_id="ü"), 422, "invalid_input"),
    "id too long": (message(client_id="a" * 101), 422, "invalid_input"),
    "2 MB": (message(text="x" * 2_000_000), 413, "too_large"),
    "2 MB of nothing": (b" " * 2_000_000, 413, "too_large"),
}


@pytest.mark.parametrize("name", list(BAD_MESSAGES))
async def test_bad_message(chat: Chat, name: str) -> None:
    body, status, code = BAD_MESSAGES[name]
    visitor = await chat.begin()
    response = await chat.http.post(f"{visitor.url}/messages", headers={**visitor.headers, **JSON}, content=body)
    assert_error(response, status, code)
    assert chat.bench.count() == 0
    assert chat.bench.dialogue.calls == []


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x", ""])
async def test_wrong_content_type(chat: Chat, kind: str) -> None:
    visitor = await chat.begin()
    headers = {**visitor.headers, "content-type": kind}
    response = await chat.http.post(f"{visitor.url}/messages", headers=headers, content=message())
    assert_error(response, 422, "invalid_input")
    assert chat.bench.count() == 0


async def test_large_body_without_a_length_is_refused_while_it_comes(chat: Chat) -> None:
    visitor = await chat.begin()
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 1
            yield b" " * 100_000

    response = await chat.http.post(f"{visitor.url}/messages", headers={**visitor.headers, **JSON}, content=endless())
    assert_error(response, 413, "too_large")
    assert sent < 20
    assert chat.bench.count() == 0


GOOD_TEXTS = {
    "only emoji": ("👍🏽👩‍👩‍👧‍👦", "👍🏽👩‍👩‍👧‍👦"),
    "right-to-left marks": ("\u202eolleH\u202c \u200fشلام", "\u202eolleH\u202c \u200fشلام"),
    "control characters among others": ("a\x00b\x1bc", "abc"),
    "lone surrogate": ("half \ud83d smile", "half ? smile"),
    "HTML": ("<b>bold</b> &amp;", "<b>bold</b> &amp;"),
    "script": ("<script>alert(1)</script>", "<script>alert(1)</script>"),
    "command": ("/restart", "/restart"),
    "command with values": ('/intent{"x":1}', '/intent{"x":1}'),
    "SQL": ("'; DROP TABLE messages; --", "'; DROP TABLE messages; --"),
    "the longest": ("x" * 4000, "x" * 4000),
    "template": ("{case_number} {{7*7}} %s", "{case_number} {{7*7}} %s"),
}


@pytest.mark.parametrize("name", GOOD_TEXTS)
async def test_odd_text_is_kept(chat: Chat, name: str) -> None:
    text, kept = GOOD_TEXTS[name]
    visitor = await chat.begin()
    response = await chat.http.post(
        f"{visitor.url}/messages", headers={**visitor.headers, **JSON}, content=message(text=text)
    )
    assert response.status_code == 202
    assert response.json()["text"] == kept
    assert response.json()["html"] is None
    await chat.bench.settled()
    (call,) = chat.bench.dialogue.calls
    assert (call.context.text, call.payload) == (kept, None)
    found = (await chat.read(visitor)).json()["messages"]
    assert [(m["author"], m["text"]) for m in found] == [("customer", kept), ("bot", f"You wrote: {kept}")]
    assert "<script" not in found[1]["html"]


BAD_CREATIONS: dict[str, tuple[bytes, int]] = {
    "unknown language": (b'{"language": "fr"}', 422),
    "language is a number": (b'{"language": 7}', 422),
    "language is a list": (b'{"language": ["en"]}', 422),
    "extra key": (b'{"audience": "internal"}', 422),
    "an array": (b"[]", 422),
    "a string": (b'"en"', 422),
    "no JSON": (b"{", 422),
    "not UTF-8": (b'{"language": "\xff"}', 422),
    "2 MB": (b" " * 2_000_000, 413),
}


@pytest.mark.parametrize("name", list(BAD_CREATIONS))
async def test_bad_creation(chat: Chat, name: str) -> None:
    body, status = BAD_CREATIONS[name]
    response = await chat.http.post(API, headers=JSON, content=body)
    assert_error(response, status, "too_large" if status == 413 else "invalid_input")
    with Session(chat.bench.engine) as session:
        assert session.scalar(select(func.count()).select_from(Conversation)) == 0


# Whose conversation


ROUTES = [("GET", ""), ("GET", "/messages"), ("POST", "/messages"), ("GET", "/events")]
KEYS: dict[str, Callable[[Visitor, Visitor], dict[str, str]]] = {
    "no token": lambda mine, other: {},
    "empty": lambda mine, other: {"authorization": ""},
    "only the kind": lambda mine, other: {"authorization": "Bearer"},
    "kind and nothing": lambda mine, other: {"authorization": "Bearer "},
    "another kind": lambda mine, other: {"authorization": f"Basic {mine.token}"},
    "no kind": lambda mine, other: {"authorization": mine.token},
    "another visitor's": lambda mine, other: {"authorization": f"Bearer {other.token}"},
    "cut off": lambda mine, other: {"authorization": f"Bearer {mine.token[:-1]}"},
    "hash instead": lambda mine, other: {"authorization": "Bearer " + "0" * 64},
    "bytes": lambda mine, other: {"authorization": "Bearer ÿþ\x80"},
    "very long": lambda mine, other: {"authorization": "Bearer " + "x" * 20_000},
}


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("key", KEYS)
async def test_somebody_else_is_not_let_in(chat: Chat, method: str, path: str, key: str) -> None:
    mine, other = await chat.begin(), await chat.begin()
    given = {**KEYS[key](mine, other), **JSON}
    headers = httpx.Headers({name.encode(): value.encode("latin-1") for name, value in given.items()})
    content = message() if method == "POST" else None
    response = await chat.http.request(method, mine.url + path, headers=headers, content=content)
    assert_error(response, 404, "not_found")
    assert chat.bench.count() == 0


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_unknown_conversation_looks_like_somebody_else_s(chat: Chat, method: str, path: str) -> None:
    mine, other = await chat.begin(), await chat.begin()
    answers = []
    for identifier in ("0" * 32, other.id):
        content = message() if method == "POST" else None
        url = f"{API}/{identifier}{path}"
        answers.append(await chat.http.request(method, url, headers={**mine.headers, **JSON}, content=content))
    assert_error(answers[0], 404, "not_found")
    assert answers[0].json() == answers[1].json()


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("identifier", ["x", "0" * 31, "0" * 33, "A" * 32, "g" * 32, "%00", "0" * 31 + "%0a"])
async def test_id_in_another_form(chat: Chat, method: str, path: str, identifier: str) -> None:
    mine = await chat.begin()
    content = message() if method == "POST" else None
    url = f"{API}/{identifier}{path}"
    response = await chat.http.request(method, url, headers={**mine.headers, **JSON}, content=content)
    assert_error(response, 422, "invalid_input")


# Where to read from


HUGE = "99999999999999999999"
BAD_QUERIES = [
    ("after", "-1"),
    ("after", "abc"),
    ("after", ""),
    ("after", "1.5"),
    ("after", "NaN"),
    ("after", "0x10"),
    ("after", HUGE),
]


@pytest.mark.parametrize(
    ("name", "value"),
    [*BAD_QUERIES, ("wait", "-1"), ("wait", "31"), ("wait", "nan"), ("wait", "inf"), ("wait", "soon"), ("wait", "")],
)
async def test_bad_query_of_messages(chat: Chat, name: str, value: str) -> None:
    visitor = await chat.begin()
    assert_error(await chat.read(visitor, **{name: value}), 422, "invalid_input")


@pytest.mark.parametrize(("name", "value"), BAD_QUERIES)
async def test_bad_query_of_events(chat: Chat, name: str, value: str) -> None:
    visitor = await chat.begin()
    response = await chat.http.get(f"{visitor.url}/events", headers=visitor.headers, params={name: value})
    assert_error(response, 422, "invalid_input")


@pytest.mark.parametrize("value", [b"abc", b"-1", b"1e3", b"1.0", b"9" * 19, b"\xd9\xa1", b"1, 2", b"0x1"], ids=ascii)
async def test_last_event_id_that_is_no_number(chat: Chat, value: bytes) -> None:
    visitor = await chat.begin()
    headers = httpx.Headers([(b"authorization", f"Bearer {visitor.token}".encode()), (b"last-event-id", value)])
    response = await chat.http.get(f"{visitor.url}/events", headers=headers)
    assert_error(response, 422, "invalid_input")


# Methods and paths


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", ""),
        ("DELETE", ""),
        *[(method, "/" + "0" * 32) for method in ("POST", "PUT", "PATCH", "DELETE")],
        *[(method, "/" + "0" * 32 + "/messages") for method in ("PUT", "PATCH", "DELETE")],
        *[(method, "/" + "0" * 32 + "/events") for method in ("POST", "PUT", "DELETE")],
    ],
)
async def test_wrong_method(chat: Chat, method: str, path: str) -> None:
    response = await chat.http.request(method, API + path)
    assert_error(response, 405, "method_not_allowed")
    assert response.headers["allow"]


@pytest.mark.parametrize("path", ["/api", "/api/v1", "/api/v2/conversations", f"{API}/{'0' * 32}/nothing", "/nothing"])
async def test_unknown_path(chat: Chat, path: str) -> None:
    assert_error(await chat.http.get(path), 404, "not_found")
