"""What surrounds every route: headers, and how large a request may be."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from bot.edge import HEADERS, MAX_BODY, BodyLimit, SecurityHeaders

LARGER = {"/files/[^/]+": 3 * MAX_BODY}


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """An application that says how much it got, within the edge."""
    app = FastAPI()
    app.add_middleware(BodyLimit, larger=LARGER)
    app.add_middleware(SecurityHeaders)

    @app.post("/{path:path}")
    async def count(request: Request) -> int:
        return len(await request.body())

    @app.get("/own")
    async def own() -> Response:
        return Response(headers={"content-security-policy": "sandbox", "referrer-policy": "no-referrer"})

    @app.get("/{path:path}")
    async def plain() -> Response:
        return Response()

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client


@pytest.mark.parametrize(
    ("path", "size", "status"),
    [
        ("/texts", MAX_BODY, 200),
        ("/texts", MAX_BODY + 1, 413),
        ("/files/a", MAX_BODY + 1, 200),
        ("/files/a", 3 * MAX_BODY, 200),
        ("/files/a", 3 * MAX_BODY + 1, 413),
        ("/files/a/b", MAX_BODY + 1, 413),
        ("/x/files/a", MAX_BODY + 1, 413),
    ],
)
async def test_each_path_has_its_limit(http: httpx.AsyncClient, path: str, size: int, status: int) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, size, 100_000):
            yield b"x" * min(100_000, size - start)

    for response in (await http.post(path, content=b"x" * size), await http.post(path, content=pieces())):
        assert response.status_code == status
        assert response.headers["x-content-type-options"] == "nosniff"
        if status == 200:
            assert response.json() == size
        else:
            limit = LARGER["/files/[^/]+"] if path == "/files/a" else MAX_BODY
            assert f"{limit:,} bytes" in response.json()["error"]["message"]


async def test_every_answer_has_the_headers(http: httpx.AsyncClient) -> None:
    response = await http.get("/texts")
    for name, value in HEADERS:
        assert response.headers.get_list(name.decode()) == [value.decode()]
    assert "cache-control" not in response.headers


async def test_an_answer_with_a_policy_of_its_own_keeps_it(http: httpx.AsyncClient) -> None:
    response = await http.get("/own")
    assert response.headers.get_list("content-security-policy") == ["sandbox"]
    assert response.headers.get_list("referrer-policy") == ["no-referrer"]
    # Its policy says who may frame it.
    assert "x-frame-options" not in response.headers


@pytest.mark.parametrize(
    ("path", "cache"), [("/api/v1/x", "no-store"), ("/desk", "no-store"), ("/static/a.css", "no-cache")]
)
async def test_what_is_private_is_not_kept(http: httpx.AsyncClient, path: str, cache: str) -> None:
    assert (await http.get(path)).headers["cache-control"] == cache
