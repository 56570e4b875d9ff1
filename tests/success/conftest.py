"""Two conversations of which something is known, on a database of their own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from bot.conversation.models import Conversation, Message
from bot.conversation.tags import record
from tests.tagging.fakes import word_tagger

HERE, THERE = "a" * 32, "b" * 32
TAG = word_tagger({"printer": "defect", "more": "expansion", "leave": ("churn_risk", 0.7), "train": "onboarding_need"})


def ago(days: float) -> dt.datetime:
    """A moment so many days before now."""
    return dt.datetime.now(dt.UTC) - dt.timedelta(days=days)


def add_message(session: Session, where: str, number: int, text: str, author: str = "customer", age: float = 0) -> None:
    """A tagged message of so many days ago."""
    session.add(
        Message(conversation_id=where, number=number, author=author, text=text, content={}, created_at=ago(age))
    )
    session.flush()
    if author in ("customer", "employee"):
        record(session, where, number, TAG(text, "en"))


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A session on two conversations without messages."""
    with Session(engine) as session, session.begin():
        for where in (HERE, THERE):
            session.add(
                Conversation(id=where, channel="webchat", audience="public", language="en", token_hash="0" * 64)
            )
    with Session(engine) as session:
        yield session
