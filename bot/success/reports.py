"""Take in what employees and other systems report of an account, and hear the signals in it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.conversation.corrections import LONGEST_NAME
from bot.conversation.lines import one_line
from bot.conversation.models import now
from bot.conversation.records import DuplicateId
from bot.conversation.service import clean_text
from bot.errors import InvalidInput
from bot.language import detect
from bot.outbox import outbox
from bot.success.accounts import ensure_account
from bot.success.models import AccountSignal
from bot.success.signals import REPORT_SOURCES, Signal, as_signal, signal_json
from bot.tagging.tags import SIGNALS, Tagged

REPORT_ID_PATTERN = "^[A-Za-z0-9][A-Za-z0-9._:@-]{0,99}$"
# A report in which no signal was heard is kept under this name, which is no signal's, so that it is known again.
NOTHING = "none"
_CLOCKS_DIFFER = dt.timedelta(minutes=1)
_EARLIEST = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Report:
    """What was reported.

    Attributes:
        id: The sender's own; the same again from the same source is the same report.
        account: Its id; made if unknown.
        source: One of REPORT_SOURCES.
        name: The signal, where the sender names it.
        text: What was said or measured; without a name, signals are heard in it.
        by: Who reports it; an employee must say.
        occurred_at: When; None for now.
    """

    id: str
    account: str
    source: str
    name: str | None = None
    text: str | None = None
    by: str | None = None
    occurred_at: dt.datetime | None = None


@dataclass(frozen=True)
class Landed:
    """What came of a report.

    Attributes:
        signals: That are on the account now; none where the text carries none.
        new: False if the same was reported before; then nothing changed.
    """

    signals: tuple[Signal, ...]
    new: bool


def take_report(session: Session, report: Report, tag: Callable[[str, str], Tagged], max_length: int) -> Landed:
    """Store the signals of a report on its account.

    What an employee relays of a customer counts as the customer's words.

    Args:
        session: In a transaction that ends with the caller. The text is tagged before anything is written.
        report: What was reported.
        tag: Hears what a text in a language carries.
        max_length: Longest text, in characters.

    Raises:
        InvalidInput: A rule is broken; nothing was stored.
        DuplicateId: The source used the id for another report.
        EncoderError, TaggingError: The text cannot be tagged; nothing was stored.
    """
    report = _checked(report, max_length)
    known = _known(session, report)
    if known is None:
        rows = _rows(report, tag)
        ensure_account(session, report.account)
        # Another may have stored it while the text was being tagged; the account holds the write lock from here on.
        known = _known(session, report)
    if known is not None:
        return Landed(_signals(known), new=False)
    session.add_all(rows)
    session.flush()
    landed = _signals(rows)
    for signal in landed:
        outbox.enqueue_named(session, "signal.reported", None, {"account": report.account, **signal_json(signal)})
    return Landed(landed, new=True)


def _checked(report: Report, max_length: int) -> Report:
    """The report with its texts cleaned."""
    if not re.fullmatch(REPORT_ID_PATTERN, report.id):
        raise InvalidInput(
            f"'id' must have 1 to 100 letters, digits or . _ : @ -. Currently, it is {report.id!r}.",
            "Use the id your system knows it by.",
        )
    if report.source not in REPORT_SOURCES:
        raise InvalidInput(f"'source' must be one of {', '.join(REPORT_SOURCES)}. Currently, it is {report.source!r}.")
    if report.name is not None and report.name not in SIGNALS:
        raise InvalidInput(f"'name' must be one of {', '.join(SIGNALS)}. Currently, it is {report.name!r}.")
    if report.name is None and report.text is None:
        raise InvalidInput("Neither 'name' nor 'text' is given.", "Name the signal, or give the text to hear it in.")
    if report.by is None and report.source == "employee":
        raise InvalidInput("'by' is missing.", "Say which employee reports it.")
    if report.occurred_at is not None:
        _check_moment(report.occurred_at)
    return replace(
        report,
        text=None if report.text is None else clean_text(report.text, max_length),
        by=None if report.by is None else one_line(report.by, "by", LONGEST_NAME),
    )


def _check_moment(moment: dt.datetime) -> None:
    if moment.tzinfo is None:
        raise InvalidInput("'occurred_at' has no time zone.", "Write it as 2026-11-22T09:30:00+03:00.")
    if not _EARLIEST <= moment <= now() + _CLOCKS_DIFFER:
        raise InvalidInput(
            f"'occurred_at' must lie between 2000 and now. Currently, it is {moment.isoformat()}.",
            "Send what has happened; check the clock and the zone.",
        )


def _known(session: Session, report: Report) -> Sequence[AccountSignal] | None:
    """What was stored of the report before; None if it is new."""
    rows = session.scalars(
        select(AccountSignal)
        .where(AccountSignal.source == report.source, AccountSignal.external_id == report.id)
        .order_by(AccountSignal.id)
    ).all()
    if not rows:
        return None
    first = rows[0]
    named = first.name if first.model is None else None
    stored = (first.account_id, named, first.text, first.by)
    moved = report.occurred_at is not None and report.occurred_at != first.occurred_at
    if moved or stored != (report.account, report.name, report.text or "", report.by):
        raise DuplicateId(
            f"The id '{report.id}' was used for another report from {report.source} before.",
            "Give each report its own id.",
        )
    return rows


def _rows(report: Report, tag: Callable[[str, str], Tagged]) -> list[AccountSignal]:
    moment = now()

    def row(name: str, quote: str, probability: float, model: str | None) -> AccountSignal:
        return AccountSignal(
            account_id=report.account,
            external_id=report.id,
            name=name,
            source=report.source,
            text=report.text or "",
            quote=quote,
            probability=probability,
            model=model,
            by=report.by,
            occurred_at=(report.occurred_at or moment).astimezone(dt.UTC),
            created_at=moment,
        )

    if report.name is not None:
        return [row(report.name, report.text or "", 1.0, None)]
    text = report.text or ""
    heard = tag(text, detect(text))
    rows = [row(one.name, one.quote, one.probability, heard.model) for one in heard.signals]
    return rows or [row(NOTHING, "", 0.0, heard.model)]


def _signals(rows: Sequence[AccountSignal]) -> tuple[Signal, ...]:
    return tuple(as_signal(row) for row in rows if row.name != NOTHING)
