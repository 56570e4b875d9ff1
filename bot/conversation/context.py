"""What the website tells of a conversation's page and visitor. Nobody vouches for it."""

from __future__ import annotations

import unicodedata
from typing import Any

from sqlalchemy.orm import Session

from bot.conversation import events


def one_line(text: str) -> str:
    """A text as one line, without control characters."""
    return " ".join("".join(c if unicodedata.category(c) != "Cc" else " " for c in text).split())


def set_context(session: Session, conversation_id: str, parts: dict[str, Any]) -> None:
    """Keep what the website tells; a part that is left out stays as it was, None takes it away.

    Args:
        session: Of the transaction.
        conversation_id: Whose.
        parts: `page` (an http or https address), `title` and `values` (by name), checked.

    Raises:
        NotFound: There is no such conversation.
    """
    conversation = events.locked(session, conversation_id)
    kept = {**(conversation.context or {}), **parts}
    conversation.context = {name: part for name, part in kept.items() if part} or None
