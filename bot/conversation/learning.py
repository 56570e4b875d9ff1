"""Record what the bot decided on each question and what the customer made of it; find what went without a good answer.

Everything here runs within a transaction of the caller's. The words of a question stay in its message: when that is
erased, what was recorded about it goes too.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from typing import get_args

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from bot.conversation.models import Conversation, Decided, Message, Reaction
from bot.conversation.records import Outcome, StoredMessage, Thumb
from bot.dialogue.turn import Answered, DidNotHelp, Escalate
from bot.errors import InvalidInput, NotFound
from bot.knowledge.gaps import Question, Reason

# Within this time a question that says the same is the same question in other words.
REPHRASED_WITHIN = dt.timedelta(minutes=5)
THUMBS: dict[str, Thumb] = {f"thumb_{thumb}": thumb for thumb in get_args(Thumb)}
_CHOICE = "/choose_article"
# What tells that an answer was a bad one, the plainest first.
_BAD: tuple[Reason, ...] = ("thumb_down", "did_not_help", "handed_off", "rephrased")


def record_turn(
    session: Session,
    conversation: Conversation,
    message: StoredMessage,
    outcome: Outcome,
    replies: Sequence[Message],
) -> None:
    """Record a turn's decisions, and what the message says about the decision before it.

    Args:
        session: Of the transaction that stores the replies.
        conversation: As the turn leaves it.
        message: The customer's, which the turn was about.
        outcome: What the turn leaves behind.
        replies: As they were stored, in the order of `outcome.replies`.
    """
    before = _last_decided(session, message)
    offered = _offered(session, message) if str(message.content.get("payload", "")).startswith(_CHOICE) else None
    _react_to_last(session, before, message, outcome)
    for effect in outcome.effects:
        if not isinstance(effect, Answered):
            continue
        answer = effect.answer
        if offered:
            _react(session, offered, "chosen", message.number, answer.article_id)
        carrying = (m.number for m, reply in zip(replies, outcome.replies, strict=True) if reply.answered == answer)
        session.add(
            Decided(
                conversation_id=conversation.id,
                turn_number=message.number,
                question_number=offered.question_number if offered else message.number,
                reply_number=next(carrying, None),
                decision=answer.decision,
                confidence=round(answer.confidence, 4),
                article_id=answer.article_id,
                language=outcome.language,
                audience=conversation.audience,
            )
        )


def _react_to_last(session: Session, before: Decided | None, message: StoredMessage, outcome: Outcome) -> None:
    if before is None:
        return
    if any(isinstance(effect, DidNotHelp) for effect in outcome.effects):
        _react(session, before, "did_not_help", message.number)
    if outcome.asks_again:
        _react(session, before, "rephrased", message.number)
    # Offers of other queues are the bot's own, and no sign of a bad answer; nor is a case it made for another question.
    wanted = any(isinstance(e, Escalate) and e.queue == "support" for e in outcome.effects)
    asks = any(isinstance(effect, Answered) for effect in outcome.effects)
    unavailable = any(isinstance(e, Escalate) and e.reason == "bot_unavailable" for e in outcome.effects)
    if wanted and not asks and not unavailable and _previous_message(session, message) == before.turn_number:
        _react(session, before, "handed_off", message.number)


def _react(
    session: Session, decided: Decided, kind: str, number: int | None = None, article_id: str | None = None
) -> None:
    """Record a reaction; one of a kind is enough, the first one stays."""
    known = select(Reaction.id).where(Reaction.decision_id == decided.id, Reaction.kind == kind)
    if session.scalar(known) is None:
        session.add(Reaction(decision_id=decided.id, kind=kind, number=number, article_id=article_id))
        session.flush()


def _last_decided(session: Session, message: StoredMessage) -> Decided | None:
    return session.scalar(
        select(Decided)
        .where(Decided.conversation_id == message.conversation_id, Decided.turn_number < message.number)
        .order_by(Decided.turn_number.desc(), Decided.id.desc())
        .limit(1)
    )


def _previous_message(session: Session, message: StoredMessage) -> int | None:
    """Number of the customer's message before this one."""
    return session.scalar(
        select(Message.number)
        .where(
            Message.conversation_id == message.conversation_id,
            Message.author == message.author,
            Message.number < message.number,
        )
        .order_by(Message.number.desc())
        .limit(1)
    )


