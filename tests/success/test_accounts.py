"""Accounts: made when first named, linked, changed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from bot.conversation.models import Conversation
from bot.errors import InvalidInput, NotFound
from bot.success.accounts import change_account, ensure_account, find_account, link_conversation
from bot.success.models import Account
from tests.success.conftest import HERE


@pytest.mark.parametrize("account_id", ["a", "4711", "acme.example", "crm:acme-2_b", "ada@acme.example", "a" * 100])
def test_account_is_made_once(session: Session, account_id: str) -> None:
    made = ensure_account(session, account_id)
    assert (made.id, made.name, made.stage) == (account_id, None, None)
    assert ensure_account(session, account_id) is made
    assert find_account(session, account_id) is made


@pytest.mark.parametrize("account_id", ["", " ", "a b", "a/b", "a\n", "-a", "kahve_é", "a" * 101])
def test_id_that_is_none(session: Session, account_id: str) -> None:
    with pytest.raises(InvalidInput, match="1 to 100 letters") as caught:
        ensure_account(session, account_id)
    assert repr(account_id) in caught.value.message


def test_two_at_once_make_one(engine: Engine, session: Session) -> None:
    def work(number: int) -> str:
        with Session(engine) as own, own.begin():
            return ensure_account(own, "acme").id

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(work, range(12))) == {"acme"}
    assert session.scalar(select(func.count()).select_from(Account)) == 1


def test_unknown_account(session: Session) -> None:
    with pytest.raises(NotFound, match="no account 'acme'"):
        find_account(session, "acme")


def test_what_is_not_named_stays(session: Session) -> None:
    change_account(session, "acme", {"name": "Acme", "stage": "adoption"})
    changed = change_account(session, "acme", {"stage": "retention"})
    assert (changed.name, changed.stage) == ("Acme", "retention")
    assert change_account(session, "acme", {"name": None}).name is None
    assert changed.stage == "retention"


@pytest.mark.parametrize("changes", [{"stage": "churned"}, {"name": " "}, {"name": "a\tb"}, {"name": "a" * 201}])
def test_change_that_breaks_a_rule(session: Session, changes: dict[str, str | None]) -> None:
    with pytest.raises(InvalidInput, match=f"'{next(iter(changes))}' must"):
        change_account(session, "acme", changes)


def test_link(session: Session) -> None:
    link_conversation(session, HERE, "acme")
    session.commit()
    assert session.get_one(Conversation, HERE).account_id == "acme"
    assert find_account(session, "acme").id == "acme"
    link_conversation(session, HERE, None)
    session.commit()
    assert session.get_one(Conversation, HERE).account_id is None
    assert find_account(session, "acme").id == "acme"


def test_link_of_no_conversation(session: Session) -> None:
    with pytest.raises(NotFound, match="no such conversation"):
        link_conversation(session, "c" * 32, "acme")
    with pytest.raises(NotFound):
        find_account(session, "acme")
