"""The team: who belongs to it, in which role; new passwords; taking access away."""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response

from bot.conversation.models import now
from bot.desk.admin.shared import Problems, problems_of, whole_number
from bot.desk.desk_state import DeskState
from bot.desk.pages import Form, Me, State, address_of, desk_router, needs, page, redirect, text, texts
from bot.errors import FieldError
from bot.handoff.team import is_there
from bot.people import passwords, people
from bot.people.roles import ROLES
from bot.settings import LANGUAGES

router = desk_router()
MANAGE = [needs("people:manage")]


@router.get("/people", dependencies=MANAGE)
def everybody(request: Request, state: State) -> Response:
    """Everybody of the team."""
    with state.changes.transaction() as session:
        found = people.list_people(session)
    rows = [(person, is_there(person, now()), sorted(state.queues.of(person))) for person in found]
    return page(request, "admin/people.html", people=rows, done=request.query_params.get("done", ""))


def _form(request: Request, state: DeskState, status: int = 200, **values: Any) -> Response:
    shown = {
        "person": None,
        "problems": Problems(),
        "roles": ROLES,
        "most": people.MOST_CASES,
        "provider": bool(state.settings["desk.oidc_issuer"]),
        "password": "",
        "done": request.query_params.get("done", ""),
        "values": {"email": "", "name": "", "role": "agent", "languages": [], "capacity": "", "language": "en"},
        **values,
    }
    return page(request, "admin/person.html", status, **shown)


def _posted(form: Form) -> dict[str, Any]:
    return {
        "email": text(form, "email"),
        "name": text(form, "name"),
        "role": text(form, "role"),
        "languages": [code for code in LANGUAGES if code in texts(form, "languages")],
        "capacity": text(form, "capacity"),
        "language": text(form, "language"),
    }


@router.get("/people/new", dependencies=MANAGE)
def new(request: Request, me: Me, state: State) -> Response:
    """The form for somebody new."""
    values = {"email": "", "name": "", "role": "agent", "languages": [], "capacity": "", "language": me.person.language}
    return _form(request, state, values=values)


@router.post("/people", dependencies=MANAGE)
def create(request: Request, me: Me, state: State, form: Form) -> Response:
    """Add somebody; their first password is shown this once."""
    values = _posted(form)
    with_password = not (state.settings["desk.oidc_issuer"] and text(form, "provider_only") == "yes")
    password = passwords.random_password() if with_password else ""
    try:
        capacity = whole_number(form, "capacity")
        hashed = state.passwords.hash(password) if password else None
        with state.changes.transaction() as session:
            made = people.create(
                session,
                me.principal,
                values["email"],
                values["name"],
                values["role"],
                hashed,
                values["languages"],
                capacity,
                values["language"],
                address_of(request),
            )
    except FieldError as error:
        return _form(request, state, 422, problems=problems_of(request, error), values=values)
    if not password:
        return redirect(request, "/desk/people", done="created")
    return page(request, "admin/person_password.html", 201, person=made, password=password, new=True)


@router.get("/people/{id}", dependencies=MANAGE)
def show(request: Request, state: State, id: str) -> Response:
    """The form of somebody."""
    return _person(request, state, id)


def _person(
    request: Request,
    state: DeskState,
    id: str,
    status: int = 200,
    problems: Problems | None = None,
    values: dict[str, Any] | None = None,
) -> Response:
    with state.changes.transaction() as session:
        person = people.find(session, id)
    shown = values or {
        "email": person.email,
        "name": person.name,
        "role": person.role,
        "languages": person.languages,
        "capacity": "" if person.capacity is None else str(person.capacity),
        "language": person.language,
    }
    queues = sorted(state.queues.of(person))
    return _form(request, state, status, person=person, problems=problems or Problems(), values=shown, queues=queues)


@router.post("/people/{id}", dependencies=MANAGE)
def change(request: Request, me: Me, state: State, id: str, form: Form) -> Response:
    """Give somebody another name, role, languages or capacity."""
    values = _posted(form)
    try:
        capacity = whole_number(form, "capacity")
        with state.changes.transaction() as session:
            person = people.find(session, id)
            values["email"] = person.email
            people.change(
                session,
                me.principal,
                person,
                values["name"],
                values["role"],
                values["languages"],
                capacity,
                address_of(request),
            )
    except FieldError as error:
        return _person(request, state, id, 422, problems_of(request, error), values)
    return redirect(request, "/desk/people", done="changed")


@router.post("/people/{id}/password", dependencies=MANAGE)
def reset(request: Request, me: Me, state: State, id: str, form: Form) -> Response:
    """Give somebody a new password, shown this once; all their browsers are signed out, but for this one."""
    password = passwords.random_password()
    hashed = state.passwords.hash(password)
    with state.changes.transaction() as session:
        person = people.find(session, id)
        people.set_password(session, me.principal, person, hashed, me.token, address_of(request))
    return page(request, "admin/person_password.html", person=person, password=password, new=False)


@router.post("/people/{id}/disable", dependencies=MANAGE)
def disable(request: Request, me: Me, state: State, id: str, form: Form) -> Response:
    """Take somebody's access away; their open cases go back to their queues."""
    try:
        with state.changes.transaction() as session:
            people.disable(session, me.principal, people.find(session, id), address_of(request))
    except FieldError as error:
        return _person(request, state, id, 422, problems_of(request, error))
    return redirect(request, "/desk/people", done="disabled")


@router.post("/people/{id}/enable", dependencies=MANAGE)
def enable(request: Request, me: Me, state: State, id: str, form: Form) -> Response:
    """Let somebody in again."""
    with state.changes.transaction() as session:
        people.enable(session, me.principal, people.find(session, id), address_of(request))
    return redirect(request, "/desk/people", done="enabled")
