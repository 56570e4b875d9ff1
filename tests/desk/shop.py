"""A desk with cases on it as they come: two agents, a success manager and a lead; customers in four languages."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, cast

import uvicorn
from fastapi import FastAPI
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from bot.app import create_app
from bot.channels.webchat.state import WebchatState
from bot.conversation import events
from bot.conversation.changes import Changes, bells
from bot.conversation.delivery import Bell, Delivery
from bot.conversation.models import Conversation, Decided, Event, Message, Reaction, now
from bot.conversation.store import ConversationStore
from bot.conversation.tags import record
from bot.desk.desk_state import DeskState
from bot.desk.state import TeamState
from bot.handoff import cases
from bot.handoff.escalation import escalate
from bot.handoff.models import Escalation
from bot.handoff.routing import Routing
from bot.handoff.work import open_signal_work
from bot.knowledge.answer import Answer
from bot.people.models import Person
from bot.people.people import principal_of
from bot.people.roles import SYSTEM, Principal
from bot.settings import load_settings
from bot.success.models import Account
from bot.tagging.tags import SIGNALS, Tag, Tagged
from tests.conversation.fakes import PROJECT, domain_replies
from tests.desk.rig import add_person, new_desk

PEOPLE = (
    ("ada@example.com", "Ada Yılmaz", "agent", ("en", "tr")),
    ("deniz@example.com", "Deniz Kaya", "agent", ("en", "tr", "zh")),
    ("mei@example.com", "Mei Chen", "success_manager", ("en", "zh")),
    ("lena@example.com", "Lena Berg", "lead", ("en",)),
)
REFUND = {"article_id": "refund-a-sale", "title": "Refund a sale", "url": "/help/refund-a-sale", "language": "en"}
PRINTER = {"article_id": "printer", "title": "The printer does not print", "url": "/help/printer", "language": "en"}


@dataclass(frozen=True)
class Said:
    """A line of a conversation.

    Attributes:
        tags: Names, each with its probability and the words that carry it.
        decided: What the bot decided, and how sure it was.
    """

    author: str
    text: str
    tags: tuple[tuple[str, float, str], ...] = ()
    decided: tuple[str, float] | None = None
    citations: tuple[dict[str, str], ...] = ()
    reaction: str | None = None
    urgent: bool = False
    mood: str = "neutral"


@dataclass(frozen=True)
class Talk:
    """A conversation that became a case.

    Attributes:
        ago: Minutes since it began to wait.
    """

    language: str
    said: tuple[Said, ...]
    ago: float
    queue: str = "support"
    reason: str = "asked_for"
    priority: str = "normal"
    contact: dict[str, str] | None = None
    account: str | None = None
    customer: str | None = None


TALKS = (
    Talk(
        "en",
        (
            Said("customer", "How do I refund a sale from yesterday?", (("how_to", 0.94, "refund a sale"),)),
            Said(
                "bot",
                "Open **Sales**, choose the sale and touch **Refund**. The money goes back the way it came:\n\n"
                "- cash from the drawer\n- cards within 3 days",
                decided=("answer", 0.93),
                citations=(REFUND,),
                reaction="thumb_down",
            ),
            Said(
                "customer",
                "The button is grey for every sale since the update. And honestly, if this goes on we will look at "
                "other tills.",
                (("defect", 0.91, "The button is grey"), ("churn_risk", 0.78, "we will look at other tills")),
                mood="negative",
            ),
            Said("bot", "I have passed this on to my colleagues. Your case has the number 1."),
            Said("customer", "Thank you. We open at seven, it would be good to have it fixed by then."),
        ),
        ago=52,
        priority="high",
        reason="angry",
        contact={"name": "Sofia Marsh", "email": "sofia@bluebird.example", "time": "mornings"},
        account="bluebird",
        customer="u-1881",
    ),
    Talk(
        "tr",
        (
            Said(
                "customer",
                "Yazıcı fiş basmıyor, kuyruk kapıya kadar uzadı!",
                (("defect", 0.95, "Yazıcı fiş basmıyor"),),
                urgent=True,
                mood="negative",
            ),
            Said("bot", "Yazıcının ışığı yanıyor mu?", decided=("clarify", 0.55), citations=(PRINTER,)),
            Said("customer", "Hayır, hiçbir ışık yok. Bir kişiyle görüşmek istiyorum."),
        ),
        ago=4,
        priority="urgent",
        reason="urgent_outage",
        contact={"name": "Emre Aksoy", "email": "emre@kahveci.example", "time": "şimdi"},
    ),
    Talk(
        "zh",
        (
            Said(
                "customer",
                "我们下个月要再开两家分店，价格怎么算？",
                (("expansion", 0.88, "再开两家分店"), ("pre_sales", 0.7, "价格怎么算")),
            ),
            Said("bot", "您想和我们的客户经理谈谈吗？"),
            Said("customer", "好的，请联系我。"),
        ),
        ago=31,
        queue="account_management",
        contact={"name": "林晓", "email": "lin@yunduo.example", "time": "下午"},
        account="yunduo",
    ),
    Talk(
        "th",
        (
            Said("customer", "เข้าระบบไม่ได้ตั้งแต่เช้า ขึ้นว่ารหัสผ่านหมดอายุ", (("access", 0.9, "เข้าระบบไม่ได้"),)),
            Said("bot", "ลองกด **ลืมรหัสผ่าน** ที่หน้าเข้าสู่ระบบได้เลยค่ะ", decided=("answer", 0.71)),
            Said("customer", "ลองแล้ว ไม่มีอีเมลเข้ามา", mood="negative"),
        ),
        ago=18,
        contact={"name": "กมลา ศรีสุข", "email": "kamala@example.com", "time": "บ่าย"},
    ),
    Talk(
        "en",
        (
            Said("customer", "Why was I charged twice in October?", (("billing", 0.97, "charged twice"),)),
            Said("bot", "I could not find an answer to that. A colleague will look at it.", decided=("hand_off", 0.21)),
        ),
        ago=200,
        reason="low_confidence",
    ),
)


@dataclass(frozen=True)
class _Article:
    """An article as the desk knows it."""

    id: str
    title: str
    audience: str
    body: str
    language: str = "en"


class Articles:
    """An answerer that finds the same three articles for everything."""

    known = (
        _Article("refund-a-sale", "Refund a sale", "public", "Open **Sales**, choose the sale and touch **Refund**."),
        _Article(
            "grey-buttons",
            "Grey buttons after the update of 20 November",
            "internal",
            "Version 5.2 hides refunds where *cash only* is set. Roll back with `crema pin 5.1`; fixed in 5.2.1.",
        ),
        _Article("roles", "What cashiers may do", "public", "Only managers refund sales. Change it in **Staff**."),
    )

    def likely(self, text: str, audience: str, language: str, count: int) -> list[tuple[_Article, float]]:
        """All three."""
        return list(zip(self.known, (0.81, 0.64, 0.33), strict=True))[:count]

    def article_answer(self, article_id: str, question: str, audience: str) -> Answer | None:
        """Its whole text."""
        found = self.find(article_id, audience)
        return Answer("answer", 1.0, found.id, found.language, found.body, (), ()) if found else None

    def find(self, article_id: str, audience: str) -> _Article | None:
        """Within an audience."""
        return next(
            (one for one in self.known if one.id == article_id and audience in (one.audience, "internal")), None
        )

    def link(self, article: _Article) -> str:
        """Where a public one is read."""
        return f"/help/{article.id}" if article.audience == "public" else ""


@dataclass
class Shop:
    """The desk, what it stands on, and the numbers of its cases in the order of TALKS."""

    engine: Engine
    app: FastAPI
    desk: DeskState
    store: ConversationStore
    people: dict[str, Person]
    cases: list[int] = field(default_factory=list)
    tokens: dict[int, str] = field(default_factory=dict)

    def by(self, email: str) -> Principal:
        """Somebody of the team, to act as."""
        return principal_of(self.people[email], self.desk.queues)

    def case(self, number: int) -> Escalation:
        """A case as it is now."""
        with Session(self.engine) as session:
            return session.get_one(Escalation, number)

    def texts(self, number: int) -> list[tuple[str, str]]:
        """Who said what in a case's conversation."""
        found = self.store.messages_after(self.case(number).conversation_id, 0, 1000)
        return [(message.author, message.text) for message in found]

    def write(self, number: int, text: str) -> int:
        """Let the customer write; gives the message's number."""
        with self.desk.changes.transaction() as session:
            conversation = events.locked(session, self.case(number).conversation_id)
            message = events.add_message(session, conversation, "customer", text, by="customer")
            cases.on_customer_message(session, conversation, message)
            return message.number


