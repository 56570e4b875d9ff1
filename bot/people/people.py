"""The team: who belongs to it, in which role, with which languages and how many cases."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from bot.conversation.models import now
from bot.errors import FieldError, NotFound
from bot.handoff import cases
from bot.handoff.contact import EMAIL
from bot.handoff.models import Escalation
from bot.people import audit, passwords, sessions
from bot.people.models import Person
from bot.people.passwords import Passwords
from bot.people.roles import PERMISSIONS_OF, ROLES, SYSTEM, Principal
from bot.settings import LANGUAGES

if TYPE_CHECKING:
    from bot.handoff.queues import Queues
    from bot.settings import Settings

MOST_CASES = 1000
_ALL_QUEUES = ("lead", "administrator")


def principal_of(person: Person, queues: Queues) -> Principal:
    """What a person may do, and whose conversations they see: those of their queues; leads and administrators all."""
    role = next(role for role in ROLES if role == person.role)
    return Principal(
        kind="person",
        id=person.id,
        name=person.name,
        permissions=PERMISSIONS_OF[role],
        queues=None if person.role in _ALL_QUEUES else queues.of(person),
        language=person.language,
    )


def list_people(session: Session) -> list[Person]:
    """Everybody, those who left last, by name."""
    found = session.scalars(select(Person))
    return sorted(found, key=lambda person: (person.disabled_at is not None, person.name.casefold(), person.email))


def find(session: Session, id: str) -> Person:
    """A person by id.

    Raises:
        NotFound: There is none.
    """
    person = session.get(Person, id)
    if person is None:
        raise NotFound("There is no such person.", "See the list of people.")
    return person


def by_email(session: Session, email: str) -> Person | None:
    """A person by e-mail address, in capitals or not."""
    return session.scalar(select(Person).where(Person.email == email.strip().lower()))


def named(session: Session, email: str) -> Person:
    """A person by e-mail address.

    Raises:
        NotFound: There is none.
    """
    person = by_email(session, email)
    if person is None:
        raise NotFound(f"Nobody has the e-mail address {email!r}.", "`refill people list` shows everybody.")
    return person


def create(
    session: Session,
    by: Principal,
    email: str,
    name: str,
    role: str,
    password_hash: str | None,
    languages: Sequence[str] = (),
    capacity: int | None = None,
    language: str = "en",
    address: str | None = None,
) -> Person:
    """Add somebody to the team.

    Args:
        session: Of the transaction.
        by: Who does it.
        email: By which they sign in.
        name: As customers and colleagues read it.
        role: One of ROLES.
        password_hash: Of `Passwords.hash`; None for those who sign in through the identity provider only.
        languages: Spoken; none for those of their queues.
        capacity: Open cases at the same time; None for the queue's.
        language: Of the desk's labels.
        address: Where the request came from.

    Raises:
        FieldError: A value breaks a rule, or somebody has the e-mail address.
    """
    email = _email(email)
    if by_email(session, email) is not None:
        raise FieldError(
            "email", "taken", f"Somebody has the e-mail address {email!r} already.", "Change them instead."
        )
    person = Person(
        id=uuid.uuid4().hex,
        email=email,
        name=_name(name),
        role=_role(role),
        password_hash=password_hash,
        languages=_languages(languages),
        capacity=_capacity(capacity),
        language=_language(language),
        preferences={},
    )
    session.add(person)
    session.flush()
    audit.note(session, by, "person.create", f"person:{person.id}", {"email": email, "role": role}, address)
    return person


def change(
    session: Session,
    by: Principal,
    person: Person,
    name: str,
    role: str,
    languages: Sequence[str],
    capacity: int | None,
    address: str | None = None,
) -> None:
    """Give somebody another name, role, languages or capacity.

    Raises:
        FieldError: A value breaks a rule, or no administrator would be left.
    """
    if _role(role) != "administrator":
        _keep_an_administrator(session, person, "role")
    new = {"name": _name(name), "role": role, "languages": _languages(languages), "capacity": _capacity(capacity)}
    changed = {key: value for key, value in new.items() if getattr(person, key) != value}
    for key, value in changed.items():
        setattr(person, key, value)
    if changed:
        audit.note(session, by, "person.change", f"person:{person.id}", changed, address)


def disable(session: Session, by: Principal, person: Person, address: str | None = None) -> int:
    """Take somebody's access away: browsers are signed out, open cases go back to their queues.

    Returns:
        How many cases went back.

    Raises:
        FieldError: No administrator would be left.
    """
    if person.disabled_at is not None:
        return 0
    _keep_an_administrator(session, person, "disable")
    person.disabled_at, person.online = now(), False
    sessions.end_all(session, person.id)
    held = session.scalars(
        select(Escalation.id)
        .where(Escalation.assignee == person.id, Escalation.status == "open")
        .order_by(Escalation.id)
    ).all()
    for number in held:
        cases.release(session, number, SYSTEM)
    audit.note(session, by, "person.disable", f"person:{person.id}", {"cases": list(held)}, address)
    return len(held)


def enable(session: Session, by: Principal, person: Person, address: str | None = None) -> None:
    """Let somebody in again."""
    if person.disabled_at is not None:
        person.disabled_at = None
        audit.note(session, by, "person.enable", f"person:{person.id}", {}, address)


def set_password(
    session: Session,
    by: Principal,
    person: Person,
    password_hash: str,
    keep: str | None = None,
    address: str | None = None,
) -> None:
    """Give somebody another password; every browser is signed out, but for the one with the session token `keep`.

    `bot.people.passwords.check` tells which passwords may be set.
    """
    person.password_hash = password_hash
    sessions.end_all(session, person.id, keep)
    audit.note(session, by, "person.password", f"person:{person.id}", {}, address)


def first_administrator(
    session: Session, by: Principal, settings: Settings, hasher: Passwords
) -> tuple[Person, str] | None:
    """Make the first administrator where there is nobody yet; gives them and their password, stored nowhere."""
    if session.scalar(select(func.count()).select_from(Person)):
        return None
    password = passwords.random_password()
    hashed = hasher.hash(password)
    try:
        with session.begin_nested():
            person = create(session, by, settings["desk.admin_email"], "Administrator", "administrator", hashed)
    except (FieldError, IntegrityError):
        # Another process, started at the same time, was quicker.
        if session.scalar(select(func.count()).select_from(Person)):
            return None
        raise
    return person, password


def _keep_an_administrator(session: Session, person: Person, field: str) -> None:
    if person.role != "administrator" or person.disabled_at is not None:
        return
    # Locks them, so that two who leave at once do not both count on the other.
    locking = update(Person).where(Person.role == "administrator").values(role=Person.role)
    session.execute(locking.execution_options(synchronize_session=False))
    others = select(func.count()).where(
        Person.role == "administrator", Person.disabled_at.is_(None), Person.id != person.id
    )
    if not session.scalar(others):
        raise FieldError(field, "last_administrator", "This is the last administrator.", "Name another one first.")


def _email(value: str) -> str:
    value = value.strip().lower()
    local = re.fullmatch(r"[\w.+-]+@localhost", value, re.ASCII)
    if len(value) > 200 or not (EMAIL.fullmatch(value) or local):
        raise FieldError("email", "email", f"{value!r} is not an e-mail address.", "Write it as ada@example.com.")
    return value


def _name(value: str) -> str:
    value = " ".join(value.split())
    if not 1 <= len(value) <= 100 or not value.isprintable():
        raise FieldError("name", "name", "A name needs 1 to 100 characters.", "It is what customers read.")
    return value


def _role(value: str) -> str:
    if value not in ROLES:
        raise FieldError("role", "role", f"The role must be one of {', '.join(ROLES)}. Currently, it is {value!r}.")
    return value


def _languages(values: Sequence[str]) -> list[str]:
    if unknown := sorted(set(values) - set(LANGUAGES)):
        raise FieldError("languages", "languages", f"Languages must be of {', '.join(LANGUAGES)}, not {unknown[0]!r}.")
    return [code for code in LANGUAGES if code in values]


def _language(value: str) -> str:
    if value not in LANGUAGES:
        raise FieldError("language", "languages", f"The language must be one of {', '.join(LANGUAGES)}, not {value!r}.")
    return value


def _capacity(value: int | None) -> int | None:
    if value is not None and not 1 <= value <= MOST_CASES:
        raise FieldError("capacity", "capacity", f"The capacity must be from 1 to {MOST_CASES}, not {value}.")
    return value
