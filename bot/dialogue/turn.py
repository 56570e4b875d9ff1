"""What travels with a turn: what an action knows of it, and what it asks the conversation to do.

An action runs in the middle of a turn and changes nothing itself. It says what should happen as an effect, a custom
payload of a bot message; the conversation service carries the effects out with the replies, in one transaction.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from bot.knowledge.answer import Answer, Citation
from bot.knowledge.article import Audience
from bot.tagging.tags import Signal, Stage

Queue = Literal["support", "success", "account_management"]
Reason = Literal["asked_for", "low_confidence", "bot_unavailable", "form_sent", "urgent_outage", "angry", "tags"]
Offer = Literal["none", "answer", "choice", "person", "second_question"]


class Case(BaseModel):
    """A case of the customer's own, as they may know it.

    Attributes:
        position: Place in its queue's line, from 1; None if it does not wait in one.
        expected_minutes: Until a person's first word, probably; None without a basis.
        assigned: Name of the person who has it.
        resolution: Why it was closed, one of `bot.handoff.cases.RESOLUTIONS`; None for what older versions closed.
        reopened: Whether it was closed before.
        merged_into: The case that goes on in its place.
    """

    number: int
    open: bool
    since: str
    position: int | None = None
    expected_minutes: int | None = None
    assigned: str | None = None
    resolution: str | None = None
    reopened: bool = False
    merged_into: int | None = None


class People(BaseModel):
    """Whether people are there, for a customer who would be handed over now.

    Attributes:
        open_now: Whether the queue works at the moment.
        next_opening: When it works again, ISO 8601 in the queue's time zone; None while it does.
        time_zone: Its name.
        position: The place in the line of a case that would be made now; None where it is not known.
        expected_minutes: Until a person's first word, probably; None without a basis.
    """

    open_now: bool = True
    next_opening: str | None = None
    time_zone: str = "UTC"
    position: int | None = None
    expected_minutes: int | None = None


class Contact(BaseModel):
    """How to reach a customer."""

    name: str
    email: str
    time: str


class TurnContext(BaseModel):
    """What Refill knows of a turn; sent to Rasa as the message's metadata.

    Attributes:
        text: What the customer wrote, untouched.
        before: The question before, shortly ago, where this one leans on it.
        language: Of the conversation.
        audience: What the person may see.
        misses: Questions in a row, before this one, that got no answer.
        offer: What the bot's last message asked: whether an answer helped, which choice was meant, whether a person
            is wanted, the second question.
        offered_queue: The queue that offer meant.
        second_question: Stage of the second question that was asked.
        article_id: Of the article chosen with a button.
        case: The customer's case in this conversation: the newest open one, else the newest, if there is one.
        cases: All of the customer's own they may ask about, of other conversations too if a verified identity says
            that they are the same person's; newest first.
        contact: How to reach the customer, if that is known.
        people: Whether people are there.
        back_from_person: A person answered since the bot's last turn.
    """

    text: str = ""
    before: str | None = None
    language: str = "en"
    audience: Audience = "public"
    misses: int = 0
    offer: Offer = "none"
    offered_queue: Queue = "support"
    second_question: Stage | None = None
    article_id: str | None = None
    case: Case | None = None
    cases: list[Case] = Field(default_factory=list)
    contact: Contact | None = None
    people: People = Field(default_factory=People)
    back_from_person: bool = False


class Escalate(BaseModel):
    """Make work for people."""

    model_config = ConfigDict(extra="forbid")
    effect: Literal["escalate"] = "escalate"
    queue: Queue
    reason: Reason


class SaveContact(BaseModel):
    """Keep how to reach the customer."""

    model_config = ConfigDict(extra="forbid")
    effect: Literal["save_contact"] = "save_contact"
    contact: Contact


class Answered(BaseModel):
    """The decision on a question; an answer's passage becomes a message of its own."""

    model_config = ConfigDict(extra="forbid")
    effect: Literal["answered"] = "answered"
    answer: Answer


class DidNotHelp(BaseModel):
    """What the bot said last did not help; counts as a question without an answer."""

    model_config = ConfigDict(extra="forbid")
    effect: Literal["did_not_help"] = "did_not_help"


class OfferPerson(BaseModel):
    """The offer of a person in this turn means a certain queue."""

    model_config = ConfigDict(extra="forbid")
    effect: Literal["offer_person"] = "offer_person"
    queue: Queue


class Solved(BaseModel):
    """The customer says that the answer helped; a second question may follow."""

    model_config = ConfigDict(extra="forbid")
    effect: Literal["solved"] = "solved"


class Insulted(BaseModel):
    """The customer insulted the bot; no second question follows soon."""

    model_config = ConfigDict(extra="forbid")
    effect: Literal["insulted"] = "insulted"


class SecondAnswer(BaseModel):
    """The second question was answered with yes, no or not now.

    Attributes:
        signal: What the answer tells; None for nothing.
    """

    model_config = ConfigDict(extra="forbid")
    effect: Literal["second_answer"] = "second_answer"
    signal: Signal | None


Effect = Annotated[
    Escalate | SaveContact | Answered | DidNotHelp | OfferPerson | Solved | Insulted | SecondAnswer,
    Field(discriminator="effect"),
]
_EFFECT: TypeAdapter[Effect] = TypeAdapter(Effect)


def read_effect(payload: dict[str, Any]) -> Effect:
    """An effect from a custom payload.

    Raises:
        pydantic.ValidationError: It is none of them.
    """
    return _EFFECT.validate_python(payload)


class Choice(BaseModel):
    """A button: what it says, and the command it stands for."""

    label: str
    payload: str


class Reply(BaseModel):
    """One message of the bot.

    Attributes:
        text: Markdown. `{case_number}` is filled in when the reply is stored.
        choices: Buttons below it.
        citations: Where an answer stands.
        answered: The decision, on the message that carries its outcome.
    """

    text: str
    choices: list[Choice] = Field(default_factory=list)
    citations: list[Citation] = Field(default_factory=list)
    answered: Answer | None = None


class TurnResult(BaseModel):
    """What Rasa made of a turn."""

    replies: list[Reply]
    effects: list[Effect]