def open_shop(engine: Engine, changes: Changes | None = None, **services: Any) -> Shop:
    """The desk with every case of TALKS on it.

    Args:
        engine: Of an empty, migrated database.
        changes: Whose bells the pages hear; default: nobody's.
        services: Of the desk.
    """
    settings = load_settings(PROJECT, {})
    delivery = services.pop("delivery", None) or Delivery()
    changes = changes or Changes(engine)
    services.setdefault("answerer", Articles)
    desk = new_desk(engine, settings, changes=changes, delivery=delivery, say=domain_replies().reply, **services)
    store = ConversationStore(changes, say=domain_replies().reply)
    people = {
        email: add_person(engine, email, role, name=name, languages=languages)
        for email, name, role, languages in PEOPLE
    }
    webchat = WebchatState(cast(Any, None), store, delivery, desk.answerer)
    team = TeamState(changes, desk.tag, "", queues=desk.queues, delivery=delivery)
    shop = Shop(engine, create_app(webchat, team, lambda: True, desk), desk, store, people)
    with changes.transaction() as session:
        for number, name, plan in (("bluebird", "Bluebird Cafés", "Pro"), ("yunduo", "云朵咖啡", "Chain")):
            session.add(Account(id=number, name=name, plan=plan, created_at=now(), updated_at=now()))
    for talk in TALKS:
        conversation_id, token = store.create("webchat", "public", talk.language)
        with changes.transaction() as session:
            case = _open(session, desk, conversation_id, talk)
        shop.cases.append(case.id)
        shop.tokens[case.id] = token
        _make_older(engine, case.id, conversation_id, talk.ago)
    return shop


