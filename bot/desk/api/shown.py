"""Cases as the API shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from bot.desk.bodies.cases import CaseOut, ClockOut, ContactOut, PersonRef
from bot.handoff import team
from bot.handoff.models import Escalation


def cases_out(session: Session, cases: Sequence[Escalation]) -> list[CaseOut]:
    """Cases in their order, with the names of those who have them."""
    names = team.names(session, {case.assignee for case in cases if case.assignee})
    return [CaseOut(**case_fields(case, names)) for case in cases]


def case_fields(case: Escalation, names: dict[str, str]) -> dict[str, Any]:
    """The fields of CaseOut."""
    return {
        "number": case.id,
        "conversation_id": case.conversation_id,
        "queue": case.queue,
        "reason": case.reason,
        "status": case.status,
        "priority": case.priority,
        "assignee": PersonRef(id=case.assignee, name=names[case.assignee]) if case.assignee else None,
        "language": case.language,
        "contact": contact_out(case.contact),
        "version": case.version,
        "waiting_since": case.waiting_since,
        "first_response": _clock(case.first_response_state, case.first_response_warn_at, case.first_response_due),
        "first_responded_at": case.first_responded_at,
        "resolution_clock": _clock(case.resolution_state, case.resolution_warn_at, case.resolution_due),
        "resolution": case.resolution,
        "closed_by": case.closed_by,
        "reopened": case.reopened,
        "merged_into": case.merged_into,
        "signals": case.signals or [],
        "created_at": case.created_at,
        "closed_at": case.closed_at,
    }


def contact_out(contact: dict[str, str] | None) -> ContactOut | None:
    """How to reach a customer; None where they told nothing."""
    return ContactOut(**{key: contact.get(key) for key in ("name", "email", "time")}) if contact else None


def _clock(state: str | None, warn_at: Any, due_at: Any) -> ClockOut | None:
    return ClockOut(state=state, warn_at=warn_at, due_at=due_at) if state else None
