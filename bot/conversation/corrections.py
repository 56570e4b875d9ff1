"""What people say of tags: they confirm, reject, add and withdraw. What that tells about the model, and teaches it.

Everything here runs within a transaction of the caller's.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from dataclasses import dataclass
from typing import Literal, get_args

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from bot.conversation import events
from bot.conversation.lines import one_line
from bot.conversation.models import Conversation, Correction, Message, MessageTag, Tagging, now
from bot.conversation.tags import SPEAKERS, Evidence, evidence_of
from bot.errors import InvalidInput, NotFound
from bot.language import detect
from bot.tagging.examples import Example
from bot.tagging.tags import TAGS

Verdict = Literal["confirm", "reject", "add", "withdraw"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
LONGEST_NAME = 50
# For the database's integers.
_TOO_LARGE = 2**63
# Of a normal distribution: 95 % lie within so many standard deviations.
_Z95 = 1.959964


@dataclass(frozen=True)
class Corrected:
    """A verdict as it was recorded.

    Attributes:
        new: False if the same was said before; then nothing changed.
        tag: As it stands now, rejected ones too; None where the message has none of that name.
    """

    conversation_id: str
    number: int
    name: str
    verdict: Verdict
    by: str
    created_at: dt.datetime
    new: bool
    tag: Evidence | None


def correct(
    session: Session,
    conversation_id: str,
    number: int,
    name: str,
    verdict: str,
    by: str,
    quote: str | None = None,
    label: str = "system",
) -> Corrected:
    """Confirm, reject or add a tag of a message, or withdraw what was said of it.

    A later verdict replaces an earlier one; all of them are kept. The same again by the same person changes nothing.
    Withdrawing gives the tag back as the model left it; one that was added by hand vanishes.

    Args:
        session: In a transaction that ends with the caller.
        conversation_id: Of the message.
        number: Of the message; a customer's or an employee's.
        name: One of TAGS.
        verdict: One of VERDICTS.
        by: Who says so, 1 to 50 characters.
        quote: Only with `add`: the words of the message that carry the tag; without, the whole message does.
        label: Who does it, as events name them.

    Raises:
        NotFound: There is no such conversation or message.
        InvalidInput: A rule is broken; nothing was recorded.
    """
    said = _verdict(verdict)
    if name not in TAGS:
        raise InvalidInput(f"There is no tag {name!r}.", f"Tags are {', '.join(TAGS)}.")
    by = one_line(by, "by", LONGEST_NAME)
    words = _words(quote, said)
    # Its lock lets corrections of one tag follow each other.
    conversation = events.locked(session, conversation_id)
    message = _message(session, conversation_id, number)
    tag = session.scalar(_tags_of(message).where(MessageTag.name == name))
    last = session.scalar(
        select(Correction)
        .where(Correction.conversation_id == conversation_id, Correction.number == number, Correction.name == name)
        .order_by(Correction.id.desc())
        .limit(1)
    )
    if last and (last.verdict, last.quote, last.by) == (said, words, by):
        return _corrected(last, message, tag, new=False)
    if said == "add":
        tag = _add(session, message, name, tag, words)
    elif said == "withdraw":
        if last is None or last.verdict == "withdraw":
            raise InvalidInput(
                f"Nobody has corrected {name!r} on message {number}.",
                "There is nothing to withdraw.",
                rule="tag_uncorrected",
                tag=name,
            )
        tag = _withdraw(session, tag)
    elif tag is None:
        raise InvalidInput(
            f"Message {number} has no tag {name!r}.", "Add it with the verdict 'add'.", rule="tag_missing", tag=name
        )
    else:
        tag.state = "confirmed" if said == "confirm" else "rejected"
    made = Correction(
        conversation_id=conversation_id,
        number=number,
        name=name,
        verdict=said,
        quote=words,
        by=by,
        created_at=now(),
    )
    session.add(made)
    events.append(session, conversation, "tags", {"number": number, "name": name, "verdict": said}, label)
    session.flush()
    return _corrected(made, message, tag, new=True)


def _verdict(verdict: str) -> Verdict:
    for known in VERDICTS:
        if verdict == known:
            return known
    raise InvalidInput(f"The verdict must be one of {', '.join(VERDICTS)}. Currently, it is {verdict!r}.")


def _words(quote: str | None, verdict: Verdict) -> str | None:
    if quote is None:
        return None
    if verdict != "add":
        raise InvalidInput(f"A quote goes with 'add' only. Currently, the verdict is {verdict!r}.", "Leave it out.")
    words = quote.replace("\r\n", "\n").strip()
    if not words:
        raise InvalidInput("The quote is empty.", "Quote words of the message, or leave it out: then all of it counts.")
    return words


def _message(session: Session, conversation_id: str, number: int) -> Message:
    place = (Message.conversation_id == conversation_id, Message.number == number)
    message = session.scalar(select(Message).where(*place)) if 0 < number < _TOO_LARGE else None
    if message is None:
        raise NotFound(f"There is no message {number}.", "Read the conversation's messages for their numbers.")
    if message.author not in SPEAKERS:
        raise InvalidInput(
            f"Message {number} was written by the {message.author}.", "Only what customers and employees say has tags."
        )
    return message


def _tags_of(message: Message) -> Select[MessageTag]:
    return select(MessageTag).where(
        MessageTag.conversation_id == message.conversation_id, MessageTag.number == message.number
    )


def _add(session: Session, message: Message, name: str, tag: MessageTag | None, words: str | None) -> MessageTag:
    if tag is not None and tag.origin != "person":
        raise InvalidInput(
            f"Message {message.number} has the tag {name!r} already.", "Confirm it.", rule="tag_there", tag=name
        )
    start = 0 if words is None else message.text.find(words)
    if start < 0:
        raise InvalidInput(
            f"The quote is not in message {message.number}.", "Copy a stretch of its words exactly as they stand there."
        )
    if tag is None:
        tag = MessageTag(conversation_id=message.conversation_id, number=message.number, name=name, origin="person")
        session.add(tag)
    tag.start, tag.quote = start, message.text if words is None else words
    tag.end = start + len(tag.quote)
    tag.probability, tag.model, tag.state = 1.0, "", "confirmed"
    return tag


def _withdraw(session: Session, tag: MessageTag | None) -> MessageTag | None:
    if tag is None:
        return None
    if tag.origin == "person":
        session.delete(tag)
        return None
    tag.state = "open"
    return tag


def _corrected(made: Correction, message: Message, tag: MessageTag | None, new: bool) -> Corrected:
    evidence = None if tag is None else evidence_of(tag, message.created_at)
    return Corrected(
        made.conversation_id, made.number, made.name, _verdict(made.verdict), made.by, made.created_at, new, evidence
    )


@dataclass(frozen=True)
class Measured:
    """How often the model was right with a tag, as far as people said so.

    Attributes:
        confirmed: How many of the model's tags were confirmed.
        rejected: How many were rejected.
        added: How many people added because the model had missed them.
        precision: Share confirmed of those confirmed or rejected; None without any.
        low: Lower end of its 95 % interval; None without any.
        high: Upper end.
    """

    name: str
    confirmed: int
    rejected: int
    added: int
    precision: float | None
    low: float | None
    high: float | None


def precision(session: Session) -> list[Measured]:
    """The measured precision of every tag, in the order of TAGS."""
    counted: Counter[tuple[str, str, str]] = Counter()
    rows = session.execute(
        select(MessageTag.name, MessageTag.origin, MessageTag.state, func.count())
        .where(MessageTag.origin.in_(("model", "person")), MessageTag.state != "open")
        .group_by(MessageTag.name, MessageTag.origin, MessageTag.state)
    )
    for name, origin, state, count in rows:
        counted[name, origin, state] += count
    found = []
    for name in TAGS:
        right, wrong = counted[name, "model", "confirmed"], counted[name, "model", "rejected"]
        low, high = wilson(right, right + wrong) if right + wrong else (None, None)
        share = right / (right + wrong) if right + wrong else None
        found.append(Measured(name, right, wrong, counted[name, "person", "confirmed"], share, low, high))
    return found


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """The 95 % interval of a share: Wilson's score interval (J. Am. Stat. Assoc. 22, 1927).

    Raises:
        ValueError: There are no trials.
    """
    if trials < 1:
        raise ValueError(f"trials must be greater than 0. Currently, it is {trials}.")
    share = successes / trials
    spread = _Z95 * math.sqrt(share * (1 - share) / trials + _Z95**2 / (4 * trials**2))
    centre = share + _Z95**2 / (2 * trials)
    scale = 1 + _Z95**2 / trials
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def corrected_examples(session: Session) -> list[Example]:
    """Messages people corrected, to learn from; oldest first.

    `known` names only the tags people spoke about: confirmed and added ones are present, rejected ones absent. Urgency
    and sentiment are not known. A tag that answers the second question is left out: its words alone do not carry it;
    so is a message that is a button's label.
    """
    rows = session.execute(
        select(MessageTag, Message, Tagging.language, Conversation.language)
        .join(Message, (Message.conversation_id == MessageTag.conversation_id) & (Message.number == MessageTag.number))
        .join(Conversation, Conversation.id == MessageTag.conversation_id)
        .outerjoin(
            Tagging, (Tagging.conversation_id == MessageTag.conversation_id) & (Tagging.number == MessageTag.number)
        )
        .where(MessageTag.state != "open", MessageTag.origin.in_(("model", "person")))
        .order_by(Message.id, MessageTag.name)
    ).all()
    languages: dict[int, str] = {}
    messages: dict[int, Message] = {}
    tags: dict[int, list[MessageTag]] = {}
    for tag, message, tagged_in, current in rows:
        if message.content.get("payload"):
            continue
        messages[message.id] = message
        languages.setdefault(message.id, tagged_in or detect(message.text, current))
        tags.setdefault(message.id, []).append(tag)
    found = []
    for key, message in messages.items():
        present = [tag for tag in tags[key] if tag.state == "confirmed"]
        found.append(
            Example(
                message.text,
                languages[key],
                frozenset(tag.name for tag in present),
                evidence={tag.name: ((tag.start, tag.end),) for tag in present},
                group=message.conversation_id,
                known=frozenset(tag.name for tag in tags[key]),
            )
        )
    return found
