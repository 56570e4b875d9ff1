"""What people set for themselves: available or away, language, theme, sound, picture, password, signed-in browsers."""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.datastructures import UploadFile

from bot.attachments import faces
from bot.desk.admin.shared import Problems, problems_of
from bot.desk.desk_state import DeskState
from bot.desk.pages import (
    Form,
    FormWithFile,
    Me,
    SignedIn,
    State,
    address_of,
    desk_router,
    own_path,
    page,
    redirect,
    text,
    texts,
)
from bot.errors import FieldError
from bot.people import audit, passwords, people, sessions, throttle
from bot.people.models import DeskSession, Person
from bot.settings import LANGUAGES

THEMES = ("system", "light", "dark")
SWITCHES = ("sound", "notices")

router = desk_router()


def _shown(
    request: Request, me: SignedIn, state: DeskState, status: int = 200, problems: Problems | None = None
) -> Response:
    with state.changes.transaction() as session:
        browsers = session.scalar(
            select(func.count()).select_from(DeskSession).where(DeskSession.person_id == me.person.id)
        )
    return page(
        request,
        "admin/settings.html",
        status,
        problems=problems or Problems(),
        browsers=browsers,
        themes=THEMES,
        queues=sorted(state.queues.of(me.person)),
        shortest=passwords.SHORTEST,
        done=request.query_params.get("done", ""),
    )


def _own(session: Session, me: SignedIn) -> Person:
    return session.get_one(Person, me.person.id, with_for_update=True)


@router.get("/settings")
def settings(request: Request, me: Me, state: State) -> Response:
    """Own settings."""
    return _shown(request, me, state)


@router.post("/settings")
def save(request: Request, me: Me, state: State, form: Form) -> Response:
    """Save them, all at once."""
    language, theme = text(form, "language"), text(form, "theme")
    with state.changes.transaction() as session:
        person = _own(session, me)
        person.languages = [code for code in LANGUAGES if code in texts(form, "languages")]
        person.language = language if language in LANGUAGES else person.language
        switches = {name: text(form, name) == "yes" for name in SWITCHES}
        person.preferences = {
            **(person.preferences or {}),
            **switches,
            "theme": theme if theme in THEMES else "system",
        }
    return redirect(request, "/desk/settings", done="saved")


@router.post("/preferences")
def change_one(request: Request, me: Me, state: State, form: Form) -> Response:
    """Change one thing from the menu: `theme`, `language`, `sound` or `notices`."""
    new: dict[str, Any] = {name: text(form, name) == "yes" for name in SWITCHES if name in form}
    if text(form, "theme") in THEMES:
        new["theme"] = text(form, "theme")
    with state.changes.transaction() as session:
        person = _own(session, me)
        person.preferences = {**(person.preferences or {}), **new}
        if text(form, "language") in LANGUAGES:
            person.language = text(form, "language")
    return redirect(request, own_path(text(form, "next")))


@router.post("/presence")
def presence(request: Request, me: Me, state: State, form: Form) -> Response:
    """Be available for cases, or away."""
    online = text(form, "online") == "yes"
    with state.changes.transaction() as session:
        person = _own(session, me)
        if person.online != online:
            person.online = online
            audit.note(session, me.principal, "person.online" if online else "person.away", f"person:{person.id}")
    return redirect(request, own_path(text(form, "next")))


@router.post("/settings/picture")
def picture(request: Request, me: Me, state: State, form: FormWithFile) -> Response:
    """Set the picture that customers see, or take it away."""
    sent = form.get("picture")
    made: bytes | None = None
    if isinstance(sent, UploadFile):
        try:
            made = faces.squared(sent.file.read(faces.MOST_BYTES + 1))
        except FieldError as error:
            return _shown(request, me, state, 422, problems_of(request, error))
    with state.changes.transaction() as session:
        faces.set_face(session, _own(session, me), made)
        audit.note(session, me.principal, "person.picture", f"person:{me.person.id}", {"set": made is not None})
    return redirect(request, "/desk/settings", done="picture" if made else "no_picture")


@router.post("/settings/password")
def password(request: Request, me: Me, state: State, form: Form) -> Response:
    """Set another password; all other browsers are signed out. Wrong guesses count as those at signing in."""
    current, new, again = (str(form.get(name) or "") for name in ("current", "password", "again"))
    try:
        passwords.check(new, me.person.email)
        if new != again:
            raise FieldError("again", "again", "The two do not match.")
        _prove(request, me, state, current)
    except FieldError as error:
        return _shown(request, me, state, 422, problems_of(request, error))
    hashed = state.passwords.hash(new)
    with state.changes.transaction() as session:
        people.set_password(session, me.principal, _own(session, me), hashed, me.token, address_of(request))
    return redirect(request, "/desk/settings", done="password")


def _prove(request: Request, me: SignedIn, state: DeskState, current: str) -> None:
    """Let those pass that know their present password.

    Raises:
        FieldError: They do not, or tried too often.
    """
    stored = me.person.password_hash
    if stored is None:
        raise FieldError("current", "no_password", "There is no password yet.", "Ask an administrator for one.")
    try:
        with state.changes.transaction() as session:
            throttle.begin(session, me.person.email, address_of(request))
    except throttle.TooManyAttempts as error:
        raise FieldError("current", "too_often", error.message, error.remedy) from error
    if not state.passwords.matches(stored, current[: passwords.LONGEST + 1]):
        raise FieldError("current", "current", "This is not the present password.")
    with state.changes.transaction() as session:
        throttle.succeed(session, me.person.email, address_of(request))


@router.post("/settings/browsers")
def sign_out_elsewhere(request: Request, me: Me, state: State, form: Form) -> Response:
    """Sign all other browsers out."""
    with state.changes.transaction() as session:
        ended = sessions.end_all(session, me.person.id, me.token)
        detail = {"browsers": ended}
        audit.note(session, me.principal, "session.end", f"person:{me.person.id}", detail, address_of(request))
    return redirect(request, "/desk/settings", done="browsers")