def _offered(session: Session, message: StoredMessage) -> Decided | None:
    """The decision to ask back that offered the choice a message takes."""
    rows = session.execute(
        select(Decided, Message.content)
        .join(
            Message,
            (Message.conversation_id == Decided.conversation_id) & (Message.number == Decided.reply_number),
        )
        .where(
            Decided.conversation_id == message.conversation_id,
            Decided.decision == "clarify",
            Decided.turn_number < message.number,
        )
        .order_by(Decided.turn_number.desc())
    )
    taken = message.content["payload"]
    return next(
        (decided for decided, content in rows if any(c["payload"] == taken for c in content.get("choices", []))), None
    )


def question_before(session: Session, message: StoredMessage) -> str | None:
    """The words of the question decided last, if it was asked shortly before a message; None otherwise."""
    before = _last_decided(session, message)
    if before is None:
        return None
    asked = session.scalar(
        select(Message).where(
            Message.conversation_id == message.conversation_id, Message.number == before.question_number
        )
    )
    return asked.text if asked and message.created_at - asked.created_at <= REPHRASED_WITHIN else None


def give_thumb(session: Session, conversation_id: str, number: int, thumb: Thumb | None) -> None:
    """Give an answer a thumb, change it, or take it back with None.

    Raises:
        NotFound: The conversation has no such message.
        InvalidInput: The message is not an answer.
    """
    place = (Message.conversation_id == conversation_id, Message.number == number)
    if session.scalar(select(Message.id).where(*place)) is None:
        raise NotFound(f"There is no message {number}.", "Read the conversation's messages for their numbers.")
    decided = session.scalar(
        select(Decided.id).where(
            Decided.conversation_id == conversation_id, Decided.reply_number == number, Decided.decision == "answer"
        )
    )
    if decided is None:
        raise InvalidInput(f"Message {number} is not an answer.", "Only messages whose `answer` is true take a thumb.")
    kind = f"thumb_{thumb}"
    given = select(Reaction.id).where(Reaction.decision_id == decided, Reaction.kind == kind)
    if thumb and session.scalar(given) is not None:
        return
    session.execute(delete(Reaction).where(Reaction.decision_id == decided, Reaction.kind.in_(THUMBS)))
    if thumb:
        session.add(Reaction(decision_id=decided, kind=kind))


def count_decisions(session: Session) -> int:
    """How many decisions are recorded at all."""
    return session.scalar(select(func.count()).select_from(Decided)) or 0


def unhappy_questions(
    session: Session, since: dt.datetime, audience: str, language: str | None = None
) -> list[Question]:
    """Questions that got no answer or a bad one, oldest first.

    Args:
        session: To read with.
        since: Asked at or after this moment.
        audience: Who asked.
        language: They were asked in; None for any.
    """
    wanted = [Decided.created_at >= since, Decided.audience == audience]
    if language:
        wanted.append(Decided.language == language)
    reactions: dict[int, set[str]] = defaultdict(set)
    for decision_id, kind in session.execute(
        select(Reaction.decision_id, Reaction.kind).join(Decided, Decided.id == Reaction.decision_id).where(*wanted)
    ):
        reactions[decision_id].add(kind)
    rows = session.execute(
        select(Decided, Message.text)
        .join(
            Message,
            (Message.conversation_id == Decided.conversation_id) & (Message.number == Decided.question_number),
        )
        .where(*wanted)
        .order_by(Decided.created_at, Decided.id)
    ).all()
    chosen = {(d.conversation_id, d.question_number) for d, _ in rows if d.turn_number != d.question_number}
    found = []
    for decided, text in rows:
        taken = (decided.conversation_id, decided.question_number) in chosen
        reason = _reason(decided, reactions[decided.id], taken)
        if reason and any(character.isalpha() for character in text):
            found.append(
                Question(
                    text,
                    decided.language,
                    reason,
                    decided.conversation_id,
                    decided.created_at,
                    decided.article_id,
                    decided.confidence,
                )
            )
    return found


def _reason(decided: Decided, reactions: set[str], taken: bool) -> Reason | None:
    """Why a question counts as one without a good answer, or None. A thumb up outweighs every other sign."""
    if decided.decision == "hand_off":
        return "no_answer"
    if decided.decision == "clarify":
        return None if taken else "no_choice"
    if "thumb_up" in reactions:
        return None
    return next((reason for reason in _BAD if reason in reactions), None)
