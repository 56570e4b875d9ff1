"""Files in the database, of each kind."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from bot.attachments import store
from bot.attachments.errors import TooManyFiles
from bot.attachments.models import Attachment, AttachmentContent
from bot.conversation import events
from bot.conversation.models import now
from bot.conversation.records import DuplicateId
from bot.conversation.store import ConversationStore
from bot.errors import InvalidInput, NotFound

DATA = bytes(range(256)) * 4


def keep(session: Session, conversation_id: str, client_id: str, by: str = store.CUSTOMER) -> Attachment:
    """A file that was checked."""
    return store.keep(session, conversation_id, by, client_id, f"{client_id}.png", "image/png", DATA)


def test_from_its_arrival_to_its_end(any_engine: Engine) -> None:
    conversation_id, _ = ConversationStore(any_engine).create("webchat", "public", "en")
    with Session(any_engine) as session, session.begin():
        conversation = events.locked(session, conversation_id)
        sent, left, own = (
            keep(session, conversation_id, "a"),
            keep(session, conversation_id, "b"),
            keep(session, conversation_id, "c", "person:ada"),
        )
        found = store.find_twin(session, conversation_id, store.CUSTOMER, "a", DATA)
        assert found is sent
        for by, client_id, data in ((store.CUSTOMER, "a", b"other"), (store.CUSTOMER, "c", DATA)):
            with pytest.raises(DuplicateId):
                store.find_twin(session, conversation_id, by, client_id, data)
        store.demand_room(session, conversation_id, len(DATA), 3 * len(DATA))
        with pytest.raises(TooManyFiles):
            store.demand_room(session, conversation_id, len(DATA) + 1, 3 * len(DATA))
        with pytest.raises(InvalidInput, match="not there any more"):
            store.unsent(session, conversation_id, store.CUSTOMER, [sent.id, own.id])
        chosen = store.unsent(session, conversation_id, store.CUSTOMER, [sent.id])
        message = events.add_message(session, conversation, "customer", "", store.content_of(chosen), "customer")
        session.flush()
        store.send(chosen, message.number)
        assert store.files_of(message.content) == [store.File(sent.id, "a.png", "image/png", len(DATA))]
        assert store.words_of(message.text, message.content) == "a.png"
        ids = sent.id, left.id, own.id
    with Session(any_engine) as session, session.begin():
        assert store.read(session, conversation_id, ids[0], "person:ada") == (store.File(*_shown(ids[0])), DATA)
        with pytest.raises(NotFound):
            store.read(session, conversation_id, ids[1], "person:ada")
        with pytest.raises(NotFound):
            store.read(session, "0" * 32, ids[0], store.CUSTOMER)
        assert store.delete_unsent(session, now()) == 0
        assert store.delete_unsent(session, now() + dt.timedelta(days=1, minutes=1)) == 2
        assert session.scalars(select(AttachmentContent.attachment_id)).all() == [ids[0]]


def _shown(identifier: str) -> tuple[str, str, str, int]:
    return identifier, "a.png", "image/png", len(DATA)
