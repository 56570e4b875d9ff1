"""What happened in a conversation, as its events tell it afterwards, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from bot.conversation.models import Conversation, Event, Message


@dataclass(frozen=True)
class Said:
    """A message as it is stored.

    Attributes:
        client_id: The sender's own id; None for the bot.
        article: Of an answer.
        turn: Whether it answers a message of the customer's; the bot says other things by itself too.
    """

    number: int
    author: str
    client_id: str | None
    text: str
    article: str | None = None
    turn: bool = True


@dataclass(frozen=True)
class Happening:
    """An event.

    Attributes:
        owner: `bot`, `queue` or `agent`, where it tells of a new owner.
        message: Number of the message it tells of, if it does.
    """

    number: int
    visible: bool = True
    owner: str | None = None
    message: int | None = None


@dataclass(frozen=True)
class History:
    """All of a conversation, oldest first."""

    messages: Sequence[Said]
    events: Sequence[Happening]
    waiting: int = 0

    @property
    def visible(self) -> list[int]:
        """Numbers of the events its visitor gets."""
        return [event.number for event in self.events if event.visible]


@dataclass(frozen=True)
class Acknowledged:
    """A message that the sender was told is stored."""

    client_id: str
    text: str
    number: int


@dataclass
class Witness:
    """What those outside saw of a conversation.

    Attributes:
        sent: By the customer, in order.
        by_agents: Ids of what people of the team wrote, in order.
        read: By each reader: the numbers of the events it got, in order.
    """

    sent: list[Acknowledged] = field(default_factory=list)
    by_agents: list[str] = field(default_factory=list)
    read: list[list[int]] = field(default_factory=list)


def read_history(engine: Engine, conversation_id: str) -> History:
    """A conversation's history from the database."""
    with Session(engine) as session:
        conversation = session.get_one(Conversation, conversation_id)
        rows = session.scalars(
            select(Message).where(Message.conversation_id == conversation.id).order_by(Message.number)
        ).all()
        events = session.scalars(
            select(Event).where(Event.conversation_id == conversation.id).order_by(Event.number)
        ).all()
        return History(
            [
                Said(
                    row.number,
                    row.author,
                    row.client_id,
                    row.text,
                    row.content.get("article_id"),
                    "rating" not in row.content and "second_question" not in row.content,
                )
                for row in rows
            ],
            [
                Happening(
                    event.number,
                    event.visible,
                    event.data["owner"] if event.kind == "owner" else None,
                    event.data["number"] if event.kind == "message" else None,
                )
                for event in events
            ],
            sum(row.waiting for row in rows),
        )


def verdict(history: History, witness: Witness) -> list[str]:
    """What is wrong with a conversation; empty if nothing is.

    Every turn of the bot must be one message: so a message that was answered twice shows.
    """
    return [*_stored(history, witness), *_numbered(history), *_answered(history), *_read(history, witness)]


def _stored(history: History, witness: Witness) -> Iterator[str]:
    """Each acknowledged message stands once, under its number, in the sender's order."""
    stored = [(said.client_id, said.text, said.number) for said in history.messages if said.author == "customer"]
    sent = [(message.client_id, message.text, message.number) for message in witness.sent]
    if stored != sent:
        yield f"the customer was told {sent}, and {stored} is stored"
    replies = [said.client_id for said in history.messages if said.author == "agent"]
    if replies != witness.by_agents:
        yield f"people were told that they sent {witness.by_agents}, and {replies} is stored"


def _numbered(history: History) -> Iterator[str]:
    """Messages and events count up without gaps, and each message has one event, in order."""
    told = [event.message for event in history.events if event.message is not None]
    for what, numbers in (
        ("messages", [said.number for said in history.messages]),
        ("events", [event.number for event in history.events]),
        ("messages in the events", told),
    ):
        if numbers != list(range(1, len(numbers) + 1)):
            yield f"the {what} are numbered {numbers}"
    if len(told) != len(history.messages):
        yield f"{len(history.messages)} messages have {len(told)} events"


def _answered(history: History) -> Iterator[str]:
    """The bot answers each message once, unless a person has the conversation; it never talks over one."""
    yield from _turns(history)[1]
    if history.waiting:
        yield f"{history.waiting} messages wait"


def answers(history: History) -> dict[str, set[str]]:
    """Articles the bot answered each text with; a text that has several had its answer swapped with another's."""
    found: dict[str, set[str]] = {}
    for asked, said in _turns(history)[0]:
        if said.article:
            found.setdefault(asked.text, set()).add(said.article)
    return found


def _turns(history: History) -> tuple[list[tuple[Said, Said]], list[str]]:
    """Messages with the bot's answers, and what is wrong with them."""
    by_number = {said.number: said for said in history.messages}
    open_ones: list[Said] = []
    # Written while a person had the conversation: the bot may answer it when it has it back.
    for_people: list[Said] = []
    pairs = []
    wrong = []
    owner = "bot"
    for event in history.events:
        owner = event.owner or owner
        said = by_number.get(event.message) if event.message is not None else None
        if event.owner == "agent" or (said is not None and said.author == "agent"):
            for_people += open_ones
            open_ones.clear()
        if said is None or not said.turn or said.author == "agent":
            continue
        if said.author == "customer":
            (for_people if owner == "agent" else open_ones).append(said)
        elif owner == "agent":
            wrong.append(f"the bot talks over a person: {said}")
        elif open_ones:
            asked = open_ones.pop(0)
            if not for_people:
                pairs.append((asked, said))
        elif for_people:
            for_people.pop(0)
        else:
            wrong.append(f"the bot says something that nobody waits for: {said}")
    return pairs, [*wrong, *(f"nobody answered {said}" for said in open_ones)]


def _read(history: History, witness: Witness) -> Iterator[str]:
    """Every reader got every visible event once, in order."""
    for reader, numbers in enumerate(witness.read):
        if numbers != history.visible:
            missed = sorted(set(history.visible) - set(numbers))
            twice = sorted({number for number in numbers if numbers.count(number) > 1})
            yield f"reader {reader} got {numbers} of {history.visible}: missed {missed}, twice {twice}"
