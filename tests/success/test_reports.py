"""What employees and other systems report."""

from __future__ import annotations

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from bot.conversation.records import DuplicateId
from bot.errors import InvalidInput
from bot.success.models import Account, AccountSignal
from bot.success.reports import Report, take_report
from bot.success.signals import list_signals
from bot.tagging.tags import Tagged
from tests.success.conftest import TAG, ago
from tests.tagging.fakes import word_tagger

REPORT = Report("r-1", "acme", "crm", text="  They want more,\r\nor leave.\x07 ")


def take(session: Session, report: Report) -> list[tuple[str, str, float, str | None]]:
    """Name, quote, probability and model of the signals that landed."""
    landed = take_report(session, report, TAG, 100)
    session.commit()
    return [(signal.name, signal.quote, signal.probability, signal.model) for signal in landed.signals]


def test_text_is_heard(session: Session) -> None:
    assert take(session, REPORT) == [("expansion", "more", 0.9, "words"), ("churn_risk", "leave", 0.7, "words")]
    rows = session.scalars(select(AccountSignal)).all()
    assert {(row.text, row.source, row.by) for row in rows} == {("They want more,\nor leave.", "crm", None)}
    assert all(abs(row.occurred_at - ago(0)) < dt.timedelta(minutes=1) for row in rows)
    assert len(list_signals(session, "acme")) == 2


def test_tagger_is_told_the_language(session: Session) -> None:
    asked: list[tuple[str, str]] = []

    def tag(text: str, language: str) -> Tagged:
        asked.append((text, language))
        return TAG(text, language)

    take_report(session, replace(REPORT, text="我们想再开两家店"), tag, 100)
    assert asked == [("我们想再开两家店", "zh")]


def test_topics_land_nowhere(session: Session) -> None:
    assert take(session, replace(REPORT, text="The printer is dead")) == []
    assert list_signals(session, "acme") == []
    assert session.scalar(select(func.count()).select_from(AccountSignal)) == 1


def test_named_signal_is_not_tagged(session: Session) -> None:
    assert take(session, replace(REPORT, name="renewal", text="We leave")) == [("renewal", "We leave", 1.0, None)]


def test_same_again_though_another_model_hears_other_things(session: Session) -> None:
    first = take_report(session, REPORT, TAG, 100)
    session.commit()
    again = take_report(session, REPORT, word_tagger({"want": "goal"}, model="v2"), 100)
    assert (first.new, again.new) == (True, False)
    assert again.signals == first.signals


def test_moment_may_be_left_out_when_it_is_sent_again(session: Session) -> None:
    moment = ago(2)
    take_report(session, replace(REPORT, occurred_at=moment), TAG, 100)
    session.commit()
    zone = dt.timezone(dt.timedelta(hours=7))
    assert not take_report(session, replace(REPORT, occurred_at=moment.astimezone(zone)), TAG, 100).new
    assert not take_report(session, REPORT, TAG, 100).new
    with pytest.raises(DuplicateId, match="r-1"):
        take_report(session, replace(REPORT, occurred_at=ago(1)), TAG, 100)


def test_two_at_once_are_one(engine: Engine, session: Session) -> None:
    begin = threading.Barrier(4)

    def slow(text: str, language: str) -> Tagged:
        begin.wait(20)
        return TAG(text, language)

    def work(number: int) -> bool:
        with Session(engine) as own, own.begin():
            return take_report(own, REPORT, slow, 100).new

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(work, range(4))) == [False, False, False, True]
    assert session.scalar(select(func.count()).select_from(AccountSignal)) == 2


def test_two_others_at_once_are_not_mixed(engine: Engine, session: Session) -> None:
    begin = threading.Barrier(2)

    def slow(text: str, language: str) -> Tagged:
        begin.wait(20)
        return TAG(text, language)

    def work(text: str) -> str:
        try:
            with Session(engine) as own, own.begin():
                take_report(own, replace(REPORT, text=text), slow, 100)
        except DuplicateId as error:
            return error.code
        return "stored"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(work, ("We leave", "We want more"))) == ["duplicate_id", "stored"]
    assert session.scalar(select(func.count()).select_from(AccountSignal)) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": "a b"}, "'id' must"),
        ({"source": "conversation"}, "'source' must"),
        ({"name": "defect"}, "'name' must"),
        ({"text": None}, "Neither"),
        ({"source": "employee"}, "'by' is missing"),
        ({"by": "a" * 51}, "'by' must"),
        ({"text": "a" * 101}, "at most 100"),
        ({"account": "a/b"}, "The account must"),
        ({"occurred_at": dt.datetime(2026, 1, 1)}, "no time zone"),  # noqa: DTZ001  (that is what is tried)
        ({"occurred_at": dt.datetime(1999, 12, 31, tzinfo=dt.UTC)}, "between 2000 and now"),
        ({"occurred_at": ago(-1)}, "between 2000 and now"),
    ],
)
def test_report_that_breaks_a_rule(session: Session, change: dict[str, object], message: str) -> None:
    report = Report(**{**{"id": "1", "account": "acme", "source": "crm", "text": "more"}, **change})  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match=message):
        take_report(session, report, TAG, 100)
    session.rollback()
    assert session.scalar(select(func.count()).select_from(Account)) == 0
