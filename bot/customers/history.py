"""The conversations of a visitor: those of the browser, and once identified those of the customer, from all devices."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from bot.conversation.models import Conversation, Message
from bot.conversation.reading import unread
from bot.customers.models import Visitor
from bot.customers.visitors import vouched_customer
from bot.handoff.escalation import open_case

MOST = 100


@dataclass(frozen=True)
class Earlier:
    """A conversation of a visitor's.

    Attributes:
        first: What the customer wrote first; None while they wrote nothing.
        last: Its newest message.
        unread: Messages of bot and team the customer has not seen.
        case_open: Whether a case of the customer's is open in it.
    """

    conversation: Conversation
    first: str | None
    last: Message
    unread: int
    case_open: bool


def conversations_of(session: Session, visitor: Visitor, limit: int = 50) -> list[Earlier]:
    """A visitor's conversations in which something was said, newest first.

    Args:
        session: To read with.
        visitor: Whose.
        limit: So many at most.

    Raises:
        IdentityExpired: The visitor was identified, and the token has ended.
    """
    customer = vouched_customer(visitor)
    theirs = (Conversation.visitor_id == visitor.id) & Conversation.customer_id.is_(None)
    if customer is not None:
        theirs |= Conversation.customer_id == customer
    last = aliased(Message)
    first = (
        select(Message.text)
        .where(Message.conversation_id == Conversation.id, Message.author == "customer")
        .order_by(Message.number)
        .limit(1)
        .correlate(Conversation)
        .scalar_subquery()
    )
    found = session.execute(
        select(Conversation, last, first, unread())
        .join(last, (last.conversation_id == Conversation.id) & (last.number == Conversation.last_number))
        .where(theirs)
        .order_by(Conversation.updated_at.desc(), Conversation.id)
        .limit(limit)
    )
    return [
        Earlier(conversation, begun, newest, count, open_case(session, conversation.id) is not None)
        for conversation, newest, begun, count in found
    ]
