"""What time does to cases."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, event, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from bot.conversation import events
from bot.conversation.changes import Changes
from bot.conversation.models import Conversation, Event, now
from bot.handoff import cases
from bot.handoff.escalation import escalate
from bot.handoff.listing import counts, list_cases
from bot.handoff.models import Escalation
from bot.handoff.queues import Queues, default_queues
from bot.handoff.routing import Routing
from bot.handoff.waiting import people
from bot.handoff.watch import Watch
from bot.people.models import DeskSession, Person, Presence, SignInFailure
from bot.people.roles import SYSTEM
from tests.handoff.fakes import person, pushing

HERE = "a" * 32
MINUTE = dt.timedelta(minutes=1)
DAY = dt.timedelta(days=1)


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """Sees what the watch has changed at each `refresh`; what it changes itself is kept at once."""
    with Session(engine, expire_on_commit=True, autobegin=True) as session:
        yield session


@pytest.fixture
def case(session: Session, conversation: Conversation) -> Escalation:
    """Waits in support."""
    made = escalate(session, conversation, "support", "asked_for")
    session.commit()
    return made


def look(engine: Engine, queues: Queues | None = None) -> list[str]:
    """Look once; gives the topics that rang."""
    rang: list[str] = []
    Watch(Changes(engine), queues or default_queues(), rang.append).look()
    return rang


def told(session: Session) -> list[tuple[str, str | None]]:
    """What happened to cases once they were open, with the clock it is about."""
    found = session.scalars(select(Event).where(Event.kind == "case").order_by(Event.number))
    return [(event.data["action"], event.data.get("clock")) for event in found if event.data["action"] != "opened"]


def test_clocks_warn_once_and_break_once(engine: Engine, session: Session, case: Escalation) -> None:
    look(engine)
    assert told(session) == []
    case.first_response_warn_at = now() - MINUTE
    session.commit()
    for _ in range(2):
        look(engine)
        assert told(session) == [("sla_warned", "first_response")]
    assert (case.first_response_state, case.resolution_state) == ("warned", "running")
    case.first_response_due = case.resolution_due = now() - MINUTE
    session.commit()
    for _ in range(2):
        look(engine)
        assert told(session)[1:] == [("sla_breached", "first_response"), ("sla_breached", "resolution")]
    events_told = events.events_after(session, HERE, 0, visible_only=True)
    assert all(one.data.get("action") == "opened" for one in events_told if one.kind == "case")
    session.refresh(case)
    cases.reply(session, case.id, person(session, "Ada"), "Sorry")
    assert case.first_response_state == "missed"


def test_closed_cases_are_left_alone(engine: Engine, session: Session, case: Escalation) -> None:
    cases.resolve(session, case.id, person(session, "Ada"), "spam", no_words)
    case.resolution_state, case.resolution_due = "running", now() - MINUTE
    session.commit()
    look(engine)
    assert told(session) == [("resolved", None)]


def no_words(name: str, language: str) -> Any:
    """Nothing is to be said."""
    raise AssertionError(name)


def test_waiting_cases_are_given_out_the_most_urgent_first(
    engine: Engine, session: Session, conversation: Conversation
) -> None:
    other = Conversation(id="b" * 32, channel="webchat", audience="public", language="tr", token_hash="1" * 64)
    session.add(other)
    session.flush()
    first = escalate(session, conversation, "support", "asked_for")
    urgent = escalate(session, other, "support", "urgent_outage")
    session.commit()
    look(engine, pushing(capacity=1))
    assert told(session) == []  # Nobody is there.
    tia = person(session, "Tia", online=True)
    session.commit()
    look(engine, pushing(capacity=1))
    session.expire_all()
    assert (urgent.assignee, first.assignee) == (tia.id, None)
    assert (other.owner, conversation.owner) == (f"agent:{tia.id}", "queue:support")
    look(engine)
    assert first.assignee is None  # Members of other queues take cases themselves.


def test_outside_hours_cases_wait(engine: Engine, session: Session, case: Escalation) -> None:
    person(session, "Tia", online=True)
    session.commit()
    today = now().date()
    closed = [f"{today + dt.timedelta(days=days)}" for days in (-1, 0, 1)]
    look(engine, pushing(holidays=closed))
    session.expire_all()
    assert case.assignee is None


@pytest.mark.parametrize("answered", [False, True])
def test_cases_of_people_who_went_away(
    engine: Engine, session: Session, conversation: Conversation, answered: bool
) -> None:
    tia = person(session, "Tia", online=True)
    made = escalate(session, conversation, "support", "asked_for", routing=Routing(queues=pushing()))
    assert made.assignee == tia.id
    if answered:
        cases.reply(session, made.id, tia, "Hello")
    session.get_one(Person, tia.id).seen_at = now() - 3 * MINUTE
    session.commit()
    assert look(engine, pushing()) == ["people"]
    assert look(engine, pushing()) == []
    session.expire_all()
    assert session.get_one(Person, tia.id).online is False
    assert made.assignee == (tia.id if answered else None)
    assert conversation.owner == (f"agent:{tia.id}" if answered else "queue:support")


def test_a_case_somebody_took_stays_theirs_while_they_are_away(
    engine: Engine, session: Session, conversation: Conversation
) -> None:
    away = person(session, "Tia")
    made = escalate(session, conversation, "support", "asked_for")
    cases.claim(session, made.id, away)
    session.commit()
    look(engine, pushing())
    session.expire_all()
    assert (made.assignee, conversation.owner) == (away.id, f"agent:{away.id}")


def test_what_browsers_left_behind_is_forgotten_and_what_is_in_use_stays(
    engine: Engine, session: Session, case: Escalation
) -> None:
    anna, bora = person(session, "Anna"), person(session, "Bora")
    moment = now()
    for who, ago in ((anna, 2 * DAY), (bora, MINUTE)):
        session.add_all(
            [
                Presence(conversation_id=HERE, person_id=who.id, seen_at=moment - ago),
                SignInFailure(key=who.name, failures=1, last_at=moment - ago),
                DeskSession(token_hash=who.name, person_id=who.id, expires_at=moment + DAY - ago),
            ]
        )
    session.commit()
    look(engine)
    assert session.scalars(select(Presence.person_id)).all() == [bora.id]
    assert session.scalars(select(SignInFailure.key)).all() == ["Bora"]
    assert session.scalars(select(DeskSession.token_hash)).all() == ["Bora"]


def test_what_is_looked_for_again_and_again_is_found_by_an_index(
    engine: Engine, session: Session, case: Escalation
) -> None:
    person(session, "Anna", online=True)
    session.commit()
    asked: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    look(engine, pushing())
    people(session, default_queues().queue("support"), now())
    list_cases(session, SYSTEM)
    counts(session, SYSTEM)
    event.remove(engine, "before_cursor_execute", note)
    plans = [
        row[-1]
        for statement, parameters in asked
        if statement.startswith("SELECT") and "escalations" in statement
        for row in session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
    ]
    assert len(plans) > 6
    assert [step for step in plans if step.startswith("SCAN escalations")] == []


async def test_a_database_that_fails_is_asked_again(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    looks: list[int] = []
    again = asyncio.Event()
    loop = asyncio.get_running_loop()

    class Failing(Watch):
        def look(self) -> None:
            looks.append(1)
            if len(looks) == 1:
                raise OperationalError("SELECT 1", {}, Exception("gone"))
            loop.call_soon_threadsafe(again.set)

    task = asyncio.create_task(Failing(Changes(engine), default_queues(), tick=0.001).run())
    await asyncio.wait_for(again.wait(), 10)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert "could not be looked after" in caplog.text
