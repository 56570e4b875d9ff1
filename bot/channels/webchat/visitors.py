"""Visitors for the web chat's routes: made, found, identified, listed, ended; each call one transaction in a thread."""

from __future__ import annotations

import asyncio

from sqlalchemy.orm import Session

from bot.channels.webchat.state import WebchatState, owner_out
from bot.channels.webchat.visitor_bodies import (
    CreatedVisitor,
    CustomerOut,
    EarlierConversation,
    IdentityOut,
    LastMessage,
    NewIdentity,
    VisitorOut,
)
from bot.customers import visitors
from bot.customers.history import Earlier, conversations_of
from bot.customers.identify import clear_used, identify
from bot.customers.models import Customer, Visitor
from bot.success.models import Account

_EXCERPT = 200


async def create(state: WebchatState, origin: str) -> CreatedVisitor:
    """Make a visitor of a website."""

    def make() -> CreatedVisitor:
        with state.store.changes.transaction() as session:
            made, token = visitors.create(session, origin)
        return CreatedVisitor(id=made.id, token=token)

    return await asyncio.to_thread(make)


async def find(state: WebchatState, token: str, origin: str) -> Visitor:
    """See `bot.customers.visitors.find`."""

    def look() -> Visitor:
        with state.store.changes.reading() as session:
            return visitors.find(session, token, origin)

    return await asyncio.to_thread(look)


async def read(state: WebchatState, visitor_id: str) -> VisitorOut:
    """A visitor, and who vouches for them."""

    def look() -> VisitorOut:
        with state.store.changes.reading() as session:
            visitor = session.get_one(Visitor, visitor_id)
            customer_id = visitors.customer_now(visitor)
            known = session.get_one(Customer, customer_id) if customer_id is not None else None
            return VisitorOut(
                id=visitor.id,
                customer=_customer(session, known) if known is not None else None,
                expires_at=visitor.identified_until,
            )

    return await asyncio.to_thread(look)


async def end(state: WebchatState, visitor_id: str) -> None:
    """End a visitor's session."""

    def revoke() -> None:
        with state.store.changes.transaction() as session:
            visitors.revoke(visitors.lock(session, visitor_id))

    await asyncio.to_thread(revoke)


async def vouch(state: WebchatState, visitor_id: str, body: NewIdentity) -> IdentityOut:
    """See `bot.customers.identify.identify`; the token is checked first."""

    def check_and_keep() -> IdentityOut:
        identity = state.identity.check(body.token)
        with state.store.changes.transaction() as session:
            done = identify(session, visitor_id, identity, body.join, state.store.queues)
            # It may have waited for its turn: its key may be retired by now, and it may have ended.
            state.identity.check(body.token)
            shown = IdentityOut(
                customer=_customer(session, done.customer),
                expires_at=identity.expires_at,
                joined=done.joined,
            )
        with state.store.changes.transaction() as session:
            clear_used(session)
        return shown

    return await asyncio.to_thread(check_and_keep)


async def conversations(state: WebchatState, visitor_id: str, limit: int) -> list[EarlierConversation]:
    """See `bot.customers.history.conversations_of`."""

    def look() -> list[EarlierConversation]:
        with state.store.changes.reading() as session:
            found = conversations_of(session, session.get_one(Visitor, visitor_id), limit)
            return [_earlier(session, one) for one in found]

    return await asyncio.to_thread(look)


def _customer(session: Session, customer: Customer) -> CustomerOut:
    account = session.get(Account, customer.account_id) if customer.account_id else None
    return CustomerOut(
        id=customer.id,
        name=customer.name,
        email=customer.email,
        account=customer.account_id,
        plan=account.plan if account else None,
    )


def _earlier(session: Session, one: Earlier) -> EarlierConversation:
    conversation, last = one.conversation, one.last
    return EarlierConversation(
        id=conversation.id,
        language=conversation.language,
        title=one.first[:_EXCERPT] if one.first else None,
        last=LastMessage(
            number=last.number,
            author=last.author,
            name=last.content.get("name") if last.author == "agent" else None,
            text=last.text[:_EXCERPT],
            created_at=last.created_at,
        ),
        owner=owner_out(session, conversation),
        unread=one.unread,
        case_open=one.case_open,
        created_at=conversation.created_at,
        updated_at=conversation.updated_at,
    )
