"""The second question with the whole product: a problem is solved, the owner asks about the cups, in four languages."""

from __future__ import annotations

import time
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from bot.conversation.models import Conversation, MessageTag, now
from bot.dialogue.replies import Replies
from bot.storage.engine import open_engine
from bot.success.models import Account
from bot.tagging.tags import Stage
from tests.conftest import Product
from tests.scenarios.conftest import Visit
from tests.scenarios.visitor import Visitor, texts

pytestmark = [pytest.mark.rasa, pytest.mark.encoder, pytest.mark.slow]
PATIENCE = 20.0
QUESTIONS = {
    "en": "how do I reset my back office password",
    "zh": "员工忘记 PIN 码怎么办",
    "tr": "kart okuyucu bağlanmıyor",
    "th": "ลืมรหัส PIN ทำยังไง",
}


def _belongs_to(product: Product, guest: Visitor, stage: Stage) -> None:
    """Give a conversation an account of its own."""
    engine = open_engine(product.settings)
    with Session(engine) as session, session.begin():
        session.add(Account(id=guest.id, stage=stage, created_at=now(), updated_at=now()))
        session.flush()
        session.execute(update(Conversation).where(Conversation.id == guest.id).values(account_id=guest.id))
    engine.dispose()


def _tags(product: Product, guest: Visitor) -> list[tuple[str, str, float]]:
    """(name, quote, probability) of what answers to second questions told."""
    engine = open_engine(product.settings)
    with Session(engine) as session:
        rows = session.scalars(
            select(MessageTag).where(MessageTag.conversation_id == guest.id, MessageTag.origin == "answer")
        )
        found = [(tag.name, tag.quote, tag.probability) for tag in rows]
    engine.dispose()
    return found


def _second_question(guest: Visitor, number: int) -> dict[str, Any]:
    """The message that follows the one with this number."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        after = guest.http.get(f"{guest.base}/messages", params={"after": number, "wait": 5}).json()["messages"]
        if after:
            found: dict[str, Any] = after[0]
            guest.choices = found["choices"]
            return found
    raise AssertionError(f"Nothing follows message {number}.")


@pytest.mark.parametrize(
    ("language", "helped", "stage", "answer", "signal"),
    [
        ("en", "thanks, that worked", "onboarding", "/deny", "onboarding_need"),
        ("zh", "解决了", "retention", "/affirm", "churn_risk"),
        ("tr", "teşekkürler", "expansion", "/affirm", "expansion"),
        ("th", "ใช้ได้แล้วครับ", "onboarding", "/deny", "onboarding_need"),
    ],
)
def test_solved_asked_answered_and_a_person_offered(
    product: Product, visit: Visit, language: str, helped: str, stage: Stage, answer: str, signal: str
) -> None:
    guest = visit(product, language)
    _belongs_to(product, guest, stage)
    replies = Replies(product.settings.path("domain.yml"))
    assert guest.say(QUESTIONS[language])[0]["citations"]
    glad = guest.say(helped)[0]
    assert glad["text"] == replies.reply("utter_glad", language).text
    asked = _second_question(guest, glad["number"])
    assert asked["text"] == replies.reply(f"utter_second_question_{stage}", language).text
    label = next(choice["label"] for choice in guest.choices if choice["payload"].startswith(answer))
    (offer,) = guest.choose(answer)
    assert offer["text"] == replies.reply(f"utter_second_answer_{stage}", language).text
    assert [choice["payload"] for choice in offer["choices"]] == ["/request_human"]
    assert _tags(product, guest) == [(signal, label, 0.9)]


@pytest.mark.parametrize(
    ("language", "helped", "later"),
    [
        ("en", "that helped", "maybe later"),
        ("zh", "谢谢", "以后再说吧"),
        ("tr", "işe yaradı", "şu an müsait değilim"),
        ("th", "ขอบคุณครับ", "ไว้คราวหน้า"),
    ],
)
def test_not_now_ends_it(product: Product, visit: Visit, language: str, helped: str, later: str) -> None:
    guest = visit(product, language)
    _belongs_to(product, guest, "retention")
    replies = Replies(product.settings.path("domain.yml"))
    guest.say(QUESTIONS[language])
    glad = guest.say(helped)[0]
    _second_question(guest, glad["number"])
    assert texts(guest.say(later)) == replies.reply("utter_second_answer_later", language).text
    assert _tags(product, guest) == []
