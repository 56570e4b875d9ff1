"""What people do with cases. Each is one call of `bot.handoff.cases`."""

from __future__ import annotations

from fastapi import Response
from sqlalchemy.orm import Session

from bot.conversation import events
from bot.conversation.service import clean_text
from bot.desk.api.routes import INVALID, NO_CASE, TOO_LARGE, By, CaseNumber, State, error, team_router
from bot.desk.api.shown import cases_out
from bot.desk.api.transcript import note_out, team_messages
from bot.desk.bodies.cases import (
    AtVersion,
    CaseOut,
    Claim,
    Merge,
    NewNote,
    NewReply,
    Prioritise,
    Resolve,
    Return,
    Transfer,
)
from bot.desk.bodies.transcript import NoteOut, TeamMessage
from bot.desk.state import TeamState, allowed
from bot.desk.verdicts import undo as take_back
from bot.handoff import access, cases
from bot.handoff.models import Escalation
from bot.handoff.suggestions import public_citations
from bot.people.roles import Principal

router = team_router()

_STALE = error(409, "The case changed, or something was said, since you looked (`stale`); or it is closed, or open.")
_WRITE = {**allowed("conversations:write"), "responses": {**NO_CASE, **_STALE, **TOO_LARGE, **INVALID}}
NOTED = {
    200: {"description": "Written before under the same id."},
    **error(409, "The id was used for another note before (`duplicate_id`)."),
}


@router.post("/cases/{number}/claim", **_WRITE)
def claim(number: CaseNumber, state: State, by: By, body: Claim | None = None) -> CaseOut:
    """Take an open case: the conversation is yours, the bot is silent. Again changes nothing."""
    body = body or Claim()
    with state.transaction() as session:
        at_version(session, number, by, body.version)
        return _out(session, cases.claim(session, number, by, take_over=body.take_over))


@router.post("/cases/{number}/release", **_WRITE)
def release(number: CaseNumber, state: State, by: By, body: AtVersion | None = None) -> CaseOut:
    """Give a case back to its queue."""
    with state.transaction() as session:
        at_version(session, number, by, body.version if body else None)
        return _out(session, cases.release(session, number, by))


@router.post("/cases/{number}/transfer", **_WRITE)
def transfer(number: CaseNumber, body: Transfer, state: State, by: By) -> CaseOut:
    """Pass a case to another queue, another person, or both, with a note for them."""
    with state.transaction() as session:
        at_version(session, number, by, body.version)
        note = _remark(body.note, state)
        return _out(session, cases.transfer(session, number, by, state.queues, body.queue, body.person, note))


@router.post(
    "/cases/{number}/replies",
    status_code=201,
    **allowed("conversations:write"),
    responses={200: {"description": "Sent before under the same id."}, **NO_CASE, **_STALE, **TOO_LARGE, **INVALID},
)
def reply(number: CaseNumber, body: NewReply, state: State, by: By, response: Response) -> TeamMessage:
    """Write to the customer. Who replies to a case nobody has takes it. The same `client_id` is the same message."""
    said = body.text or ""
    text = "" if body.attachments and not said.strip() else clean_text(said, state.max_length)
    with state.transaction() as session:
        citations = public_citations(state.answerer(), body.citations) if body.citations else ()
        message = cases.reply(session, number, by, text, body.client_id, body.seen_number, citations, body.attachments)
        # What was sent before leaves no event.
        response.status_code = 201 if session.info.get(events.TOUCHED) else 200
        return team_messages(session, [message])[0]


@router.post(
    "/cases/{number}/notes",
    status_code=201,
    **allowed("conversations:write"),
    responses={**NO_CASE, **NOTED, **TOO_LARGE, **INVALID},
)
def note(number: CaseNumber, body: NewNote, state: State, by: By, response: Response) -> NoteOut:
    """Write something for the team only. The same `client_id` is the same note."""
    with state.transaction() as session:
        return add_note(session, access.see_case(session, number, by), body, by, state, response)


