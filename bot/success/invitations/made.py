"""Invitations for one customer, or for the people of one account, that a play or another system makes."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import delete as delete_rows
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from bot.conversation.lines import one_line
from bot.conversation.models import now
from bot.conversation.records import DuplicateId
from bot.errors import InvalidInput, NotFound
from bot.people import audit
from bot.people.roles import Principal
from bot.settings import LANGUAGES
from bot.storage.insert import insert_missing
from bot.success.accounts import ACCOUNT_PATTERN
from bot.success.invitations.pages import RULE, is_pattern
from bot.success.invitations.rules import LONGEST_TEXT, LONGEST_WAIT, MOST_PAGES, clean
from bot.success.models import Invitation

EXTERNAL_ID_PATTERN = "^[A-Za-z0-9._:@-]{1,100}$"
LONGEST_CUSTOMER = 100
LONGEST_LIFE = dt.timedelta(days=366)
# After its end it is kept for so long, for whoever looks why it was not shown.
_KEPT = dt.timedelta(days=90)


@dataclass(frozen=True)
class NewInvitation:
    """An invitation to make.

    Attributes:
        external_id: The sender's own id.
        customer: Id of the customer it is for; None where it is for an account.
        account: Id of the account it is for; None where it is for a customer.
        texts: Markdown by language, at least one.
        pages: Patterns of pages; empty for all of them.
        after: Seconds on the page.
        expires_at: Its end.
    """

    external_id: str
    customer: str | None
    account: str | None
    texts: Mapping[str, str]
    expires_at: dt.datetime
    pages: Sequence[str] = ()
    after: int = 0


def create(session: Session, by: Principal, new: NewInvitation) -> tuple[Invitation, bool]:
    """Make an invitation; (it, whether it is new). The same again from the same sender is the same invitation.

    Args:
        session: Of the transaction.
        by: Who makes it; needs `invitations:write`.
        new: What it is.

    Raises:
        Forbidden: `by` may not.
        InvalidInput: A rule is broken; nothing was stored.
        DuplicateId: The sender used the id for another invitation.
    """
    by.demand("invitations:write")
    values = _checked(new)
    session.execute(delete_rows(Invitation).where(Invitation.expires_at < now() - _KEPT))
    identifier = uuid.uuid4().hex
    made = insert_missing(
        session, Invitation, id=identifier, external_id=new.external_id, by=by.label, created_at=now(), **values
    )
    stored = session.scalars(
        select(Invitation).where(Invitation.by == by.label, Invitation.external_id == new.external_id)
    ).one()
    if made:
        if stored.expires_at <= now():
            raise InvalidInput(
                f"'expires_at' must lie ahead. Currently, it is {stored.expires_at.isoformat()}.", "Take a later end."
            )
        detail = {"external_id": stored.external_id, "customer": stored.customer_id, "account": stored.account_id}
        audit.note(session, by, "invitation.create", f"invitation:{stored.id}", detail)
    elif any(getattr(stored, name) != value for name, value in values.items()):
        raise DuplicateId(
            f"The id '{new.external_id}' was used for another invitation before.",
            "Give each invitation its own id; delete the old one to change it.",
        )
    return stored, made


def list_made(
    session: Session,
    customer: str | None = None,
    account: str | None = None,
    before: str | None = None,
    limit: int = 50,
) -> list[Invitation]:
    """Invitations that were made, newest first; those that have ended too, for 90 days.

    Args:
        session: To read with.
        customer: Only those for this customer.
        account: Only those for this account.
        before: Id of the last one of the page before.
        limit: So many at most.

    Raises:
        NotFound: There is no invitation `before`.
    """
    query = select(Invitation).order_by(Invitation.created_at.desc(), Invitation.id.desc()).limit(limit)
    if customer is not None:
        query = query.where(Invitation.customer_id == customer)
    if account is not None:
        query = query.where(Invitation.account_id == account)
    if before is not None:
        last = _found(session, before)
        older = (Invitation.created_at == last.created_at) & (Invitation.id < last.id)
        query = query.where(or_(Invitation.created_at < last.created_at, older))
    return list(session.scalars(query))


def delete(session: Session, by: Principal, identifier: str) -> None:
    """Take an invitation back; pages that were loaded before may still show it.

    Raises:
        Forbidden: `by` may not.
        NotFound: There is none.
    """
    by.demand("invitations:write")
    found = _found(session, identifier)
    audit.note(session, by, "invitation.delete", f"invitation:{found.id}", {"external_id": found.external_id})
    session.delete(found)


def _found(session: Session, identifier: str) -> Invitation:
    found = session.get(Invitation, identifier)
    if found is None:
        raise NotFound("There is no such invitation.", "Look at the list of invitations.")
    return found


def _checked(new: NewInvitation) -> dict[str, object]:
    """The columns of an invitation that its maker decides."""
    if not re.fullmatch(EXTERNAL_ID_PATTERN, new.external_id):
        raise InvalidInput(
            f"'external_id' must have 1 to 100 letters, digits or . _ : @ -. Currently, it is {new.external_id!r}.",
            "Use the id your system knows it by.",
        )
    if (new.customer is None) == (new.account is None):
        raise InvalidInput("An invitation is for one customer or for one account.", "Give 'customer' or 'account'.")
    if new.account is not None and not re.fullmatch(ACCOUNT_PATTERN, new.account):
        raise InvalidInput(
            f"'account' must have 1 to 100 letters, digits or . _ : @ -. Currently, it is {new.account!r}."
        )
    if not 0 <= new.after <= LONGEST_WAIT:
        raise InvalidInput(f"'after' must be seconds from 0 to {LONGEST_WAIT}. Currently, it is {new.after}.")
    wrong = next((page for page in new.pages if not is_pattern(page)), None)
    if wrong is not None or len(new.pages) > MOST_PAGES:
        raise InvalidInput(f"'pages' must have at most {MOST_PAGES} patterns, each {RULE}. {wrong or ''}".rstrip())
    return {
        "customer_id": None if new.customer is None else one_line(new.customer, "customer", LONGEST_CUSTOMER),
        "account_id": new.account,
        "texts": _texts(new.texts),
        "pages": list(new.pages),
        "after": new.after,
        "expires_at": _end(new.expires_at),
    }


def _texts(texts: Mapping[str, str]) -> dict[str, str]:
    if not texts or not set(texts) <= set(LANGUAGES):
        raise InvalidInput(
            f"'texts' must have a text for one or more of the languages {', '.join(LANGUAGES)}. "
            f"Currently, it has {', '.join(texts) or 'none'}."
        )
    try:
        return {language: clean(text) for language, text in texts.items()}
    except ValueError:
        raise InvalidInput(
            f"Each of 'texts' must have 1 to {LONGEST_TEXT} characters, none of them a control character."
        ) from None


def _end(moment: dt.datetime) -> dt.datetime:
    if moment.tzinfo is None:
        raise InvalidInput("'expires_at' has no time zone.", "Write it as 2026-11-22T09:30:00+03:00.")
    if moment > now() + LONGEST_LIFE:
        raise InvalidInput(
            f"'expires_at' must lie at most a year ahead. Currently, it is {moment.isoformat()}.",
            "Take an earlier end.",
        )
    return moment.astimezone(dt.UTC)
