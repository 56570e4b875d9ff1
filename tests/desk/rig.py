"""The desk in an application of its own, without Rasa and encoder, and people who work at it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, cast

import httpx
from argon2 import PasswordHasher
from fastapi import FastAPI
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from bot.app import create_app
from bot.channels.webchat.state import WebchatState
from bot.conversation.changes import Changes
from bot.conversation.delivery import Delivery
from bot.desk.desk_state import DeskState
from bot.desk.state import TeamState
from bot.dialogue.turn import Reply
from bot.handoff import queues
from bot.people import people
from bot.people.models import Person
from bot.people.passwords import Passwords
from bot.people.roles import operator
from bot.settings import Settings, load_settings
from bot.tagging.tags import Tagged
from tests.conversation.fakes import PROJECT

# As weak as it gets: tests sign in often.
QUICK = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
PASSWORD = "a-password-for-tests"
_HASH = QUICK.hash(PASSWORD)


def _say(name: str, language: str) -> Reply:
    return Reply(text=f"{name} ({language})")


def _tag(text: str, language: str) -> Tagged:
    raise AssertionError("nothing is tagged here")


def new_desk(engine: Engine, settings: Settings | None = None, **services: Any) -> DeskState:
    """The desk's services on a database."""
    settings = settings or load_settings(PROJECT, {})
    given = {"delivery": Delivery(), "answerer": lambda: None, "say": _say, "tag": _tag, "passwords": QUICK, **services}
    given.setdefault("changes", Changes(engine))
    given.setdefault("queues", queues.queues(settings))
    return DeskState(settings, **given)


def new_app(desk: DeskState) -> FastAPI:
    """The public application with the desk in it."""
    return create_app(cast(WebchatState, None), cast(TeamState, None), lambda: True, desk)


def add_person(engine: Engine, email: str = "ada@example.com", role: str = "agent", **values: Any) -> Person:
    """Somebody of the team, whose password is PASSWORD."""
    given = {"name": email.partition("@")[0].title(), "password_hash": _HASH, **values}
    with Session(engine, expire_on_commit=False) as session, session.begin():
        return people.create(session, operator("tests"), email, role=role, **given)


@dataclass
class Browser:
    """Somebody's browser: keeps cookies, and sends the token of forms along.

    Attributes:
        http: What it asks with; redirects are not followed.
        csrf: Token of its forms, once signed in.
    """

    http: httpx.AsyncClient
    csrf: str = ""

    async def get(self, path: str, **options: Any) -> httpx.Response:
        """Load a page."""
        return await self.http.get(path, **options)

    async def post(self, path: str, data: dict[str, Any] | None = None, **options: Any) -> httpx.Response:
        """Send a form."""
        return await self.http.post(path, data={"csrf": self.csrf, **(data or {})}, **options)

    async def sign_in(self, email: str, password: str = PASSWORD, next: str = "") -> httpx.Response:
        """Sign in as somebody would."""
        shown = await self.get("/desk/sign-in", params={"next": next} if next else {})
        fields = dict(re.findall(r'name="(door|next)" value="([^"]*)"', shown.text))
        answer = await self.post("/desk/sign-in", {**fields, "email": email, "password": password})
        if answer.status_code == 303:
            found = re.search(r'name="csrf" value="(\w+)"', (await self.get("/desk/settings")).text)
            self.csrf = found[1] if found else ""
        return answer


def browser(app: FastAPI, address: str = "203.0.113.9") -> Browser:
    """A fresh browser at an address, speaking to an application in this process."""
    transport = httpx.ASGITransport(app, client=(address, 4711))
    return Browser(httpx.AsyncClient(transport=transport, base_url="https://desk.example"))


async def signed_in(app: FastAPI, email: str) -> Browser:
    """A browser of somebody who signed in with PASSWORD."""
    made = browser(app)
    answer = await made.sign_in(email)
    assert answer.status_code == 303, answer.text
    return made
