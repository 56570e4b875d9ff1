"""A receiver, a conversation and a webhook for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from bot.conversation.models import Conversation
from bot.outbox import webhooks
from bot.outbox.models import Webhook
from bot.people.roles import operator
from tests.outbox.receiver import Receiver, receiving

BY = operator("ada")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that accepts everything."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A session on a database of the test's own."""
    with Session(engine) as session:
        yield session


@pytest.fixture
def conversation(session: Session) -> Conversation:
    """A conversation of a known account."""
    conversation = Conversation(
        id="c" * 32, channel="web", audience="public", language="tr", token_hash="x" * 64, account_id="acme"
    )
    session.add(conversation)
    session.commit()
    return conversation


@pytest.fixture
def add_webhook(session: Session) -> Callable[..., Webhook]:
    """Makes webhooks."""

    def add(url: str = "https://example.com/refill", events: Sequence[str] = ("*",)) -> Webhook:
        webhook, _ = webhooks.create(session, BY, url, events, allow_private=True)
        session.commit()
        return webhook

    return add
