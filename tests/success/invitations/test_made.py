"""Invitations that a play or another system makes: what is kept, and what is refused."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from bot.conversation.records import DuplicateId
from bot.errors import InvalidInput, NotFound
from bot.people.models import AuditEntry
from bot.people.roles import SYSTEM, Forbidden, Principal, operator
from bot.success.invitations.made import NewInvitation, create, delete, list_made
from bot.success.models import Invitation

END = dt.datetime(2027, 1, 1, 12, tzinfo=dt.timezone(dt.timedelta(hours=3)))
HELLO = NewInvitation("play-1", "ada", None, {"en": "Hello Ada"}, END)


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A session on a database of the test's own."""
    with Session(engine) as session:
        yield session


@pytest.fixture(autouse=True)
def _in_autumn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of HELLO lies ahead, whenever the tests run."""
    monkeypatch.setattr("bot.success.invitations.made.now", lambda: dt.datetime(2026, 11, 22, tzinfo=dt.UTC))


def test_the_same_again_is_the_same(session: Session) -> None:
    first, new = create(session, SYSTEM, HELLO)
    again, new_again = create(session, SYSTEM, replace(HELLO, expires_at=END.astimezone(dt.UTC)))
    assert (new, new_again, again.id) == (True, False, first.id)
    with pytest.raises(DuplicateId, match="'play-1' was used for another"):
        create(session, SYSTEM, replace(HELLO, texts={"en": "Hello?"}))
    other, new_other = create(session, operator("cy"), replace(HELLO, customer=None, account="acme"))
    assert new_other
    assert (other.account_id, other.customer_id) == ("acme", None)
    assert session.query(AuditEntry).filter_by(action="invitation.create").count() == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"external_id": ""}, "'external_id' must have 1 to 100"),
        ({"external_id": "a b"}, "Currently, it is 'a b'"),
        ({"customer": None}, "for one customer or for one account"),
        ({"account": "acme"}, "for one customer or for one account"),
        ({"customer": "a\nb"}, "'customer' must be one line"),
        ({"customer": None, "account": "a b"}, "'account' must have"),
        ({"texts": {}}, "Currently, it has none"),
        ({"texts": {"de": "Hallo"}}, "Currently, it has de"),
        ({"texts": {"en": "  "}}, "1 to 300 characters"),
        ({"texts": {"en": "x" * 301}}, "1 to 300 characters"),
        ({"pages": ["pricing"]}, "'pages' must have"),
        ({"pages": ["/"] * 21}, "at most 20"),
        ({"after": -1}, "'after' must be seconds"),
        ({"expires_at": dt.datetime(2027, 1, 1)}, "no time zone"),  # noqa: DTZ001
        ({"expires_at": dt.datetime(2026, 11, 21, tzinfo=dt.UTC)}, "must lie ahead"),
        ({"expires_at": dt.datetime(2028, 11, 22, tzinfo=dt.UTC)}, "at most a year ahead"),
    ],
)
def test_refused(session: Session, change: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInput, match=message), session.begin():
        create(session, SYSTEM, replace(HELLO, **change))  # type: ignore[arg-type]
    assert session.scalars(select(Invitation)).all() == []


def test_only_those_who_may(session: Session) -> None:
    stranger = Principal("token", "x", "X", frozenset({"signals:write", "accounts:write"}))
    stored, _ = create(session, SYSTEM, HELLO)
    with pytest.raises(Forbidden, match="invitations:write"):
        create(session, stranger, HELLO)
    with pytest.raises(Forbidden):
        delete(session, stranger, stored.id)


def test_list_and_delete(session: Session) -> None:
    ids = [create(session, SYSTEM, replace(HELLO, external_id=str(number)))[0].id for number in range(5)]
    for_acme, _ = create(session, SYSTEM, replace(HELLO, customer=None, account="acme"))
    seen: list[str] = []
    while page := list_made(session, customer="ada", before=seen[-1] if seen else None, limit=2):
        seen += [one.id for one in page]
    assert sorted(seen) == sorted(ids)
    assert [one.id for one in list_made(session, account="acme")] == [for_acme.id]
    delete(session, SYSTEM, ids[0])
    assert len(list_made(session)) == 5
    for missing in (ids[0], "f" * 32):
        with pytest.raises(NotFound, match="no such invitation"):
            delete(session, SYSTEM, missing)
        with pytest.raises(NotFound):
            list_made(session, before=missing)


def test_long_over_is_cleared(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    create(session, SYSTEM, HELLO)
    monkeypatch.setattr("bot.success.invitations.made.now", lambda: END + dt.timedelta(days=91))
    create(session, SYSTEM, replace(HELLO, external_id="later", expires_at=END + dt.timedelta(days=120)))
    assert [one.external_id for one in list_made(session)] == ["later"]
