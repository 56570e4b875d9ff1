"""The signals on an account: heard in its conversations, told by employees, sent by other systems."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from bot.conversation.models import Conversation, Correction, Message, MessageTag, now
from bot.conversation.tags import evidence_of, time_weight
from bot.errors import InvalidInput
from bot.success.accounts import find_account
from bot.success.models import Account, AccountSignal
from bot.tagging.tags import SIGNALS, STAGES, Stage, stage_of

ReportSource = Literal["employee", "product_usage", "billing", "crm", "other"]
Source = Literal["conversation", "employee", "product_usage", "billing", "crm", "other"]
REPORT_SOURCES: tuple[ReportSource, ...] = get_args(ReportSource)
# Signals that weigh less by their age are not read for the stage.
_LEAST = 0.001
# A place in the list: moment in microseconds since 1970, table (m, of messages, or r, of reports), row.
PLACE_PATTERN = "^[0-9]{1,17}-[mr][0-9]{1,15}$"
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


@dataclass(frozen=True)
class Signal:
    """A signal on an account, with its evidence.

    Attributes:
        source: Where it comes from; `employee` also where an employee wrote the message it was heard in.
        quote: The words that carry it; empty where a system sent none.
        probability: 1 where a person or system named or confirmed it.
        model: Version of the model that heard it; None where it was named.
        by: Who named or reported it.
        occurred_at: When it was said or measured.
        conversation_id: It was heard in, with the message's number; None for a report.
        place: In the list: what comes after it is asked for with this.
    """

    name: str
    source: str
    quote: str
    probability: float
    model: str | None
    by: str | None
    occurred_at: dt.datetime
    conversation_id: str | None
    number: int | None
    place: str


def list_signals(session: Session, account_id: str, after: str | None = None, limit: int = 50) -> list[Signal]:
    """An account's signals, newest first, without those people rejected.

    Args:
        session: To read with.
        account_id: Of the account.
        after: Place of the last one known.
        limit: So many at most.

    Raises:
        NotFound: There is no such account.
        InvalidInput: `after` is not a place.
    """
    find_account(session, account_id)
    found = [*_heard(session, account_id, after, limit), *_reported(session, account_id, after, limit)]
    return sorted(found, key=lambda signal: _parse(signal.place), reverse=True)[:limit]


def stage_of_account(
    session: Session, account: Account, half_life: float
) -> tuple[Stage | None, Literal["set", "signals"] | None]:
    """The stage an account is in, and where that is known from: somebody set it, or its signals speak of it.

    Args:
        session: To read with.
        account: It is about.
        half_life: Days after which a signal weighs half.
    """
    for stage in STAGES:
        if account.stage == stage:
            return stage, "set"
    moment = now()
    weights: dict[str, float] = {}
    after: str | None = None
    while batch := list_signals(session, account.id, after, 500):
        for signal in batch:
            weight = time_weight(moment - signal.occurred_at, half_life)
            weights[signal.name] = weights.get(signal.name, 0.0) + signal.probability * weight
        after = batch[-1].place
        if weight < _LEAST:
            break
    heard = stage_of(weights)
    return heard, "signals" if heard else None


def _place(moment: dt.datetime, table: str, row: int) -> str:
    return f"{(moment - _EPOCH) // _MICROSECOND}-{table}{row}"


def _parse(place: str) -> tuple[int, str, int]:
    if not re.fullmatch(PLACE_PATTERN, place):
        raise InvalidInput(f"There is no place {place!r} in the list.", "Give `next` of the page before.")
    moment, _, row = place.partition("-")
    return int(moment), row[0], int(row[1:])


def _behind(
    after: str | None, table: str, moment: InstrumentedAttribute[dt.datetime], row: InstrumentedAttribute[int]
) -> list[ColumnElement[bool]]:
    """What rows of a table must be to stand behind a place; nothing where there is none."""
    if after is None:
        return []
    microseconds, other, number = _parse(after)
    at = _EPOCH + microseconds * _MICROSECOND
    if table == other:
        return [or_(moment < at, and_(moment == at, row < number))]
    return [moment <= at if table < other else moment < at]


def _heard(session: Session, account_id: str, after: str | None, limit: int) -> list[Signal]:
    """Signals of the messages in an account's conversations."""
    adder = (
        select(Correction.by)
        .where(
            Correction.conversation_id == MessageTag.conversation_id,
            Correction.number == MessageTag.number,
            Correction.name == MessageTag.name,
            Correction.verdict == "add",
        )
        .order_by(Correction.id.desc())
        .limit(1)
        .correlate(MessageTag)
        .scalar_subquery()
    )
    rows = session.execute(
        select(MessageTag, Message.author, Message.created_at, adder)
        .join(Message, (Message.conversation_id == MessageTag.conversation_id) & (Message.number == MessageTag.number))
        .join(Conversation, Conversation.id == MessageTag.conversation_id)
        .where(
            Conversation.account_id == account_id,
            MessageTag.name.in_(SIGNALS),
            MessageTag.state != "rejected",
            *_behind(after, "m", Message.created_at, MessageTag.id),
        )
        .order_by(Message.created_at.desc(), MessageTag.id.desc())
        .limit(limit)
    )
    return [
        Signal(
            tag.name,
            "employee" if author == "employee" else "conversation",
            tag.quote,
            evidence_of(tag, moment).probability,
            tag.model or None,
            by if tag.origin == "person" else None,
            moment,
            tag.conversation_id,
            tag.number,
            _place(moment, "m", tag.id),
        )
        for tag, author, moment, by in rows
    ]


def _reported(session: Session, account_id: str, after: str | None, limit: int) -> list[Signal]:
    """Signals that came from elsewhere."""
    rows = session.scalars(
        select(AccountSignal)
        .where(
            AccountSignal.account_id == account_id,
            AccountSignal.name.in_(SIGNALS),
            *_behind(after, "r", AccountSignal.occurred_at, AccountSignal.id),
        )
        .order_by(AccountSignal.occurred_at.desc(), AccountSignal.id.desc())
        .limit(limit)
    )
    return [as_signal(row) for row in rows]


def as_signal(row: AccountSignal) -> Signal:
    """A signal that came from elsewhere, as the list shows it."""
    place = _place(row.occurred_at, "r", row.id)
    return Signal(
        row.name, row.source, row.quote, row.probability, row.model, row.by, row.occurred_at, None, None, place
    )


def signal_json(signal: Signal) -> dict[str, Any]:
    """As the API and the command line show it."""
    return {
        "name": signal.name,
        "source": signal.source,
        "quote": signal.quote,
        "probability": round(signal.probability, 4),
        "model": signal.model,
        "by": signal.by,
        "occurred_at": signal.occurred_at.isoformat(),
        "conversation_id": signal.conversation_id,
        "number": signal.number,
    }
