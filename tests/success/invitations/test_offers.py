"""Who gets which invitation, how often, and with which one a conversation begins."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from bot.conversation.changes import Changes
from bot.conversation.models import Conversation, Message, now
from bot.customers.models import Customer, Visitor
from bot.errors import NotFound
from bot.people.roles import SYSTEM
from bot.success.accounts import ensure_account
from bot.success.invitations import made, outcomes
from bot.success.invitations.offers import Invitations, Limits, Offer
from bot.success.invitations.outcomes import Outcome
from bot.success.invitations.rules import Rule
from bot.success.models import InvitationOutcome, InvitationRule
from tests.success.conftest import TAG, ago
from tests.success.invitations.people import ada, anonymous


def rule(name: str = "hello", **values: Any) -> Rule:
    """A rule as refill.toml would have it."""
    return Rule.model_validate({"name": name, "texts": {"en": f"Text of {name}"}, **values})


def ready(engine: Engine, *rules: Rule, limits: Limits | None = None) -> Invitations:
    """Rules that browsers know."""
    found = Invitations(rules, limits)
    found.prepare(Changes(engine))
    return found


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A session on a database of the test's own."""
    with Session(engine) as session:
        yield session


def names(known: Invitations, session: Session, visitor: Visitor | None, language: str = "en") -> list[str]:
    """What a visitor gets."""
    return [offer.name for offer in known.offered(session, visitor, language).offers]


def test_ids_stay_and_tell_nothing(engine: Engine, session: Session) -> None:
    first, again = ready(engine, rule("churn-risk")), ready(engine, rule("churn-risk"), rule("other"))
    ids = {row.name: row.id for row in session.scalars(select(InvitationRule))}
    assert [o.id for o in first.offered(session, None, "en").offers] == [ids["churn-risk"]]
    assert [o.id for o in again.offered(session, None, "en").offers] == [ids["churn-risk"], ids["other"]]
    assert all(len(identifier) == 32 and "churn" not in identifier for identifier in ids.values())


@pytest.mark.parametrize(
    ("segment", "customer", "stranger"),
    [
        ({}, True, True),
        ({"identified": True}, True, False),
        ({"identified": False}, False, True),
        ({"plans": ["Business"]}, True, False),
        ({"plans": ["free"]}, False, False),
        ({"stages": ["expansion"]}, True, False),
        ({"stages": ["onboarding", "expansion"]}, True, False),
        ({"stages": ["retention"]}, False, False),
        ({"accounts": ["acme"]}, True, False),
        ({"accounts": ["other"]}, False, False),
        ({"accounts": ["acme"], "plans": ["free"]}, False, False),
        ({"languages": ["en"]}, True, True),
        ({"languages": ["th", "zh"]}, False, False),
        ({"returning": True}, True, True),
    ],
)
def test_segment(engine: Engine, session: Session, segment: dict[str, Any], customer: bool, stranger: bool) -> None:
    known = ready(engine, rule(segment=segment))
    visitor = ada(session, plan="business ", stage="expansion")
    assert bool(names(known, session, visitor)) is customer
    assert bool(names(known, session, None)) is stranger
    assert bool(names(known, session, anonymous(session))) is stranger


def test_identity_that_has_ended_tells_nothing(engine: Engine, session: Session) -> None:
    known = ready(engine, rule("theirs", segment={"identified": True}), rule("anybodys"))
    visitor = ada(session)
    assert names(known, session, visitor) == ["theirs", "anybodys"]
    visitor.identified_until = now() - dt.timedelta(seconds=1)
    assert names(known, session, visitor) == ["anybodys"]


def test_customer_without_account(engine: Engine, session: Session) -> None:
    known = ready(engine, rule("of-plan", segment={"plans": ["free"]}), rule("any", segment={"identified": True}))
    assert names(known, session, ada(session, account=None)) == ["any"]


def test_days_and_switch(engine: Engine, session: Session) -> None:
    today = now().date()
    day = dt.timedelta(days=1)
    known = ready(
        engine,
        rule("off", enabled=False),
        rule("later", **{"from": today + day}),
        rule("over", until=today - day),
        rule("today", **{"from": today, "until": today}),
    )
    assert names(known, session, None) == ["today"]
    reasons = [one.why_not for one in known.judged(session, known.viewer(session, None, "en"))]
    assert [reason.split()[1] for reason in reasons if reason] == ["is", "begins", "ended"]


def test_text_is_in_the_language_of_the_page(engine: Engine, session: Session) -> None:
    known = ready(engine, rule(texts={"tr": "Merhaba", "en": "Hello"}))

    def shown(language: str) -> tuple[str, str]:
        offer: Offer = known.offered(session, None, language).offers[0]
        return offer.text, offer.language

    assert shown("en") == ("Hello", "en")
    assert shown("th") == ("Merhaba", "tr")


@pytest.mark.parametrize(
    ("did", "expected"),
    [
        ([], ["hello"]),
        ([("shown", 1)], []),
        ([("shown", 8)], ["hello"]),
        ([("shown", 50), ("shown", 40)], []),
        ([("shown", 8), ("dismissed", 8)], ["hello"]),
        ([("shown", 8), ("opened", 8)], ["hello"]),
        ([("answered", 800)], []),
    ],
)
def test_limits_of_one(engine: Engine, session: Session, did: list[tuple[Outcome, float]], expected: list[str]) -> None:
    known = ready(engine, rule(most=2, every_days=7))
    visitor = ada(session)
    for outcome, age in did:
        session.add(InvitationOutcome(name="hello", outcome=outcome, customer_id="ada", created_at=ago(age)))
    session.add(InvitationOutcome(name="hello", outcome="shown", customer_id="bob", created_at=ago(0)))
    session.flush()
    assert names(known, session, visitor) == expected


