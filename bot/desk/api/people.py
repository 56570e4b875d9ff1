"""The team: who belongs to it, and the tokens of other systems."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from bot.conversation.models import now
from bot.desk.api.routes import INVALID, TOO_LARGE, By, Id, State, error, team_router
from bot.desk.bodies.people import (
    CreatedPerson,
    CreatedToken,
    NewPerson,
    NewToken,
    PeopleOut,
    PersonChange,
    PersonOut,
    TokenOut,
    TokensOut,
)
from bot.desk.state import TeamState, allowed
from bot.handoff import team
from bot.handoff.queues import QUEUES
from bot.people import passwords, people, tokens
from bot.people.models import ApiToken, Person
from bot.people.roles import PERMISSIONS_OF, ROLES, Forbidden, Principal

router = team_router()

_NO_PERSON = error(404, "No such person.")
_NO_TOKEN = error(404, "No such token.")


@router.get("/people", **allowed("conversations:read"))
def read_people(state: State, by: By) -> PeopleOut:
    """The team: to whom cases can be passed. Those who left are there with `people:manage` only."""
    with state.transaction() as session:
        found = [one for one in people.list_people(session) if one.disabled_at is None or by.may("people:manage")]
        return PeopleOut(people=[_person(person, state, by) for person in found])


@router.post(
    "/people", status_code=201, **allowed("people:manage", all_queues=True), responses={**TOO_LARGE, **INVALID}
)
def create_person(body: NewPerson, state: State, by: By) -> CreatedPerson:
    """Add somebody. Nobody gives a role that may do more than they."""
    _may_give(by, body.role)
    password = passwords.random_password()
    hashed = state.passwords.hash(password)
    with state.transaction() as session:
        made = people.create(
            session, by, body.email, body.name, body.role, hashed, body.languages, body.capacity, body.language
        )
        return CreatedPerson(person=_person(made, state, by), password=password)


@router.patch(
    "/people/{id}", **allowed("people:manage", all_queues=True), responses={**_NO_PERSON, **TOO_LARGE, **INVALID}
)
def change_person(id: Id, body: PersonChange, state: State, by: By) -> PersonOut:
    """Give somebody another name, role, languages or capacity."""
    with state.transaction() as session:
        person = _manageable(session, id, by)
        new: dict[str, Any] = {key: getattr(person, key) for key in ("name", "role", "languages", "capacity")}
        given = body.model_dump(exclude_unset=True)
        new |= {key: value for key, value in given.items() if value is not None or key == "capacity"}
        _may_give(by, new["role"])
        people.change(session, by, person, **new)
        return _person(person, state, by)


@router.post("/people/{id}/disable", **allowed("people:manage", all_queues=True), responses={**_NO_PERSON, **INVALID})
def disable_person(id: Id, state: State, by: By) -> PersonOut:
    """Take somebody's access away; their open cases go back to the queues."""
    with state.transaction() as session:
        person = _manageable(session, id, by)
        people.disable(session, by, person)
        return _person(person, state, by)


@router.post("/people/{id}/enable", **allowed("people:manage", all_queues=True), responses={**_NO_PERSON, **INVALID})
def enable_person(id: Id, state: State, by: By) -> PersonOut:
    """Let somebody in again."""
    with state.transaction() as session:
        person = _manageable(session, id, by)
        people.enable(session, by, person)
        return _person(person, state, by)


@router.post("/people/{id}/password", **allowed("people:manage", all_queues=True), responses={**_NO_PERSON, **INVALID})
def reset_password(id: Id, state: State, by: By) -> CreatedPerson:
    """Give somebody a new password, shown once; all their browsers are signed out."""
    password = passwords.random_password()
    hashed = state.passwords.hash(password)
    with state.transaction() as session:
        person = _manageable(session, id, by)
        people.set_password(session, by, person, hashed)
        return CreatedPerson(person=_person(person, state, by), password=password)


@router.get("/tokens", **allowed("tokens:manage", all_queues=True))
def read_tokens(state: State) -> TokensOut:
    """All tokens, without the tokens themselves."""
    with state.transaction() as session:
        return TokensOut(tokens=[_token(token) for token in tokens.list_tokens(session)])


@router.post(
    "/tokens", status_code=201, **allowed("tokens:manage", all_queues=True), responses={**TOO_LARGE, **INVALID}
)
def create_token(body: NewToken, state: State, by: By) -> CreatedToken:
    """Make a token for another system. Nobody gives scopes or queues they do not have."""
    with state.transaction() as session:
        made, value = tokens.create_token(session, by, body.name, body.scopes, body.queues, body.expires_at)
        return CreatedToken(token=value, details=_token(made))


@router.post("/tokens/{id}/revoke", **allowed("tokens:manage", all_queues=True), responses={**_NO_TOKEN, **INVALID})
def revoke_token(id: Id, state: State, by: By) -> TokenOut:
    """End a token at once; again changes nothing."""
    with state.transaction() as session:
        return _token(tokens.revoke_token(session, by, id))


def _may_give(by: Principal, role: str) -> None:
    """Let those pass that may do all that a role may.

    Raises:
        Forbidden: They may not: they would help somebody to more than they have.
    """
    known = next(one for one in ROLES if one == role)
    missing = sorted(PERMISSIONS_OF[known] - by.permissions)
    if missing:
        raise Forbidden(
            f"The role '{role}' has the permission '{missing[0]}', which you lack.", "Ask an administrator."
        )


def _manageable(session: Session, id: str, by: Principal) -> Person:
    person = people.find(session, id)
    _may_give(by, person.role)
    return person


def _person(person: Person, state: TeamState, by: Principal) -> PersonOut:
    manages = by.may("people:manage")
    member_of = state.queues.of(person)
    return PersonOut(
        id=person.id,
        name=person.name,
        role=person.role,
        online=team.is_there(person, now()),
        languages=person.languages,
        queues=[queue for queue in QUEUES if queue in member_of],
        email=person.email if manages else None,
        capacity=person.capacity,
        disabled_at=person.disabled_at,
    )


def _token(token: ApiToken) -> TokenOut:
    return TokenOut.model_validate(token, from_attributes=True)
