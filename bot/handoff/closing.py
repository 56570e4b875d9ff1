"""How people close cases, and take that back: resolve, return to the bot, merge, reopen, undo.

Callers come through `bot.handoff.cases`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Literal, get_args

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from bot.conversation import events
from bot.conversation.models import Conversation, Event, Message, is_person, now
from bot.dialogue.turn import Reply
from bot.errors import ConversationError, InvalidInput
from bot.handoff import clocks, ratings
from bot.handoff.access import leads, see_case
from bot.handoff.changing import (
    Stale,
    demand_hold,
    demand_open,
    hand_over,
    lock,
    log,
    remember,
    restore,
    settle,
    tell,
    write_note,
)
from bot.handoff.escalation import open_case, open_work
from bot.handoff.models import SIGNAL, Escalation, Rating
from bot.handoff.queues import Queues
from bot.handoff.reopening import open_again
from bot.people.roles import Principal

# `no_reply`: the customer did not answer; any message of theirs opens the case again. `not_a_signal` and `done` close
# work on signals.
Resolution = Literal[
    "solved", "workaround", "no_reply", "cannot_help", "duplicate", "spam", "returned_to_bot", "done", "not_a_signal"
]
RESOLUTIONS: tuple[Resolution, ...] = get_args(Resolution)
OF_CASES: tuple[Resolution, ...] = ("solved", "workaround", "no_reply", "cannot_help", "duplicate", "spam")
OF_SIGNALS: tuple[Resolution, ...] = ("done", "not_a_signal")
UNDO_SECONDS = 60
_BY_ITSELF = ("sla_warned", "sla_breached", "contact")
# Gives a sentence of the bot's by its name in domain.yml and the language.
Say = Callable[[str, str], Reply]


def resolve(session: Session, number: int, by: Principal, resolution: str, say: Say, note: str = "") -> Escalation:
    """Close a case with a reason; the conversation goes back to the bot when no other case of the customer's is open.

    Where the help can be rated, the bot asks for it. Can be undone.

    Args:
        session: Of the transaction.
        number: Of the case.
        by: Who has it, sees it while nobody has it, or leads the team.
        resolution: One of OF_CASES; of OF_SIGNALS for work on signals.
        say: Gives the bot's sentences.
        note: For the team; may be empty.

    Raises:
        NotFound: There is no such case, or `by` may not see it.
        Forbidden: `by` may not.
        InvalidInput: There is no such resolution for it.
        Stale: Somebody else has it.
        ConversationError: It is closed already.
    """
    conversation, case = lock(session, number, by)
    demand_open(case)
    demand_hold(session, case, by)
    fitting = OF_SIGNALS if case.reason == SIGNAL else OF_CASES
    if resolution not in fitting:
        raise InvalidInput(
            f"Case {number} cannot be closed as {resolution!r}.",
            f"Take one of {', '.join(fitting)}.",
            rule="case_resolution",
            number=number,
        )
    before = remember(conversation, case)
    _close(case, by, resolution)
    settle(session, conversation, by.label)
    if case.reason != SIGNAL and not is_person(conversation.owner):
        ratings.ask(session, conversation, case, say)
    written = write_note(session, conversation, by, note, case.id)
    tell(session, conversation, case, "resolved", by.label, before, note=written.id if written else None)
    log(session, by, "resolve", case, resolution=resolution)
    return case


def return_to_bot(session: Session, number: int, by: Principal, say: Say, note: str = "") -> Escalation:
    """Close a case as `returned_to_bot`: the bot says so and goes on; no rating is asked for. Can be undone.

    Raises:
        NotFound: There is no such case, or `by` may not see it.
        Forbidden: `by` may not.
        InvalidInput: It is work on signals.
        Stale: Somebody else has it.
        ConversationError: It is closed already.
    """
    conversation, case = lock(session, number, by)
    demand_open(case)
    demand_hold(session, case, by)
    if case.reason == SIGNAL:
        raise InvalidInput(
            f"Case {number} is work on signals; the bot has the conversation.",
            "Close it as done.",
            rule="case_signal",
            number=number,
        )
    before = remember(conversation, case)
    _close(case, by, "returned_to_bot")
    settle(session, conversation, by.label)
    if open_case(session, conversation.id) is None:
        _say(session, conversation, say, "utter_back_with_bot")
    written = write_note(session, conversation, by, note, case.id)
    tell(session, conversation, case, "returned", by.label, before, note=written.id if written else None)
    log(session, by, "return", case)
    return case


def reopen(session: Session, number: int, by: Principal, queues: Queues) -> Escalation:
    """Open a closed case again, for whom it was assigned to, else in its queue; the resolution's clock goes on.

    Raises:
        NotFound: There is no such case, or `by` may not see it.
        Forbidden: `by` may not.
        ConversationError: It is open, or another one of the customer's is in its queue.
    """
    conversation, case = lock(session, number, by)
    if case.status == "open":
        raise ConversationError(f"Case {number} is open.", rule="case_open", number=number)
    find = open_work if case.reason == SIGNAL else open_case
    other = find(session, conversation.id, case.queue)
    if other is not None:
        raise ConversationError(
            f"Case {other.id} of this customer is open in the same queue.",
            "Go on there.",
            rule="case_elsewhere",
            number=other.id,
        )
    open_again(session, conversation, case, queues, by.label, waits=False)
    log(session, by, "reopen", case)
    return case


def merge(session: Session, number: int, into: int, by: Principal, say: Say) -> Escalation:
    """Close a case as a duplicate of another open one of the same person; its conversation is told where it goes on.

    Args:
        session: Of the transaction.
        number: Of the case that ends.
        into: Of the one that goes on.
        by: Who has the first, sees it while nobody has it, or leads the team.
        say: Gives the bot's sentences.

    Returns:
        The case that goes on.

    Raises:
        NotFound: There is no such case, or `by` may not see it.
        Forbidden: `by` may not.
        InvalidInput: The two are the same, or nothing says that they are of the same person.
        Stale: Somebody else has the first.
        ConversationError: One is closed.
    """
    if number == into:
        raise InvalidInput("A case cannot be merged into itself.", "Name two cases.", rule="merge_itself")
    # Always in the same order, so that two who merge at once do not wait for each other.
    for conversation_id in sorted({see_case(session, one, by).conversation_id for one in (number, into)}):
        events.locked(session, conversation_id)
    conversation, case = lock(session, number, by)
    other, goes_on = lock(session, into, by)
    demand_open(case)
    demand_open(goes_on)
    demand_hold(session, case, by)
    if SIGNAL in (case.reason, goes_on.reason) or not _same_person(conversation, other, case, goes_on, by):
        raise InvalidInput(
            f"Nothing says that cases {number} and {into} are of the same person.",
            "They must share the conversation, the verified customer or the e-mail address; "
            "who leads a team may merge cases of one account.",
            rule="merge_other_person",
            number=number,
            into=into,
        )
    before = remember(conversation, case)
    _close(case, by, "duplicate")
    case.merged_into = into
    if goes_on.contact is None:
        goes_on.contact = case.contact or conversation.contact
    settle(session, conversation, by.label)
    _say(session, conversation, say, "utter_case_merged", into)
    tell(session, conversation, case, "merged", by.label, before, into=into)
    tell(session, other, goes_on, "merged", by.label, merged=number)
    log(session, by, "merge", case, into=into)
    return goes_on


def _same_person(a: Conversation, b: Conversation, case: Escalation, other: Escalation, by: Principal) -> bool:
    if a.id == b.id or (a.customer_id is not None and a.customer_id == b.customer_id):
        return True
    emails = [
        ((one.contact or conversation.contact or {}).get("email") or "").casefold()
        for one, conversation in ((case, a), (other, b))
    ]
    if emails[0] and emails[0] == emails[1]:
        return True
    return leads(by) and a.account_id is not None and a.account_id == b.account_id


def undo(session: Session, number: int, by: Principal) -> Escalation:
    """Take back the last resolve, return or transfer of a case, within UNDO_SECONDS and while nothing has followed.

    A request for a rating is withdrawn; its message stays.

    Raises:
        NotFound: There is no such case, or `by` may not see it.
        Forbidden: `by` may not.
        Stale: It is too late, something followed, or somebody else did it.
    """
    conversation, case = _lock_even_gone(session, number, by)
    last = _last_that_counts(session, conversation.id)
    if last is None or last.kind != "case" or last.data["case"] != number or last.by != by.label:
        raise Stale(
            "Something has followed, or somebody else did it.", "Change the case as it is now.", rule="undo_followed"
        )
    if last.data["action"] not in ("resolved", "returned", "transferred"):
        raise Stale("What was done last cannot be undone.", "Change the case as it is now.", rule="undo_nothing")
    if now() - last.created_at > dt.timedelta(seconds=UNDO_SECONDS):
        raise Stale(
            f"That was more than {UNDO_SECONDS} seconds ago.",
            "Change the case as it is now.",
            rule="undo_late",
            seconds=UNDO_SECONDS,
        )
    undone = last.data["before"]
    before = remember(conversation, case)
    restore(case, undone)
    withdrawn = (Rating.case_id == number, Rating.number == conversation.last_number, Rating.rated_at.is_(None))
    session.execute(delete(Rating).where(*withdrawn))
    hand_over(session, conversation, undone["owner"], by.label)
    tell(session, conversation, case, "undone", by.label, before, undid=last.data["action"])
    log(session, by, "undo", case, undid=last.data["action"])
    return case


def _last_that_counts(session: Session, conversation_id: str) -> Event | None:
    """The newest event that keeps what was done before it from being undone: no note, tag, or warning of a clock."""
    newest = session.scalars(
        select(Event)
        .where(Event.conversation_id == conversation_id, Event.kind.in_(("message", "owner", "case", "rating")))
        .order_by(Event.number.desc())
        .limit(20)
    )
    return next((event for event in newest if event.data.get("action") not in _BY_ITSELF), None)


def _lock_even_gone(session: Session, number: int, by: Principal) -> tuple[Conversation, Escalation]:
    """As `lock`; also a case that somebody has just passed on to where they do not see it."""
    last = session.scalar(
        select(Event)
        .join(Escalation, Escalation.conversation_id == Event.conversation_id)
        .where(Escalation.id == number, Event.kind == "case")
        .order_by(Event.number.desc())
        .limit(1)
    )
    if last is not None and last.by == by.label and last.data["case"] == number and "before" in last.data:
        conversation = events.locked(session, last.conversation_id)
        return conversation, session.get_one(Escalation, number, populate_existing=True)
    return lock(session, number, by)


def _close(case: Escalation, by: Principal, resolution: Resolution | str) -> None:
    moment = now()
    case.status = "closed"
    case.closed_at = moment
    case.closed_by = by.label
    case.resolution = resolution
    clocks.closed(case, moment)


def _say(session: Session, conversation: Conversation, say: Say, name: str, number: int | None = None) -> Message:
    """Add a message of the bot's."""
    said = say(name, conversation.language)
    text = said.text.replace("{case_number}", str(number)) if number is not None else said.text
    content = {"choices": [choice.model_dump() for choice in said.choices]} if said.choices else {}
    return events.add_message(session, conversation, "bot", text, content)
