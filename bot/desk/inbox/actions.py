"""What people do with a case: the buttons and boxes of its page. Each is one function of `bot.handoff.cases`.

A page with scripts gets an empty answer whose header tells what to say and whether it can be undone; the change itself
comes by the live stream. A page without them is sent back to the case.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import Annotated

from fastapi import Path, Request, Response
from fastapi.datastructures import FormData

from bot.conversation.models import Conversation
from bot.conversation.service import clean_text
from bot.desk.desk_state import DeskState
from bot.desk.inbox import drafts, transcript
from bot.desk.pages import Form, Me, State, desk_router, page, text, texts, wants_fragment, words_of
from bot.desk.verdicts import correct_tag, not_a_signal
from bot.desk.verdicts import undo as take_back
from bot.errors import InvalidInput
from bot.handoff import access, cases
from bot.handoff.suggestions import public_citations
from bot.people.roles import Principal

router = desk_router()
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]


def done(request: Request, number: int, said: str, undo: bool = False, leave: bool = False) -> Response:
    """The answer to an action.

    Args:
        request: It came with.
        number: Of the case.
        said: Name of the text that says what happened, in the section `done`.
        undo: Whether it can be taken back for a minute.
        leave: Whether the person is through with the case, and goes on to the next.
    """
    if not wants_fragment(request):
        return Response(status_code=303, headers={"location": f"/desk/cases/{number}"})
    told = {
        "text": words_of(request).inbox.done[said].format(number=number),
        "case": number,
        "undo": undo,
        "leave": leave,
    }
    return Response(status_code=204, headers={"hx-trigger": json.dumps({"desk:done": told})})


def whole(value: str) -> int | None:
    """A number a form sent; None where it is none."""
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else None


@router.post("/cases/{number}/claim")
def claim(request: Request, number: Number, me: Me, state: State, form: Form) -> Response:
    """Take the case; a lead may take it from somebody else."""
    with state.changes.transaction() as session:
        cases.claim(session, number, me.principal, take_over=text(form, "take_over") == "yes")
    return done(request, number, "claimed")


@router.post("/cases/{number}/release")
def release(request: Request, number: Number, me: Me, state: State, form: Form) -> Response:
    """Give the case back to its queue."""
    with state.changes.transaction() as session:
        cases.release(session, number, me.principal)
    return done(request, number, "released")


@router.post("/cases/{number}/transfer")
def transfer(request: Request, number: Number, me: Me, state: State, form: Form) -> Response:
    """Pass the case on, with a note."""
    kind, _, name = text(form, "to").partition(":")
    queue = name if kind == "queue" else None
    person = name if kind == "person" else None
    with state.changes.transaction() as session:
        cases.transfer(session, number, me.principal, state.queues, queue, person, _optional(state, text(form, "note")))
    return done(request, number, "transferred", undo=True, leave=True)


@router.post("/cases/{number}/priority")
def priority(request: Request, number: Number, me: Me, state: State, form: Form) -> Response:
    """Say how urgent the case is."""
    with state.changes.transaction() as session:
        cases.set_priority(session, number, me.principal, state.queues, text(form, "priority"))
    return done(request, number, "priority")


@router.post("/cases/{number}/resolve")
def resolve(request: Request, number: Number, me: Me, state: State, form: Form) -> Response:
    """Close the case with a reason."""
    note = _optional(state, text(form, "note"))
    with state.changes.transaction() as session:
        if text(form, "resolution") == "not_a_signal":
            not_a_signal(session, me.principal, number, state.say)
        else:
            cases.resolve(session, number, me.principal, text(form, "resolution"), state.say, note)
    return done(request, number, "resolved", undo=True, leave=True)


@router.post("/cases/{number}/return")
def return_to_bot(request: Request, number: Number, me: Me, state: State, form: Form) -> Response:
    """Give the conversation back to the bot."""
    with state.changes.transaction() as session:
        cases.return_to_bot(session, number, me.principal, state.say)
    return done(request, number, "returned", undo=True, leave=True)


@router.post("/cases/{number}/reopen")
def reopen(request: Request, number: Number, me: Me, state: State, form: Form) -> Response:
    """Open a closed case again."""
    with state.changes.transaction() as session:
        cases.reopen(session, number, me.principal, state.queues)
    return done(request, number, "reopened")


@router.post("/cases/{number}/merge")
def merge(request: Request, number: Number, me: Me, state: State, form: Form) -> Response:
    """Close the case in favour of another one of the same person."""
    into = whole(text(form, "into"))
    if into is None:
        raise InvalidInput("No case was chosen.", "Choose the case that goes on.", rule="merge_nothing")
    with state.changes.transaction() as session:
        cases.merge(session, number, into, me.principal, state.say)
    return done(request, into, "merged")


@router.post("/cases/{number}/undo")
def undo(request: Request, number: Number, me: Me, state: State, form: Form) -> Response:
    """Take the last step back."""
    with state.changes.transaction() as session:
        take_back(session, number, me.principal)
    return done(request, number, "undone")


@router.post("/cases/{number}/tags")
def tags(request: Request, number: Number, me: Me, state: State, form: Form) -> Response:
    """Confirm, reject or add a tag, or take that back."""
    me.principal.demand("tags:write")
    message = whole(text(form, "message"))
    if message is None:
        raise InvalidInput("The tag belongs to no message.", "Load the page again.", rule="page_old")
    with state.changes.transaction() as session:
        case = access.see_case(session, number, me.principal)
        correct_tag(session, me.principal, case.conversation_id, message, text(form, "name"), text(form, "verdict"))
    return done(request, number, "tagged")


# Writing --------------------------------------------------------------------------------------------------------------


@router.post("/cases/{number}/reply")
def reply(request: Request, number: Number, me: Me, state: State, form: Form) -> Response:
    """Write to the customer; what was said meanwhile is shown first, and nothing sent."""
    files = texts(form, "attachment")
    said = _optional(state, text(form, "text")) if files else _cleaned(state, text(form, "text"))
    seen = whole(text(form, "seen_number"))
    client_id = _client_id(form)
    articles = texts(form, "citation")
    citations = public_citations(state.answerer(), articles) if articles else ()
    try:
        with state.changes.transaction() as session:
            cases.reply(session, number, me.principal, said, client_id, seen, citations, files)
            case = access.see_case(session, number, me.principal)
            drafts.drop(session, case.conversation_id, me.person.id, "reply")
    except cases.Stale:
        missed = _missed(state, number, me.principal, seen)
        if missed is None:
            raise
        return page(request, "inbox/stale.html", 409, missed=missed[0], last_number=missed[1], number=number)
    return done(request, number, "sent")


@router.post("/cases/{number}/note")
def note(request: Request, number: Number, me: Me, state: State, form: Form) -> Response:
    """Write to the team; this never reaches the customer."""
    said = _cleaned(state, text(form, "text"))
    client_id = _client_id(form)
    with state.changes.transaction() as session:
        case = access.see_case(session, number, me.principal)
        cases.add_note(session, case.conversation_id, me.principal, said, case.id, client_id)
        drafts.drop(session, case.conversation_id, me.person.id, "note")
    return done(request, number, "noted")


@router.post("/cases/{number}/draft")
def draft(number: Number, me: Me, state: State, form: Form) -> Response:
    """Keep what was typed so far; the others see that a reply was begun."""
    written = str(form.get("text") or "").replace("\r\n", "\n")[: state.settings["conversation.max_length"]]
    seen = whole(text(form, "seen_number")) or 0
    with state.changes.transaction() as session:
        case = access.see_case(session, number, me.principal)
        changed = drafts.keep(session, case.conversation_id, me.person.id, text(form, "kind"), written, seen)
    if changed:
        state.changes.ring(frozenset({case.conversation_id}))
    return Response(status_code=204)


@router.post("/cases/{number}/typing")
async def typing(number: Number, me: Me, state: State, form: Form) -> Response:
    """Show the customer and the others that a reply is being written; never for a note."""
    me.principal.demand("conversations:write")

    def conversation() -> str:
        with state.changes.transaction() as session:
            case = access.see_case(session, number, me.principal)
            mine = case.status == "open" and case.assignee == me.person.id
            return case.conversation_id if mine else ""

    conversation_id = await asyncio.to_thread(conversation)
    if conversation_id:
        state.delivery.typing(conversation_id, me.principal.owner, text(form, "on") == "yes")
    return Response(status_code=204)


def _client_id(form: FormData) -> str:
    client_id = text(form, "client_id")
    if not re.fullmatch("[A-Za-z0-9_-]{1,100}", client_id):
        raise InvalidInput("The message has no id of its own.", "Load the page again.", rule="page_old")
    return client_id


def _cleaned(state: DeskState, written: str) -> str:
    return clean_text(written, state.settings["conversation.max_length"])


def _optional(state: DeskState, written: str) -> str:
    return _cleaned(state, written) if written else ""


def _missed(
    state: DeskState, number: int, by: Principal, seen: int | None
) -> tuple[list[transcript.Entry], int] | None:
    """What was said after a message; None if that is not why a reply was refused."""
    with state.changes.transaction() as session:
        case = access.see_case(session, number, by)
        if seen is None or case.assignee not in (None, by.id) or case.status != "open":
            return None
        found = transcript.since(session, case.conversation_id, by, seen)
        last = session.get_one(Conversation, case.conversation_id).last_number
    return (found, last) if found else None
