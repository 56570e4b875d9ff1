"""What the conversation service reads and writes, each call one transaction.

A transaction that writes begins by updating the conversation's row. That takes the write lock at once, so that two of
them follow each other and numbers have no gaps.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Engine, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from bot.conversation import learning, tags
from bot.conversation.models import Conversation, Decided, Message, Reaction, is_person, now
from bot.conversation.records import DuplicateId, Outcome, Snapshot, StoredMessage, Thumb
from bot.dialogue.turn import (
    Answered,
    Case,
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
from bot.errors import NotFound
from bot.handoff.escalation import escalate, keep_contact, latest
from bot.handoff.routing import Routing
from bot.handoff.work import act_on_tags, open_signal_work, place_case
from bot.success import second_question
from bot.tagging.tags import Stage, Tagged


def _stored(message: Message) -> StoredMessage:
    return StoredMessage(
        message.conversation_id,
        message.number,
        message.author,
        message.client_id,
        message.text,
        dict(message.content),
        message.created_at,
    )


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class ConversationStore:
    """Conversations and messages in the database.

    Args:
        engine: Of a migrated database.
        routing: How tags make work for people.
    """

    def __init__(self, engine: Engine, routing: Routing | None = None) -> None:
        self._engine = engine
        self._routing = routing or Routing()

    def create(self, channel: str, audience: str, language: str) -> tuple[str, str]:
        """Make a conversation; returns its id and the secret that opens it, which is not kept."""
        token = secrets.token_urlsafe(32)
        identifier = uuid.uuid4().hex
        with Session(self._engine) as session, session.begin():
            session.add(
                Conversation(
                    id=identifier, channel=channel, audience=audience, language=language, token_hash=_hash(token)
                )
            )
        return identifier, token

    def authorise(self, conversation_id: str, token: str) -> None:
        """Let the holder of the secret pass.

        Raises:
            NotFound: There is no such conversation, or the secret is another's; which of the two is not told.
        """
        with Session(self._engine) as session:
            known = session.scalar(select(Conversation.token_hash).where(Conversation.id == conversation_id))
        if known is None or not secrets.compare_digest(known, _hash(token)):
            raise NotFound("There is no such conversation.", "Create one with POST /api/v1/conversations.")

    def add_customer_message(
        self, conversation_id: str, client_id: str, text: str, content: dict[str, Any]
    ) -> tuple[StoredMessage, bool]:
        """Store a customer's message, to be answered; (it, whether it is new).

        The same client_id with the same text is the same message.

        Raises:
            DuplicateId: The client_id belongs to another text.
            NotFound: There is no such conversation.
        """
        try:
            with Session(self._engine, expire_on_commit=False) as session, session.begin():
                number = self._next_number(session, conversation_id)
                message = Message(
                    conversation_id=conversation_id,
                    number=number,
                    author="customer",
                    client_id=client_id,
                    text=text,
                    content=content,
                    waiting=True,
                )
                session.add(message)
            return _stored(message), True
        except IntegrityError:
            with Session(self._engine) as session:
                twin = session.scalar(
                    select(Message).where(Message.conversation_id == conversation_id, Message.client_id == client_id)
                )
                if twin is None:
                    raise
                chosen = content.get("payload")
                same = twin.content.get("payload") == chosen and (chosen is not None or twin.text == text)
                if not same:
                    raise DuplicateId(
                        f"The id '{client_id}' was used for another message before.", "Give each message its own id."
                    ) from None
                return _stored(twin), False

    def add_agent_message(self, conversation_id: str, agent: str, text: str) -> StoredMessage:
        """Store what a person writes to the customer; the person owns the conversation from now on.

        Raises:
            NotFound: There is no such conversation.
        """
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            number = self._next_number(session, conversation_id)
            conversation = session.get_one(Conversation, conversation_id)
            conversation.hand_to(f"agent:{agent}")
            message = Message(conversation_id=conversation_id, number=number, author="agent", text=text, content={})
            session.add(message)
        return _stored(message)

    def _next_number(self, session: Session, conversation_id: str) -> int:
        number: int | None = session.scalar(
            update(Conversation)
            .where(Conversation.id == conversation_id)
            .values(last_number=Conversation.last_number + 1, updated_at=now())
            .returning(Conversation.last_number)
        )
        if number is None:
            raise NotFound("There is no such conversation.")
        return number

    def messages_after(self, conversation_id: str, number: int, limit: int = 200) -> list[StoredMessage]:
        """Messages with a number above the one given, in order."""
        with Session(self._engine) as session:
            found = session.execute(
                select(Message, Reaction.kind)
                .outerjoin(
                    Decided,
                    (Decided.conversation_id == Message.conversation_id) & (Decided.reply_number == Message.number),
                )
                .outerjoin(Reaction, (Reaction.decision_id == Decided.id) & Reaction.kind.in_(learning.THUMBS))
                .where(Message.conversation_id == conversation_id, Message.number > number)
                .order_by(Message.number)
                .limit(limit)
            )
            return [replace(_stored(message), thumb=learning.THUMBS.get(kind)) for message, kind in found]

    def give_thumb(self, conversation_id: str, number: int, thumb: Thumb | None) -> None:
        """See `bot.conversation.learning.give_thumb`."""
        with Session(self._engine) as session, session.begin():
            session.execute(update(Conversation).where(Conversation.id == conversation_id).values(updated_at=now()))
            learning.give_thumb(session, conversation_id, number, thumb)

    def question_before(self, message: StoredMessage) -> str | None:
        """See `bot.conversation.learning.question_before`."""
        with Session(self._engine) as session:
            return learning.question_before(session, message)

    def offered(self, conversation_id: str, payload: str, recent: int = 50) -> tuple[str, str | None] | None:
        """A choice the bot offered among its recent messages: its label, the queue it means; None if it did not."""
        with Session(self._engine) as session:
            contents = session.scalars(
                select(Message.content)
                .where(Message.conversation_id == conversation_id, Message.author == "bot")
                .order_by(Message.number.desc())
                .limit(recent)
            )
            for content in contents:
                for choice in content.get("choices", []):
                    if choice["payload"] == payload:
                        return str(choice["label"]), content.get("offered_queue")
        return None

    def last_question(self, conversation_id: str, before: int) -> str:
        """The last text the customer typed before a message; empty if there is none."""
        with Session(self._engine) as session:
            rows = session.execute(
                select(Message.text, Message.content)
                .where(
                    Message.conversation_id == conversation_id,
                    Message.author == "customer",
                    Message.number < before,
                )
                .order_by(Message.number.desc())
                .limit(20)
            )
            return next((text for text, content in rows if not content.get("payload")), "")

    def waiting(self) -> list[str]:
        """Conversations with messages nobody has dealt with."""
        with Session(self._engine) as session:
            return list(session.scalars(select(Message.conversation_id).where(Message.waiting).distinct()))

    def count_waiting(self) -> int:
        """How many messages wait."""
        with Session(self._engine) as session:
            return session.scalar(select(func.count()).select_from(Message).where(Message.waiting)) or 0

    def next_waiting(self, conversation_id: str) -> tuple[StoredMessage, Snapshot] | None:
        """The oldest message of a conversation that waits, and the conversation as it is."""
        with Session(self._engine) as session:
            message = session.scalar(
                select(Message)
                .where(Message.conversation_id == conversation_id, Message.waiting)
                .order_by(Message.number)
                .limit(1)
            )
            if message is None:
                return None
            return _stored(message), self._snapshot(session, session.get_one(Conversation, conversation_id))

    def snapshot(self, conversation_id: str) -> Snapshot:
        """A conversation as it is.

        Raises:
            NotFound: There is no such conversation.
        """
        with Session(self._engine) as session:
            conversation = session.get(Conversation, conversation_id)
            if conversation is None:
                raise NotFound("There is no such conversation.")
            return self._snapshot(session, conversation)

    def _snapshot(self, session: Session, conversation: Conversation) -> Snapshot:
        last_bot = _last_of_bot(session, conversation.id)
        escalation = latest(session, conversation.id)
        case = None
        if escalation:
            since = escalation.created_at.strftime("%Y-%m-%d %H:%M UTC")
            case = Case(number=escalation.id, open=escalation.status == "open", since=since)
        return Snapshot(
            conversation.id,
            conversation.channel,
            conversation.audience,
            conversation.language,
            conversation.owner,
            conversation.owner_version,
            conversation.last_number,
            conversation.segment,
            conversation.segment_turns,
            conversation.misses,
            conversation.contact,
            case,
            _stored(last_bot) if last_bot else None,
        )

    def finish_turn(self, message: StoredMessage, version: int, outcome: Outcome) -> list[StoredMessage]:
        """Store a turn's replies and carry out its effects, in one transaction.

        A turn taken under an older ownership leaves nothing but the mark that it is over: the bot never talks over a
        person who took the conversation meanwhile.

        Args:
            message: The customer's message the turn was about.
            version: The conversation's `owner_version` when the turn began.
            outcome: What it leaves behind.
        """
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            session.execute(
                update(Message)
                .where(Message.conversation_id == message.conversation_id, Message.number == message.number)
                .values(waiting=False)
            )
            conversation = session.get_one(Conversation, message.conversation_id, with_for_update=True)
            if conversation.owner_version != version or is_person(conversation.owner):
                return []
            conversation.language = outcome.language
            offered_queue, case_number = self._apply(session, conversation, outcome.effects, message.number)
            stored = []
            for reply in outcome.replies:
                conversation.last_number += 1
                text = reply.text.replace("{case_number}", str(case_number)) if case_number else reply.text
                content = {**_content(reply, offered_queue), **_marks(outcome.effects)}
                added = Message(
                    conversation_id=conversation.id,
                    number=conversation.last_number,
                    author="bot",
                    text=text,
                    content=content,
                )
                session.add(added)
                stored.append(added)
            learning.record_turn(session, conversation, message, outcome, stored)
            self._hear_second_answer(session, conversation, message, outcome.effects)
            conversation.segment_turns += 1
            if outcome.rotate:
                conversation.segment += 1
                conversation.segment_turns = 0
            conversation.updated_at = now()
        return [_stored(added) for added in stored]

    def record_tags(self, message: StoredMessage, tagged: Tagged) -> bool:
        """Keep what a message carries and make the work it calls for; False when it was tagged already.

        Raises:
            NotFound: There is no such message.
            ConversationError: The message is not a customer's or employee's.
        """
        with Session(self._engine) as session, session.begin():
            conversation = self._locked(session, message.conversation_id)
            if not tags.record(session, message.conversation_id, message.number, tagged):
                return False
            place_case(session, conversation, message.number, self._routing)
            act_on_tags(session, conversation, message, tagged, self._routing)
            return True

    def place_case(self, message: StoredMessage) -> None:
        """See `bot.handoff.work.place_case`; for a message that is a choice and so carries no tags itself."""
        with Session(self._engine) as session, session.begin():
            conversation = self._locked(session, message.conversation_id)
            place_case(session, conversation, message.number, self._routing)

    def ask_second_question(
        self, message: StoredMessage, policy: second_question.Policy, say: Callable[[str, str], Reply]
    ) -> StoredMessage | None:
        """Ask the second question behind the reply to a customer's message, if one is due; None if not.

        Args:
            message: The customer's.
            policy: When to ask.
            say: Gives a response of domain.yml by its name and language.
        """
        with Session(self._engine) as session:
            last = _last_of_bot(session, message.conversation_id)
            if last is None or not last.content.get("solved"):
                return None
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            conversation = self._locked(session, message.conversation_id)
            asked = second_question.ask(
                session, conversation, message.number, policy, say, self._routing.half_life_days
            )
        return _stored(asked) if asked else None

    def stage_of_choice(self, conversation_id: str, payload: str) -> Stage | None:
        """See `bot.success.second_question.stage_of_choice`."""
        with Session(self._engine) as session:
            return second_question.stage_of_choice(session, conversation_id, payload)

    def _locked(self, session: Session, conversation_id: str) -> Conversation:
        """A conversation, with the write lock; nothing of it changes."""
        session.execute(
            update(Conversation)
            .where(Conversation.id == conversation_id)
            .values(owner_version=Conversation.owner_version)
        )
        conversation = session.get(Conversation, conversation_id)
        if conversation is None:
            raise NotFound("There is no such conversation.")
        return conversation

    def untagged(self) -> list[tuple[str, int]]:
        """See `bot.conversation.tags.untagged`."""
        with Session(self._engine) as session:
            return tags.untagged(session)

    def message(self, conversation_id: str, number: int) -> StoredMessage:
        """One message.

        Raises:
            NotFound: There is no such message.
        """
        with Session(self._engine) as session:
            found = session.scalar(
                select(Message).where(Message.conversation_id == conversation_id, Message.number == number)
            )
            if found is None:
                raise NotFound(f"There is no message {number}.")
            return _stored(found)

    def _apply(
        self, session: Session, conversation: Conversation, effects: Sequence[Effect], turn_number: int
    ) -> tuple[str | None, int | None]:
        """Carry out effects; returns the queue that was offered and the number of the case that was made."""
        offered_queue = None
        case_number = None
        missed = False
        for effect in effects:
            if isinstance(effect, Escalate):
                case_number = escalate(session, conversation, effect.queue, effect.reason, turn_number).id
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
            last = _last_of_bot(session, conversation.id)
            if last is not None and last.content.get("decision") == "answer":
                conversation.misses = 0
        if case_number is not None:
            conversation.misses = 0
        return offered_queue, case_number

    def _hear_second_answer(
        self, session: Session, conversation: Conversation, message: StoredMessage, effects: Sequence[Effect]
    ) -> None:
        """Keep the signal in an answer to the second question, and make the work it calls for."""
        for effect in effects:
            if isinstance(effect, SecondAnswer) and effect.signal:
                second_question.record_answer(session, conversation.id, message.number, message.text, effect.signal)
                heard: dict[str, float] = {effect.signal: second_question.ANSWER_PROBABILITY}
                open_signal_work(session, conversation, message.number, heard, self._routing)


def _marks(effects: Sequence[Effect]) -> dict[str, Any]:
    """What a reply remembers of its turn, for whether a second question may be asked."""
    marks = {"solved": Solved, "insulted": Insulted}
    return {name: True for name, kind in marks.items() if any(isinstance(effect, kind) for effect in effects)}


def _last_of_bot(session: Session, conversation_id: str) -> Message | None:
    return session.scalar(
        select(Message)
        .where(Message.conversation_id == conversation_id, Message.author == "bot")
        .order_by(Message.number.desc())
        .limit(1)
    )


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
