"""Tables of accounts, signals that came from elsewhere, and second questions asked."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bot.storage.engine import Base, UtcDateTime


class Account(Base):
    """A customer company.

    Attributes:
        id: As the company's other systems know it.
        stage: Where it stands in its life: `onboarding`, `adoption`, `retention`, `expansion`; None if nobody said.
        plan: What it pays for, as the company names it; service levels may differ by it.
    """

    __tablename__ = "accounts"

    id: Mapped[str] = mapped_column(String(100), primary_key=True)
    name: Mapped[str | None] = mapped_column(String(200), default=None)
    stage: Mapped[str | None] = mapped_column(String(20), default=None)
    plan: Mapped[str | None] = mapped_column(String(50), default=None)
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)


class AccountSignal(Base):
    """A signal on an account that was not heard in a conversation: told by an employee, or sent by another system.

    Attributes:
        external_id: The sender's own id; the same again from the same source is the same signal.
        name: One of SIGNALS; `none` for a report in which nothing was heard, kept to be known again.
        text: What was said or measured, whole.
        quote: The words of it that carry the signal.
        probability: 1 where the sender named the signal; the model's where it was heard in the text.
        model: Version of the tagger that heard it; None where it was named.
        by: Who reported it.
    """

    __tablename__ = "account_signals"
    __table_args__ = (
        UniqueConstraint("source", "external_id", "name", name="uq_account_signals_external"),
        Index("ix_account_signals_account", "account_id", "occurred_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    external_id: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(30))
    source: Mapped[str] = mapped_column(String(20))
    text: Mapped[str] = mapped_column(Text, default="")
    quote: Mapped[str] = mapped_column(Text, default="")
    probability: Mapped[float]
    model: Mapped[str | None] = mapped_column(String(16), default=None)
    by: Mapped[str | None] = mapped_column(String(50), default=None)
    occurred_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)


class SecondQuestion(Base):
    """That a customer was asked one.

    Attributes:
        number: Of the bot's message.
        stage: The stage it fits.
    """

    __tablename__ = "second_questions"
    __table_args__ = (Index("ix_second_questions_account", "account_id", "created_at"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), index=True)
    account_id: Mapped[str | None] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), default=None)
    number: Mapped[int]
    stage: Mapped[str] = mapped_column(String(20))
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)


class Invitation(Base):
    """A short message that a play, or somebody by the API, shows to one customer or to the people of one account.

    What is shown to everybody who meets a rule stands in `refill.toml` instead (`[invitations]`).

    Attributes:
        id: 32 hexadecimal digits.
        external_id: The sender's own id; the same again from the same sender is the same invitation.
        texts: The message by language; at least one.
        pages: Patterns of pages it may be shown on, as in `refill.toml`; empty for all of them.
        after: Seconds on the page before it is shown.
        by: Label of who made it.
    """

    __tablename__ = "invitations"
    __table_args__ = (UniqueConstraint("by", "external_id", name="uq_invitations_external"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    external_id: Mapped[str] = mapped_column(String(100))
    customer_id: Mapped[str | None] = mapped_column(String(100), default=None, index=True)
    account_id: Mapped[str | None] = mapped_column(String(100), default=None, index=True)
    texts: Mapped[dict[str, str]] = mapped_column(JSON)
    pages: Mapped[list[str]] = mapped_column(JSON, default=list)
    after: Mapped[int] = mapped_column(default=0)
    by: Mapped[str] = mapped_column(String(60))
    expires_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)


class InvitationRule(Base):
    """By which id browsers know a rule of `refill.toml`: its name may tell what the company thinks of a customer.

    Attributes:
        id: 32 hexadecimal digits, made by chance.
    """

    __tablename__ = "invitation_rules"

    name: Mapped[str] = mapped_column(String(30), primary_key=True)
    id: Mapped[str] = mapped_column(String(32), unique=True)


class InvitationOutcome(Base):
    """What became of an invitation that was shown. Anonymous browsers keep this for themselves.

    Attributes:
        name: Of the rule in `refill.toml`, or the invitation's id; `page` for those of the website's own script.
        customer_id: Who saw it; None for an anonymous visitor, of whom only `answered` is known.
        outcome: `shown`, `opened`, `answered`, `dismissed` or `not_now`.
        conversation_id: What it led to.
    """

    __tablename__ = "invitation_outcomes"
    __table_args__ = (Index("ix_invitation_outcomes_customer", "customer_id", "created_at"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    name: Mapped[str] = mapped_column(String(100))
    customer_id: Mapped[str | None] = mapped_column(String(100), default=None)
    outcome: Mapped[str] = mapped_column(String(20))
    conversation_id: Mapped[str | None] = mapped_column(String(32), default=None)
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
