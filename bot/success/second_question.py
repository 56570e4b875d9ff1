"""The second question: one short question of the bot's own, after a problem is solved and only then.

A guest says that there is no milk in the coffee; while it is made again, the owner asks whether the cups are the right
size. `due` decides whether to ask, from facts alone; `read_facts` reads them; `ask` stores the question. The wording
stands in domain.yml: `utter_second_question_<stage>`, and `utter_second_answer_<…>` for what follows on yes and no.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from bot.conversation import events
from bot.conversation.models import BOT, Conversation, Decided, Message, MessageTag, Reaction, Tagging, now
from bot.conversation.tags import conversation_tags
from bot.dialogue.turn import Choice, Queue, Reply
from bot.handoff.models import Escalation
from bot.success.accounts import ensure_account
from bot.success.models import Account, SecondQuestion
from bot.tagging.tags import STAGES, Signal, Stage

if TYPE_CHECKING:
    from bot.settings import Settings

# What a yes or no is worth as a signal. Assumed, not measured: the question names the matter, yet may be misread.
ANSWER_PROBABILITY = 0.9
ANSWER = "answer"
# An angry customer cools down for so many messages.
_LATELY = 3
# A question that comes later than this after the bot's reply comes out of the blue.
_AT_ONCE = dt.timedelta(minutes=1)
_DID_NOT_HELP = ("thumb_down", "did_not_help", "handed_off")


@dataclass(frozen=True)
class Question:
    """What a stage's question is for.

    Attributes:
        signal: What it would hear.
        telling: Intent of the answer that is this signal; None if only the customer's own words can tell.
        queue: Of the people who act on it.
    """

    signal: Signal
    telling: Literal["affirm", "deny"] | None
    queue: Queue


QUESTIONS: dict[Stage, Question] = {
    "onboarding": Question("onboarding_need", "deny", "success"),
    "adoption": Question("goal", None, "success"),
    "retention": Question("churn_risk", "affirm", "success"),
    "expansion": Question("expansion", "affirm", "account_management"),
}


@dataclass(frozen=True)
class Policy:
    """When to ask at all.

    Attributes:
        enabled: Whether the bot asks.
        pause: Before the same account is asked again.
        default_stage: Of customers of whom nothing tells it; None: they are not asked.
    """

    enabled: bool = True
    pause: dt.timedelta = dt.timedelta(days=30)
    default_stage: Stage | None = "adoption"


def policy(settings: Settings) -> Policy:
    """As the operator set it."""
    default = next((stage for stage in STAGES if stage == settings["second_question.default_stage"]), None)
    pause = dt.timedelta(days=settings["second_question.pause"])
    return Policy(settings["second_question.enabled"], pause, default)


@dataclass(frozen=True)
class Facts:
    """What speaks for and against asking.

    Attributes:
        moment: Now.
        solved: The customer has just said that an answer helped, and nothing they did says otherwise.
        timely: Nothing was said since the bot's reply to that, and it is not long ago.
        own: The bot owns the conversation, and talks to a customer, not to an employee.
        angry: Of late they were in a bad mood, insulted the bot or gave a thumb down.
        urgent: They wrote something urgent.
        people: People have work to do in this conversation.
        asked_at: When the account, or else the conversation, was last asked.
        stage: Of the account, or else of what was heard in the conversation.
        signals: Heard in the conversation.
    """

    moment: dt.datetime
    solved: bool
    timely: bool
    own: bool
    angry: bool
    urgent: bool
    people: bool
    asked_at: dt.datetime | None
    stage: Stage | None
    signals: frozenset[str]


def due(facts: Facts, policy: Policy) -> Stage | None:
    """The stage whose question to ask now; None to ask nothing."""
    if not (policy.enabled and facts.solved and facts.timely and facts.own):
        return None
    if facts.angry or facts.urgent or facts.people:
        return None
    if facts.asked_at is not None and facts.moment - facts.asked_at < policy.pause:
        return None
    stage = facts.stage or policy.default_stage
    if stage is None or QUESTIONS[stage].signal in facts.signals:
        return None
    return stage


def read_facts(session: Session, conversation: Conversation, number: int, half_life_days: float = 30.0) -> Facts:
    """The facts at this moment.

    Args:
        session: To read with.
        conversation: In which to ask.
        number: Of the customer's message that says that an answer helped.
        half_life_days: After so many days what was said counts half.
    """
    moment = now()
    lately = _lately(session, conversation.id, number)
    tags = conversation_tags(session, conversation.id, half_life_days)
    account = session.get(Account, conversation.account_id) if conversation.account_id else None
    account_stage = next((stage for stage in STAGES if account and stage == account.stage), None)
    return Facts(
        moment=moment,
        solved=_solved(session, conversation.id, number),
        timely=_timely(session, conversation, number, moment),
        own=conversation.owner == BOT and conversation.audience == "public",
        angry=_angry(session, conversation.id, lately),
        urgent=tags.urgent,
        people=_people(session, conversation.id),
        asked_at=_asked_at(session, conversation),
        stage=account_stage or tags.stage,
        signals=frozenset(tag.name for tag in tags.signals),
    )


def _lately(session: Session, conversation_id: str, number: int) -> int:
    """Number of the customer's message from which on their mood counts."""
    numbers = session.scalars(
        select(Message.number)
        .where(Message.conversation_id == conversation_id, Message.author == "customer", Message.number <= number)
        .order_by(Message.number.desc())
        .limit(_LATELY)
    )
    return min(numbers, default=number)


