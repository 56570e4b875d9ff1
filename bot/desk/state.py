"""What the team API's routes need; made once by the application. Who may call them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from bot.errors import RefillError
from bot.tagging.tags import Tagged


class TeamApiClosed(RefillError):
    """No key is set, so nobody may call the team API."""

    code = "closed"
    status = 403


class Unauthorised(RefillError):
    """The team API's key is missing or wrong."""

    code = "unauthorised"
    status = 401


@dataclass(frozen=True)
class TeamState:
    """Services of the team API.

    Attributes:
        engine: Of a migrated database.
        tag: Hears what a text in a language carries.
        key: That opens the API; empty: it is closed.
        max_length: Longest text, in characters.
        half_life: Days after which what was said counts half.
    """

    engine: Engine
    tag: Callable[[str, str], Tagged]
    key: str = field(repr=False)
    max_length: int = 4000
    half_life: float = 30.0

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session whose changes are kept when the context ends without an error."""
        with Session(self.engine) as session, session.begin():
            yield session

    def authorise(self, key: str) -> None:
        """Let the holder of the key pass.

        Raises:
            TeamApiClosed: There is no key.
            Unauthorised: It is another one.
        """
        if not self.key:
            raise TeamApiClosed(
                "The team API is closed.",
                "Set server.api_key in refill.toml, or REFILL_SERVER_API_KEY, and restart `refill serve`.",
            )
        if not secrets.compare_digest(self.key.encode(), key.encode()):
            raise Unauthorised("The key is missing or wrong.", "Send it as `Authorization: Bearer …`.")


_bearer = HTTPBearer(auto_error=False, scheme_name="Team key", description="The setting `server.api_key`.")


def state_of(request: Request) -> TeamState:
    """The state of the application a request came to."""
    state: TeamState = request.app.state.team
    return state


def authorised(
    state: Annotated[TeamState, Depends(state_of)],
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> None:
    """Let a request pass that carries the key; see `TeamState.authorise`."""
    state.authorise(credentials.credentials if credentials else "")
