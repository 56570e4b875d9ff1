"""One case, with all that a person needs to take it on."""

from __future__ import annotations

from sqlalchemy import select

from bot.conversation.models import Conversation, Message
from bot.conversation.tags import SPEAKERS
from bot.desk.api.routes import INVALID, NO_CASE, By, CaseNumber, State, error, team_router
from bot.desk.api.shown import case_fields, contact_out
from bot.desk.api.tags import tags_out
from bot.desk.bodies.detail import (
    AskedOut,
    CaseDetail,
    CustomerOut,
    CustomerRating,
    EarlierOut,
    KnownAccountOut,
    SuggestionOut,
    Suggestions,
    SummaryOut,
    TriedOut,
)
from bot.desk.state import allowed
from bot.handoff import access, team
from bot.handoff.customer import Customer, customer_of
from bot.handoff.suggestions import suggest
from bot.handoff.summary import Summary, summarise

router = team_router()


@router.get("/cases/{number}", **allowed("conversations:read"), responses={**NO_CASE, **INVALID})
def read_case(number: CaseNumber, state: State, by: By) -> CaseDetail:
    """A case with its summary (what is asked, what was tried, what was heard) and who the customer is."""
    with state.transaction() as session:
        case = access.see_case(session, number, by)
        conversation = session.get_one(Conversation, case.conversation_id)
        names = team.names(session, {case.assignee} if case.assignee else set())
        return CaseDetail(
            **case_fields(case, names),
            owner=conversation.owner,
            last_number=conversation.last_number,
            last_event=conversation.last_event,
            read_by_customer=conversation.read_by_customer,
            read_by_team=conversation.read_by_team,
            summary=_summary(conversation.id, summarise(session, conversation.id, state.half_life)),
            customer=_customer(customer_of(session, conversation, by, state.half_life)),
        )


@router.get(
    "/cases/{number}/suggestions",
    **allowed("conversations:read"),
    responses={**NO_CASE, **INVALID, **error(503, "The articles cannot be searched at the moment.")},
)
def read_suggestions(number: CaseNumber, state: State, by: By) -> Suggestions:
    """What public and internal articles say to the customer's latest message."""
    with state.transaction() as session:
        case = access.see_case(session, number, by)
        conversation = session.get_one(Conversation, case.conversation_id)
        language = conversation.language
        text = session.scalar(
            select(Message.text)
            .where(Message.conversation_id == conversation.id, Message.author.in_(SPEAKERS), Message.text != "")
            .order_by(Message.number.desc())
            .limit(1)
        )
    answerer = state.answerer()
    found = suggest(text, language, answerer) if text else []
    return Suggestions(suggestions=[SuggestionOut.model_validate(one, from_attributes=True) for one in found])


def _summary(conversation_id: str, summary: Summary) -> SummaryOut:
    return SummaryOut(
        asked=[AskedOut.model_validate(one, from_attributes=True) for one in summary.asked],
        tried=[TriedOut.model_validate(one, from_attributes=True) for one in summary.tried],
        tags=tags_out(conversation_id, summary.tags),
    )


def _customer(customer: Customer) -> CustomerOut:
    account = customer.account
    return CustomerOut(
        verified=customer.verified,
        customer_id=customer.customer_id,
        name=customer.name,
        email=customer.email,
        contact=contact_out(customer.contact),
        account=KnownAccountOut.model_validate(account, from_attributes=True) if account else None,
        earlier=[EarlierOut.model_validate(one, from_attributes=True) for one in customer.earlier],
        ratings=[CustomerRating.model_validate(one, from_attributes=True) for one in customer.ratings],
    )
