"""Write outgoing work in the transaction of the change that causes it.

| event of a conversation | webhooks get |
|---|---|
| `message` | `message.created` |
| `owner` | `conversation.owner_changed` |
| `case` | `case.<action>`; for work on signals, which customers know nothing of, `signal.<action>` |
| `tags` | `tag.added`, `tag.corrected` when a person did it |
| `rating` | `rating.given` |
| `note`, `account`, `read`, `customer` | nothing |
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.conversation.models import now
from bot.outbox import payloads
from bot.outbox.models import Outgoing, Webhook

if TYPE_CHECKING:
    from bot.conversation.models import Conversation, Event

# What a session remembers of its transaction: the active webhooks.
_WEBHOOKS = "webhooks"


def enqueue(session: Session, conversation: Conversation, event: Event) -> None:
    """Put an event into the outbox of every webhook that wants it; nothing happens where none does.

    Args:
        session: Of the transaction; what is written is kept if it is.
        conversation: In which it happened.
        event: What happened.
    """
    webhooks = _active(session)
    if not webhooks:
        return
    for name, data in payloads.of_event(session, event):
        _put(session, webhooks, name, conversation, data | {"by": event.by})


def enqueue_named(session: Session, name: str, conversation: Conversation | None, data: dict[str, Any]) -> None:
    """Put something that is no event of a conversation into the outbox of every webhook that wants it.

    Args:
        session: Of the transaction; what is written is kept if it is.
        name: One of `bot.outbox.webhooks.EVENTS`.
        conversation: In which it happened, if in one.
        data: What happened; fit for JSON.
    """
    _put(session, _active(session), name, conversation, data)


def put(
    session: Session, webhook: Webhook, name: str, conversation: Conversation | None, data: dict[str, Any]
) -> Outgoing:
    """Put something into the outbox of one webhook, whatever it wants."""
    made = now()
    identifier = uuid.uuid4().hex
    outgoing = Outgoing(
        id=identifier,
        webhook_id=webhook.id,
        event=name,
        conversation_id=conversation.id if conversation else None,
        payload={
            "id": identifier,
            "type": name,
            "created_at": made.isoformat(),
            "conversation": payloads.of_conversation(conversation) if conversation else None,
            "data": data,
        },
        created_at=made,
    )
    session.add(outgoing)
    return outgoing


def wants(events: Sequence[str], name: str) -> bool:
    """Whether a webhook for these names and groups gets an event."""
    return any(wanted in ("*", name, f"{name.partition('.')[0]}.*") for wanted in events)


def _put(
    session: Session,
    webhooks: Sequence[Webhook],
    name: str,
    conversation: Conversation | None,
    data: dict[str, Any],
) -> None:
    for webhook in webhooks:
        if wants(webhook.events, name):
            put(session, webhook, name, conversation, data)


def _active(session: Session) -> Sequence[Webhook]:
    """The active webhooks, looked up once in a transaction."""
    transaction = session.get_transaction()
    known_in, webhooks = session.info.get(_WEBHOOKS, (None, ()))
    if transaction is None or known_in is not transaction:
        with session.no_autoflush:
            # PostgreSQL: whoever deletes one of them meanwhile waits, so that what goes into its outbox finds it.
            query = select(Webhook).where(Webhook.active).with_for_update(read=True, key_share=True)
            webhooks = session.scalars(query.order_by(Webhook.created_at)).all()
        session.info[_WEBHOOKS] = (session.get_transaction(), webhooks)
    return webhooks  # type: ignore[no-any-return]
