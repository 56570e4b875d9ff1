"""The limit on what one address may begin or send, for the routes that begin something or take files."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request

from bot.channels.webchat.site import site_of
from bot.channels.webchat.state import state_of
from bot.customers.beginnings import Begun, begin, counts
from bot.errors import ErrorBody

TOO_MANY: dict[int | str, dict[str, Any]] = {
    429: {"model": ErrorBody, "description": "Too many from this address; `Retry-After` says when to try again."}
}


def counted_address(request: Request) -> str:
    """The address a request comes from, if what it begins is counted; else empty."""
    address = request.client.host if request.client else ""
    return address if counts(address) else ""


def begins(kind: Begun) -> Callable[[Request], Awaitable[None]]:
    """A dependency that counts a request, and refuses what is too much; see `bot.customers.beginnings`."""

    async def count(request: Request) -> None:
        address, most = counted_address(request), site_of(request).new_per_hour
        if not most or not address:
            return
        changes = state_of(request).store.changes

        def keep() -> None:
            with changes.transaction() as session:
                begin(session, kind, address, most)

        await asyncio.to_thread(keep)

    return count
