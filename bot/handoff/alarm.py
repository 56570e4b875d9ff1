"""What calls for a person by itself, once a message's tags are known: an urgent breakdown, and anger.

There is no such case while the customer has one open. Everything here runs within a transaction of the caller's that
holds the write lock.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.conversation import events
from bot.conversation.models import Conversation, Decided, Message, Reaction, Tagging, is_person, now
from bot.conversation.records import StoredMessage
from bot.conversation.tags import SPEAKERS, URGENT_WITHIN
from bot.handoff.closing import Say
from bot.handoff.escalation import BREAKDOWNS, Reason, escalate, open_case
from bot.handoff.routing import Routing
from bot.tagging.tags import Tagged

_SAYS: dict[str, str] = {"urgent_outage": "utter_urgent_handed_off", "angry": "utter_angry_handed_off"}


def sound_alarm(
    session: Session, conversation: Conversation, message: StoredMessage, tagged: Tagged, routing: Routing, say: Say
) -> Message | None:
    """Make the case that a message calls for by itself; gives what the bot says about it, None if nothing.

    Args:
        session: Of the transaction.
        conversation: The customer's, locked.
        message: That was tagged, its turn over; one that is older than an hour calls for nobody.
        tagged: What it carries.
        routing: What counts how much, and the queues.
        say: Gives the bot's sentences.
    """
    if message.author != "customer" or now() - message.created_at > URGENT_WITHIN:
        return None
    if is_person(conversation.owner) or open_case(session, conversation.id) is not None:
        return None
    reason: Reason | None = None
    if _is_breakdown(tagged, routing):
        reason = "urgent_outage"
    elif is_angry(session, message):
        reason = "angry"
    if reason is None:
        return None
    case = escalate(session, conversation, "support", reason, message.number, routing)
    said = say(_SAYS[reason], conversation.language)
    return events.add_message(session, conversation, "bot", said.text.replace("{case_number}", str(case.id)))


def _is_breakdown(tagged: Tagged, routing: Routing) -> bool:
    broken = any(tag.name in BREAKDOWNS for tag in tagged.topics)
    return broken and tagged.urgent and tagged.urgency >= routing.urgent_probability


def is_angry(session: Session, message: StoredMessage) -> bool:
    """Whether a customer is angry: their last two messages insult the bot, or are in a bad mood and no answer helped.

    Args:
        session: To read with.
        message: The newer one, tagged.
    """
    before = session.scalar(
        select(Message)
        .where(
            Message.conversation_id == message.conversation_id,
            Message.author.in_(SPEAKERS),
            Message.number < message.number,
            Message.content["payload"].as_string().is_(None),
        )
        .order_by(Message.number.desc())
        .limit(1)
    )
    if before is None or message.created_at - before.created_at > URGENT_WITHIN:
        return False
    first, second = before.number, message.number
    if _insults(session, message.conversation_id, first, second) and _insults(session, message.conversation_id, second):
        return True
    moods = session.scalars(
        select(Tagging.sentiment).where(
            Tagging.conversation_id == message.conversation_id, Tagging.number.in_((first, second))
        )
    ).all()
    return list(moods) == ["negative", "negative"] and _no_help(session, message.conversation_id, first, second)


def _insults(session: Session, conversation_id: str, number: int, until: int | None = None) -> bool:
    """Whether a message was an insult: the bot's reply to it remembers."""
    replies = select(Message.content).where(
        Message.conversation_id == conversation_id, Message.author == "bot", Message.number > number
    )
    if until is not None:
        replies = replies.where(Message.number < until)
    return any(content.get("insulted") for content in session.scalars(replies))


def _no_help(session: Session, conversation_id: str, first: int, second: int) -> bool:
    """Whether a message got no answer, or its answer did not help, until a second one."""
    missed = select(Decided.id).where(
        Decided.conversation_id == conversation_id,
        Decided.turn_number >= first,
        Decided.turn_number < second,
        Decided.decision == "hand_off",
    )
    did_not_help = (
        select(Reaction.id)
        .join(Decided, Decided.id == Reaction.decision_id)
        .where(
            Decided.conversation_id == conversation_id,
            Reaction.kind == "did_not_help",
            Reaction.number > first,
            Reaction.number <= second,
        )
    )
    return session.scalar(missed.limit(1)) is not None or session.scalar(did_not_help.limit(1)) is not None
