"""What goes into the outbox: with the change that causes it, under the right name, without what nobody may know."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, event, select
from sqlalchemy.orm import Session

from bot.conversation import events
from bot.conversation.models import Conversation, MessageTag, now
from bot.handoff.models import Escalation, Rating
from bot.outbox import outbox
from bot.outbox.models import Outgoing, Webhook
from bot.people.models import Person

MakeWebhook = Callable[..., Webhook]


def sent(session: Session) -> list[Outgoing]:
    return list(session.scalars(select(Outgoing).order_by(Outgoing.created_at)))


def case_in(session: Session, conversation: Conversation, reason: str = "asked_for") -> Escalation:
    case = Escalation(
        conversation_id=conversation.id,
        queue="support",
        reason=reason,
        language="tr",
        opened_at_number=1,
        signals=["churn_risk"],
        created_at=now(),
    )
    session.add(case)
    session.flush()
    return case


def test_a_message_with_its_conversation(
    session: Session, conversation: Conversation, add_webhook: MakeWebhook
) -> None:
    webhook = add_webhook()
    events.add_message(session, conversation, "customer", "Çay soğuk", by="customer")
    session.commit()
    (outgoing,) = sent(session)
    assert (outgoing.webhook_id, outgoing.event, outgoing.state) == (webhook.id, "message.created", "pending")
    payload = outgoing.payload
    assert list(payload) == ["id", "type", "created_at", "conversation", "data"]
    assert payload["id"] == outgoing.id
    assert payload["type"] == "message.created"
    assert payload["conversation"] == {
        "id": conversation.id,
        "channel": "web",
        "language": "tr",
        "owner": "bot",
        "account": "acme",
        "customer": None,
        "verified": False,
    }
    assert payload["data"].pop("created_at")
    assert payload["data"] == {
        "number": 1,
        "author": "customer",
        "text": "Çay soğuk",
        "attachments": [],
        "by": "customer",
    }


def test_a_case_as_it_is_after_the_change(
    session: Session, conversation: Conversation, add_webhook: MakeWebhook
) -> None:
    add_webhook()
    session.add(Person(id="p1", email="ada@example.com", name="Ada", role="agent"))
    case = case_in(session, conversation)
    case.assignee = "p1"
    data = {
        "case": case.id,
        "action": "transferred",
        "open": True,
        "note": "He is angry",
        "before": {"queue": "success"},
    }
    events.append(session, conversation, "case", data, "person:p2")
    (outgoing,) = sent(session)
    assert outgoing.event == "case.transferred"
    assert outgoing.payload["data"] == {
        "number": case.id,
        "queue": "support",
        "priority": "normal",
        "reason": "asked_for",
        "status": "open",
        "resolution": None,
        "assignee": {"id": "p1", "name": "Ada"},
        "before": {"queue": "success"},
        "by": "person:p2",
    }
    assert "angry" not in json.dumps(outgoing.payload)
    assert "churn" not in json.dumps(outgoing.payload)


def test_work_on_signals_goes_under_names_of_its_own(
    session: Session, conversation: Conversation, add_webhook: MakeWebhook
) -> None:
    cases, signals = add_webhook(events=["case.*"]), add_webhook(events=["signal.*"])
    case = case_in(session, conversation, "signal")
    events.append(session, conversation, "case", {"case": case.id, "action": "opened", "open": True}, "system")
    (outgoing,) = sent(session)
    assert (outgoing.event, outgoing.webhook_id) == ("signal.opened", signals.id)
    assert cases.id != signals.id


def test_tags_ratings_and_owners(session: Session, conversation: Conversation, add_webhook: MakeWebhook) -> None:
    add_webhook(events=["tag.*", "rating.given", "conversation.owner_changed"])
    number = events.add_message(session, conversation, "customer", "Too dear, I leave").number
    tag = {"conversation_id": conversation.id, "number": number, "model": "m", "probability": 0.9}
    session.add_all(
        [
            MessageTag(**tag, name="billing", start=0, end=8, quote="Too dear"),
            MessageTag(**tag, name="churn_risk", start=10, end=17, quote="I leave"),
        ]
    )
    events.append(session, conversation, "tags", {"number": number, "names": ["billing", "churn_risk"]}, "system")
    correction = {"number": number, "name": "billing", "verdict": "reject"}
    events.append(session, conversation, "tags", correction, "person:p1")
    events.append(session, conversation, "tags", {**correction, "name": "gone", "verdict": "withdraw"}, "person:p1")
    events.append(session, conversation, "owner", {"owner": "queue", "name": "support"}, "system", visible=True)
    case = case_in(session, conversation)
    session.add(Rating(case_id=case.id, conversation_id=conversation.id, number=1, csat=2, comment="Slow"))
    events.append(session, conversation, "rating", {"case": case.id, "csat": 2, "effort": None}, "customer")
    found: list[tuple[str, Any]] = [(outgoing.event, outgoing.payload["data"]) for outgoing in sent(session)]
    assert [name for name, _ in found] == ["tag.added"] * 2 + ["tag.corrected"] * 2 + [
        "conversation.owner_changed",
        "rating.given",
    ]
    assert found[0][1] == {
        "number": number,
        "name": "billing",
        "quote": "Too dear",
        "probability": 0.9,
        "state": "open",
        "by": "system",
    }
    assert found[1][1]["name"] == "churn_risk"
    assert found[2][1]["verdict"] == "reject"
    assert (found[3][1]["state"], found[3][1]["verdict"]) == ("withdrawn", "withdraw")
    assert found[4][1] == {"owner": "queue", "name": "support", "by": "system"}
    assert found[5][1] == {"case": case.id, "csat": 2, "effort": None, "comment": "Slow", "by": "customer"}


def test_notes_are_never_sent(session: Session, conversation: Conversation, add_webhook: MakeWebhook) -> None:
    add_webhook()
    events.append(session, conversation, "note", {"note": 1}, "person:p1")
    events.append(session, conversation, "account", {"account": "acme"}, "person:p1")
    assert sent(session) == []


def test_what_is_not_kept_is_not_sent(session: Session, conversation: Conversation, add_webhook: MakeWebhook) -> None:
    add_webhook()
    events.add_message(session, conversation, "customer", "Hello")
    session.rollback()
    assert sent(session) == []


def test_only_active_webhooks_that_want_it(
    session: Session, conversation: Conversation, add_webhook: MakeWebhook
) -> None:
    wanted = [add_webhook(events=["message.created"]), add_webhook(events=["case.*", "message.*"]), add_webhook()]
    add_webhook(events=["case.*"])
    add_webhook().active = False
    session.commit()
    events.add_message(session, conversation, "bot", "Hello")
    assert {outgoing.webhook_id for outgoing in sent(session)} == {webhook.id for webhook in wanted}


def test_what_belongs_to_no_conversation(session: Session, add_webhook: MakeWebhook) -> None:
    add_webhook(events=["signal.reported"])
    outbox.enqueue_named(session, "signal.reported", None, {"account": "acme"})
    outbox.enqueue_named(session, "conversation.created", None, {})
    (outgoing,) = sent(session)
    assert (outgoing.payload["conversation"], outgoing.payload["data"]) == (None, {"account": "acme"})


@pytest.mark.parametrize("messages", [1, 5])
def test_without_webhooks_a_transaction_pays_one_query(
    engine: Engine, session: Session, conversation: Conversation, messages: int
) -> None:
    conversation = events.locked(session, conversation.id)
    asked: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def count(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        asked.append(statement)

    for _ in range(messages):
        events.add_message(session, conversation, "bot", "Hello")
    session.commit()
    assert sum("webhooks" in statement for statement in asked) == 1
    assert not any("outbox" in statement for statement in asked)


def test_a_later_transaction_sees_new_webhooks(
    session: Session, conversation: Conversation, add_webhook: MakeWebhook
) -> None:
    events.add_message(session, conversation, "bot", "Hello")
    session.commit()
    add_webhook()
    events.add_message(session, conversation, "bot", "Hello again")
    session.commit()
    assert [outgoing.payload["data"]["text"] for outgoing in sent(session)] == ["Hello again"]
