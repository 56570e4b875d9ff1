"""What the team says of tags, told to those who look and kept in the audit log."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.conversation import corrections, events
from bot.conversation.corrections import LONGEST_NAME, Corrected
from bot.conversation.models import Correction, MessageTag
from bot.handoff import access, cases
from bot.handoff.models import SIGNAL, Escalation
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
    who = _signature(by) if said_by is None else said_by
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
            session, work.conversation_id, tag.number, tag.name, "reject", _signature(by), label=by.label
        )
    return work


def undo(session: Session, number: int, by: Principal) -> Escalation:
    """Take back the last step of a case; the tags that `not_a_signal` rejected are open again, others stay rejected.

    Args:
        session: Of the transaction.
        number: Of the case.
        by: Who did the step.

    Raises:
        NotFound: There is no such case, or `by` may not see it.
        Stale: See `bot.handoff.cases.undo`.
    """
    before = session.get(Escalation, number)
    if before is not None:
        events.locked(session, before.conversation_id)
        session.refresh(before)
    rejected_since = (
        before.closed_at
        if before is not None and before.reason == SIGNAL and before.resolution == "not_a_signal"
        else None
    )
    case = cases.undo(session, number, by)
    if rejected_since is None:
        return case
    who = _signature(by)
    rejected = session.execute(
        select(Correction.number, Correction.name)
        .join(
            MessageTag,
            (MessageTag.conversation_id == Correction.conversation_id)
            & (MessageTag.number == Correction.number)
            & (MessageTag.name == Correction.name),
        )
        .where(
            Correction.conversation_id == case.conversation_id,
            Correction.name.in_(case.signals or ()),
            Correction.verdict == "reject",
            Correction.by == who,
            Correction.created_at >= rejected_since,
            MessageTag.state == "rejected",
        )
        .distinct()
    ).all()
    for message, name in rejected:
        corrections.correct(session, case.conversation_id, message, name, "withdraw", who, label=by.label)
    return case


def _signature(by: Principal) -> str:
    """Somebody's name as it stands below a correction."""
    return by.name[:LONGEST_NAME].strip()
