"""How every change of a case is made: the conversation locked, the change told, the owner settled."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.conversation import events
from bot.conversation.models import BOT, Conversation, is_person, now
from bot.errors import ConversationError
from bot.handoff import team
from bot.handoff.access import demand_work, leads, no_case, see_case
from bot.handoff.models import SIGNAL, Escalation, Note
from bot.people import audit
from bot.people.roles import Principal

Action = Literal[
    "opened",
    "claimed",
    "released",
    "transferred",
    "priority",
    "resolved",
    "returned",
    "reopened",
    "merged",
    "undone",
    "sla_warned",
    "sla_breached",
    "moved",
    "contact",
]
# What of a case an undo brings back.
_KEPT = (
    "queue",
    "assignee",
    "assigned_at",
    "pushed",
    "status",
    "priority",
    "waiting_since",
    "first_response_warn_at",
    "first_response_due",
    "first_response_state",
    "first_responded_at",
    "resolution_warn_at",
    "resolution_due",
    "resolution_state",
    "paused",
    "resolution",
    "closed_by",
    "closed_at",
)


class Stale(ConversationError):
    """Somebody else changed the case, or something was said, since the caller looked."""

    code = "stale"


def lock(session: Session, number: int, by: Principal) -> tuple[Conversation, Escalation]:
    """A case that somebody sees and may work on, and its conversation with the write lock.

    Raises:
        NotFound: There is no such case, or they do not see it.
        Forbidden: They may not.
    """
    conversation = events.locked(session, see_case(session, number, by).conversation_id)
    case = session.get(Escalation, number, populate_existing=True)
    if case is None:
        raise no_case(number)
    see_case(session, number, by)
    demand_work(case, by)
    return conversation, case


def demand_open(case: Escalation) -> None:
    """Let open cases pass.

    Raises:
        ConversationError: It is closed.
    """
    if case.status != "open":
        raise ConversationError(
            f"Case {case.id} is closed.", "Open it again first.", rule="case_closed", number=case.id
        )


def demand_hold(session: Session, case: Escalation, by: Principal) -> None:
    """Let those pass who have a case, who lead a team, and everybody while nobody has it.

    Raises:
        Stale: Somebody else has it.
    """
    if case.assignee not in (None, by.id) and not leads(by):
        raise taken(session, case)


def taken(session: Session, case: Escalation) -> Stale:
    """The error that names who has a case."""
    name = team.name(session, case.assignee or "")
    return Stale(f"{name} has this case.", "Leave a note for them.", rule="case_taken", name=name)


def remember(conversation: Conversation, case: Escalation) -> dict[str, Any]:
    """A case as it is, and its conversation's owner, fit for JSON and for `restore`."""
    values = {name: getattr(case, name) for name in _KEPT}
    shown = {name: value.isoformat() if isinstance(value, dt.datetime) else value for name, value in values.items()}
    return {**shown, "owner": conversation.owner}


def restore(case: Escalation, remembered: dict[str, Any]) -> None:
    """Make a case what it was."""
    for name in _KEPT:
        value = remembered[name]
        moment = name.endswith(("_at", "_due", "_since")) and value is not None
        setattr(case, name, dt.datetime.fromisoformat(value) if moment else value)


def tell(
    session: Session,
    conversation: Conversation,
    case: Escalation,
    action: Action,
    by: str,
    before: dict[str, Any] | None = None,
    **more: Any,
) -> None:
    """Count a change of a case and tell it, with how the case is now.

    Args:
        session: Of the transaction.
        conversation: Locked.
        case: As changed.
        action: What was done.
        by: As for `bot.conversation.events.append`.
        before: As the case was, from `remember`.
        more: What else is to be told.
    """
    case.version += 1
    session.flush()
    is_open = case.status == "open"
    data = {
        "case": case.id,
        "action": action,
        "open": is_open,
        "queue": case.queue,
        "assignee": case.assignee,
        "priority": case.priority,
        "resolution": case.resolution,
        "version": case.version,
        "reason": case.reason,
        **more,
    }
    if before is not None:
        data["before"] = before
    # The customer hears that their case is open, or no longer.
    turned = action == "opened" or (before is not None and before["status"] != case.status)
    events.append(session, conversation, "case", data, by, visible=turned and case.reason != SIGNAL)


def hand_over(session: Session, conversation: Conversation, owner: str, by: str) -> None:
    """Change the owner and tell it. Where the bot gets the conversation from a person, Rasa begins afresh."""
    if conversation.owner == owner:
        return
    if owner == BOT or (is_person(conversation.owner) and not is_person(owner)):
        conversation.segment += 1
        conversation.segment_turns = 0
        conversation.misses = 0
    conversation.hand_to(owner)
    tell_owner(session, conversation, by)


def tell_owner(session: Session, conversation: Conversation, by: str) -> None:
    """Tell whose the conversation is."""
    data = team.owner_shown(session, conversation.owner)
    if is_person(conversation.owner):
        data["person"] = conversation.owner.partition(":")[2]
    events.append(session, conversation, "owner", data, by, visible=True)


def open_cases(session: Session, conversation_id: str) -> Sequence[Escalation]:
    """All that is open of a conversation, oldest first; work on signals too."""
    return session.scalars(
        select(Escalation)
        .where(Escalation.conversation_id == conversation_id, Escalation.status == "open")
        .order_by(Escalation.id)
    ).all()


def settle(session: Session, conversation: Conversation, by: str) -> None:
    """Give the conversation to whom its open cases say: who has one, else their queue, else the bot.

    Whoever is the owner with right stays it; so does a person who wrote to the customer from work on signals.
    """
    session.flush()
    found = open_cases(session, conversation.id)
    own = [case for case in found if case.reason != SIGNAL]
    if is_person(conversation.owner) and any(conversation.owner == f"agent:{case.assignee}" for case in found):
        return
    held = [case for case in own if case.assignee is not None]
    if held:
        newest = max(held, key=lambda case: (case.assigned_at or case.created_at, case.id))
        hand_over(session, conversation, f"agent:{newest.assignee}", by)
        return
    waiting = [f"queue:{case.queue}" for case in own]
    if conversation.owner not in waiting:
        hand_over(session, conversation, waiting[0] if waiting else BOT, by)


def take(session: Session, conversation: Conversation, case: Escalation, by: Principal) -> None:
    """Give an open case to somebody who asks for it."""
    had = case.assignee
    team.give(session, case, by.id, now())
    tell(session, conversation, case, "claimed", by.label, name=by.name)
    if case.reason != SIGNAL:
        hand_over(session, conversation, by.owner, by.label)
    elif had is not None:
        settle(session, conversation, by.label)
    log(session, by, "claim", case, had=had)


def write_note(
    session: Session,
    conversation: Conversation,
    by: Principal,
    text: str,
    case: int | None = None,
    client_id: str | None = None,
) -> Note | None:
    """Keep what somebody wrote for the team, and tell it; None, and nothing is kept, where it is empty."""
    text = text.strip()
    if not text:
        return None
    made = Note(conversation_id=conversation.id, case_id=case, client_id=client_id, by=by.label, text=text)
    session.add(made)
    session.flush()
    events.append(session, conversation, "note", {"note": made.id, "case": case}, by.label)
    return made


def log(session: Session, by: Principal, action: str, case: Escalation, **detail: Any) -> None:
    """Write to the audit log what somebody did with a case."""
    audit.note(session, by, f"case.{action}", f"case:{case.id}", detail)
