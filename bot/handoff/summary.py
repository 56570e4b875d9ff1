"""What somebody who takes a case on has to know of the conversation. Data only: the customer's words, no new ones."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.conversation.models import Conversation, Decided, Message, MessageTag, Reaction
from bot.conversation.tags import SPEAKERS, ConversationTags, conversation_tags

MOST_ASKED = 3
MOST_TRIED = 10
_READ = 200
_UNHAPPY = frozenset({"thumb_down", "did_not_help", "handed_off", "rephrased"})


@dataclass(frozen=True)
class Asked:
    """What the customer wrote.

    Attributes:
        unanswered: It got no answer, or one that did not help.
    """

    number: int
    text: str
    created_at: dt.datetime
    unanswered: bool


@dataclass(frozen=True)
class Tried:
    """What the bot made of a question.

    Attributes:
        number: Of the question's message; `reply_number` of the bot's reply.
        decision: `answer`, `clarify` or `hand_off`.
        probability: That the article answers the question.
        article_id: The best one found; None if there was none.
        title: Of the article, where it was shown.
        reactions: What the customer made of it, as in `bot.conversation.models.Reaction`.
    """

    number: int
    reply_number: int | None
    decision: str
    probability: float
    article_id: str | None
    title: str | None
    reactions: tuple[str, ...]


@dataclass(frozen=True)
class Summary:
    """A conversation in short.

    Attributes:
        asked: The most telling first: what got no answer, then other questions, then what carries a tag.
        tried: The newest first.
        tags: What the conversation carries, with the customer's words.
        contact: How to reach the customer, if they said.
    """

    asked: tuple[Asked, ...]
    tried: tuple[Tried, ...]
    tags: ConversationTags
    contact: dict[str, str] | None


def summarise(session: Session, conversation_id: str, half_life_days: float = 30.0) -> Summary:
    """A conversation in short.

    Args:
        session: To read with.
        conversation_id: Of a conversation that is there.
        half_life_days: After so many days what was said counts half.
    """
    decided = session.scalars(
        select(Decided)
        .where(Decided.conversation_id == conversation_id)
        .order_by(Decided.turn_number.desc(), Decided.id.desc())
        .limit(_READ)
    ).all()
    reactions: dict[int, list[str]] = defaultdict(list)
    for one in session.scalars(
        select(Reaction).where(Reaction.decision_id.in_([one.id for one in decided])).order_by(Reaction.id)
    ):
        reactions[one.decision_id].append(one.kind)
    return Summary(
        _asked(session, conversation_id, decided, reactions),
        _tried(session, conversation_id, decided[:MOST_TRIED], reactions),
        conversation_tags(session, conversation_id, half_life_days),
        session.get_one(Conversation, conversation_id).contact,
    )


def _asked(
    session: Session, conversation_id: str, decided: Sequence[Decided], reactions: dict[int, list[str]]
) -> tuple[Asked, ...]:
    said = session.scalars(
        select(Message)
        .where(
            Message.conversation_id == conversation_id,
            Message.author.in_(SPEAKERS),
            Message.content["payload"].as_string().is_(None),
            Message.text != "",
        )
        .order_by(Message.number.desc())
        .limit(_READ)
    )
    questions = {one.question_number for one in decided}
    unanswered = {
        one.question_number
        for one in decided
        if one.decision == "hand_off" or not _UNHAPPY.isdisjoint(reactions[one.id])
    }
    tagged = set(
        session.scalars(
            select(MessageTag.number).where(
                MessageTag.conversation_id == conversation_id, MessageTag.state != "rejected"
            )
        )
    )

    def telling(message: Message) -> tuple[bool, bool, bool, int]:
        number = message.number
        return number not in unanswered, number not in questions, number not in tagged, -number

    return tuple(
        Asked(message.number, message.text, message.created_at, message.number in unanswered)
        for message in sorted(said, key=telling)[:MOST_ASKED]
    )


def _tried(
    session: Session, conversation_id: str, decided: Sequence[Decided], reactions: dict[int, list[str]]
) -> tuple[Tried, ...]:
    replies = session.execute(
        select(Message.number, Message.content).where(
            Message.conversation_id == conversation_id,
            Message.number.in_([one.reply_number for one in decided if one.reply_number is not None]),
        )
    )
    titles = {
        (number, citation["article_id"]): str(citation["title"])
        for number, content in replies
        for citation in content.get("citations", [])
    }
    return tuple(
        Tried(
            one.question_number,
            one.reply_number,
            one.decision,
            one.confidence,
            one.article_id,
            titles.get((one.reply_number, one.article_id)),
            tuple(reactions[one.id]),
        )
        for one in decided
    )
