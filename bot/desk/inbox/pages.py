"""The desk itself: the list of cases, and one case with all that is known of it."""

from __future__ import annotations

import logging
import re
import secrets
from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.attachments.limits import MOST_FILES
from bot.conversation import reading
from bot.conversation.models import Conversation, is_person, now
from bot.customers.models import Customer
from bot.desk.desk_state import DeskState
from bot.desk.inbox import drafts, feed, side, transcript
from bot.desk.inbox.actions import Number, whole
from bot.desk.inbox.rows import clocks, customer_of, rows
from bot.desk.inbox.views import CURSOR_PATTERN, SORTS, asked, first_view, views
from bot.desk.pages import Me, SignedIn, State, desk_router, needs, page, wants_fragment, words_of
from bot.errors import RefillError
from bot.handoff import access, listing, team
from bot.handoff.closing import OF_CASES, OF_SIGNALS
from bot.handoff.models import SIGNAL, Escalation
from bot.handoff.queues import PRIORITIES, QUEUES
from bot.people.models import Person
from bot.people.saved_replies import list_saved_replies, render
from bot.success.models import Account
from bot.tagging.tags import TAGS

logger = logging.getLogger(__name__)
router = desk_router()
_READ = [needs("conversations:read")]


@router.get("", dependencies=_READ)
def desk(request: Request, me: Me, state: State) -> Response:
    """The list, with nothing opened; the view chosen is where the next visit begins."""
    with state.changes.reading() as session:
        values = _list(session, request, me)
        values["last_event_id"] = feed.newest(session)
    view = values["filters"].view
    if request.query_params.get("view") == view != _last_view(me):
        with state.changes.transaction() as session:
            person = session.get_one(Person, me.person.id, with_for_update=True)
            person.preferences = {**(person.preferences or {}), "view": view}
    return page(request, "inbox/desk.html", **values)


@router.get("/list", dependencies=_READ)
def case_list(request: Request, me: Me, state: State) -> Response:
    """The rows as they are now, and the counts beside them."""
    with state.changes.reading() as session:
        values = _list(session, request, me)
    values["current"] = whole(request.query_params.get("current", ""))
    return page(request, "inbox/list_and_queues.html", oob=True, **values)


@router.get("/nothing", dependencies=_READ)
def nothing(request: Request) -> Response:
    """What the pane shows while no case is open."""
    return page(request, "inbox/no_case.html")


@router.get("/cases/{number}", dependencies=_READ)
def case(request: Request, number: Number, me: Me, state: State) -> Response:
    """A case: the whole page, or its pane."""
    alone = wants_fragment(request) and "pane" in request.query_params
    with state.changes.reading() as session:
        values = _case(session, request, me, state, number)
        values["filters"] = asked(request.query_params, me.principal)
        if not alone:
            values |= _list(session, request, me)
            values["last_event_id"] = feed.newest(session)
            values["current"] = number
    return page(request, "inbox/case.html" if alone else "inbox/desk.html", **values)


@router.get("/cases/{number}/head", dependencies=_READ)
def head(request: Request, number: Number, me: Me, state: State) -> Response:
    """The case's name, state and buttons."""
    with state.changes.reading() as session:
        values = _head(session, me, state, access.see_case(session, number, me.principal))
    return page(request, "inbox/head.html", filters=asked(request.query_params, me.principal), **values)


@router.get("/cases/{number}/composer", dependencies=_READ)
def composer(request: Request, number: Number, me: Me, state: State) -> Response:
    """The boxes to write in, after it changed who may."""
    with state.changes.reading() as session:
        case = access.see_case(session, number, me.principal)
        values = _head(session, me, state, case) | _composer(session, request, me, state, case)
    return page(request, "inbox/composer.html", **values)


@router.get("/cases/{number}/side", dependencies=_READ)
def aside(request: Request, number: Number, me: Me, state: State) -> Response:
    """What is known of case and customer."""
    with state.changes.reading() as session:
        case = access.see_case(session, number, me.principal)
        values = side.values(session, me.principal, case, state.settings["tagging.half_life"])
    return page(request, "inbox/side.html", case=case, **values)


@router.get("/cases/{number}/suggestions", dependencies=_READ)
def suggestions(request: Request, number: Number, me: Me, state: State) -> Response:
    """Answers from articles, public and internal, to what the customer said last."""
    with state.changes.reading() as session:
        case = access.see_case(session, number, me.principal)
        said = side.latest_words(session, case.conversation_id)
        language = session.get_one(Conversation, case.conversation_id).language
    try:
        found = side.suggested(state.answerer(), said, language) if said else []
    except RefillError as error:
        logger.warning("No suggestions for case %d: %s", number, error)
        return page(request, "inbox/suggestions.html", suggestions=(), down=True)
    return page(request, "inbox/suggestions.html", suggestions=found, down=False)


@router.get("/cases/{number}/earlier", dependencies=_READ)
def earlier(request: Request, number: Number, me: Me, state: State) -> Response:
    """What happened before what is shown."""
    before = whole(request.query_params.get("before", ""))
    with state.changes.reading() as session:
        case = access.see_case(session, number, me.principal)
        thread = transcript.newest(session, case.conversation_id, me.principal, before)
        customer = customer_of(session, case, session.get_one(Conversation, case.conversation_id))
    return page(request, "inbox/earlier.html", thread=thread, number=number, customer=customer)