def add_note(
    session: Session, case: Escalation, body: NewNote, by: Principal, state: TeamState, response: Response
) -> NoteOut:
    """Write a note on a case, or on work on signals; 200 where it was written before."""
    text = clean_text(body.text, state.max_length)
    made = note_out(cases.add_note(session, case.conversation_id, by, text, case.id, body.client_id))
    # What was written before leaves no event.
    response.status_code = 201 if session.info.get(events.TOUCHED) else 200
    return made


@router.post("/cases/{number}/priority", **_WRITE)
def prioritise(number: CaseNumber, body: Prioritise, state: State, by: By) -> CaseOut:
    """Give a case another priority; its clocks are set anew."""
    with state.transaction() as session:
        at_version(session, number, by, body.version)
        return _out(session, cases.set_priority(session, number, by, state.queues, body.priority))


@router.post("/cases/{number}/resolve", **_WRITE)
def resolve(number: CaseNumber, body: Resolve, state: State, by: By) -> CaseOut:
    """Close a case with a reason. The bot takes over again and asks the customer for a rating."""
    with state.transaction() as session:
        at_version(session, number, by, body.version)
        return _out(session, cases.resolve(session, number, by, body.resolution, state.say, _remark(body.note, state)))


@router.post("/cases/{number}/return", **_WRITE)
def return_to_bot(number: CaseNumber, state: State, by: By, body: Return | None = None) -> CaseOut:
    """Close a case and let the bot go on; it says so to the customer."""
    body = body or Return()
    with state.transaction() as session:
        at_version(session, number, by, body.version)
        return _out(session, cases.return_to_bot(session, number, by, state.say, _remark(body.note, state)))


@router.post("/cases/{number}/reopen", **_WRITE)
def reopen(number: CaseNumber, state: State, by: By, body: AtVersion | None = None) -> CaseOut:
    """Open a closed case again, for whoever had it, else in its queue."""
    with state.transaction() as session:
        at_version(session, number, by, body.version if body else None)
        return _out(session, cases.reopen(session, number, by, state.queues))


@router.post("/cases/{number}/merge", **_WRITE)
def merge(number: CaseNumber, body: Merge, state: State, by: By) -> CaseOut:
    """Close a case as a duplicate of another open one of the same customer; answers with the one that goes on."""
    with state.transaction() as session:
        # In the order in which everybody locks several.
        for conversation_id in sorted(
            {access.see_case(session, one, by).conversation_id for one in (number, body.into)}
        ):
            events.locked(session, conversation_id)
        at_version(session, number, by, body.version)
        return _out(session, cases.merge(session, number, body.into, by, state.say))


@router.post("/cases/{number}/undo", **allowed("conversations:write"), responses={**NO_CASE, **_STALE, **INVALID})
def undo(number: CaseNumber, state: State, by: By) -> CaseOut:
    """Take back your own last resolve, return or transfer, within a minute and while nothing has followed.

    Tags that `not-a-signal` rejected are open again.
    """
    with state.transaction() as session:
        return _out(session, take_back(session, number, by))


def at_version(session: Session, number: int, by: Principal, version: int | None) -> None:
    """Let those pass that saw the case as it is; whoever else wants to change it waits until the transaction ends.

    Raises:
        NotFound: There is no such case, or `by` may not see it.
        Stale: It changed since.
    """
    if version is None:
        return
    case = access.see_case(session, number, by)
    events.locked(session, case.conversation_id)
    session.refresh(case)
    if case.version != version:
        raise cases.Stale(
            f"Case {number} changed since you looked: its version is {case.version}, not {version}.",
            "Read it again, then decide.",
        )


def _remark(text: str, state: TeamState) -> str:
    return clean_text(text, state.max_length) if text.strip() else ""


def _out(session: Session, case: Escalation) -> CaseOut:
    return cases_out(session, [case])[0]
