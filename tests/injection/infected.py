"""A desk on whose every page hostile texts stand: one conversation, case, customer and so on for each of them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from bot.attachments.models import Attachment
from bot.attachments.names import safe_name
from bot.conversation import events
from bot.conversation.context import set_context
from bot.conversation.models import Conversation, Message, MessageTag, now
from bot.conversation.service import clean_text
from bot.customers.models import Customer
from bot.errors import InvalidInput
from bot.handoff.models import Escalation, Note, Rating
from bot.outbox.models import Outgoing, Webhook
from bot.people.models import ApiToken, AuditEntry, SavedReply
from bot.success.models import Account, AccountSignal
from tests.desk.shop import Shop

MOST = 4000


def typed(payload: str) -> str:
    """A payload as the product keeps what people type."""
    try:
        return clean_text(payload, MOST)
    except InvalidInput:
        return "(nothing)"


def address(payload: str) -> str:
    """A web address that holds a payload, as a website may tell it."""
    return "https://example.com/?q=" + "".join(c if "!" <= c <= "~" else "%20" for c in payload)[:1900]


def infect(shop: Shop, payloads: Sequence[str]) -> dict[int, str]:
    """Put each payload into everything that somebody outside, or of the team, can write; gives them by case."""
    found = {}
    with shop.desk.changes.transaction() as session:
        for index, payload in enumerate(payloads):
            line = " ".join(typed(payload).split())
            account = Account(id=f"account-{index}", name=line[:200], plan=line[:50], created_at=now())
            account.updated_at = now()
            session.add(account)
            session.flush()
            who = Customer(id=f"{index}-{line}"[:100], name=line[:200], email=line[:254], account_id=account.id)
            conversation = Conversation(id=f"{index:032x}", channel="webchat", audience="public", language="en")
            conversation.token_hash = "x"
            conversation.contact = {"name": line[:80], "email": line[:254], "time": line[:120]}
            conversation.account_id, conversation.customer_id = account.id, who.id
            session.add_all([who, conversation])
            session.flush()
            told = {"page": address(payload), "title": line[:200], "values": {line[:50]: line[:200], "plan": True}}
            set_context(session, conversation.id, told)
            found[_case(session, conversation, payload)] = payload
            session.add(SavedReply(title=line[:100], texts={"en": f"{typed(payload)} {{customer_name}}"}, by="x"))
            given = {"account_id": account.id, "external_id": str(index), "name": "renewal", "source": "employee"}
            heard = {"text": typed(payload), "quote": typed(payload), "by": line[:50], "probability": 0.8}
            session.add(AccountSignal(**given, **heard, occurred_at=now(), created_at=now()))
            _administration(session, index, payload)
    return found


def say_all(session: Session, conversation: Conversation, payload: str) -> Message:
    """Let customer, bot and agent say a payload, with files, sources and choices of that name; gives the first."""
    text = typed(payload)
    said = events.add_message(session, conversation, "customer", text, by="customer")
    session.flush()
    attach(session, said, "customer", payload)
    link = [{"title": text[:300], "url": "/help/x", "language": "en", "article_id": text[:100]}]
    content = {"citations": link, "choices": [{"label": text[:300], "payload": text[:300]}]}
    events.add_message(session, conversation, "bot", text, content)
    answer = events.add_message(session, conversation, "agent", text, {"name": text[:200]}, "person:nobody")
    session.flush()
    attach(session, answer, "person:nobody", payload)
    return said


def attach(session: Session, message: Message, by: str, payload: str) -> None:
    """Add a file of a payload's name to a message."""
    file = Attachment(id=uuid.uuid4().hex, conversation_id=message.conversation_id, number=message.number, by=by)
    file.client_id, file.name, file.media_type = f"file-{message.number}", safe_name(f"{payload}.txt"), "text/plain"
    file.size, file.sha256 = 3, "0" * 64
    session.add(file)


def _case(session: Session, conversation: Conversation, payload: str) -> int:
    said = say_all(session, conversation, payload)
    text = typed(payload)
    tag = MessageTag(conversation_id=conversation.id, number=said.number, name="churn_risk", model="words")
    tag.probability, tag.start, tag.end, tag.quote, tag.state = 0.9, 0, len(text), text, "open"
    tag.origin = "model"
    session.add(tag)
    made = Escalation(conversation_id=conversation.id, queue="support", reason="asked_for", language="en")
    made.opened_at_number, made.turn_number, made.waiting_since, made.created_at = 1, 1, now(), now()
    made.contact = conversation.contact
    session.add(made)
    session.flush()
    note = Note(conversation_id=conversation.id, case_id=made.id, by=f"key:{payload[:50]}", text=text)
    session.add_all([note, Rating(case_id=made.id, conversation_id=conversation.id, number=2, csat=1, comment=text)])
    session.flush()
    events.append(session, conversation, "note", {"note": note.id}, note.by)
    events.append(session, conversation, "rating", {"case": made.id, "csat": 1, "effort": None}, "customer")
    odd: dict[str, Any] = {"action": payload, "queue": payload, "priority": payload, "reason": payload}
    data = {"case": made.id, **odd, "resolution": payload}
    events.append(session, conversation, "case", data, f"operator:{payload[:40]}")
    conversation.hand_to("queue:support")
    return made.id


def _administration(session: Session, index: int, payload: str) -> None:
    hook = Webhook(id=f"{index:032x}", url=f"https://example.com/{payload}", secret="s", events=["*"], created_by="x")
    hook.description, hook.active, hook.paused_reason = payload, False, payload
    session.add(hook)
    session.flush()
    session.add(Outgoing(id=f"{index:032x}", webhook_id=hook.id, event="ping", payload={}, state="dead"))
    session.get_one(Outgoing, f"{index:032x}").last_error = payload
    token = ApiToken(id=f"{index:032x}", name=payload[:100], token_hash=f"{index:064x}", scopes=["audit:read"])
    token.created_by = payload[:60]
    session.add(token)
    entry = AuditEntry(by=payload[:60], action=payload[:40], target=payload[:100], detail={payload: payload})
    entry.address = payload[:60]
    session.add(entry)