@router.get("/cases/{number}/entries", dependencies=_READ)
def entries(request: Request, number: Number, me: Me, state: State) -> Response:
    """What happened after an event, for pages whose stream is broken."""
    after = whole(request.query_params.get("after", "")) or 0
    with state.changes.reading() as session:
        case = access.see_case(session, number, me.principal)
        found, _, _ = transcript.after(session, case.conversation_id, me.principal, after)
        customer = customer_of(session, case, session.get_one(Conversation, case.conversation_id))
    return page(request, "inbox/entries.html", entries=found, customer=customer)


@dataclass(frozen=True)
class _Saved:
    title: str
    text: str


@router.get("/cases/{number}/replies", dependencies=_READ)
def replies(request: Request, number: Number, me: Me, state: State) -> Response:
    """Saved replies with their variables filled in for this case, in the customer's language."""
    with state.changes.reading() as session:
        case = access.see_case(session, number, me.principal)
        conversation = session.get_one(Conversation, case.conversation_id)
        account = session.get(Account, conversation.account_id) if conversation.account_id else None
        verified = session.get(Customer, conversation.customer_id) if conversation.customer_id else None
        contact = case.contact or conversation.contact or {}
        filled = {
            "customer_name": (verified.name if verified else None) or contact.get("name"),
            "agent_name": me.person.name,
            "case_number": str(case.id),
            "account": (account.name or account.id) if account else None,
        }
        found = [
            _Saved(one.title, render(one.texts, conversation.language, filled))
            for one in list_saved_replies(session, me.principal, case.queue)
        ]
    return page(request, "inbox/replies.html", saved=found)


def _list(session: Session, request: Request, me: SignedIn) -> dict[str, Any]:
    found_views = views(session, me.principal)
    filters = asked(request.query_params, me.principal, first_view(found_views, _last_view(me)))
    after = request.query_params.get("after", "")
    found = listing.list_cases(
        session, me.principal, filters.filters(), after if re.fullmatch(CURSOR_PATTERN, after, re.ASCII) else None
    )
    return {
        "filters": filters,
        "rows": rows(session, found.rows),
        "next": found.next,
        "current": None,
        "views": found_views,
        "sorts": SORTS,
        "priorities": PRIORITIES,
        "slas": listing.SLA_STATES,
        "tag_names": TAGS,
    }


def _last_view(me: SignedIn) -> str:
    return str((me.person.preferences or {}).get("view", ""))


def _case(session: Session, request: Request, me: SignedIn, state: DeskState, number: int) -> dict[str, Any]:
    case = access.see_case(session, number, me.principal)
    return {
        **_head(session, me, state, case),
        **_composer(session, request, me, state, case),
        **side.values(session, me.principal, case, state.settings["tagging.half_life"]),
        "thread": transcript.newest(session, case.conversation_id, me.principal),
        "seen": reading.seen_by_customer(session, session.get_one(Conversation, case.conversation_id)),
    }


@dataclass(frozen=True)
class _Colleague:
    id: str
    name: str
    there: bool


def _head(session: Session, me: SignedIn, state: DeskState, case: Escalation) -> dict[str, Any]:
    by = me.principal
    signal = case.reason == SIGNAL
    conversation = session.get_one(Conversation, case.conversation_id)
    moment = now()
    everybody = session.scalars(select(Person).where(Person.disabled_at.is_(None)).order_by(Person.name)).all()
    colleagues = [
        _Colleague(one.id, one.name, team.is_there(one, moment))
        for one in state.queues.members(case.queue, everybody)
        if one.id != case.assignee
    ]
    return {
        "case": case,
        "signal": signal,
        "customer": customer_of(session, case, conversation),
        "mine": case.assignee == me.person.id,
        "assignee": team.name(session, case.assignee) if case.assignee else "",
        "clocks": clocks(case),
        "may_work": by.may("signals:write" if signal else "conversations:write"),
        "leads": access.leads(by),
        "resolutions": OF_SIGNALS if signal else tuple(one for one in OF_CASES if one != "returned_to_bot"),
        "priorities": PRIORITIES,
        "other_queues": [queue for queue in QUEUES if queue != case.queue],
        "colleagues": colleagues,
        "mergeable": side.mergeable(session, by, case, conversation),
        "lookers": drafts.lookers(session, case.conversation_id, me.person.id),
    }


def _composer(session: Session, request: Request, me: SignedIn, state: DeskState, case: Escalation) -> dict[str, Any]:
    conversation = session.get_one(Conversation, case.conversation_id)
    begun = drafts.read(session, case.conversation_id, me.person.id)
    said = words_of(request).inbox.composer
    may_write = me.principal.may("conversations:write") or me.principal.may("signals:write")
    cannot = ""
    if case.status != "open":
        cannot = said.closed
    elif case.assignee not in (None, me.person.id):
        cannot = said.taken.format(name=team.name(session, case.assignee or ""))
    elif case.reason == SIGNAL and is_person(conversation.owner) and conversation.owner != me.principal.owner:
        cannot = said.taken.format(name=team.owner_shown(session, conversation.owner)["name"])
    return {
        "drafts": begun,
        "last_number": conversation.last_number,
        "stale_draft": "reply" in begun and begun["reply"].last_number < conversation.last_number,
        "can_reply": not cannot and me.principal.may("conversations:write"),
        "cannot_reply": cannot,
        "may_write": may_write,
        "client_id": secrets.token_hex(16),
        "note_id": secrets.token_hex(16),
        "longest": state.settings["conversation.max_length"],
        "files": state.files.limits,
        "most_files": MOST_FILES,
    }
