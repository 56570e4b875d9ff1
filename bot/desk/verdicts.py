"""What the team says of tags, told to those who look and kept in the audit log."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.conversation import corrections
from bot.conversation.corrections import LONGEST_NAME, Corrected
from bot.conversation.models import MessageTag
from bot.handoff import access, cases
from bot.handoff.models import Escalation
from bot.people import audit
from bot.people.roles import Principal


def correct_tag(
    session: Session,
    by: Principal,
    conversation_id: str,
    number: int,
    name: str,
    verdict: str,
    quote: str | None = None,
    said_by: str | None = None,
) -> Corrected:
    """Confirm, reject or add a tag, or withdraw what was said of it; see `bot.conversation.corrections.correct`.

    Args:
        session: Of the transaction.
        by: Who does it.
        conversation_id: Of the message.
        number: Of the message.
        name: Of the tag.
        verdict: One of `bot.conversation.corrections.VERDICTS`.
        quote: Only with `add`.
        said_by: On whose behalf; None for `by` themselves.

    Raises:
        NotFound: There is no such conversation or message, or `by` may not see it.
        InvalidInput: A rule is broken.
    """
    access.see_conversation(session, conversation_id, by)
    who = by.name[:LONGEST_NAME] if said_by is None else said_by
    made = corrections.correct(session, conversation_id, number, name, verdict, who, quote, by.label)
    if made.new:
        data = {"number": number, "name": name, "verdict": made.verdict}
        audit.note(session, by, "tag.correct", f"conversation:{conversation_id}", data)
    return made


def not_a_signal(session: Session, by: Principal, number: int, say: cases.Say) -> Escalation:
    """Close work on signals that were none: their tags are rejected, and the next model learns from it.

    Args:
        session: Of the transaction.
        by: Who has it, or sees it while nobody has it; needs `signals:write`.
        number: Of the work.
        say: Gives the bot's sentences.

    Raises:
        NotFound: There is no such work, or `by` may not see it.
        InvalidInput: It is a customer's own case.
        Stale: Somebody else has it.
        ConversationError: It is closed already.
    """
    work = cases.resolve(session, number, by, "not_a_signal", say)
    tags = session.scalars(
        select(MessageTag)
        .where(
            MessageTag.conversation_id == work.conversation_id,
            MessageTag.name.in_(work.signals or ()),
            MessageTag.state != "rejected",
        )
        .order_by(MessageTag.number, MessageTag.name)
    ).all()
    for tag in tags:
        corrections.correct(
            session, work.conversation_id, tag.number, tag.name, "reject", by.name[:LONGEST_NAME], label=by.label
        )
    return work
