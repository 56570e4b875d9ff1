"""What customers think of people's help: asked once a case is resolved, once per case.

The question is a message of the bot's with `{"rating": {"case": 12, "effort": false}}` in its content. It is answered
on the rating card of the chat, through the API, or by typing a score right after the question. An answer can be changed
for a day. Everything here runs within a transaction of the caller's that holds the conversation's write lock.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Callable

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.conversation import events
from bot.conversation.models import Conversation, Message, is_person, now
from bot.dialogue.turn import Reply
from bot.errors import ConversationError, InvalidInput, NotFound
from bot.handoff.models import SIGNAL, Escalation, Rating

SCORES = range(1, 6)
COMMENT_LENGTH = 1000
CHANGE_WITHIN = dt.timedelta(days=1)
# Customer effort is asked in every third case.
_EFFORT_EVERY = 3
# Up to here a rating is a bad one.
_LOW = 2
_NOT_TO_RATE = frozenset({"returned_to_bot", "spam", "duplicate", "done", "not_a_signal"})

Say = Callable[[str, str], Reply]

_WORDS = {
    word: score
    for score, words in enumerate(
        (
            ("one", "bir", "一", "หนึ่ง"),
            ("two", "iki", "二", "两", "สอง"),
            ("three", "üç", "三", "สาม"),
            ("four", "dört", "四", "สี่"),
            ("five", "beş", "五", "ห้า"),
        ),
        1,
    )
    for word in words
}
_UNIT = r"(?:stars?|points?|yıldız|puan|分|星|颗星|ดาว|คะแนน)"
_OUT_OF_FIVE = re.compile(rf"(?P<score>\S+?)\s*(?:/\s*(?P<most>\d)|{_UNIT})?", re.IGNORECASE)
_STARS = re.compile(r"(?:[⭐★🌟]\ufe0f?\s*){1,5}(?:☆\s*){0,4}")
_EMPTY_STAR = "☆"


def read_score(text: str) -> int | None:
    """The score a message is, if it is nothing else: `5`, `5/5`, `๕`, `beş`, `五`, `⭐⭐⭐⭐`; None otherwise."""
    text = text.replace("\ufe0f", "").replace("\u20e3", "").strip(" \t\n.!。！")
    if _STARS.fullmatch(text):
        stars = [character for character in text if not character.isspace()]
        full = sum(character != _EMPTY_STAR for character in stars)
        return full if len(stars) in (full, len(SCORES)) else None
    found = _OUT_OF_FIVE.fullmatch(text.replace("／", "/"))
    if found is None or (found["most"] and unicodedata.digit(found["most"]) != len(SCORES)):
        return None
    word = found["score"].replace("İ", "i").casefold()
    score = int(word) if word.isdecimal() and len(word) == 1 else _WORDS.get(word)
    return score if score in SCORES else None


def ask(session: Session, conversation: Conversation, case: Escalation, say: Say) -> Message | None:
    """Ask what a customer thinks of the help in a case; None where it is not asked.

    It is asked once per case, where a person wrote to the customer, and never where the case was given back to the bot,
    spam, a duplicate or merged into another.

    Args:
        session: Of the transaction.
        conversation: Of the case, locked.
        case: Closed.
        say: Gives a response of domain.yml by its name and language.
    """
    if case.reason == SIGNAL or case.merged_into is not None or case.resolution in _NOT_TO_RATE:
        return None
    if session.get(Rating, case.id) is not None or not _person_wrote(session, case):
        return None
    effort = case.id % _EFFORT_EVERY == 0
    reply = say("utter_ask_rating", conversation.language)
    content = {"rating": {"case": case.id, "effort": effort}}
    message = events.add_message(session, conversation, "bot", reply.text, content)
    session.add(Rating(case_id=case.id, conversation_id=conversation.id, number=message.number, asks_effort=effort))
    session.flush()
    return message


def _person_wrote(session: Session, case: Escalation) -> bool:
    written = select(Message.id).where(
        Message.conversation_id == case.conversation_id,
        Message.author == "agent",
        Message.number > case.opened_at_number,
    )
    return session.scalar(written.limit(1)) is not None


def rate(
    session: Session,
    conversation: Conversation,
    case: int,
    csat: int,
    effort: int | None = None,
    comment: str | None = None,
) -> Rating:
    """Keep what the customer thinks; again changes it. The same again changes nothing.

    Args:
        session: Of the transaction.
        conversation: The customer's, locked.
        case: Number of a case that was asked about in this conversation.
        csat: From 1, very bad, to 5, very good.
        effort: From 1, very easy, to 5, very hard; None if it was not asked or not answered.
        comment: In the customer's words; None for none.

    Raises:
        NotFound: No rating was asked for this case here.
        InvalidInput: A value breaks its rule.
        ConversationError: It was rated more than a day ago.
    """
    for name, score in (("csat", csat), ("effort", effort)):
        if score is not None and score not in SCORES:
            raise InvalidInput(f"{name} must be from 1 to 5. It is {score}.")
    comment = (comment or "").strip() or None
    if comment and len(comment) > COMMENT_LENGTH:
        raise InvalidInput(f"The comment has {len(comment):,} characters; at most {COMMENT_LENGTH:,} are allowed.")
    found = session.get(Rating, case)
    if found is None or found.conversation_id != conversation.id:
        raise NotFound(f"No rating was asked for a case {case} here.", "Rate a case once the bot asks for it.")
    if effort is not None and not found.asks_effort:
        raise InvalidInput("How hard it was is not asked for in this case.", "Send null as effort.")
    if (found.csat, found.effort, found.comment) == (csat, effort, comment):
        return found
    if _stands(found):
        raise ConversationError("A rating can be changed for a day.", "Tell the team in a message instead.")
    found.csat, found.effort, found.comment = csat, effort, comment
    found.rated_at = found.rated_at or now()
    data = {"case": case, "csat": csat, "effort": effort}
    events.append(session, conversation, "rating", data, "customer", visible=True)
    return found


def _stands(rating: Rating) -> bool:
    """Whether a rating can no longer be changed."""
    return rating.rated_at is not None and now() - rating.rated_at > CHANGE_WITHIN


def asked_in(message: Message | None) -> int | None:
    """The case a message asks to rate; None if it does not."""
    asked = message.content.get("rating") if message is not None else None
    return int(asked["case"]) if asked else None


def hear(session: Session, conversation: Conversation, message: Message, say: Say) -> Message | None:
    """Take a customer's message for a rating, if it is nothing but a score right after the question, and thank.

    Args:
        session: Of the transaction.
        conversation: The customer's, locked.
        message: Theirs; what was said just before it tells whether a rating was asked for.
        say: Gives a response of domain.yml by its name and language.

    Returns:
        The bot's thanks; None if the message is something else, which is then answered as any other, or is said to a
        person, over whom the bot does not talk.
    """
    score = None if message.content.get("payload") else read_score(message.text)
    if score is None or is_person(conversation.owner):
        return None
    before = session.scalar(
        select(Message).where(
            Message.conversation_id == conversation.id, Message.number == message.number - 1, Message.author == "bot"
        )
    )
    case = asked_in(before)
    asked = session.get(Rating, case) if case is not None else None
    if case is None or asked is None or _stands(asked):
        return None
    rate(session, conversation, case, score)
    thanks = say("utter_rating_thanks_low" if score <= _LOW else "utter_rating_thanks", conversation.language)
    return events.add_message(session, conversation, "bot", thanks.text)


def read(session: Session, conversation_id: str) -> Rating | None:
    """What was asked for last in a conversation, and what was answered; None if nothing was asked."""
    return session.scalar(
        select(Rating).where(Rating.conversation_id == conversation_id).order_by(Rating.number.desc()).limit(1)
    )
