"""An installation in which each queue has cases, and a secret word in all that is said there; made new in a moment."""

from __future__ import annotations

import asyncio
import datetime as dt
import sqlite3
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from fastapi import FastAPI
from sqlalchemy import Engine, StaticPool, create_engine
from sqlalchemy.orm import Session

from bot.app import create_app
from bot.attachments import store as store_files
from bot.attachments.models import Picture
from bot.channels.webchat.site import Logo, Site
from bot.channels.webchat.state import WebchatState
from bot.conversation import events
from bot.conversation.changes import Changes
from bot.conversation.delivery import Delivery
from bot.conversation.models import Conversation, Decided, now
from bot.conversation.records import StoredMessage
from bot.conversation.service import ConversationService
from bot.conversation.store import ConversationStore
from bot.conversation.tags import record
from bot.customers import visitors
from bot.customers.identify import identify
from bot.customers.models import Customer
from bot.desk.state import KEY_HOLDER, TeamState
from bot.dialogue.turn import Queue
from bot.handoff.models import Escalation, Note, Rating
from bot.handoff.queues import default_queues
from bot.knowledge.answer import Answerer
from bot.outbox.models import Outgoing, Webhook
from bot.people import sessions, tokens
from bot.people.models import ApiToken, Person, SavedReply
from bot.people.roles import Permission
from bot.success.invitations import made
from bot.success.models import Account
from tests.conversation.fakes import domain_replies, new_database
from tests.customers.signing import Website
from tests.desk.rig import QUICK
from tests.tagging.fakes import word_tagger

KEY = "k" * 16
TAG = word_tagger({"printer": "defect", "two more cafés": "expansion"})
FACE = "f" * 64
LOGO = Logo(b"\x89PNG\r\n\x1a\n", "image/png")
QUEUES: tuple[Queue, ...] = ("support", "account_management")


@dataclass(frozen=True)
class Place:
    """What a queue has.

    Attributes:
        secret: A word that stands in all that was said or written there.
        conversation: With `case` (open, nobody has it), `work` on signals, and a note.
        token: The conversation's own.
        browser: A visitor's, who is identified as the conversation's customer.
        identity: A token that vouches for that customer.
        twin: Another open case of the same customer.
        closed: A closed case with a rating, in a conversation of its own.
        reply: A saved reply.
        file: Id of a file the customer sent; the secret stands in it.
    """

    queue: str
    secret: str
    conversation: str
    token: str
    browser: str
    identity: str
    case: int
    work: int
    twin: int
    closed: int
    reply: int
    file: str


@dataclass
class World:
    """The application on a database in memory that is put back to what it was.

    Attributes:
        places: By queue.
        session: An administrator's session at the desk.
    """

    engine: Engine
    app: FastAPI
    state: TeamState
    places: dict[str, Place]
    person: str
    customer: str
    webhook: str
    delivery: str
    token: str
    invitation: str
    session: str
    _live: sqlite3.Connection
    _saved: sqlite3.Connection = field(default_factory=lambda: sqlite3.connect(":memory:"))

    def save(self) -> None:
        """Remember the database as it is."""
        self._live.backup(self._saved)

    def is_as_saved(self) -> bool:
        """Whether the database is what it was."""
        return list(self._live.iterdump()) == list(self._saved.iterdump())

    def restore(self) -> None:
        """Make it again what it was."""
        self._live.rollback()
        self._saved.backup(self._live)

    @property
    def changes(self) -> int:
        """How many rows were written so far."""
        return self._live.total_changes

    def holder(self, permissions: Sequence[Permission], queues: Sequence[str] | None = None) -> str:
        """A token with permissions and queues; it was used just now, so that using it writes nothing."""
        value = f"{tokens.PREFIX}{len(permissions)}-{'-'.join(sorted(permissions))}-{queues}"
        with Session(self.engine) as session, session.begin():
            session.merge(
                ApiToken(
                    id=tokens.hash_of(value)[:32],
                    name="Another system",
                    token_hash=tokens.hash_of(value),
                    scopes=list(permissions),
                    queues=None if queues is None else list(queues),
                    created_by="person:ada",
                    last_used_at=now() + dt.timedelta(hours=1),
                )
            )
        return value


class _NoArticles:
    """An answerer over no articles."""

    def likely(self, text: str, audience: str, language: str, most: int) -> list[Any]:
        """None are."""
        return []

    def find(self, article_id: str, audience: str) -> None:
        """None is there."""


class _StoresOnly:
    """A conversation service that answers nothing."""

    def __init__(self, store: ConversationStore) -> None:
        self._store = store

    async def create(self, channel: str, audience: str = "public", language: str | None = None) -> tuple[str, str]:
        """As `ConversationService.create`."""
        return await asyncio.to_thread(self._store.create, channel, audience, language or "en")

    async def post(
        self,
        conversation_id: str,
        client_id: str,
        text: str,
        choice: str | None = None,
        files: Sequence[str] = (),
    ) -> tuple[StoredMessage, bool]:
        """As `ConversationService.post`, but nobody answers."""
        return await asyncio.to_thread(self._store.add_customer_message, conversation_id, client_id, text, {}, files)


