"""What surrounds every public route: security headers, and how large a request may be."""

from __future__ import annotations

import re
from collections.abc import Mapping

from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.errors import ErrorBody, ErrorDetail, TooLarge

MAX_BODY = 1 << 20

HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'self'",
    ),
]


def error_response(status: int, code: str, message: str, remedy: str = "") -> JSONResponse:
    """An error in the one shape of every error."""
    body = ErrorBody(error=ErrorDetail(code=code, message=message, remedy=remedy))
    return JSONResponse(body.model_dump(), status)


class SecurityHeaders:
    """Security headers on every response. A page with a content policy of its own says there who may frame it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = [*message.get("headers", [])]
                if scope["path"].startswith(("/static/", "/desk/static/")):
                    # Its entity tag is asked for each time, so that an upgrade never mixes old files with new.
                    given.append((b"cache-control", b"no-cache"))
                present = {name.lower() for name, _ in given}
                if scope["path"].startswith(("/api/", "/desk")) and b"cache-control" not in present:
                    given.append((b"cache-control", b"no-store"))
                if b"content-security-policy" in present:
                    present.add(b"x-frame-options")
                message["headers"] = [*given, *(header for header in HEADERS if header[0] not in present)]
            await send(message)

        await self._app(scope, receive, with_headers)


class BodyLimit:
    """A body that is too large is refused while it is read.

    Args:
        app: Served within.
        larger: Bytes by a pattern of paths, for those that take more than MAX_BODY.
    """

    def __init__(self, app: ASGIApp, larger: Mapping[str, int] | None = None) -> None:
        self._app = app
        self._larger = [(re.compile(pattern), most) for pattern, most in (larger or {}).items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = next((most for pattern, most in self._larger if pattern.fullmatch(scope["path"])), MAX_BODY)
        received = 0
        started = too_large = False

        async def limited() -> Message:
            nonlocal received, too_large
            message = await receive()
            received += len(message.get("body", b""))
            if received > most:
                too_large = True
                raise TooLarge(f"The request is larger than {most:,} bytes.", "Send less at once.")
            return message

        async def unless_too_large(message: Message) -> None:
            nonlocal started
            if too_large and not started:
                return  # Whatever the application makes of the broken-off body, 413 is said below.
            started = True
            await send(message)

        try:
            await self._app(scope, limited, unless_too_large)
        except TooLarge:
            if started:
                raise
        if too_large and not started:
            response = error_response(
                413, "too_large", f"The request is larger than {most:,} bytes.", "Send less at once."
            )
            await response(scope, receive, send)
