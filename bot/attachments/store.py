"""Files in the database: keeping them, sending them with a message, giving them back, deleting what was never sent."""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from bot.attachments.errors import TooManyFiles
from bot.attachments.limits import MOST_DAILY, MOST_FILES
from bot.attachments.models import Attachment, AttachmentContent
from bot.conversation.models import now
from bot.conversation.records import DuplicateId
from bot.errors import InvalidInput, NotFound

CUSTOMER = "customer"
# What was uploaded and never sent is deleted after this.
UNSENT_KEPT = dt.timedelta(days=1)
_DAY = dt.timedelta(days=1)
_AT_ONCE = 50


@dataclass(frozen=True)
class File:
    """A file as messages name it; fit for JSON with `asdict`.

    Attributes:
        size: In bytes.
    """

    id: str
    name: str
    media_type: str
    size: int


def shown(attachment: Attachment) -> File:
    """An attachment as messages name it."""
    return File(attachment.id, attachment.name, attachment.media_type, attachment.size)


def files_of(content: dict[str, Any]) -> list[File]:
    """The files that go with a message, from its `content`."""
    return [File(**one) for one in content.get("attachments", ())]


def words_of(text: str, content: dict[str, Any]) -> str:
    """What stands for a message where only one line is shown: its text, else the names of its files."""
    return text or ", ".join(file.name for file in files_of(content))


def find_twin(session: Session, conversation_id: str, by: str, client_id: str, data: bytes) -> Attachment | None:
    """The file that was kept under an id before; None if there is none.

    Raises:
        DuplicateId: The id belongs to another file.
    """
    found = session.scalar(
        select(Attachment).where(Attachment.conversation_id == conversation_id, Attachment.client_id == client_id)
    )
    if found is not None and (found.by, found.sha256) != (by, hashlib.sha256(data).hexdigest()):
        raise DuplicateId(
            f"The id '{client_id}' was used for another file before.", "Give each file its own id.", rule="id_used"
        )
    return found


def demand_room(session: Session, conversation_id: str, size: int, most: int) -> None:
    """Let a customer's file pass while their conversation has had less than its share of today.

    Args:
        session: To read with.
        conversation_id: It is for.
        size: In bytes.
        most: Bytes of a day.

    Raises:
        TooManyFiles: It has had its share.
    """
    count, taken = session.execute(
        select(func.count(), func.coalesce(func.sum(Attachment.size), 0)).where(
            Attachment.conversation_id == conversation_id,
            Attachment.by == CUSTOMER,
            Attachment.created_at > now() - _DAY,
        )
    ).one()
    if count >= MOST_DAILY or taken + size > most:
        raise TooManyFiles(
            f"A conversation takes {MOST_DAILY} files and {most:,} bytes a day.",
            "Send the rest tomorrow, or ask for another way.",
            rule="too_many_files",
        )


def keep(
    session: Session, conversation_id: str, by: str, client_id: str, name: str, media_type: str, data: bytes
) -> Attachment:
    """Keep a file that was checked; it goes with no message yet.

    Args:
        session: Of a transaction that holds the conversation's write lock.
        conversation_id: It is for.
        by: `customer`, or a principal's label.
        client_id: The sender's own id for it.
        name: Made safe.
        media_type: As its content shows it.
        data: All of it.
    """
    made = Attachment(
        id=uuid.uuid4().hex,
        conversation_id=conversation_id,
        client_id=client_id,
        by=by,
        name=name,
        media_type=media_type,
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )
    session.add(made)
    session.flush()
    session.add(AttachmentContent(attachment_id=made.id, data=data))
    return made


def unsent(session: Session, conversation_id: str, by: str, ids: Sequence[str]) -> list[Attachment]:
    """Files of somebody's that can go with a message, in the order given.

    Raises:
        InvalidInput: They are too many, one is named twice, is not there, another's, or was sent already.
    """
    if len(ids) > MOST_FILES:
        raise InvalidInput(
            f"A message takes {MOST_FILES} files. Currently, it has {len(ids)}.",
            "Send the rest with another one.",
            rule="files_many",
            most=MOST_FILES,
        )
    found = {
        one.id: one
        for one in session.scalars(
            select(Attachment)
            .where(
                Attachment.conversation_id == conversation_id,
                Attachment.id.in_(ids),
                Attachment.by == by,
                Attachment.number.is_(None),
            )
            .with_for_update()
        )
    }
    if len(found) != len(ids):
        raise InvalidInput("A file is not there any more, or was sent already.", "Add it again.", rule="file_gone")
    return [found[one] for one in ids]


def content_of(attachments: Sequence[Attachment]) -> dict[str, Any]:
    """What a message's `content` says of its files; empty where it has none."""
    return {"attachments": [asdict(shown(one)) for one in attachments]} if attachments else {}


def send(attachments: Sequence[Attachment], number: int) -> None:
    """Note the message files go with; within its transaction."""
    for one in attachments:
        one.number = number


def conversation_of(session: Session, attachment_id: str) -> str:
    """The conversation a file is in.

    Raises:
        NotFound: There is no such file.
    """
    found = session.get(Attachment, attachment_id)
    if found is None:
        raise NotFound("There is no such file.", "The messages of the conversation name its files.")
    return found.conversation_id


def read(session: Session, conversation_id: str, attachment_id: str, by: str) -> tuple[File, bytes]:
    """A file that was sent, or somebody's own before it is, and its content.

    Raises:
        NotFound: There is none in this conversation.
    """
    found = session.scalar(
        select(Attachment).where(Attachment.id == attachment_id, Attachment.conversation_id == conversation_id)
    )
    if found is None or (found.number is None and found.by != by):
        raise NotFound("There is no such file.", "The messages of the conversation name its files.")
    return shown(found), session.get_one(AttachmentContent, found.id).data


def delete_unsent(session: Session, moment: dt.datetime) -> int:
    """Delete what was uploaded long ago and never sent; gives how many, a portion at a time."""
    old = select(Attachment.id).where(Attachment.number.is_(None), Attachment.created_at < moment - UNSENT_KEPT)
    ids = session.scalars(old.limit(_AT_ONCE).with_for_update(skip_locked=True)).all()
    session.execute(delete(AttachmentContent).where(AttachmentContent.attachment_id.in_(ids)))
    session.execute(delete(Attachment).where(Attachment.id.in_(ids), Attachment.number.is_(None)))
    return len(ids)
