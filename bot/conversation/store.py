"""What the conversation service reads and writes, each call one transaction.

A transaction that writes begins by taking the conversation's write lock (`bot.conversation.events.locked`), so that two
of them follow each other and numbers have no gaps.

A process that answers a conversation holds its lease: nobody else takes its messages up until the lease is given back
or has run out. The lease saves work; what keeps a message from being answered twice is that `finish_turn` finds it
still waiting, and the lease still held, in the transaction that stores the replies.
"""

from __future__ import annotations

import datetime as dt
import secrets
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Engine, func, or_, select, update
from sqlalchemy.orm import Session

from bot.attachments import store as attachments
from bot.conversation import effects, events, learning, tags
from bot.conversation.changes import Changes
from bot.conversation.effects import last_of_bot
from bot.conversation.models import Conversation, Decided, Message, Reaction, is_person, now
from bot.conversation.records import DuplicateId, Outcome, Snapshot, StoredMessage, Thumb
from bot.customers import visitors
from bot.customers.contact import known_contact
from bot.customers.models import Customer, Visitor
from bot.dialogue.turn import (
    Reply,
)
from bot.errors import NotFound
from bot.handoff import cases, ratings, team
from bot.handoff.alarm import sound_alarm
from bot.handoff.queues import Queues
from bot.handoff.routing import Routing
from bot.handoff.waiting import handoff_context
from bot.handoff.work import act_on_tags, place_case
from bot.outbox import outbox
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


