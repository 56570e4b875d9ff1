"""Visitors become customers: kept, joined, replayed, ended; on both databases, also several at once."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from bot.conversation import events
from bot.conversation.changes import Changes
from bot.conversation.models import Conversation, Event, now
from bot.conversation.store import ConversationStore
from bot.customers import visitors
from bot.customers.errors import IdentityExpired, IdentityRefused, OtherCustomer, UnknownVisitor
from bot.customers.history import conversations_of
from bot.customers.identify import Identified, clear_used, identify
from bot.customers.models import Customer, UsedToken, Visitor
from bot.customers.sessions import end_sessions, end_sessions_of_conversation, expire_sessions_of_key
from bot.errors import NotFound
from bot.handoff.models import Escalation
from bot.handoff.queues import queues
from bot.people.models import AuditEntry
from bot.people.roles import PERMISSIONS_OF, SYSTEM, Forbidden, Principal
from bot.settings import Settings, load_settings
from bot.success.models import Account
from tests.customers.signing import Website

AWAY = "https://www.example.com"
FAST = {"plans": {"gold": {"first_response": {"urgent": 1, "high": 1, "normal": 1, "low": 1}}}}


@dataclass
class Shop:
    """A website with visitors.

    Attributes:
        engine: Of its own database.
    """

    engine: Engine
    website: Website = field(default_factory=Website)

    def __post_init__(self) -> None:
        self.changes = Changes(self.engine)
        self.store = ConversationStore(self.changes)
        settings: Settings = load_settings(environ={})
        self.queues = queues(settings.with_section("sla", {**settings.section("sla"), **FAST}))

    def visitor(self) -> tuple[str, str]:
        """A new visitor's id and secret."""
        with self.changes.transaction() as session:
            made, token = visitors.create(session, AWAY)
        return made.id, token

    def identify(self, visitor: str, token: str, join: bool = True) -> Identified:
        """Show a token."""
        identity = self.website.trusted.check(token)
        with self.changes.transaction() as session:
            return identify(session, visitor, identity, join, self.queues)

    def conversation(self, identifier: str) -> Conversation:
        """As it stands."""
        with Session(self.engine) as session:
            return session.get_one(Conversation, identifier)

    def begin(self, visitor: str, text: str = "Hello") -> str:
        """A conversation of a visitor's in which something was said."""
        made = self.store.begin(visitor, "en")
        self.store.add_customer_message(made, "a", text, {})
        return made

    def opens(self, conversation: str, token: str, origin: str = AWAY) -> bool:
        """Whether a secret opens a conversation."""
        try:
            self.store.authorise(conversation, token, origin)
        except (NotFound, IdentityExpired):
            return False
        return True

    def listed(self, visitor: str) -> list[str]:
        """The conversations in a visitor's list."""
        with Session(self.engine) as session:
            return [one.conversation.id for one in conversations_of(session, session.get_one(Visitor, visitor))]

    def expire(self, visitor: str) -> None:
        """Let the identity of a visitor end now."""
        with self.changes.transaction() as session:
            session.get_one(Visitor, visitor).identified_until = now()


@pytest.fixture
def shop(engine: Engine) -> Shop:
    """A website on a database of its own."""
    return Shop(engine)


@pytest.fixture
def any_shop(any_engine: Engine) -> Shop:
    """The same on either database."""
    return Shop(any_engine)


