"""Lists of cases: who sees what, filters, search, order, pages, counts."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from bot.conversation import events
from bot.conversation.models import Conversation, MessageTag, now
from bot.errors import InvalidInput
from bot.handoff import cases
from bot.handoff.escalation import escalate
from bot.handoff.listing import ORDERS, Count, Filters, counts, list_cases
from bot.handoff.models import Escalation
from bot.handoff.queues import default_queues
from bot.handoff.routing import Routing
from bot.handoff.work import open_signal_work
from bot.people.roles import Principal, operator
from tests.handoff.fakes import person, say

ALL = operator("all")
QUEUES = default_queues()


@pytest.fixture
def ada(any_engine: Engine) -> Principal:
    """An agent of support."""
    with Session(any_engine) as session, session.begin():
        return person(session, "Ada")


@pytest.fixture
def numbers(any_engine: Engine, ada: Principal) -> dict[str, int]:
    """Cases by name: each of a customer who said its name."""
    found: dict[str, int] = {}
    with Session(any_engine) as session, session.begin():
        for place, (name, queue) in enumerate(
            [("reset_100%", "support"), ("Toner", "support"), ("grow", "success"), ("çay", "account_management")]
        ):
            made = Conversation(
                id=f"{place:032}", channel="webchat", audience="public", language="en", token_hash="0" * 64
            )
            session.add(made)
            session.flush()
            events.add_message(session, made, "customer", f"I said {name}", by="customer")
            case = escalate(session, made, queue, "asked_for", 1)
            found[name] = case.id
            if name == "Toner":
                case.contact = {"name": "Ayşe Kaya", "email": "kaya@example.com", "time": ""}
                cases.claim(session, case.id, ada)
                cases.set_priority(session, case.id, ada, QUEUES, "urgent")
            if name == "grow":
                (work,) = open_signal_work(session, made, 1, {"expansion": 0.9}, Routing())
                found["signal"] = work.id
                tag = {"name": "expansion", "probability": 0.9, "start": 7, "end": 11, "quote": "grow", "model": "m"}
                session.add(MessageTag(conversation_id=made.id, number=1, **tag))
            if name == "çay":
                cases.resolve(session, case.id, ALL, "solved", say)
    return found


FILTERS: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["reset_100%", "Toner", "grow"]),
    ({"kind": "signals"}, ["signal"]),
    ({"kind": "all", "queue": "account_management"}, ["signal"]),
    ({"status": "closed"}, ["çay"]),
    ({"status": None}, ["reset_100%", "Toner", "grow", "çay"]),
    ({"queue": "success"}, ["grow"]),
    ({"assignee": "nobody"}, ["reset_100%", "grow"]),
    ({"priority": "urgent"}, ["Toner"]),
    ({"language": "tr"}, []),
    ({"tag": "expansion"}, ["grow"]),
    ({"sla": "ok"}, ["reset_100%", "Toner", "grow"]),
    ({"sla": "breached"}, []),
    ({"text": "reset_1"}, ["reset_100%"]),
    ({"text": "100%"}, ["reset_100%"]),
    ({"text": "resetX"}, []),
    ({"text": "%"}, ["reset_100%"]),
    ({"text": "said t"}, ["Toner"]),
    ({"text": "ayşe"}, ["Toner"]),
    ({"text": "KAYA@"}, ["Toner"]),
    ({"text": "çay", "status": None}, ["çay"]),
    ({"text": "\\"}, []),
]


def test_filters(any_engine: Engine, numbers: dict[str, int]) -> None:
    with Session(any_engine) as session:
        for filters, expected in FILTERS:
            found = list_cases(session, ALL, Filters(**filters))
            assert {row.case.id for row in found.rows} == {numbers[name] for name in expected}, filters
            assert found.next is None
        for number in numbers.values():
            by_number = list_cases(session, ALL, Filters(status=None, kind="all", text=f"#{number}")).rows
            assert number in {row.case.id for row in by_number}


def test_who_sees_what(any_engine: Engine, numbers: dict[str, int], ada: Principal) -> None:
    with Session(any_engine) as session:
        rows = list_cases(session, ada, Filters(status=None, kind="all")).rows
        assert {row.case.id for row in rows} == {numbers["reset_100%"], numbers["Toner"]}
        (mine,) = list_cases(session, ada, Filters(assignee="me")).rows
        assert (mine.case.id, mine.assignee_name) == (numbers["Toner"], "Ada")
        assert mine.last is not None
        assert mine.last.text == "I said Toner"
        assert list_cases(session, ada, Filters(text="grow", status=None, kind="all")).rows == ()
        (signal,) = list_cases(session, ALL, Filters(kind="signals")).rows
        assert [(tag.name, tag.quote) for tag in signal.tags] == [("expansion", "grow")]
        assert signal.clock is None
        assert counts(session, ada) == {"support": Count(2, 1, 1, 0)}
        assert counts(session, ALL) == {"support": Count(2, 1, 0, 0), "success": Count(1, 1, 0, 0)}
        assert counts(session, ALL, "signals") == {"account_management": Count(1, 1, 0, 0)}


def test_pages_go_through_all(any_engine: Engine, numbers: dict[str, int]) -> None:
    first = {"due": "Toner", "closed": "çay", "waiting": "reset_100%"}
    with Session(any_engine) as session, session.begin():
        for case in session.query(Escalation):
            case.created_at = now()  # Some at the same moment.
        session.flush()
        for order in ORDERS:
            filters = Filters(status=None, kind="all", order=order)
            whole = [row.case.id for row in list_cases(session, ALL, filters).rows]
            assert sorted(whole) == sorted(numbers.values())
            assert order not in first or whole[0] == numbers[first[order]]
            paged, after = [], None
            for _ in whole:
                page = list_cases(session, ALL, filters, after, limit=2)
                paged += [row.case.id for row in page.rows]
                after = page.next
                if after is None:
                    break
            assert paged == whole


def test_broken_promises_are_counted(any_engine: Engine, numbers: dict[str, int]) -> None:
    with Session(any_engine) as session:
        case = session.get_one(Escalation, numbers["grow"])
        case.first_response_due = now() - dt.timedelta(minutes=1)
        session.flush()
        assert counts(session, ALL)["success"].breached == 1
        (row,) = list_cases(session, ALL, Filters(sla="breached")).rows
        assert row.clock is not None
        assert (row.case.id, row.clock.name, row.clock.state) == (case.id, "first_response", "breached")


def test_what_cannot_be_asked(engine: Engine) -> None:
    with Session(engine) as session:
        for after in ("yesterday", "9" * 18 + "-1"):
            with pytest.raises(InvalidInput, match="no place in the list"):
                list_cases(session, ALL, after=after)
        with pytest.raises(InvalidInput, match="no state 'late'"):
            list_cases(session, ALL, Filters(sla="late"))


def test_a_page_takes_five_queries_however_long_it_is(any_engine: Engine, numbers: dict[str, int]) -> None:
    asked: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        asked.append(statement)

    with Session(any_engine) as session:
        event.listen(any_engine, "before_cursor_execute", note)
        rows = list_cases(session, ALL, Filters(status=None, kind="all")).rows
        event.remove(any_engine, "before_cursor_execute", note)
    assert len(rows) == len(numbers)
    assert len(asked) <= 5