def _in_memory() -> tuple[Engine, sqlite3.Connection]:
    live = sqlite3.connect(":memory:", check_same_thread=False)
    with tempfile.TemporaryDirectory() as folder:
        migrated = new_database(Path(folder))
        with migrated.connect() as connection:
            cast(Any, connection.connection.driver_connection).backup(live)
        migrated.dispose()
    live.execute("PRAGMA foreign_keys=ON")
    return create_engine("sqlite://", creator=lambda: live, poolclass=StaticPool), live


def new_world() -> World:
    """An installation with two queues in use."""
    engine, live = _in_memory()
    changes = Changes(engine)
    store = ConversationStore(changes)
    delivery = Delivery()
    articles = cast(Answerer, _NoArticles())
    state = TeamState(
        changes, TAG, KEY, delivery=delivery, answerer=lambda: articles, say=domain_replies().reply, passwords=QUICK
    )
    website = Website()
    webchat = WebchatState(
        cast(ConversationService, _StoresOnly(store)), store, delivery, lambda: articles, identity=website.trusted
    )
    app = create_app(webchat, state, lambda: True, site=Site(logo=LOGO))
    places: dict[str, Place] = {queue: _place(store, changes, website, queue) for queue in QUEUES}
    tomorrow = now() + dt.timedelta(days=1)
    with changes.transaction() as session:
        ada, boss = (
            Person(id=name[0] * 32, email=f"{name}@example.com", name=name.title(), role=role, languages=[])
            for name, role in (("ada", "agent"), ("boss", "administrator"))
        )
        webhook = Webhook(id="c" * 32, url="https://example.com/in", secret="s", events=["rating.*"], created_by="ada")
        session.add_all([ada, boss, webhook])
        session.flush()
        session.add(Outgoing(id="d" * 32, webhook_id=webhook.id, event="case.opened", payload={}, state="dead"))
        session.add(Account(id="acme", created_at=now(), updated_at=now()))
        session.add(ann := Customer(id="ann"))
        hello, _ = made.create(session, KEY_HOLDER, made.NewInvitation("hello", "ann", None, {"en": "Hello"}, tomorrow))
        old, _ = tokens.create_token(session, KEY_HOLDER, "Old", ["audit:read"])
        session.add(Picture(digest=FACE, media_type="image/jpeg", data=b"a face"))
        signed_in = sessions.start(session, boss)
    return World(engine, app, state, places, ada.id, ann.id, webhook.id, "d" * 32, old.id, hello.id, signed_in, live)


def _place(store: ConversationStore, changes: Changes, website: Website, queue: str) -> Place:
    secret = f"secret-of-{queue}"
    here, token = store.create("webchat", "public", "en")
    others = [store.create("webchat", "public", "en")[0] for _ in range(2)]
    contact = {"name": secret, "email": f"{secret}@example.com"}
    numbers: list[int] = []
    files: list[str] = []
    vouched = website.token(f"customer of {queue}")
    with changes.transaction() as session:
        visitor, browser = visitors.create(session, "")
        identify(session, visitor.id, website.trusted.check(vouched), True, default_queues())
        for identifier in (here, *others):
            conversation = events.locked(session, identifier)
            conversation.customer_id = f"customer of {queue}"
            conversation.contact = contact
            words = f"The printer is dead, says {secret}. We open two more cafés."
            kept = store_files.keep(session, identifier, "customer", "f", "a.txt", "text/plain", secret.encode())
            content = store_files.content_of([kept])
            events.add_message(session, conversation, "customer", words, content, by="customer")
            events.add_message(session, conversation, "bot", f"Is it on, {secret}?", {"decision": "answer"})
            session.flush()
            store_files.send([kept], 1)
            files.append(kept.id)
            record(session, identifier, 1, TAG(words, "en"))
            question = Decided(conversation_id=identifier, turn_number=1, question_number=1, reply_number=2)
            question.decision, question.confidence, question.article_id = "answer", 0.9, "printer"
            question.language, question.audience = "en", "public"
            session.add(question)
            own = _case(session, conversation, queue)
            events.append(session, conversation, "case", {"case": own.id, "action": "opened", "open": True}, "system")
            conversation.hand_to(f"queue:{queue}")
            numbers.append(own.id)
        work = _case(session, session.get_one(Conversation, here), queue, reason="signal", signals=["expansion"])
        session.add(Note(conversation_id=here, case_id=numbers[0], by="person:ada", text=f"Mind {secret}."))
        closed = session.get_one(Escalation, numbers[2])
        closed.status, closed.resolution, closed.closed_at = "closed", "solved", now()
        session.get_one(Conversation, others[1]).hand_to("bot")
        for number, where, csat in ((numbers[2], others[1], 4), (numbers[0], here, None)):
            session.add(Rating(case_id=number, conversation_id=where, number=2, csat=csat, comment=secret))
        reply = SavedReply(title=secret, texts={"en": secret}, queue=queue, by="person:ada")
        session.add(reply)
        session.flush()
        return Place(
            queue,
            secret,
            here,
            token,
            browser,
            vouched,
            numbers[0],
            work.id,
            numbers[1],
            numbers[2],
            reply.id,
            files[0],
        )


def _case(session: Session, conversation: Conversation, queue: str, **values: Any) -> Escalation:
    made = Escalation(
        conversation_id=conversation.id,
        queue=queue,
        language="en",
        opened_at_number=conversation.last_number,
        contact=conversation.contact,
        turn_number=1,
        waiting_since=now(),
        created_at=now(),
        **{"reason": "asked_for", **values},
    )
    session.add(made)
    session.flush()
    return made