def _open(session: Session, desk: DeskState, conversation_id: str, talk: Talk) -> Escalation:
    conversation = events.locked(session, conversation_id)
    conversation.contact, conversation.account_id = talk.contact, talk.account
    conversation.customer_id = talk.customer
    question = 0
    for said in talk.said:
        content = {"citations": list(said.citations)} if said.citations else {}
        message = events.add_message(session, conversation, said.author, said.text, content, said.author)
        session.flush()
        if said.author == "customer":
            question = message.number
            record(session, conversation_id, message.number, _tagged(said, talk.language))
        if said.decided:
            decision, confidence = said.decided
            article = said.citations[0]["article_id"] if said.citations else None
            decided = Decided(
                conversation_id=conversation_id,
                turn_number=question,
                question_number=question,
                reply_number=message.number,
                decision=decision,
                confidence=confidence,
                article_id=article,
                language=talk.language,
                audience="public",
            )
            session.add(decided)
            session.flush()
            if said.reaction:
                session.add(Reaction(decision_id=decided.id, kind=said.reaction))
    routing = Routing(queues=desk.queues)
    case = escalate(session, conversation, talk.queue, talk.reason, question, routing)
    if case.priority != talk.priority:
        cases.set_priority(session, case.id, SYSTEM, desk.queues, talk.priority)
    signals: dict[str, float] = {tag: sure for said in talk.said for tag, sure, _ in said.tags if tag in SIGNALS}
    open_signal_work(session, conversation, question, signals, routing)
    return case


def _tagged(said: Said, language: str) -> Tagged:
    tags = tuple(
        Tag(name, sure, said.text.index(quote), said.text.index(quote) + len(quote), quote)
        for name, sure, quote in said.tags
    )
    return Tagged(tags, said.urgent, 0.9 if said.urgent else 0.05, cast(Any, said.mood), language, "words")


def _make_older(engine: Engine, number: int, conversation_id: str, minutes: float) -> None:
    """Move all that happened in a conversation some minutes back."""
    ago = dt.timedelta(minutes=minutes)
    with Session(engine) as session, session.begin():
        for row in session.query(Escalation).filter_by(conversation_id=conversation_id):
            for name in (
                "created_at",
                "waiting_since",
                "first_response_warn_at",
                "first_response_due",
                "resolution_warn_at",
                "resolution_due",
            ):
                if getattr(row, name) is not None:
                    setattr(row, name, getattr(row, name) - ago)
        for message in session.query(Message).filter_by(conversation_id=conversation_id):
            message.created_at -= ago
        for event in session.query(Event).filter_by(conversation_id=conversation_id):
            event.created_at -= ago
        conversation = session.get_one(Conversation, conversation_id)
        conversation.created_at -= ago
        conversation.updated_at -= ago


@contextlib.contextmanager
def served(engine: Engine, **services: Any) -> Iterator[tuple[Shop, str]]:
    """The shop on a free port, in a thread, with live bells; gives it with its address."""
    started: Future[tuple[Shop, str, uvicorn.Server, asyncio.AbstractEventLoop]] = Future()

    async def run() -> None:
        delivery = Delivery()
        shop = open_shop(engine, Changes(engine, bells(delivery)), delivery=delivery, **services)
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            config = uvicorn.Config(shop.app, log_level="warning", lifespan="off", timeout_graceful_shutdown=2)
            server = uvicorn.Server(config)
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            started.set_result((shop, url, server, asyncio.get_running_loop()))
            await server.serve(sockets=[listener])

    thread = threading.Thread(target=asyncio.run, args=(run(),), name="desk")
    thread.start()
    shop, url, server, loop = started.result(30)
    try:
        yield shop, url
    finally:
        shop.desk.closing = True
        server.should_exit = True
        loop.call_soon_threadsafe(shop.desk.delivery.receive, Bell(""))  # Open streams look, and end.
        thread.join(20)