class ConversationStore:
    """Conversations and messages in the database.

    Args:
        changes: Makes transactions on a migrated database; an engine will do where no readers are told.
        routing: How tags make work for people, and the queues.
        lease_seconds: So long a process may hold a conversation before another one takes its messages up.
        say: Gives a response of domain.yml by its name and language, for what is said outside of turns; without it,
            nothing is.
    """

    def __init__(
        self,
        changes: Changes | Engine,
        routing: Routing | None = None,
        lease_seconds: float = 15.0,
        say: Callable[[str, str], Reply] | None = None,
    ) -> None:
        self.changes = changes if isinstance(changes, Changes) else Changes(changes)
        self._routing = routing or Routing()
        self._say = say
        self._lease = dt.timedelta(seconds=lease_seconds)
        # Of this process, or of this part of it.
        self.holder = uuid.uuid4().hex

    @property
    def queues(self) -> Queues:
        """As configured."""
        return self._routing.queues

    def create(self, channel: str, audience: str, language: str) -> tuple[str, str]:
        """Make a conversation; returns its id and the secret that opens it, which is not kept."""
        token = secrets.token_urlsafe(32)
        identifier = uuid.uuid4().hex
        made = Conversation(
            id=identifier, channel=channel, audience=audience, language=language, token_hash=visitors.hash_of(token)
        )
        with self.changes.transaction() as session:
            session.add(made)
            session.flush()
            outbox.enqueue_named(session, "conversation.created", made, {})
        return identifier, token

    def begin(
        self, visitor_id: str, language: str, greet: Callable[[Session, Visitor, Conversation], object] | None = None
    ) -> str:
        """Make a conversation of a visitor's on the website; returns its id.

        Of a visitor who is identified it is the customer's.

        Args:
            visitor_id: Of the visitor.
            language: Of the page.
            greet: Says something first, in the same transaction.

        Raises:
            UnknownVisitor: There is no such visitor.
            IdentityExpired: The visitor was identified, and the token has ended.
        """
        with self.changes.transaction() as session:
            visitor = visitors.lock(session, visitor_id)
            customer_id = visitors.vouched_customer(visitor)
            customer = session.get_one(Customer, customer_id) if customer_id is not None else None
            made = Conversation(
                id=uuid.uuid4().hex,
                channel="webchat",
                audience="public",
                language=language,
                token_hash="",
                visitor_id=visitor.id,
                customer_id=customer_id,
                account_id=customer.account_id if customer is not None else None,
                contact=known_contact(customer) if customer is not None else None,
            )
            session.add(made)
            session.flush()
            outbox.enqueue_named(session, "conversation.created", made, {})
            if greet:
                greet(session, visitor, made)
        return made.id

    def authorise(self, conversation_id: str, token: str, origin: str = "") -> None:
        """Let the holder of the conversation's secret pass, or of the secret of a visitor whose conversation it is.

        Args:
            conversation_id: Which.
            token: The secret.
            origin: Of the page it comes from, as `bot.customers.models.Visitor.origin` has it.

        Raises:
            NotFound: There is no such conversation, or it is another's; which of the two is not told.
            UnknownVisitor: It is a visitor's secret, and no longer one.
            IdentityExpired: It is the conversation of the visitor's customer, and the identity token has ended.
        """
        with self.changes.reading() as session:
            self.demand(session, conversation_id, token, origin)

    def demand(self, session: Session, conversation_id: str, token: str, origin: str = "") -> None:
        """The same within a transaction of the caller's."""
        conversation = session.get(Conversation, conversation_id)
        if visitors.is_visitors(token):
            visitor = visitors.find(session, token, origin)
            if conversation is not None:
                visitors.demand_access(visitor, conversation)
                return
        known = conversation.token_hash if conversation is not None else None
        if known is None or not secrets.compare_digest(known, visitors.hash_of(token)):
            raise NotFound("There is no such conversation.", "Create one with POST /api/v1/conversations.")

    def add_customer_message(
        self, conversation_id: str, client_id: str, text: str, content: dict[str, Any], files: Sequence[str] = ()
    ) -> tuple[StoredMessage, bool]:
        """Store a customer's message, to be answered; (it, whether it is new).

        The same client_id with the same text and files is the same message. A score given right after a rating was
        asked for is thanked for at once, and is nothing to be answered.

        Raises:
            DuplicateId: The client_id belongs to another text.
            InvalidInput: A file is not there, or was sent already; see `bot.attachments.store.unsent`.
            NotFound: There is no such conversation.
        """
        with self.changes.transaction() as session:
            conversation = events.locked(session, conversation_id)
            twin = session.scalar(
                select(Message).where(Message.conversation_id == conversation_id, Message.client_id == client_id)
            )
            if twin is not None:
                chosen = content.get("payload")
                same = twin.content.get("payload") == chosen and (chosen is not None or twin.text == text)
                same = same and [file.id for file in attachments.files_of(twin.content)] == list(files)
                if not same or twin.author != "customer":
                    raise DuplicateId(
                        f"The id '{client_id}' was used for another message before.", "Give each message its own id."
                    )
                return _stored(twin), False
            sent = attachments.unsent(session, conversation_id, attachments.CUSTOMER, files)
            content = {**content, **attachments.content_of(sent)}
            message = events.add_message(
                session, conversation, "customer", text, content, "customer", client_id, waiting=True
            )
            session.flush()
            attachments.send(sent, message.number)
            if self._say and ratings.hear(session, conversation, message, self._say):
                message.waiting = False
            else:
                # Whoever stores a message answers it, unless another process is at work on the conversation.
                self._take_lease(conversation)
                cases.on_customer_message(session, conversation, message, self._routing)
        return _stored(message), True

    def _take_lease(self, conversation: Conversation) -> bool:
        """Hold the conversation's lease, or hold it on; False where another holds it."""
        moment = now()
        free = conversation.lease_until is None or conversation.lease_until <= moment
        if not free and conversation.lease_holder != self.holder:
            return False
        conversation.lease_holder = self.holder
        conversation.lease_until = moment + self._lease
        return True

    def messages_after(self, conversation_id: str, number: int, limit: int = 200) -> list[StoredMessage]:
        """Messages with a number above the one given, in order."""
        with self.changes.reading() as session:
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
            stored = [replace(_stored(message), thumb=learning.THUMBS.get(kind)) for message, kind in found]
            faces = team.faces(session, {one.content["person"] for one in stored if "person" in one.content})
            return [replace(one, picture=faces.get(one.content.get("person", ""))) for one in stored]

    def give_thumb(self, conversation_id: str, number: int, thumb: Thumb | None) -> None:
        """See `bot.conversation.learning.give_thumb`."""
        with self.changes.transaction() as session:
            events.locked(session, conversation_id)
            learning.give_thumb(session, conversation_id, number, thumb)

    def question_before(self, message: StoredMessage) -> str | None:
        """See `bot.conversation.learning.question_before`."""
        with self.changes.reading() as session:
            return learning.question_before(session, message)

    def offered(self, conversation_id: str, payload: str, recent: int = 50) -> tuple[str, str | None] | None:
        """A choice the bot offered among its recent messages: its label, the queue it means; None if it did not."""
        with self.changes.reading() as session:
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
        with self.changes.reading() as session:
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
            return next((text for text, content in rows if text and not content.get("payload")), "")

    def waiting(self) -> list[str]:
        """Conversations with messages nobody has dealt with, and which no other process is at work on."""
        free = or_(
            Conversation.lease_until.is_(None),
            Conversation.lease_until <= now(),
            Conversation.lease_holder == self.holder,
        )
        with self.changes.reading() as session:
            return list(
                session.scalars(
                    select(Message.conversation_id)
                    .join(Conversation, Conversation.id == Message.conversation_id)
                    .where(Message.waiting, free)
                    .distinct()
                )
            )

    def count_waiting(self) -> int:
        """How many messages wait."""
        with self.changes.reading() as session:
            return session.scalar(select(func.count()).select_from(Message).where(Message.waiting)) or 0

    def next_waiting(self, conversation_id: str) -> tuple[StoredMessage, Snapshot] | None:
        """The oldest message of a conversation that waits, and the conversation as it is.

        None if there is none, or another process is at work on the conversation. The lease is held afterwards.
        """
        with self.changes.reading() as session:
            message = _oldest_waiting(session, conversation_id)
            if message is None:
                return None
            conversation = session.get_one(Conversation, conversation_id)
            left = conversation.lease_until - now() if conversation.lease_until else dt.timedelta()
            if conversation.lease_holder == self.holder and left > 0.8 * self._lease:
                return _stored(message), self._snapshot(session, conversation, message.number)
        with self.changes.transaction() as session:
            conversation = events.locked(session, conversation_id)
            message = _oldest_waiting(session, conversation_id)
            if message is None or not self._take_lease(conversation):
                return None
            return _stored(message), self._snapshot(session, conversation, message.number)

    def give_back(self, conversation_id: str) -> None:
        """Let other processes take the conversation's messages up."""
        with self.changes.transaction() as session:
            session.execute(
                update(Conversation)
                .where(Conversation.id == conversation_id, Conversation.lease_holder == self.holder)
                .values(lease_holder=None, lease_until=None)
            )

    def snapshot(self, conversation_id: str) -> Snapshot:
        """A conversation as it is.

        Raises:
            NotFound: There is no such conversation.
        """
        with self.changes.reading() as session:
            conversation = session.get(Conversation, conversation_id)
            if conversation is None:
                raise NotFound("There is no such conversation.")
            return self._snapshot(session, conversation)

    def _snapshot(self, session: Session, conversation: Conversation, number: int | None = None) -> Snapshot:
        last_bot = last_of_bot(session, conversation.id)
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
            handoff_context(session, conversation, self.queues, number),
            _stored(last_bot) if last_bot else None,
        )

    def finish_turn(self, message: StoredMessage, version: int, outcome: Outcome) -> list[StoredMessage] | None:
        """Store a turn's replies and carry out its effects, in one transaction; gives the replies.

        The bot never talks over a person: where one has the conversation now, nothing is left but the mark that the
        turn is over. Where a person had it meanwhile, and gave it back, the message still waits: it is to be answered
        as things are now.

        Args:
            message: The customer's message the turn was about.
            version: The conversation's `owner_version` when the turn began.
            outcome: What it leaves behind.

        Returns:
            What the bot says; None where the turn came to nothing, since the message waits again, or another process
            answers it.
        """
        with self.changes.transaction() as session:
            conversation = events.locked(session, message.conversation_id)
            if conversation.lease_holder not in (None, self.holder):
                return None
            asked = session.scalar(
                select(Message).where(
                    Message.conversation_id == message.conversation_id,
                    Message.number == message.number,
                    Message.waiting,
                )
            )
            if asked is None:
                return None
            if conversation.owner_version != version and not is_person(conversation.owner):
                # Rasa took part in a turn that nobody hears of.
                conversation.segment += 1
                conversation.segment_turns = 0
                self._take_lease(conversation)
                return None
            asked.waiting = False
            session.flush()
            if _oldest_waiting(session, conversation.id) is None:
                conversation.lease_holder = conversation.lease_until = None
            else:
                self._take_lease(conversation)
            if is_person(conversation.owner):
                return []
            conversation.language = outcome.language
            stored = effects.carry_out(session, conversation, message, outcome, self._routing)
            learning.record_turn(session, conversation, message, outcome, stored)
            conversation.segment_turns += 1
            if outcome.rotate:
                conversation.segment += 1
                conversation.segment_turns = 0
        return [_stored(added) for added in stored]

    def record_tags(self, message: StoredMessage, tagged: Tagged) -> bool:
        """Keep what a message carries and make the work it calls for; False when it was tagged already.

        Raises:
            NotFound: There is no such message.
            ConversationError: The message is not a customer's or employee's.
        """
        with self.changes.transaction() as session:
            conversation = events.locked(session, message.conversation_id)
            if not tags.record(session, message.conversation_id, message.number, tagged):
                return False
            if tagged.tags:
                names = [tag.name for tag in tagged.tags]
                events.append(session, conversation, "tags", {"number": message.number, "names": names}, "system")
            place_case(session, conversation, message.number, self._routing)
            act_on_tags(session, conversation, message, tagged, self._routing)
            if self._say:
                sound_alarm(session, conversation, message, tagged, self._routing, self._say)
            return True

    def place_case(self, message: StoredMessage) -> None:
        """See `bot.handoff.work.place_case`; for a message that is a choice and so carries no tags itself."""
        with self.changes.transaction() as session:
            conversation = events.locked(session, message.conversation_id)
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
        with self.changes.reading() as session:
            last = last_of_bot(session, message.conversation_id)
            if last is None or not last.content.get("solved"):
                return None
        with self.changes.transaction() as session:
            conversation = events.locked(session, message.conversation_id)
            asked = second_question.ask(
                session, conversation, message.number, policy, say, self._routing.half_life_days
            )
        return _stored(asked) if asked else None

    def stage_of_choice(self, conversation_id: str, payload: str) -> Stage | None:
        """See `bot.success.second_question.stage_of_choice`."""
        with self.changes.reading() as session:
            return second_question.stage_of_choice(session, conversation_id, payload)

    def untagged(self) -> list[tuple[str, int]]:
        """See `bot.conversation.tags.untagged`."""
        with self.changes.reading() as session:
            return tags.untagged(session)

    def message(self, conversation_id: str, number: int) -> StoredMessage:
        """One message.

        Raises:
            NotFound: There is no such message.
        """
        with self.changes.reading() as session:
            found = session.scalar(
                select(Message).where(Message.conversation_id == conversation_id, Message.number == number)
            )
            if found is None:
                raise NotFound(f"There is no message {number}.")
            return _stored(found)


def _oldest_waiting(session: Session, conversation_id: str) -> Message | None:
    return session.scalar(
        select(Message)
        .where(Message.conversation_id == conversation_id, Message.waiting)
        .order_by(Message.number)
        .limit(1)
    )
