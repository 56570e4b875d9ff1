"""Signing in and out, with a password. `bot.desk.single_sign_on` does it through the company's identity provider."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import Depends, Request, Response
from fastapi.datastructures import FormData
from sqlalchemy.orm import Session

from bot.desk.desk_state import DeskState
from bot.desk.pages import (
    COOKIE,
    HOME,
    SIGN_IN,
    Form,
    Me,
    NotSignedIn,
    State,
    address_of,
    desk_router,
    own_path,
    page,
    redirect,
    signed_in,
    text,
    words_of,
)
from bot.desk.words import fill
from bot.people import audit, people, sessions, throttle
from bot.people.models import Person
from bot.people.passwords import LONGEST

# The sign-in form's own token, in a cookie and in the form; there is no session yet.
DOOR_COOKIE = "refill_desk_door"

router = desk_router()


def start_session(session: Session, state: DeskState, request: Request, person: Person, way: str) -> str:
    """Sign somebody in and write it down; the browser's session of before ends. Gives the cookie's value.

    They are available for cases from now on.
    """
    if before := request.cookies.get(COOKIE):
        sessions.end(session, before)
    by = people.principal_of(person, state.queues)
    audit.note(session, by, "session.start", f"person:{person.id}", {"way": way}, address_of(request))
    person.online = True
    return sessions.start(session, person)


def with_session(response: Response, state: DeskState, token: str) -> Response:
    """A response that hands the browser its session."""
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(sessions.LONGEST.total_seconds()),
        path=HOME,
        secure=state.secure,
        httponly=True,
        samesite="lax",
    )
    response.delete_cookie(DOOR_COOKIE, path=HOME)
    return response


def door(request: Request, state: DeskState, status: int = 200, **values: object) -> Response:
    """The sign-in page.

    Args:
        request: The one to answer.
        state: Of the desk.
        status: Of the answer.
        values: `problem` (a text), `email` to fill in.
    """
    token = request.cookies.get(DOOR_COOKIE) or secrets.token_urlsafe(32)
    shown = {
        "problem": "",
        "email": "",
        "next": own_path(request.query_params.get("next")),
        "door_token": token,
        "provider": bool(state.settings["desk.oidc_issuer"]),
        **values,
    }
    response = page(request, "sign_in.html", status, **shown)
    response.set_cookie(
        DOOR_COOKIE, token, max_age=3600, path=HOME, secure=state.secure, httponly=True, samesite="strict"
    )
    return response


async def _posted(request: Request) -> FormData:
    return await request.form(max_files=0, max_fields=10)


@router.get("/sign-in")
def show(request: Request, state: State) -> Response:
    """The sign-in page; who is signed in goes on to the desk."""
    try:
        signed_in(request, state)
    except NotSignedIn:
        return door(request, state)
    return redirect(request, own_path(request.query_params.get("next")))


@router.post("/sign-in")
def sign_in(request: Request, state: State, form: Annotated[FormData, Depends(_posted)]) -> Response:
    """Sign in with e-mail and password. An unknown address and a wrong password get the same answer, as late."""
    t = words_of(request).sign_in
    given = form.get("password")
    email, password = text(form, "email")[:200], given[: LONGEST + 1] if isinstance(given, str) else ""
    again = {"email": email, "next": own_path(text(form, "next"))}
    expected = request.cookies.get(DOOR_COOKIE, "")
    if not expected or not secrets.compare_digest(text(form, "door").encode(), expected.encode()):
        return door(request, state, 403, problem=t.stale, **again)
    try:
        person = _checked(state, request, email, password)
    except throttle.TooManyAttempts as error:
        response = door(request, state, 429, problem=fill(t.too_often, seconds=error.seconds), **again)
        response.headers["retry-after"] = str(error.seconds)
        return response
    token = _started(state, request, email, person, password) if person else None
    if token is None:
        return door(request, state, 401, problem=t.wrong, **again)
    return with_session(redirect(request, again["next"]), state, token)


def _checked(state: DeskState, request: Request, email: str, password: str) -> Person | None:
    """Whose e-mail and password these are; failures are counted and written down.

    Raises:
        TooManyAttempts: It comes too early after failures.
    """
    address = address_of(request)
    with state.changes.transaction() as session:
        throttle.begin(session, email, address)
        person = people.by_email(session, email)
    stored = person.password_hash if person and person.disabled_at is None else None
    if state.passwords.matches(stored, password):
        return person
    with state.changes.transaction() as session:
        audit.note(session, "nobody", "session.fail", f"person:{person.id if person else ''}", {}, address)
    return None


def _started(state: DeskState, request: Request, email: str, checked: Person, password: str) -> str | None:
    """Sign somebody in whose password was right; None when it was changed or their access ended meanwhile."""
    outdated = state.passwords.is_outdated(checked.password_hash or "")
    fresh = state.passwords.hash(password) if outdated else checked.password_hash
    with state.changes.transaction() as session:
        person = session.get_one(Person, checked.id, with_for_update=True)
        if person.password_hash != checked.password_hash or person.disabled_at is not None:
            return None
        person.password_hash = fresh
        throttle.succeed(session, email, address_of(request))
        return start_session(session, state, request, person, "password")


@router.post("/sign-out")
def sign_out(request: Request, me: Me, state: State, form: Form) -> Response:
    """Sign this browser out; its person is away from now on."""
    with state.changes.transaction() as session:
        sessions.end(session, me.token)
        session.get_one(Person, me.person.id).online = False
        audit.note(session, me.principal, "session.end", f"person:{me.person.id}", {}, address_of(request))
    response = redirect(request, SIGN_IN)
    response.delete_cookie(COOKIE, path=HOME)
    return response
