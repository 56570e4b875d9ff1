"""A database with a conversation in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from bot.conversation.models import Conversation


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A session on it."""
    with Session(engine) as session:
        yield session


@pytest.fixture
def conversation(session: Session) -> Conversation:
    """A conversation the bot owns."""
    made = Conversation(id="a" * 32, channel="webchat", audience="public", language="tr", token_hash="0" * 64)
    session.add(made)
    session.flush()
    return made