def at_once(*calls: Callable[[], object]) -> list[object]:
    """What calls give that begin at the same moment; their errors too."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> object:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        futures = [pool.submit(run, call) for call in calls]
        return [future.exception(60) or future.result() for future in futures]


# Keeping and joining


def test_what_the_token_says_is_kept(any_shop: Shop) -> None:
    visitor, token = any_shop.visitor()
    before, other = any_shop.begin(visitor), any_shop.store.create("webchat", "public", "en")[0]
    told = {"name": "Ada", "email": "ada@example.com", "account": "acme", "plan": "gold"}
    done = any_shop.identify(visitor, any_shop.website.token("u1", **told))
    assert done.joined == 1
    with Session(any_shop.engine) as session:
        kept = session.get_one(Customer, "u1")
        assert (kept.name, kept.email, kept.account_id) == ("Ada", "ada@example.com", "acme")
        assert session.get_one(Account, "acme").plan == "gold"
    joined = any_shop.conversation(before)
    assert (joined.customer_id, joined.account_id) == ("u1", "acme")
    assert joined.contact == {"name": "Ada", "email": "ada@example.com", "time": ""}
    assert any_shop.conversation(other).customer_id is None
    after = any_shop.conversation(any_shop.begin(visitor))
    assert (after.customer_id, after.account_id, after.contact) == ("u1", "acme", joined.contact)
    assert any_shop.opens(before, token)
    with Session(any_shop.engine) as session:
        happened = session.scalars(select(Event).where(Event.conversation_id == before, Event.kind == "customer")).one()
        assert (happened.visible, happened.data) == (False, {"customer": "u1", "account": "acme", "before": None})


def test_the_last_token_counts(shop: Shop) -> None:
    visitor, _ = shop.visitor()
    shop.identify(visitor, shop.website.token(name="Ada", email="ada@example.com", account="acme", plan="gold"))
    shop.identify(visitor, shop.website.token(name="Ada L.", account="acme"))
    with Session(shop.engine) as session:
        kept = session.get_one(Customer, "u1")
        assert (kept.name, kept.email, kept.account_id) == ("Ada L.", None, "acme")
        assert session.get_one(Account, "acme").plan == "gold"


def test_without_joining_what_was_before_stays_anonymous(shop: Shop) -> None:
    visitor, token = shop.visitor()
    before = shop.begin(visitor)
    assert shop.identify(visitor, shop.website.token(), join=False).joined == 0
    assert shop.conversation(before).customer_id is None
    assert shop.opens(before, token)
    assert shop.listed(visitor) == [before]


def test_a_conversation_never_changes_its_customer(shop: Shop) -> None:
    visitor, token = shop.visitor()
    mine = shop.begin(visitor)
    shop.identify(visitor, shop.website.token("u1"))
    with pytest.raises(OtherCustomer):
        shop.identify(visitor, shop.website.token("u2"))
    other, other_token = shop.visitor()
    shop.identify(other, shop.website.token("u2"))
    assert shop.conversation(mine).customer_id == "u1"
    assert (shop.opens(mine, token), shop.opens(mine, other_token)) == (True, False)
    assert (shop.listed(visitor), shop.listed(other)) == ([mine], [])
    with Session(shop.engine) as session:
        assert session.get(Customer, "u2") is not None
        assert session.get_one(Visitor, visitor).customer_id == "u1"


def test_history_follows_the_customer_and_ends_with_the_identity(shop: Shop) -> None:
    (phone, phone_token), (desk, desk_token), (stranger, stranger_token) = (shop.visitor() for _ in range(3))
    shop.identify(phone, shop.website.token("u1"))
    shop.identify(desk, shop.website.token("u1", "pair"))
    anonymous = shop.begin(stranger)
    first, second = shop.begin(phone), shop.begin(desk)
    assert shop.listed(phone) == shop.listed(desk) == [second, first]
    assert all(shop.opens(one, token) for one in (first, second) for token in (phone_token, desk_token))
    assert not any(shop.opens(one, stranger_token) for one in (first, second))
    assert not shop.opens(anonymous, phone_token)
    shop.expire(phone)
    with pytest.raises(IdentityExpired):
        shop.store.authorise(first, phone_token, AWAY)
    with pytest.raises(IdentityExpired):
        shop.begin(phone)
    with pytest.raises(IdentityExpired):
        shop.listed(phone)
    assert shop.opens(first, desk_token)
    shop.identify(phone, shop.website.token("u1"))
    assert shop.opens(second, phone_token)


def test_an_older_token_shortens_nothing(shop: Shop) -> None:
    visitor, _ = shop.visitor()
    moment = int(now().timestamp())
    late, early = (shop.website.token(exp=moment + seconds) for seconds in (3600, 60))
    until = shop.identify(visitor, late).visitor.identified_until
    assert shop.identify(visitor, early).visitor.identified_until == until


def test_an_older_token_brings_nothing_back(any_shop: Shop) -> None:
    visitor, _ = any_shop.visitor()
    moment = int(now().timestamp())
    old, new = (
        any_shop.website.token(iat=moment - ago, name=name, account="acme", plan=plan)
        for ago, name, plan in ((600, "Ada", "gold"), (60, "Ada L.", "free"))
    )
    any_shop.identify(visitor, old)
    any_shop.identify(visitor, new)
    other, token = any_shop.visitor()
    unused = any_shop.website.token(iat=moment - 300, account="globex", plan="gold")
    for who, late in ((visitor, old), (other, unused)):
        any_shop.identify(who, late)
        with Session(any_shop.engine) as session:
            kept = session.get_one(Customer, "u1")
            assert (kept.name, kept.account_id) == ("Ada L.", "acme")
            assert session.get_one(Account, "acme").plan == "free"
            assert session.get(Account, "globex") is None
    assert any_shop.opens(any_shop.begin(other), token)


def test_a_plan_changes_what_is_promised_from_then_on(shop: Shop) -> None:
    visitor, _ = shop.visitor()
    mine = shop.begin(visitor)
    with shop.changes.transaction() as session:
        conversation = events.locked(session, mine)
        case = Escalation(
            conversation_id=mine,
            queue="support",
            reason="asked_for",
            language="en",
            opened_at_number=1,
            turn_number=1,
            created_at=now(),
            waiting_since=now(),
            first_response_state="running",
            resolution_state="running",
            first_response_due=now() + dt.timedelta(days=9),
        )
        session.add(case)
        conversation.account_id = None
        session.flush()
        number = case.id
    shop.identify(visitor, shop.website.token(account="acme", plan="Gold"))
    with Session(shop.engine) as session:
        due = session.get_one(Escalation, number).first_response_due
        assert due is not None
        assert due < now() + dt.timedelta(days=8)


def test_an_account_somebody_set_stays(shop: Shop) -> None:
    visitor, _ = shop.visitor()
    mine = shop.begin(visitor)
    with shop.changes.transaction() as session:
        events.locked(session, mine).account_id = "parent"
    shop.identify(visitor, shop.website.token(account="acme"))
    assert shop.conversation(mine).account_id == "parent"


# Origins and ends


@pytest.mark.parametrize("origin", ["", "https://evil.example", "http://www.example.com", AWAY + ":8443", AWAY + "/"])
def test_a_secret_counts_on_its_own_website_only(shop: Shop, origin: str) -> None:
    visitor, token = shop.visitor()
    mine = shop.begin(visitor)
    assert shop.opens(mine, token)
    with pytest.raises(UnknownVisitor):
        shop.store.authorise(mine, token, origin)


def test_the_end_of_a_session(shop: Shop) -> None:
    visitor, token = shop.visitor()
    mine = shop.begin(visitor)
    with shop.changes.transaction() as session:
        visitors.revoke(visitors.lock(session, visitor))
    with pytest.raises(UnknownVisitor):
        shop.store.authorise(mine, token, AWAY)
    with pytest.raises(UnknownVisitor):
        shop.begin(visitor)
    with pytest.raises(UnknownVisitor):
        shop.identify(visitor, shop.website.token())


def test_ending_a_customers_sessions(any_shop: Shop) -> None:
    (one, one_token), (two, two_token), (other, other_token) = (any_shop.visitor() for _ in range(3))
    ready = any_shop.website.token("u1", iat=int(now().timestamp()) - 1)
    any_shop.identify(one, any_shop.website.token("u1"))
    any_shop.identify(two, any_shop.website.token("u1"))
    any_shop.identify(other, any_shop.website.token("u2"))
    mine, theirs = any_shop.begin(one), any_shop.begin(other)
    with any_shop.changes.transaction() as session:
        assert end_sessions(session, SYSTEM, "u1") == 2
    assert [any_shop.opens(mine, token) for token in (one_token, two_token)] == [False, False]
    assert any_shop.opens(theirs, other_token)
    fresh, fresh_token = any_shop.visitor()
    with pytest.raises(IdentityRefused, match="were ended"):
        any_shop.identify(fresh, ready)
    any_shop.identify(fresh, any_shop.website.token("u1", iat=int(now().timestamp()) + 1))
    assert any_shop.opens(mine, fresh_token)
    with Session(any_shop.engine) as session:
        entry = session.scalars(select(AuditEntry)).one()
        assert (entry.action, entry.target, entry.detail) == ("customer.end_sessions", "customer:u1", {"sessions": 2})


def test_ending_the_sessions_of_a_conversation(shop: Shop) -> None:
    visitor, token = shop.visitor()
    mine = shop.begin(visitor)
    own, own_token = shop.store.create("webchat", "public", "en")
    with shop.changes.transaction() as session:
        assert [end_sessions_of_conversation(session, SYSTEM, one) for one in (mine, own, own)] == [1, 1, 0]
    assert (shop.opens(mine, token), shop.opens(own, own_token), shop.opens(own, "")) == (False, False, False)


def test_ends_that_are_refused(shop: Shop) -> None:
    agent = Principal("person", "ada", "Ada", PERMISSIONS_OF["agent"])
    with shop.changes.transaction() as session:
        for end in (end_sessions, end_sessions_of_conversation):
            with pytest.raises(Forbidden):
                end(session, agent, "u1")
            with pytest.raises(NotFound):
                end(session, SYSTEM, "u1")
    assert "customers:manage" in PERMISSIONS_OF["lead"]
    assert "customers:manage" not in PERMISSIONS_OF["success_manager"]


def test_a_retired_key_takes_its_sessions_along(shop: Shop) -> None:
    (one, one_token), (two, two_token) = shop.visitor(), shop.visitor()
    shop.identify(one, shop.website.token("u1", "shared"))
    shop.identify(two, shop.website.token("u1", "pair"))
    mine = shop.begin(one)
    with shop.changes.transaction() as session:
        assert expire_sessions_of_key(session, SYSTEM, "shared") == 1
    with pytest.raises(IdentityExpired):
        shop.store.authorise(mine, one_token, AWAY)
    assert shop.opens(mine, two_token)
    shop.identify(one, shop.website.token("u1", "pair"))
    assert shop.opens(mine, one_token)


# Replays and races


def test_a_token_is_for_whom_used_it_first(shop: Shop) -> None:
    (one, _), (two, two_token) = shop.visitor(), shop.visitor()
    token = shop.website.token()
    shop.identify(one, token)
    shop.identify(one, token)
    mine = shop.begin(one)
    with pytest.raises(IdentityRefused, match="Another browser"):
        shop.identify(two, token)
    with shop.changes.transaction() as session:
        visitors.revoke(visitors.lock(session, one))
    with pytest.raises(IdentityRefused, match="Another browser"):
        shop.identify(two, token)
    assert not shop.opens(mine, two_token)
    with Session(shop.engine) as session:
        assert session.get_one(Visitor, two).customer_id is None


def test_used_tokens_are_forgotten_once_they_have_ended(shop: Shop) -> None:
    visitor, _ = shop.visitor()
    moment = int(now().timestamp())
    shop.identify(visitor, shop.website.token(exp=moment + 3600))
    with shop.changes.transaction() as session:
        session.add(UsedToken(digest="d" * 64, visitor_id=visitor, expires_at=now() - dt.timedelta(seconds=1)))
    with shop.changes.transaction() as session:
        clear_used(session)
        assert session.scalar(select(func.count()).select_from(UsedToken)) == 1
        assert session.get(UsedToken, "d" * 64) is None


@pytest.mark.slow
def test_many_show_one_token_at_once(any_shop: Shop) -> None:
    token = any_shop.website.token(account="acme")
    ids = [any_shop.visitor()[0] for _ in range(6)]
    done = at_once(*(partial(any_shop.identify, one, token) for one in ids))
    assert sorted(type(one).__name__ for one in done) == ["Identified", *["IdentityRefused"] * 5]
    with Session(any_shop.engine) as session:
        assert session.scalar(select(func.count()).where(Visitor.customer_id == "u1")) == 1


@pytest.mark.slow
def test_two_tabs_two_devices_and_messages_at_once(any_shop: Shop) -> None:
    """Nothing waits for ever, nothing fails, and all that the visitor began is the customer's."""
    for sub in ("u1", "u2", "u3"):
        tab, token = any_shop.visitor()
        phone, _ = any_shop.visitor()
        begun = [any_shop.begin(tab) for _ in range(3)]
        tokens = [any_shop.website.token(sub, account="acme", plan=plan) for plan in ("gold", "silver", "gold")]
        done = at_once(
            partial(any_shop.identify, tab, tokens[0]),
            partial(any_shop.identify, tab, tokens[1]),
            partial(any_shop.identify, phone, tokens[2]),
            partial(any_shop.store.add_customer_message, begun[0], "b", "And", {}),
            partial(any_shop.store.add_customer_message, begun[1], "b", "And", {}),
            partial(any_shop.begin, tab),
        )
        assert [one for one in done if isinstance(one, Exception)] == []
        new = done[-1]
        assert isinstance(new, str)
        for identifier in (*begun, new):
            kept = any_shop.conversation(identifier)
            assert (kept.customer_id, kept.account_id) == (sub, "acme")
            assert any_shop.opens(identifier, token)


