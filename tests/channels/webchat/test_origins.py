"""Which websites' pages may use the chat, and that nothing else of the API is open to them."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from fastapi.routing import APIRoute
from starlette.datastructures import Headers

from bot.app import CHAT_ROUTERS
from bot.channels.webchat.origins import origin_of, other_site, parse_origins
from bot.channels.webchat.site import Site
from tests.channels.webchat.conftest import API, Chat, assert_error

SHOP, STRANGER = "https://shop.example", "https://stranger.example"
ROUTES = sorted(
    {
        (
            method,
            re.sub(r"\{(conversation_id)(:\w+)?\}", "a" * 32, re.sub(r"\{(?!conversation)\w+(:\w+)?\}", "1", r.path)),
        )
        for router in CHAT_ROUTERS
        for r in router.routes
        if isinstance(r, APIRoute)
        for method in r.methods or ()
    }
)


@pytest.mark.parametrize(
    ("written", "parsed"),
    [
        ("", set()),
        ("https://www.example.com", {"https://www.example.com"}),
        (" https://A.example:443  http://b.example:80 ", {"https://a.example", "http://b.example"}),
        ("http://localhost:3000 http://[::1]:3000", {"http://localhost:3000", "http://[::1]:3000"}),
        ("https://a.example *", {"https://a.example", "*"}),
    ],
)
def test_origins_are_written_as_browsers_do(written: str, parsed: set[str]) -> None:
    assert parse_origins(written) == parsed


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("https://Support.example.com/chat?x=1", "https://support.example.com"),
        ("https://support.example.com:443", "https://support.example.com"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
        ("", ""),
        ("support.example.com", ""),
        ("null", ""),
        ("file:///srv/index.html", ""),
    ],
)
def test_origin_of_an_address(address: str, origin: str) -> None:
    assert origin_of(address) == origin


@pytest.mark.parametrize(
    ("origin", "base_url", "found"),
    [
        ("", "", ""),
        ("http://refill.example:8000", "", ""),
        ("https://refill.example:8000", "", ""),
        ("https://support.example", "https://support.example/", ""),
        ("https://support.example", "", "https://support.example"),
        ("http://refill.example:8001", "", "http://refill.example:8001"),
        ("https://refill.example:8000.stranger.example", "", "https://refill.example:8000.stranger.example"),
        ("null", "https://support.example", "null"),
        ("x://refill.example:8000", "", "x://refill.example:8000"),
        ("//refill.example:8000", "", "//refill.example:8000"),
        ("http://[::1", "", "http://[::1"),
    ],
)
def test_another_site_is_told_from_our_own(origin: str, base_url: str, found: str) -> None:
    headers = Headers({"host": "refill.example:8000", **({"origin": origin} if origin else {})})
    assert other_site(headers, base_url) == found


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_a_stranger_is_refused_on_every_route_of_the_chat(
    make_chat: Callable[..., Chat], method: str, path: str
) -> None:
    chat = make_chat(Site(origins=frozenset({SHOP})))
    for origin in (STRANGER, "null", "https://shop.example.stranger.example", "http://shop.example"):
        response = await chat.http.request(method, path, headers={"origin": origin})
        assert_error(response, 403, "origin_not_allowed")
        assert "webchat.origins" in response.json()["error"]["remedy"]
        # A page may read why; the browser keeps everything else from it.
        assert response.headers["access-control-allow-origin"] == "*"
    asked = await chat.http.options(path, headers={"origin": STRANGER, "access-control-request-method": method})
    assert asked.status_code == 403


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_an_allowed_website_may_read_every_answer(make_chat: Callable[..., Chat], method: str, path: str) -> None:
    chat = make_chat(Site(origins=frozenset({SHOP})))
    response = await chat.http.request(method, path, headers={"origin": SHOP})
    assert response.status_code != 403
    assert response.headers["access-control-allow-origin"] == SHOP
    assert "origin" in response.headers["vary"].lower()
    assert "access-control-allow-credentials" not in response.headers
    asked = await chat.http.options(
        path,
        headers={
            "origin": SHOP,
            "access-control-request-method": method,
            "access-control-request-headers": "authorization,content-type,last-event-id",
        },
    )
    assert asked.status_code == 200
    assert asked.headers["access-control-allow-origin"] == SHOP
    assert method in asked.headers["access-control-allow-methods"]
    assert int(asked.headers["access-control-max-age"]) >= 600


async def test_a_conversation_from_an_allowed_website(make_chat: Callable[..., Chat]) -> None:
    chat = make_chat(Site(origins=frozenset({SHOP})))
    visitor = (await chat.http.post("/api/v1/visitors", headers={"origin": SHOP})).json()
    bearer = {"authorization": f"Bearer {visitor['token']}"}
    begun = (await chat.http.post(API, headers={**bearer, "origin": SHOP}, json={})).json()
    for origin, status in ((SHOP, 200), (STRANGER, 403)):
        read = await chat.http.get(f"{API}/{begun['id']}", headers={**bearer, "origin": origin})
        assert read.status_code == status
    large = await chat.http.post(API, headers={**bearer, "origin": SHOP}, content=b" " * 2_000_000)
    assert_error(large, 413, "too_large")
    assert large.headers["access-control-allow-origin"] == SHOP


@pytest.mark.parametrize(("origins", "status"), [(frozenset(), 403), (frozenset({"*"}), 200)])
async def test_no_website_and_every_website(
    make_chat: Callable[..., Chat], origins: frozenset[str], status: int
) -> None:
    chat = make_chat(Site(origins=origins))
    for origin in (STRANGER, "null"):
        response = await chat.http.get("/api/v1/widget", headers={"origin": origin})
        assert response.status_code == status
        assert response.headers["access-control-allow-origin"] == "*"


async def test_our_own_pages_and_programs_are_always_let_in(make_chat: Callable[..., Chat]) -> None:
    chat = make_chat(Site(base_url="https://support.example"))
    for headers in ({}, {"origin": "http://test"}, {"origin": "https://test"}, {"origin": "https://support.example"}):
        response = await chat.http.get("/api/v1/widget", headers=headers)
        assert response.status_code == 200
        assert "access-control-allow-origin" not in response.headers
        assert "origin" in response.headers["vary"]


@pytest.mark.parametrize(
    "path", ["/api/v1/cases", "/api/v1/people", "/api/v1/signals", "/health", "/", "/chat", "/help"]
)
async def test_nothing_else_is_open_to_any_website(make_chat: Callable[..., Chat], path: str) -> None:
    chat = make_chat(Site(origins=frozenset({"*"})))
    response = await chat.http.get("/health" if path in ("/", "/help") else path, headers={"origin": SHOP})
    asked = await chat.http.options(path, headers={"origin": SHOP, "access-control-request-method": "GET"})
    for answer in (response, asked):
        assert not [name for name in answer.headers if name.startswith("access-control")]
