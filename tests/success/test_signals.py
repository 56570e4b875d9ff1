"""The list of an account's signals, and the stage they speak of."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy.orm import Session

from bot.conversation.corrections import correct
from bot.errors import InvalidInput, NotFound
from bot.success.accounts import change_account, ensure_account, link_conversation
from bot.success.models import AccountSignal
from bot.success.signals import list_signals, stage_of_account
from bot.tagging.tags import stage_of
from tests.success.conftest import HERE, THERE, add_message, ago


def report(session: Session, name: str, age: float, source: str = "crm", account: str = "acme") -> None:
    """A signal sent by another system, of so many days ago."""
    ensure_account(session, account)
    number = session.query(AccountSignal).count()
    session.add(
        AccountSignal(
            account_id=account,
            external_id=str(number),
            name=name,
            source=source,
            probability=1.0,
            occurred_at=ago(age),
            created_at=ago(0),
        )
    )
    session.flush()


@pytest.fixture
def acme(session: Session) -> Session:
    """An account with a customer's conversation and an employee's."""
    add_message(session, HERE, 1, "The printer is dead. We want more, or we leave.", age=3)
    add_message(session, HERE, 2, "Do you want more?", author="bot", age=2)
    add_message(session, THERE, 1, "They say they leave.", author="employee", age=1)
    for where in (HERE, THERE):
        link_conversation(session, where, "acme")
    return session


def test_signals_of_conversations(acme: Session) -> None:
    found = list_signals(acme, "acme")
    assert [(s.name, s.source, s.quote, s.probability, s.conversation_id, s.number) for s in found] == [
        ("churn_risk", "employee", "leave", 0.7, THERE, 1),
        ("churn_risk", "conversation", "leave", 0.7, HERE, 1),
        ("expansion", "conversation", "more", 0.9, HERE, 1),
    ]
    assert {(signal.model, signal.by) for signal in found} == {("words", None)}
    assert abs(found[0].occurred_at - ago(1)) < dt.timedelta(minutes=1)


def test_signals_from_elsewhere_stand_among_them(acme: Session) -> None:
    report(acme, "low_adoption", 2, "product_usage")
    report(acme, "renewal", 0)
    report(acme, "goal", 0, account="other")
    assert [s.source for s in list_signals(acme, "acme")] == [
        *("crm", "employee", "product_usage", "conversation", "conversation")
    ]
    assert [s.name for s in list_signals(acme, "other")] == ["goal"]


def test_corrections_show(acme: Session) -> None:
    correct(acme, HERE, 1, "churn_risk", "reject", "ada")
    correct(acme, HERE, 1, "expansion", "confirm", "bo")
    correct(acme, HERE, 1, "goal", "add", "cem", "want more")
    found = list_signals(acme, "acme")
    assert [(s.name, s.quote, s.probability, s.model, s.by) for s in found] == [
        ("churn_risk", "leave", 0.7, "words", None),
        ("goal", "want more", 1.0, None, "cem"),
        ("expansion", "more", 1.0, "words", None),
    ]
    correct(acme, HERE, 1, "goal", "withdraw", "cem")
    assert len(list_signals(acme, "acme")) == 2


def test_moved_conversation_takes_its_signals_along(acme: Session) -> None:
    link_conversation(acme, HERE, "other")
    assert [s.source for s in list_signals(acme, "acme")] == ["employee"]
    assert len(list_signals(acme, "other")) == 2


def test_pages_meet_without_a_gap(acme: Session) -> None:
    for _ in range(3):
        report(acme, "renewal", 3)
    whole = list_signals(acme, "acme")
    assert len(whole) == 6
    for at, signal in enumerate(whole):
        assert list_signals(acme, "acme", signal.place) == whole[at + 1 :]
    assert list_signals(acme, "acme", limit=2) == whole[:2]


def test_rows_of_one_moment_are_in_one_order(acme: Session) -> None:
    """Both tables may hold signals of the same microsecond."""
    report(acme, "renewal", 3)
    report(acme, "goal", 3)
    heard = list_signals(acme, "acme")
    moment = next(s.occurred_at for s in heard if s.source == "conversation")
    for row in acme.query(AccountSignal):
        row.occurred_at = moment
    acme.flush()
    whole = list_signals(acme, "acme")
    assert len({signal.occurred_at for signal in whole[1:]}) == 1
    for at, signal in enumerate(whole):
        assert list_signals(acme, "acme", signal.place) == whole[at + 1 :]


def test_place_behind_a_signal_that_is_gone(acme: Session) -> None:
    correct(acme, HERE, 1, "goal", "add", "ada")
    whole = list_signals(acme, "acme")
    gone = next(signal for signal in whole if signal.name == "goal")
    correct(acme, HERE, 1, "goal", "withdraw", "ada")
    assert list_signals(acme, "acme", gone.place) == whole[whole.index(gone) + 1 :]


@pytest.mark.parametrize("after", ["", "x", "1-x1", "1-m", "-1-m1", "1-m1 ", "1-m1\n", "9" * 18 + "-m1"])
def test_place_that_is_none(acme: Session, after: str) -> None:
    with pytest.raises(InvalidInput, match="no place"):
        list_signals(acme, "acme", after)


def test_signals_of_no_account(session: Session) -> None:
    with pytest.raises(NotFound, match="no account 'acme'"):
        list_signals(session, "acme")


# Stage


def test_stage_that_was_set_counts(acme: Session) -> None:
    account = change_account(acme, "acme", {"stage": "onboarding"})
    assert stage_of_account(acme, account, 30) == ("onboarding", "set")


def test_stage_of_its_signals(acme: Session) -> None:
    account = ensure_account(acme, "acme")
    assert stage_of({"churn_risk": 1.4, "expansion": 0.9}) == "retention"
    assert stage_of_account(acme, account, 30) == ("retention", "signals")


def test_no_signals_no_stage(session: Session) -> None:
    account = ensure_account(session, "acme")
    assert stage_of_account(session, account, 30) == (None, None)
    report(session, "product_feedback", 0)
    assert stage_of_account(session, account, 30) == (None, None)


def test_old_signals_weigh_less(session: Session) -> None:
    account = ensure_account(session, "acme")
    for _ in range(3):
        report(session, "onboarding_need", 90)
    report(session, "expansion", 1)
    assert stage_of_account(session, account, 30) == ("expansion", "signals")
    assert stage_of_account(session, account, 3000) == ("onboarding", "signals")


def test_very_old_signals_alone_still_tell(session: Session) -> None:
    account = ensure_account(session, "acme")
    report(session, "renewal", 900)
    assert stage_of_account(session, account, 30) == ("retention", "signals")


def test_stage_reads_every_page(session: Session) -> None:
    account = ensure_account(session, "acme")
    for _ in range(501):
        report(session, "product_feedback", 0)
    report(session, "renewal", 1)
    assert stage_of_account(session, account, 30) == ("retention", "signals")