@pytest.mark.slow
def test_an_end_wins_over_a_sign_in_at_the_same_time(any_shop: Shop) -> None:
    """Whichever comes first: afterwards no browser is signed in by a token signed before the end."""
    for number in range(6):
        sub = f"u{number}"
        one, one_token = any_shop.visitor()
        two, two_token = any_shop.visitor()
        any_shop.identify(one, any_shop.website.token(sub))
        mine = any_shop.begin(one)
        late = any_shop.website.token(sub, iat=int(now().timestamp()) - 1)

        def end(sub: str = sub) -> int:
            with any_shop.changes.transaction() as session:
                return end_sessions(session, SYSTEM, sub)

        done = at_once(partial(any_shop.identify, two, late), end)
        assert isinstance(done[1], int)
        assert isinstance(done[0], (Identified, IdentityRefused))
        assert [any_shop.opens(mine, token) for token in (one_token, two_token)] == [False, False]


def test_visitors_who_said_nothing_are_forgotten_after_a_month(any_shop: Shop) -> None:
    silent, token = any_shop.visitor()
    speaking, other = any_shop.visitor()
    any_shop.identify(silent, any_shop.website.token("ann"))
    conversation = any_shop.begin(speaking)
    for days, forgotten in ((29, 0), (31, 1), (31, 0)):
        with any_shop.changes.transaction() as session:
            assert visitors.forget_silent(session, now() + dt.timedelta(days=days)) == forgotten
    with Session(any_shop.engine) as session:
        assert session.scalars(select(Visitor.id)).all() == [speaking]
        assert session.scalars(select(UsedToken)).all() == []
        with pytest.raises(UnknownVisitor):
            visitors.find(session, token, AWAY)
    assert any_shop.opens(conversation, other)
