"""What the team API's routes need; made once by the application. Who may call them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from bot.attachments.intake import Intake
from bot.conversation.changes import Changes
from bot.conversation.delivery import Delivery
from bot.dialogue.replies import Replies
from bot.dialogue.turn import Reply
from bot.errors import EncoderError, RefillError
from bot.handoff.queues import Queues, queues
from bot.knowledge.answer import Answerer
from bot.people.passwords import Passwords
from bot.people.roles import PERMISSIONS, Forbidden, Permission, Principal
from bot.people.tokens import find_token
from bot.settings import Settings
from bot.tagging.tags import Tagged

# Who calls with `server.api_key`.
KEY_HOLDER = Principal("key", "Team", "Team", frozenset(PERMISSIONS))


class Unauthorised(RefillError):
    """The team API's token or key is missing or wrong."""

    code = "unauthorised"
    status = 401


@cache
def _default_queues() -> Queues:
    return queues(Settings({}, Path()))


@cache
def _domain_replies() -> Callable[[str, str], Reply]:
    return Replies(Path(__file__).parents[2] / "domain.yml").reply


def _no_answerer() -> Answerer:
    raise EncoderError("There is no index of articles.", "Run `refill index`.")


@dataclass
class TeamState:
    """Services of the team API.

    Attributes:
        database: Makes transactions on a migrated database; an engine will do where no readers are told.
        tag: Hears what a text in a language carries.
        key: That opens the whole API; empty: only tokens open it.
        max_length: Longest text, in characters.
        half_life: Days after which what was said counts half.
        queues: As configured.
        delivery: Rings where something is new.
        answerer: Gives the answerer in force, for suggestions and citations.
        say: Gives a response of domain.yml by name and language.
        allow_private: The setting `outbox.allow_private`: webhooks may lead to this machine.
        passwords: Hashes those of new people.
        files: Takes files in.
        closing: The server is about to stop; streams end.
    """

    database: Changes | Engine
    tag: Callable[[str, str], Tagged]
    key: str = field(repr=False)
    max_length: int = 4000
    half_life: float = 30.0
    queues: Queues = field(default_factory=_default_queues)
    delivery: Delivery = field(default_factory=Delivery)
    answerer: Callable[[], Answerer] = _no_answerer
    say: Callable[[str, str], Reply] = field(default_factory=_domain_replies)
    allow_private: bool = False
    passwords: Passwords = field(default_factory=Passwords)
    files: Intake = field(default_factory=Intake)
    closing: bool = False

    @cached_property
    def changes(self) -> Changes:
        """Transactions whose readers are told."""
        return self.database if isinstance(self.database, Changes) else Changes(self.database)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session whose changes are kept, and told, when the context ends without an error."""
        with self.changes.transaction() as session:
            yield session

    def principal(self, value: str) -> Principal:
        """Who calls with a token or with the key.

        Raises:
            Unauthorised: It is neither.
        """
        if self.key and secrets.compare_digest(self.key.encode(), value.encode("utf-8", "surrogateescape")):
            return KEY_HOLDER
        with self.transaction() as session:
            found = find_token(session, value)
        if found is None:
            raise Unauthorised(
                "The token is missing, wrong, revoked or over.",
                "Send one as `Authorization: Bearer …`; `refill tokens add` makes one.",
            )
        return found


_bearer = HTTPBearer(
    auto_error=False, scheme_name="Team token", description="A token with scopes, or the setting `server.api_key`."
)


def state_of(request: Request) -> TeamState:
    """The state of the application a request came to."""
    state: TeamState = request.app.state.team
    return state


def token_of(credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> str:
    """What a request carries to show who calls; empty if nothing."""
    return credentials.credentials if credentials else ""


def principal(state: Annotated[TeamState, Depends(state_of)], token: Annotated[str, Depends(token_of)]) -> Principal:
    """Who calls. The desk's session cookie does not count: no page of another site can call the API in its name."""
    return state.principal(token)


def allowed(permission: Permission, all_queues: bool = False) -> dict[str, Any]:
    """Of a route: only for those who have a permission. The description names it as `x-permission`.

    Use it as `@router.get("/cases", **allowed("conversations:read"))`.

    Args:
        permission: Needed.
        all_queues: Whether it takes sight of all queues too, because it tells of all; `x-all-queues` in the
            description.
    """

    def check(by: Annotated[Principal, Depends(principal)]) -> None:
        by.demand(permission)
        if all_queues and by.queues is not None:
            raise Forbidden("This tells of all queues, and yours are only some.", "Use a token for all queues.")

    return {
        "dependencies": [Depends(check)],
        "openapi_extra": {"x-permission": permission, "x-all-queues": all_queues},
    }
