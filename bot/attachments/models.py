"""Tables of files sent in conversations, and of pictures of people."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from bot.conversation.models import now
from bot.storage.engine import Base, UtcDateTime


class Attachment(Base):
    """A file in a conversation. What was refused is not kept.

    Attributes:
        id: 32 hexadecimal digits.
        number: Of the message it goes with; None until that is sent.
        client_id: The sender's own id for it; the same again is the same file.
        by: `customer`, or a principal's label.
        name: As the sender calls it, made safe to show and to save under.
        media_type: As its content shows it, never as the sender says.
        size: In bytes.
        sha256: Of the content, in hexadecimal digits.
    """

    __tablename__ = "attachments"
    __table_args__ = (
        ForeignKeyConstraint(
            ["conversation_id", "number"],
            ["messages.conversation_id", "messages.number"],
            name="fk_attachments_message",
            ondelete="CASCADE",
        ),
        Index("uq_attachments_client_id", "conversation_id", "client_id", unique=True),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    number: Mapped[int | None] = mapped_column(default=None)
    client_id: Mapped[str] = mapped_column(String(100))
    by: Mapped[str] = mapped_column(String(60))
    name: Mapped[str] = mapped_column(String(200))
    media_type: Mapped[str] = mapped_column(String(100))
    size: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, default=now, index=True)


class AttachmentContent(Base):
    """The bytes of an attachment, apart so that lists do not read them."""

    __tablename__ = "attachment_contents"

    attachment_id: Mapped[str] = mapped_column(ForeignKey("attachments.id", ondelete="CASCADE"), primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class Picture(Base):
    """A person's face, under the digest of its content, so that it can be cached for good.

    Attributes:
        digest: SHA-256 of the data, in hexadecimal digits.
    """

    __tablename__ = "pictures"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    media_type: Mapped[str] = mapped_column(String(100))
    data: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime, default=now)
