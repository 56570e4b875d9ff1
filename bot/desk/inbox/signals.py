"""What success managers work on: work that signals made, the customers' words for it, signals from elsewhere."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from bot.conversation.models import Conversation, Message, MessageTag
from bot.handoff import team
from bot.handoff.access import visible
from bot.handoff.listing import counts
from bot.handoff.models import SIGNAL, Escalation
from bot.people.roles import Principal
from bot.success.models import Account, AccountSignal
from bot.success.signals import Signal as KnownSignal
from bot.success.signals import list_signals, stage_of_account
from bot.tagging.tags import SIGNALS

State = Literal["open", "mine", "closed", "reported"]
STATES: tuple[State, ...] = ("open", "mine", "closed", "reported")
PAGE = 30
_QUOTES = 3
_OF_ACCOUNT = 12
_AROUND = 160


@dataclass(frozen=True)
class Wanted:
    """What a page of the list was asked for; an unknown value counts as none."""

    state: State
    signal: str
    account: str
    before: int | None

    @property
    def query(self) -> str:
        """As a page's address has it, but for the place in the list."""
        values = {"state": self.state, "signal": self.signal, "account": self.account}
        return urlencode({name: value for name, value in values.items() if value})


def wanted(query: Mapping[str, str]) -> Wanted:
    """Read the address of a page of the list."""
    before = query.get("before", "")
    return Wanted(
        next((state for state in STATES if state == query.get("state")), "open"),
        next((name for name in SIGNALS if name == query.get("signal")), ""),
        query.get("account", "").strip()[:100],
        int(before) if before.isascii() and before.isdigit() and len(before) < 10 else None,
    )


@dataclass(frozen=True)
class Quote:
    """Words that carry a signal.

    Attributes:
        before: What stands before them in the message, cut off where it is long; `after` them likewise.
        source: `conversation`, `employee`, or a system.
        rejected: Somebody said that it is none.
    """

    name: str
    before: str
    words: str
    after: str
    probability: float
    source: str
    at: dt.datetime
    number: int | None
    rejected: bool = False


@dataclass(frozen=True)
class Item:
    """Something on the list.

    Attributes:
        number: Of the work; None for what was only reported.
        account: The company's name; empty if it is not known.
        assignee: Name of who has it; empty while nobody does.
    """

    number: int | None
    names: tuple[str, ...]
    quotes: tuple[Quote, ...]
    account_id: str
    account: str
    customer: str
    queue: str
    open: bool
    resolution: str | None
    assignee_id: str | None
    assignee: str
    created_at: dt.datetime
    by: str = ""


@dataclass(frozen=True)
class Found:
    """Part of the list, and where it goes on; None at its end."""

    shown: tuple[Item, ...]
    next: int | None


def find(session: Session, by: Principal, asked: Wanted) -> Found:
    """Part of the list, the newest first."""
    return _reported(session, asked) if asked.state == "reported" else _work(session, by, asked)


def open_count(session: Session, by: Principal) -> dict[State, int]:
    """How much is open, and how much of it is the person's own."""
    found = counts(session, by, "signals").values()
    return {"open": sum(one.open for one in found), "mine": sum(one.mine for one in found)}


