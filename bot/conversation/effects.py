"""Store a turn's replies and carry out what it asks for, in the transaction that ends the turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.conversation import events
from bot.conversation.models import Conversation, Message
from bot.conversation.records import Outcome, StoredMessage
from bot.dialogue.turn import (
    Answered,
    DidNotHelp,
    Effect,
    Escalate,
    Insulted,
    OfferPerson,
    Reply,
    SaveContact,
    SecondAnswer,
    Solved,
)
from bot.handoff.escalation import escalate, keep_contact
from bot.handoff.routing import Routing
from bot.handoff.work import open_signal_work
from bot.success import second_question


def carry_out(
    session: Session, conversation: Conversation, message: StoredMessage, outcome: Outcome, routing: Routing
) -> list[Message]:
    """Carry a turn's effects out and store its replies; gives the replies.

    Args:
        session: Of the transaction.
        conversation: Locked.
        message: The customer's, which the turn was about.
        outcome: What the turn leaves behind.
        routing: What counts how much, and the queues.
    """
    offered_queue, case_number = _apply(session, conversation, outcome.effects, message.number, routing)
    marks = _marks(outcome.effects)
    stored = []
    for reply in outcome.replies:
        text = reply.text.replace("{case_number}", str(case_number)) if case_number else reply.text
        content = {**_content(reply, offered_queue), **marks}
        stored.append(events.add_message(session, conversation, "bot", text, content))
    _hear_second_answer(session, conversation, message, outcome.effects, routing)
    return stored


def last_of_bot(session: Session, conversation_id: str) -> Message | None:
    """The bot's newest message of a conversation."""
    return session.scalar(
        select(Message)
        .where(Message.conversation_id == conversation_id, Message.author == "bot")
        .order_by(Message.number.desc())
        .limit(1)
    )


def _apply(
    session: Session, conversation: Conversation, effects: Sequence[Effect], turn_number: int, routing: Routing
) -> tuple[str | None, int | None]:
    """Carry out effects; returns the queue that was offered and the number of the case that was made."""
    offered_queue = None
    case_number = None
    missed = False
    for effect in effects:
        if isinstance(effect, Escalate):
            case = escalate(session, conversation, effect.queue, effect.reason, turn_number, routing)
            case_number = case.id
        elif isinstance(effect, SaveContact):
            keep_contact(session, conversation, effect.contact.model_dump())
        elif isinstance(effect, OfferPerson):
            offered_queue = effect.queue
        elif isinstance(effect, DidNotHelp):
            missed = True
        elif isinstance(effect, Answered):
            missed = missed or effect.answer.decision == "hand_off"
    if missed:
        conversation.misses += 1
    elif conversation.misses:
        # An answer counts as one only when the customer did not turn it down in the next turn.
        last = last_of_bot(session, conversation.id)
        if last is not None and last.content.get("decision") == "answer":
            conversation.misses = 0
    if case_number is not None:
        conversation.misses = 0
    return offered_queue, case_number


def _hear_second_answer(
    session: Session,
    conversation: Conversation,
    message: StoredMessage,
    effects: Sequence[Effect],
    routing: Routing,
) -> None:
    """Keep the signal in an answer to the second question, and make the work it calls for."""
    for effect in effects:
        if isinstance(effect, SecondAnswer) and effect.signal:
            second_question.record_answer(session, conversation.id, message.number, message.text, effect.signal)
            heard: dict[str, float] = {effect.signal: second_question.ANSWER_PROBABILITY}
            open_signal_work(session, conversation, message.number, heard, routing)


def _marks(effects: Sequence[Effect]) -> dict[str, Any]:
    """What a reply remembers of its turn, for whether a second question may be asked."""
    marks = {"solved": Solved, "insulted": Insulted}
    return {name: True for name, kind in marks.items() if any(isinstance(effect, kind) for effect in effects)}


def _content(reply: Reply, offered_queue: str | None) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if reply.choices:
        content["choices"] = [choice.model_dump() for choice in reply.choices]
    if reply.citations:
        content["citations"] = [
            {"article_id": c.article_id, "title": c.title, "url": c.url, "language": c.language}
            for c in reply.citations
        ]
    if reply.answered:
        content["decision"] = reply.answered.decision
        content["confidence"] = round(reply.answered.confidence, 4)
        content["article_id"] = reply.answered.article_id
    if offered_queue and reply.choices:
        content["offered_queue"] = offered_queue
    return content
