"""Whose cases and conversations somebody of the team may see.

What is not seen is answered like what is not there, so that nobody learns of it.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, or_, select, true
from sqlalchemy.orm import Session

from bot.conversation.models import Conversation
from bot.errors import NotFound
from bot.handoff.models import SIGNAL, Escalation
from bot.people.roles import Permission, Principal


def leads(by: Principal) -> bool:
    """Whether somebody leads a team: whoever may change its saved replies, and may take cases over from others."""
    return by.may("conversations:write") and by.may("replies:write")


def visible(by: Principal) -> ColumnElement[bool]:
    """The condition on `Escalation` under which somebody sees a case.

    It is in one of their queues, or theirs. Work on signals is for those who may read signals.
    """
    own: ColumnElement[bool] = true()
    if by.queues is not None:
        own = or_(Escalation.queue.in_(sorted(by.queues)), Escalation.assignee == by.id)
    return own if by.may("signals:read") else and_(own, Escalation.reason != SIGNAL)


def sees(case: Escalation, by: Principal) -> bool:
    """Whether somebody sees a case that was read."""
    if case.reason == SIGNAL and not by.may("signals:read"):
        return False
    return by.sees(case.queue) or case.assignee == by.id


def see_case(session: Session, number: int, by: Principal) -> Escalation:
    """A case that somebody sees.

    Raises:
        NotFound: There is none, or they do not see it; which of the two is not told.
    """
    found = session.get(Escalation, number) if 0 < number < 2**31 else None
    if found is None or not sees(found, by):
        raise no_case(number)
    return found


def no_case(number: int) -> NotFound:
    """The error for a case that is not there, or not seen."""
    return NotFound(f"There is no case {number}.", "`refill cases` lists them.")


def see_conversation(session: Session, conversation_id: str, by: Principal) -> Conversation:
    """A conversation of which somebody sees a case; who sees all queues sees all conversations.

    Raises:
        NotFound: There is none, or they do not see it; which of the two is not told.
    """
    found = session.get(Conversation, conversation_id)
    seen = select(Escalation.id).where(Escalation.conversation_id == conversation_id, visible(by)).limit(1)
    if found is None or (by.queues is not None and session.scalar(seen) is None):
        raise NotFound("There is no such conversation.", "A case names the conversation it is about.")
    return found


def demand_work(case: Escalation, by: Principal) -> None:
    """Let those pass that may work on a case.

    Raises:
        Forbidden: They may not.
    """
    permission: Permission = "signals:write" if case.reason == SIGNAL else "conversations:write"
    by.demand(permission)