def _work(session: Session, by: Principal, asked: Wanted) -> Found:
    conditions: list[ColumnElement[bool]] = [visible(by), Escalation.reason == SIGNAL]
    conditions.append(Escalation.status == ("closed" if asked.state == "closed" else "open"))
    if asked.state == "mine":
        conditions.append(Escalation.assignee == by.id)
    if asked.account:
        conditions.append(Conversation.account_id == asked.account)
    if asked.signal:
        heard = select(MessageTag.id).where(
            MessageTag.conversation_id == Escalation.conversation_id, MessageTag.name == asked.signal
        )
        conditions.append(heard.exists())
    if asked.before is not None:
        conditions.append(Escalation.id < asked.before)
    found = session.execute(
        select(Escalation, Conversation, Account)
        .join(Conversation, Conversation.id == Escalation.conversation_id)
        .outerjoin(Account, Account.id == Conversation.account_id)
        .where(*conditions)
        .order_by(Escalation.id.desc())
        .limit(PAGE + 1)
    ).all()
    shown = found[:PAGE]
    quotes = _quotes(session, [conversation.id for _, conversation, _ in shown])
    names = team.names(session, {work.assignee for work, _, _ in shown if work.assignee})
    items = []
    for work, conversation, account in shown:
        contact = work.contact or conversation.contact or {}
        heard_here = [one for one in quotes[conversation.id] if one.name in (work.signals or ())]
        items.append(
            Item(
                work.id,
                tuple(work.signals or ()),
                tuple(heard_here[:_QUOTES]),
                conversation.account_id or "",
                (account.name or account.id) if account else "",
                contact.get("name") or contact.get("email") or "",
                work.queue,
                work.status == "open",
                work.resolution,
                work.assignee,
                names.get(work.assignee or "", ""),
                work.created_at,
            )
        )
    return Found(tuple(items), shown[-1][0].id if len(found) > PAGE else None)


def _quotes(session: Session, conversations: Sequence[str]) -> dict[str, list[Quote]]:
    """What carries signals in conversations, the most probable first, what was rejected last."""
    found: dict[str, list[Quote]] = defaultdict(list)
    rows = session.execute(
        select(MessageTag, Message.author, Message.text, Message.created_at)
        .join(Message, (Message.conversation_id == MessageTag.conversation_id) & (Message.number == MessageTag.number))
        .where(MessageTag.conversation_id.in_(set(conversations)), MessageTag.name.in_(SIGNALS))
        .order_by(MessageTag.state == "rejected", MessageTag.probability.desc(), MessageTag.number)
    )
    for tag, author, text, moment in rows:
        source = "employee" if author == "employee" else "conversation"
        rejected = tag.state == "rejected"
        found[tag.conversation_id].append(
            Quote(
                tag.name,
                _ending(text[: tag.start]),
                tag.quote,
                _beginning(text[tag.end :]),
                tag.probability,
                source,
                moment,
                tag.number,
                rejected,
            )
        )
    return found


def _ending(text: str) -> str:
    return text if len(text) <= _AROUND else f"…{text[-_AROUND:]}"


def _beginning(text: str) -> str:
    return text if len(text) <= _AROUND else f"{text[:_AROUND]}…"


def _reported(session: Session, asked: Wanted) -> Found:
    conditions: list[ColumnElement[bool]] = [AccountSignal.name.in_([asked.signal] if asked.signal else SIGNALS)]
    if asked.account:
        conditions.append(AccountSignal.account_id == asked.account)
    if asked.before is not None:
        conditions.append(AccountSignal.id < asked.before)
    found = session.execute(
        select(AccountSignal, Account)
        .join(Account, Account.id == AccountSignal.account_id)
        .where(*conditions)
        .order_by(AccountSignal.id.desc())
        .limit(PAGE + 1)
    ).all()
    shown = found[:PAGE]
    items = tuple(
        Item(
            None,
            (one.name,),
            (Quote(one.name, "", one.quote, "", one.probability, one.source, one.occurred_at, None),),
            account.id,
            account.name or account.id,
            "",
            "",
            True,
            None,
            None,
            "",
            one.occurred_at,
            one.by or "",
        )
        for one, account in shown
    )
    return Found(items, shown[-1][0].id if len(found) > PAGE else None)


@dataclass(frozen=True)
class Panel:
    """An account with its latest signals.

    Attributes:
        stage_from: `set` by somebody, or told by `signals`; None if nothing tells.
    """

    id: str
    name: str
    plan: str
    stage: str | None
    stage_from: str | None
    signals: tuple[KnownSignal, ...]


def account_panel(session: Session, account_id: str, half_life: float) -> Panel | None:
    """An account; None where there is none with this id."""
    account = session.get(Account, account_id)
    if account is None:
        return None
    stage, stage_from = stage_of_account(session, account, half_life)
    signals = tuple(list_signals(session, account_id, limit=_OF_ACCOUNT))
    return Panel(account.id, account.name or account.id, account.plan or "", stage, stage_from, signals)