def _solved(session: Session, conversation_id: str, number: int) -> bool:
    decided = session.scalar(
        select(Decided)
        .where(Decided.conversation_id == conversation_id, Decided.turn_number < number)
        .order_by(Decided.turn_number.desc(), Decided.id.desc())
        .limit(1)
    )
    if decided is None or decided.decision != "answer":
        return False
    against = select(Reaction.id).where(Reaction.decision_id == decided.id, Reaction.kind.in_(_DID_NOT_HELP))
    return session.scalar(against.limit(1)) is None


def _timely(session: Session, conversation: Conversation, number: int, moment: dt.datetime) -> bool:
    since = session.scalars(
        select(Message)
        .where(Message.conversation_id == conversation.id, Message.number > number)
        .order_by(Message.number)
    ).all()
    return (
        bool(since)
        and all(message.author == "bot" for message in since)
        and bool(since[-1].content.get("solved"))
        and moment - since[-1].created_at <= _AT_ONCE
    )


def _angry(session: Session, conversation_id: str, lately: int) -> bool:
    bad_mood = select(Tagging.number).where(
        Tagging.conversation_id == conversation_id, Tagging.number >= lately, Tagging.sentiment == "negative"
    )
    thumb_down = (
        select(Reaction.id)
        .join(Decided, Decided.id == Reaction.decision_id)
        .where(
            Decided.conversation_id == conversation_id,
            Decided.turn_number >= lately,
            Reaction.kind == "thumb_down",
        )
    )
    if any(session.scalar(found.limit(1)) is not None for found in (bad_mood, thumb_down)):
        return True
    replies = session.scalars(
        select(Message.content).where(
            Message.conversation_id == conversation_id, Message.author == "bot", Message.number > lately
        )
    )
    return any(content.get("insulted") for content in replies)


def _people(session: Session, conversation_id: str) -> bool:
    work = select(Escalation.id).where(Escalation.conversation_id == conversation_id, Escalation.status == "open")
    return session.scalar(work.limit(1)) is not None


def _asked_at(session: Session, conversation: Conversation) -> dt.datetime | None:
    same = SecondQuestion.conversation_id == conversation.id
    if conversation.account_id:
        same = or_(same, SecondQuestion.account_id == conversation.account_id)
    return session.scalar(select(func.max(SecondQuestion.created_at)).where(same))


def ask(
    session: Session,
    conversation: Conversation,
    number: int,
    policy: Policy,
    say: Callable[[str, str], Reply],
    half_life_days: float = 30.0,
) -> Message | None:
    """Store the question that is due as the bot's next message; None, and nothing changes, if none is.

    Args:
        session: Of a transaction that holds the write lock.
        conversation: In which to ask.
        number: Of the customer's message that says that an answer helped.
        policy: When to ask.
        say: Gives a response of domain.yml by its name and language.
        half_life_days: After so many days what was said counts half.
    """
    if conversation.account_id is not None:
        # The account's other conversations wait, so that only one of them asks.
        ensure_account(session, conversation.account_id)
    facts = read_facts(session, conversation, number, half_life_days)
    stage = due(facts, policy)
    if stage is None:
        return None
    reply = say(f"utter_second_question_{stage}", conversation.language)
    choices = [_below(choice, conversation.last_number + 1).model_dump() for choice in reply.choices]
    content = {"second_question": stage, "choices": choices}
    asked = events.add_message(session, conversation, "bot", reply.text, content)
    session.add(
        SecondQuestion(
            conversation_id=conversation.id,
            account_id=conversation.account_id,
            number=asked.number,
            stage=stage,
            created_at=facts.moment,
        )
    )
    return asked


def _below(choice: Choice, number: int) -> Choice:
    """A choice that names its question by its number, so that it answers this one whatever is asked later."""
    return Choice(label=choice.label, payload=choice.payload + json.dumps({"question": number}))


def stage_of_choice(session: Session, conversation_id: str, payload: str) -> Stage | None:
    """The stage of the second question below which a choice stands; None for any other choice."""
    _, brace, rest = payload.partition("{")
    number = json.loads(brace + rest).get("question") if brace else None
    if number is None:
        return None
    asked = session.scalar(
        select(SecondQuestion.stage).where(
            SecondQuestion.conversation_id == conversation_id, SecondQuestion.number == number
        )
    )
    return next((stage for stage in STAGES if stage == asked), None)


def record_answer(session: Session, conversation_id: str, number: int, text: str, signal: Signal) -> None:
    """Keep the signal that a yes or no tells, with the whole message as its quote; known ones stay as they are.

    Args:
        session: Of the transaction that stores the bot's reply.
        conversation_id: Of the conversation.
        number: Of the customer's message.
        text: Its words, or those of the choice that was taken.
        signal: What they tell.
    """
    known = select(MessageTag.id).where(
        MessageTag.conversation_id == conversation_id, MessageTag.number == number, MessageTag.name == signal
    )
    if session.scalar(known) is None:
        session.add(
            MessageTag(
                conversation_id=conversation_id,
                number=number,
                name=signal,
                probability=ANSWER_PROBABILITY,
                start=0,
                end=len(text),
                quote=text,
                model=ANSWER,
                origin=ANSWER,
            )
        )
        session.flush()
