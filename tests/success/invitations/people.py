"""Visitors of a website, known and unknown."""

from __future__ import annotations

import datetime as dt
import uuid

from sqlalchemy.orm import Session

from bot.conversation.models import now
from bot.customers.models import Customer, Visitor
from bot.success.accounts import ensure_account


def anonymous(session: Session) -> Visitor:
    """Somebody nobody vouches for."""
    made = Visitor(id=uuid.uuid4().hex, token_hash=uuid.uuid4().hex, origin="")
    session.add(made)
    session.flush()
    return made


def ada(session: Session, account: str | None = "acme", plan: str | None = None, stage: str | None = None) -> Visitor:
    """A browser in which Ada is identified; her company has a plan and a stage."""
    if account is not None:
        company = ensure_account(session, account)
        company.plan, company.stage = plan, stage
    session.merge(Customer(id="ada", account_id=account))
    visitor = anonymous(session)
    visitor.customer_id, visitor.identified_until = "ada", now() + dt.timedelta(hours=1)
    session.flush()
    return visitor
