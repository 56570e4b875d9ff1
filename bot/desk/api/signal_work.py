"""Work on signals: the list of those whom signals concern, and what they do with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import Query, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.conversation.models import Conversation, MessageTag
from bot.conversation.service import clean_text
from bot.desk import verdicts
from bot.desk.api.cases import NOTED, add_note
from bot.desk.api.lists import Place
from bot.desk.api.routes import INVALID, TOO_LARGE, By, CaseNumber, Limit, State, error, team_router
from bot.desk.bodies.cases import Claim, NewNote, PersonRef
from bot.desk.bodies.signals import Finish, SignalEvidence, WorkOut, Works
from bot.desk.bodies.transcript import NoteOut
from bot.desk.state import allowed
from bot.dialogue.turn import Queue
from bot.errors import NotFound
from bot.handoff import access, cases, listing, team
from bot.handoff.models import SIGNAL, Escalation
from bot.people.roles import Principal
from bot.tagging.tags import SIGNALS, Signal

router = team_router()

_NO_WORK = error(404, "No such work, or none the token may see.")
_STALE = error(409, "Somebody else has it (`stale`), or it is closed.")
_WRITE = {**allowed("signals:write"), "responses": {**_NO_WORK, **_STALE, **TOO_LARGE, **INVALID}}


@router.get("/signals", **allowed("signals:read"), responses=INVALID)
def read_signal_work(
    state: State,
    by: By,
    queue: Queue | None = None,
    status: Literal["open", "closed"] | None = None,
    assignee: Annotated[
        str | None, Query(pattern="^(me|nobody|[0-9A-Za-z]{1,60})$", description="`me`, `nobody`, or an id.")
    ] = None,
    signal: Signal | None = None,
    after: Place = None,
    limit: Limit = 50,
) -> Works:
    """Work that signals called for, with the customers' own words, the newest first."""
    filters = listing.Filters(queue, status, assignee, tag=signal, kind="signals", order="newest")
    with state.transaction() as session:
        page = listing.list_cases(session, by, filters, after, limit)
        return Works(work=works_out(session, [row.case for row in page.rows]), next=page.next)


@router.post("/signals/{number}/claim", **_WRITE)
def claim_work(number: CaseNumber, state: State, by: By, body: Claim | None = None) -> WorkOut:
    """Take work on signals. Again changes nothing."""
    body = body or Claim()
    with state.transaction() as session:
        _see_work(session, number, by)
        return _out(session, cases.claim(session, number, by, body.version, body.take_over))


@router.post(
    "/signals/{number}/notes",
    status_code=201,
    **allowed("signals:write"),
    responses={**_NO_WORK, **NOTED, **TOO_LARGE, **INVALID},
)
def note_work(number: CaseNumber, body: NewNote, state: State, by: By, response: Response) -> NoteOut:
    """Write something for the team only. The same `client_id` is the same note."""
    with state.transaction() as session:
        return add_note(session, _see_work(session, number, by), body, by, state, response)


@router.post("/signals/{number}/done", **_WRITE)
def finish_work(number: CaseNumber, state: State, by: By, body: Finish | None = None) -> WorkOut:
    """Close work on signals that is done."""
    note = body.note if body else ""
    with state.transaction() as session:
        _see_work(session, number, by)
        remark = clean_text(note, state.max_length) if note.strip() else ""
        return _out(session, cases.resolve(session, number, by, "done", state.say, remark))


@router.post("/signals/{number}/not-a-signal", **allowed("signals:write"), responses={**_NO_WORK, **_STALE, **INVALID})
def reject_work(number: CaseNumber, state: State, by: By) -> WorkOut:
    """Close work on signals that were none. Their tags are rejected; the next model learns from it."""
    with state.transaction() as session:
        _see_work(session, number, by)
        return _out(session, verdicts.not_a_signal(session, by, number, state.say))


def _see_work(session: Session, number: int, by: Principal) -> Escalation:
    work = access.see_case(session, number, by)
    if work.reason != SIGNAL:
        raise NotFound(f"There is no work {number} on signals.", "GET /api/v1/signals lists it.")
    return work


def _out(session: Session, work: Escalation) -> WorkOut:
    return works_out(session, [work])[0]


def works_out(session: Session, works: Sequence[Escalation]) -> list[WorkOut]:
    """Work on signals as the API shows it, in its order."""
    conversations = {work.conversation_id for work in works}
    linked = select(Conversation.id, Conversation.account_id).where(Conversation.id.in_(conversations))
    accounts = {identifier: account for identifier, account in session.execute(linked)}  # noqa: C416  (rows are no pairs)
    heard: dict[str, list[MessageTag]] = defaultdict(list)
    query = (
        select(MessageTag)
        .where(MessageTag.conversation_id.in_(conversations), MessageTag.name.in_(SIGNALS))
        .order_by(MessageTag.probability.desc(), MessageTag.number)
    )
    for tag in session.scalars(query):
        heard[tag.conversation_id].append(tag)
    names = team.names(session, {work.assignee for work in works if work.assignee})
    return [
        WorkOut(
            number=work.id,
            conversation_id=work.conversation_id,
            account=accounts[work.conversation_id],
            queue=work.queue,
            status=work.status,
            assignee=PersonRef(id=work.assignee, name=names[work.assignee]) if work.assignee else None,
            language=work.language,
            version=work.version,
            signals=work.signals or [],
            evidence=[
                SignalEvidence.model_validate(tag, from_attributes=True)
                for tag in heard[work.conversation_id]
                if tag.name in (work.signals or ())
            ],
            resolution=work.resolution,
            created_at=work.created_at,
            closed_at=work.closed_at,
        )
        for work in works
    ]
