"""Accounts: made when first named, linked to conversations, given a name and a stage.

Everything here runs within a transaction of the caller's.
"""

from __future__ import annotations

import re

from sqlalchemy import update
from sqlalchemy.orm import Session

from bot.conversation.lines import one_line
from bot.conversation.models import Conversation, now
from bot.errors import InvalidInput, NotFound
from bot.storage.insert import insert_missing
from bot.success.models import Account
from bot.tagging.tags import STAGES

ACCOUNT_PATTERN = "^[A-Za-z0-9][A-Za-z0-9._:@-]{0,99}$"
LONGEST_NAME = 200


def ensure_account(session: Session, account_id: str) -> Account:
    """The account with this id, with its write lock; made if there is none. Two who name a new one at once make one.

    Raises:
        InvalidInput: The id is not one.
    """
    if not re.fullmatch(ACCOUNT_PATTERN, account_id):
        raise InvalidInput(
            f"The account must have 1 to 100 letters, digits or . _ : @ -. Currently, it is {account_id!r}.",
            "Use the id by which your other systems know the company.",
        )
    moment = now()
    insert_missing(session, Account, id=account_id, created_at=moment, updated_at=moment)
    session.execute(update(Account).where(Account.id == account_id).values(id=Account.id))
    return session.get_one(Account, account_id)


def find_account(session: Session, account_id: str) -> Account:
    """The account with this id.

    Raises:
        NotFound: There is none.
    """
    account = session.get(Account, account_id)
    if account is None:
        raise NotFound(
            f"There is no account {account_id!r}.",
            "An account is made when a conversation is linked to it, or a signal is sent for it.",
        )
    return account


def change_account(session: Session, account_id: str, changes: dict[str, str | None]) -> Account:
    """Give an account another name or stage; it is made if there is none.

    Args:
        session: In a transaction that ends with the caller.
        account_id: Of the account.
        changes: `name` and `stage`, where they change; None takes one back.

    Raises:
        InvalidInput: A value breaks its rule.
    """
    account = ensure_account(session, account_id)
    if "name" in changes:
        name = changes["name"]
        account.name = None if name is None else one_line(name, "name", LONGEST_NAME)
    if "stage" in changes:
        stage = changes["stage"]
        if stage is not None and stage not in STAGES:
            raise InvalidInput(f"'stage' must be one of {', '.join(STAGES)}. Currently, it is {stage!r}.")
        account.stage = stage
    account.updated_at = now()
    return account


def vouched_account(session: Session, account_id: str, plan: str | None) -> Account:
    """The account a verified identity names, with its write lock; made if there is none. A plan it names is kept.

    Raises:
        InvalidInput: The id is not one.
    """
    account = ensure_account(session, account_id)
    if plan is not None and account.plan != plan:
        account.plan = plan
        account.updated_at = now()
    return account


def link_conversation(session: Session, conversation_id: str, account_id: str | None) -> None:
    """Say which account a conversation belongs to, or that it is not known.

    Raises:
        NotFound: There is no such conversation.
        InvalidInput: The account's id is not one.
    """
    linked = session.execute(
        update(Conversation)
        .where(Conversation.id == conversation_id)
        .values(account_id=account_id)
        .returning(Conversation.id)
    )
    if linked.first() is None:
        raise NotFound("There is no such conversation.", "Its id has 32 letters and digits.")
    if account_id is not None:
        ensure_account(session, account_id)
