"""Which websites may use the chat from their visitors' browsers.

A browser names the website in `Origin`. Our own pages and those of `webchat.origins` may call the chat's routes; others
are refused there, reading as well as writing. Nothing else of the API can be called from another website at all: it
gives no leave (CORS). Callers that are no browsers send no `Origin` and are not concerned.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.edge import error_response
from bot.errors import RefillError

ANY = "*"
# Seconds a browser may remember that it may send a request; browsers shorten it to two hours or less.
_PREFLIGHT_SECONDS = 7200
_DEFAULT_PORTS = {"http": "80", "https": "443"}


class OriginNotAllowed(RefillError):
    """The chat is used on a website that is not in `webchat.origins`.

    Args:
        origin: As the browser named it.
    """

    code = "origin_not_allowed"
    status = 403

    def __init__(self, origin: str) -> None:
        super().__init__(
            f"The chat may not be used on {origin[:200]!r}.",
            "Whoever runs Refill adds this origin to the setting webchat.origins and restarts it.",
        )


def parse_origins(written: str) -> frozenset[str]:
    """The origins of the setting: `https://www.example.com http://localhost:3000`, or `*` for every website."""
    return frozenset(word if word == ANY else origin_of(word) for word in written.split())


def _written(scheme: str, host: str, port: str) -> str:
    """An origin as browsers write it: without the port that goes without saying."""
    return f"{scheme}://{host}" + (f":{port}" if port and port != _DEFAULT_PORTS[scheme] else "")


def origin_of(address: str) -> str:
    """The origin of an http(s) address; empty if it has none."""
    parts = urlsplit(address)
    if parts.scheme not in _DEFAULT_PORTS or not parts.netloc:
        return ""
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return _written(parts.scheme, host, str(parts.port or ""))


def other_site(headers: Headers, base_url: str) -> str:
    """The website a browser's request comes from, if it is not our own; else empty.

    A browser names none when one of our own pages only reads. Our own host is the one the browser asked for: behind a
    proxy that speaks TLS, the scheme may be another.
    """
    origin = headers.get("origin", "")
    if not origin or (base_url and origin == origin_of(base_url)):
        return ""
    return "" if origin in {f"{scheme}://{headers.get('host')}" for scheme in _DEFAULT_PORTS} else origin


class ChatOrigins:
    """Leave for allowed websites to call the chat's routes, and for nobody else.

    Args:
        app: Served within.
        paths: Of the chat's routes.
        allowed: As `parse_origins` gives them.
        base_url: Our own public address; empty if it is not known.
    """

    def __init__(self, app: ASGIApp, paths: Sequence[re.Pattern[str]], allowed: frozenset[str], base_url: str) -> None:
        self._app = app
        self._paths = paths
        self._allowed = allowed
        self._base_url = base_url
        self._with_leave = CORSMiddleware(
            app,
            allow_origins=sorted(allowed),
            allow_methods=("GET", "POST", "PUT", "DELETE"),
            allow_headers=("authorization", "content-type", "last-event-id"),
            expose_headers=("content-disposition", "retry-after"),
            max_age=_PREFLIGHT_SECONDS,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not any(path.match(scope["path"]) for path in self._paths):
            await self._app(scope, receive, send)
            return
        origin = other_site(Headers(scope=scope), self._base_url)
        if not origin:
            await self._app(scope, receive, _varied(send))
        elif ANY in self._allowed or origin in self._allowed:
            await self._with_leave(scope, receive, send)
        else:
            error = OriginNotAllowed(origin)
            response = error_response(error.status, error.code, error.message, error.remedy)
            # The page may read why, so that it can say so; nothing else is in the answer.
            response.headers["access-control-allow-origin"] = ANY
            response.headers["vary"] = "origin"
            await response(scope, receive, send)


def _varied(send: Send) -> Send:
    """Keep shared caches from giving our own pages' answer to another website."""

    async def with_vary(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", [])]
            known = b", ".join(value for name, value in headers if name.lower() == b"vary")
            if b"origin" not in known.lower():
                headers = [header for header in headers if header[0].lower() != b"vary"]
                headers.append((b"vary", b", ".join(filter(None, (known, b"origin")))))
            message["headers"] = headers
        await send(message)

    return with_vary