def test_pause_and_not_now(engine: Engine, session: Session) -> None:
    known = ready(engine, rule(), limits=Limits(24, 30))
    visitor = ada(session)
    assert known.offered(session, visitor, "en").quiet_until is None
    shown = ago(0.5)
    session.add(InvitationOutcome(name="page", outcome="shown", customer_id="ada", created_at=shown))
    assert known.offered(session, visitor, "en").quiet_until == shown + dt.timedelta(hours=24)
    refused = ago(29)
    session.add(InvitationOutcome(name="other", outcome="not_now", customer_id="ada", created_at=refused))
    assert known.offered(session, visitor, "en").quiet_until == max(
        shown + dt.timedelta(hours=24), refused + dt.timedelta(days=30)
    )
    assert known.offered(session, None, "en").quiet_until is None


def test_outcomes_of_a_customer_are_kept(engine: Engine, session: Session) -> None:
    known = ready(engine, rule())
    visitor, stranger = ada(session), anonymous(session)
    offer = known.offered(session, visitor, "en").offers[0]
    for outcome in ("shown", "shown", "not_now"):
        known.tell(session, visitor, offer.id, outcome)
        known.tell(session, stranger, offer.id, outcome)
    known.tell(session, visitor, "page", "dismissed")
    rows = [(row.name, row.outcome, row.customer_id) for row in session.scalars(select(InvitationOutcome))]
    assert rows == [("hello", "shown", "ada"), ("hello", "not_now", "ada"), ("page", "dismissed", "ada")]
    with pytest.raises(NotFound, match="no such invitation"):
        known.tell(session, visitor, "f" * 32, "shown")


def test_made_ones_come_first_and_only_to_whom_they_are_for(engine: Engine, session: Session) -> None:
    known = ready(engine, rule())
    visitor = ada(session)
    end = now() + dt.timedelta(days=1)
    for number, (customer, account) in enumerate([("ada", None), (None, "acme"), ("bob", None), (None, "other")]):
        made.create(session, SYSTEM, made.NewInvitation(str(number), customer, account, {"en": f"No. {number}"}, end))
    offers = known.offered(session, visitor, "en").offers
    assert sorted(offer.text for offer in offers[:2]) == ["No. 0", "No. 1"]
    assert [offer.name for offer in offers[2:]] == ["hello"]
    assert names(known, session, anonymous(session)) == ["hello"]
    known.tell(session, visitor, offers[0].id, "shown")
    assert offers[0].name not in names(known, session, visitor)


def test_conversation_begins_with_it(engine: Engine, session: Session) -> None:
    known = ready(engine, rule("secret-name", segment={"plans": ["free"]}), rule("any", texts={"en": "A", "tr": "B"}))
    visitor, stranger = ada(session, plan="free"), anonymous(session)
    secret, anybodys = known.offered(session, visitor, "en").offers

    def begin(by: Visitor, identifier: str) -> list[tuple[str, str]]:
        begun = Conversation(channel="webchat", audience="public", language="tr", token_hash="", visitor_id=by.id)
        begun.id = f"{session.query(Conversation).count():032x}"
        session.add(begun)
        session.flush()
        known.greet(session, by, begun, identifier)
        found = session.scalars(select(Message).where(Message.conversation_id == begun.id))
        return [(message.author, message.text) for message in found]

    assert begin(visitor, secret.id) == [("bot", "Text of secret-name")]
    assert begin(visitor, anybodys.id) == [("bot", "B")]
    assert begin(stranger, anybodys.id) == [("bot", "B")]
    assert begin(stranger, secret.id) == []
    assert begin(visitor, "f" * 32) == []
    assert known.offered(session, visitor, "en").offers == ()
    counted = {one.name: (one.counts["answered"], one.answered_anonymously) for one in outcomes.count(session, ago(1))}
    assert counted == {"any": (1, 1), "secret-name": (1, 0)}


def test_stage_is_heard_in_signals(engine: Engine, session: Session) -> None:
    from bot.success.reports import Report, take_report

    known = ready(engine, rule(segment={"stages": ["onboarding"]}))
    visitor = ada(session)
    assert names(known, session, visitor) == []
    ensure_account(session, "acme")
    take_report(session, Report("1", "acme", "employee", text="We train nobody.", by="cy"), TAG, 100)
    assert names(known, session, visitor) == ["hello"]


def test_both_databases(any_engine: Engine) -> None:
    known = ready(any_engine, rule(), limits=Limits(24, 30))
    with Session(any_engine) as session:
        visitor = ada(session)
        new = made.NewInvitation("play", None, "acme", {"en": "For Acme"}, now() + dt.timedelta(days=1), ["/a*"])
        first, again = (made.create(session, SYSTEM, new) for _ in range(2))
        assert (first[0].id, first[1], again[1]) == (again[0].id, True, False)
        for outcome in ("shown", "not_now"):
            known.tell(session, visitor, first[0].id, outcome)
        past = outcomes.history(session, "ada")
        assert past.not_now_at is not None
        assert past.of(first[0].id).shown_at == past.shown_at
        assert known.quiet_until(past) == past.not_now_at + dt.timedelta(days=30)
        assert [one.counts["not_now"] for one in outcomes.count(session, ago(1))] == [1]
        assert [one.id for one in made.list_made(session, account="acme")] == [first[0].id]


def test_customer_nobody_has_seen(engine: Engine, session: Session) -> None:
    known = ready(engine, rule(segment={"identified": True}))
    assert session.get(Customer, "new") is None
    assert known.customer(session, "new", "en").account_id is None
