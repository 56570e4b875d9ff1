"""The team: what a person may do and see, and the first administrator."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from bot.errors import FieldError, NotFound
from bot.handoff.queues import queues
from bot.people import audit, people
from bot.people.models import AuditEntry, Person
from bot.people.roles import PERMISSIONS_OF, SYSTEM, Role
from bot.settings import Settings
from tests.desk.rig import QUICK, add_person


@pytest.mark.parametrize(
    ("role", "seen"),
    [
        ("agent", frozenset({"support"})),
        ("success_manager", frozenset({"success", "account_management"})),
        ("lead", None),
        ("administrator", None),
    ],
)
def test_a_role_gives_permissions_and_queues(settings: Settings, role: Role, seen: frozenset[str] | None) -> None:
    person = Person(id="a" * 32, email="ada@example.com", name="Ada", role=role, language="tr")
    principal = people.principal_of(person, queues(settings))
    assert principal.permissions == PERMISSIONS_OF[role]
    assert principal.queues == seen
    assert (principal.label, principal.name, principal.language) == (f"person:{'a' * 32}", "Ada", "tr")


def test_members_of_a_queue_are_named_in_the_settings(settings: Settings) -> None:
    own = settings.with_section("queues", {"success": {"members": ["Ada@example.com"]}})
    ada = Person(id="a", email="ada@example.com", name="Ada", role="agent", language="en")
    assert people.principal_of(ada, queues(own)).queues == frozenset({"support", "success"})


def test_the_first_administrator_is_made_once(engine: Engine, settings: Settings) -> None:
    own = settings.replace(desk__admin_email="Admin@localhost")
    with Session(engine) as session, session.begin():
        made = people.first_administrator(session, SYSTEM, own, QUICK)
        assert made is not None
        person, password = made
        assert (person.email, person.role) == ("admin@localhost", "administrator")
        assert QUICK.matches(person.password_hash, password)
        assert people.first_administrator(session, SYSTEM, settings, QUICK) is None
    with Session(engine) as session:
        entries = audit.entries(session)
        assert [(entry.by, entry.action) for entry in entries] == [("system:refill", "person.create")]
        assert password not in str([entry.detail for entry in entries])


@pytest.mark.parametrize(
    "email", ["", "ada", "ada@", "@example.com", "ada@example", "a b@example.com", "ada@exam\nple.com"]
)
def test_an_email_address_has_its_form(engine: Engine, email: str) -> None:
    with pytest.raises(FieldError) as caught:
        add_person(engine, email)
    assert (caught.value.field, caught.value.rule) == ("email", "email")


def test_an_email_address_is_somebodys_alone(engine: Engine) -> None:
    add_person(engine, "ada@example.com")
    with pytest.raises(FieldError, match="already"):
        add_person(engine, "ADA@example.com ")


def test_who_is_not_there_is_said(engine: Engine) -> None:
    with Session(engine) as session:
        with pytest.raises(NotFound, match=r"nobody@example\.com"):
            people.named(session, "nobody@example.com")
        with pytest.raises(NotFound):
            people.find(session, "x")


def test_a_change_that_changes_nothing_is_not_written_down(engine: Engine) -> None:
    ada = add_person(engine)
    with Session(engine) as session, session.begin():
        person = people.find(session, ada.id)
        people.change(session, SYSTEM, person, "Ada", "agent", [], None)
        people.enable(session, SYSTEM, person)
        people.change(session, SYSTEM, person, " Ada  L. ", "lead", ["tr", "en"], 4)
        assert people.disable(session, SYSTEM, person) == 0
        assert people.disable(session, SYSTEM, person) == 0
    with Session(engine) as session:
        found = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
        assert [entry.action for entry in found] == ["person.create", "person.change", "person.disable"]
        assert found[1].detail == {"name": "Ada L.", "role": "lead", "languages": ["en", "tr"], "capacity": 4}


def test_two_administrators_who_leave_at_once_do_not_both_go(any_engine: Engine) -> None:
    leaving = [add_person(any_engine, f"{name}@example.com", "administrator").id for name in ("ada", "grace")]
    ready, refused = threading.Barrier(2), []

    def leave(id: str) -> None:
        with Session(any_engine) as session, session.begin():
            person = people.find(session, id)
            ready.wait(10)
            try:
                people.change(session, SYSTEM, person, "Ada", "agent", (), None)
            except FieldError as error:
                refused.append(error.rule)

    threads = [threading.Thread(target=leave, args=(id,)) for id in leaving]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == ["last_administrator"]
