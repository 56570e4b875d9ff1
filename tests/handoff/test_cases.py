"""What people do with cases: who may, what changes, what is told and logged."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.conversation import events
from bot.conversation.models import Conversation, Event, Message, now
from bot.conversation.records import DuplicateId
from bot.errors import ConversationError, InvalidInput, NotFound
from bot.handoff import cases
from bot.handoff.access import see_case, see_conversation, visible
from bot.handoff.escalation import escalate
from bot.handoff.models import Escalation, Note, Rating
from bot.handoff.queues import default_queues
from bot.handoff.routing import Routing
from bot.handoff.work import open_signal_work
from bot.knowledge.answer import Citation
from bot.people.audit import entries
from bot.people.models import Person
from bot.people.roles import Forbidden, Principal, operator
from tests.handoff.fakes import person, pushing, say

QUEUES = default_queues()


@pytest.fixture
def case(session: Session, conversation: Conversation) -> Escalation:
    """The customer's, waiting in support."""
    return escalate(session, conversation, "support", "asked_for")


@pytest.fixture
def work(session: Session, conversation: Conversation) -> Escalation:
    """Work on a signal for account management."""
    return open_signal_work(session, conversation, 1, {"expansion": 0.9}, Routing())[0]


@pytest.fixture
def ada(session: Session) -> Principal:
    """An agent of support."""
    return person(session, "Ada")


@pytest.fixture
def bob(session: Session) -> Principal:
    """Another one."""
    return person(session, "Bob")


@pytest.fixture
def lea(session: Session) -> Principal:
    """Leads the team."""
    return person(session, "Lea", "lead")


@pytest.fixture
def sam(session: Session) -> Principal:
    """A success manager."""
    return person(session, "Sam", "success_manager")


def told(session: Session, conversation: Conversation, after: int = 0) -> list[tuple[str, Any, bool]]:
    """Events after one: kind, what happened, and whether the customer sees it."""
    session.flush()
    found = events.events_after(session, conversation.id, after, visible_only=False)
    shown = {"case": "action", "owner": "owner", "message": "number", "note": "case"}
    return [(one.kind, one.data[shown[one.kind]], one.visible) for one in found if one.kind in shown]


def customer_says(session: Session, conversation: Conversation, text: str = "Hello?") -> Message:
    """Store what the customer writes, as the service does."""
    message = events.add_message(session, conversation, "customer", text, by="customer")
    cases.on_customer_message(session, conversation, message)
    return message


# Claim and release


def test_claim(session: Session, conversation: Conversation, case: Escalation, ada: Principal) -> None:
    before, version = conversation.last_event, conversation.owner_version
    claimed = cases.claim(session, case.id, ada, version=case.version)
    assert (claimed.assignee, claimed.version, conversation.owner) == (ada.id, 2, f"agent:{ada.id}")
    assert claimed.assigned_at is not None
    assert conversation.owner_version == version + 1
    assert told(session, conversation, before) == [("case", "claimed", False), ("owner", "agent", True)]
    owner = events.events_after(session, conversation.id, before, True)[-1]
    assert owner.data == {"owner": "agent", "name": "Ada", "person": ada.id}
    assert [(entry.by, entry.action, entry.target) for entry in entries(session)] == [
        (f"person:{ada.id}", "case.claim", f"case:{case.id}")
    ]
    after = conversation.last_event
    cases.claim(session, case.id, ada, version=0)
    assert conversation.last_event == after


def test_claim_of_what_somebody_has(
    session: Session, conversation: Conversation, case: Escalation, ada: Principal, bob: Principal, lea: Principal
) -> None:
    with pytest.raises(cases.Stale, match="has changed"):
        cases.claim(session, case.id, ada, version=case.version - 1)
    cases.claim(session, case.id, ada)
    for who, options in ((bob, {}), (bob, {"take_over": True}), (lea, {})):
        with pytest.raises(cases.Stale, match="Ada has this case"):
            cases.claim(session, case.id, who, **options)
    cases.claim(session, case.id, lea, take_over=True)
    assert (case.assignee, conversation.owner) == (lea.id, f"agent:{lea.id}")


def test_release_gives_back_to_the_queue(
    session: Session, conversation: Conversation, case: Escalation, ada: Principal, bob: Principal
) -> None:
    cases.claim(session, case.id, ada)
    segment, before = conversation.segment, conversation.last_event
    with pytest.raises(cases.Stale, match="Ada has this case"):
        cases.release(session, case.id, bob)
    cases.release(session, case.id, ada)
    assert (case.assignee, conversation.owner, conversation.segment) == (None, "queue:support", segment + 1)
    assert told(session, conversation, before) == [("case", "released", False), ("owner", "queue", True)]


# Who sees and may do what


@pytest.mark.parametrize(
    "act",
    [
        lambda s, n, by: cases.claim(s, n, by),
        lambda s, n, by: cases.release(s, n, by),
        lambda s, n, by: cases.transfer(s, n, by, QUEUES, queue="support"),
        lambda s, n, by: cases.reply(s, n, by, "Hi"),
        lambda s, n, by: cases.set_priority(s, n, by, QUEUES, "high"),
        lambda s, n, by: cases.resolve(s, n, by, "solved", say),
        lambda s, n, by: cases.return_to_bot(s, n, by, say),
        lambda s, n, by: cases.reopen(s, n, by, QUEUES),
        lambda s, n, by: cases.merge(s, n, n + 1, by, say),
        lambda s, n, by: cases.undo(s, n, by),
    ],
    ids=["claim", "release", "transfer", "reply", "priority", "resolve", "return", "reopen", "merge", "undo"],
)
def test_nothing_can_be_done_with_what_is_not_seen(
    session: Session,
    conversation: Conversation,
    case: Escalation,
    sam: Principal,
    act: Callable[[Session, int, Principal], object],
) -> None:
    before = conversation.last_event
    with pytest.raises(NotFound) as unseen:
        act(session, case.id, sam)
    with pytest.raises(NotFound) as absent:
        act(session, 99, sam)
    assert unseen.value.message.replace(str(case.id), "N") == absent.value.message.replace("99", "N")
    reader = Principal("token", "t", "Reader", frozenset({"conversations:read"}))
    with pytest.raises((Forbidden, NotFound)):
        act(session, case.id, reader)
    assert conversation.last_event == before
    assert entries(session) == []


def test_signals_are_for_those_who_may_read_them(
    session: Session, conversation: Conversation, case: Escalation, work: Escalation, sam: Principal, ada: Principal
) -> None:
    other = Principal("token", "t", "Token", ada.permissions, None)
    for who, seen in ((ada, {case.id}), (sam, {work.id}), (other, {case.id}), (operator("o"), {case.id, work.id})):
        assert set(session.scalars(select(Escalation.id).where(visible(who)))) == seen
        for one in (case.id, work.id):
            if one in seen:
                assert see_case(session, one, who).id == one
            else:
                with pytest.raises(NotFound):
                    see_case(session, one, who)
    assert see_conversation(session, conversation.id, sam) is conversation
    work.queue = case.queue
    session.flush()
    with pytest.raises(NotFound):
        see_conversation(session, conversation.id, sam)
    case.assignee = sam.id
    session.flush()
    assert see_conversation(session, conversation.id, sam) is conversation


def test_work_on_signals_never_touches_the_owner_until_a_person_writes(
    session: Session, conversation: Conversation, work: Escalation, sam: Principal
) -> None:
    cases.claim(session, work.id, sam)
    assert (work.assignee, conversation.owner, conversation.owner_version) == (sam.id, "bot", 0)
    assert not any(visible for _, _, visible in told(session, conversation))
    cases.reply(session, work.id, sam, "You open two cafés? How nice.")
    assert conversation.owner == f"agent:{sam.id}"
    with pytest.raises(InvalidInput, match="cannot be closed as 'solved'"):
        cases.resolve(session, work.id, sam, "solved", say)
    cases.resolve(session, work.id, sam, "done", say)
    assert (work.status, work.resolution, conversation.owner) == ("closed", "done", "bot")
    assert session.get(Rating, work.id) is None


def test_two_people_do_not_talk_to_one_customer(
    session: Session, case: Escalation, work: Escalation, ada: Principal, sam: Principal
) -> None:
    cases.claim(session, case.id, ada)
    with pytest.raises(cases.Stale, match="Ada talks to this customer"):
        cases.reply(session, work.id, sam, "Hello")


# Reply


def test_reply_takes_the_case_and_stops_the_clock(
    session: Session, conversation: Conversation, case: Escalation, ada: Principal, bob: Principal
) -> None:
    assert (case.first_response_state, case.waiting_since) == ("running", case.created_at)
    cited = [Citation("reset", "Reset", "/help/reset", "en")]
    sent = cases.reply(session, case.id, ada, "I look at it.", "c1", conversation.last_number, cited)
    assert sent.content == {
        "name": "Ada",
        "person": ada.id,
        "citations": [{"article_id": "reset", "title": "Reset", "url": "/help/reset", "language": "en"}],
    }
    assert (case.assignee, case.waiting_since, case.first_response_state) == (ada.id, None, "met")
    assert case.first_responded_at == sent.created_at
    assert cases.reply(session, case.id, ada, "I look at it.", "c1", 0) is sent
    with pytest.raises(DuplicateId):
        cases.reply(session, case.id, ada, "Another text", "c1")
    with pytest.raises(cases.Stale, match="Ada has this case"):
        cases.reply(session, case.id, bob, "Me too")
    customer_says(session, conversation)
    assert case.waiting_since is not None
    with pytest.raises(cases.Stale, match="Something was said"):
        cases.reply(session, case.id, ada, "Too late", "c2", sent.number)
    cases.reply(session, case.id, ada, "In time", "c2", conversation.last_number)
    found: list[dt.datetime | None] = [case.waiting_since, case.first_responded_at]
    assert found == [None, sent.created_at]


def test_late_reply_misses_the_promise(session: Session, case: Escalation, ada: Principal) -> None:
    case.first_response_due = now() - dt.timedelta(seconds=1)
    cases.reply(session, case.id, ada, "Sorry.")
    assert case.first_response_state == "missed"


# Transfer, notes, priority


def test_transfer_and_undo(
    session: Session, conversation: Conversation, case: Escalation, ada: Principal, sam: Principal, bob: Principal
) -> None:
    cases.claim(session, case.id, ada)
    due, before = case.resolution_due, conversation.last_event
    cases.transfer(session, case.id, ada, QUEUES, "success", sam.id, " They want to leave. ")
    assert (case.queue, case.assignee, conversation.owner) == ("success", sam.id, f"agent:{sam.id}")
    assert told(session, conversation, before) == [
        ("owner", "agent", True),
        ("note", case.id, False),
        ("case", "transferred", False),
    ]
    assert session.scalars(select(Note.text)).all() == ["They want to leave."]
    with pytest.raises(NotFound):
        see_case(session, case.id, ada)
    with pytest.raises(NotFound):
        cases.undo(session, case.id, bob)
    with pytest.raises(cases.Stale, match="somebody else did it"):
        cases.undo(session, case.id, sam)
    cases.undo(session, case.id, ada)
    assert (case.queue, case.assignee, conversation.owner) == ("support", ada.id, f"agent:{ada.id}")
    assert case.resolution_due == due
    with pytest.raises(cases.Stale, match="cannot be undone"):
        cases.undo(session, case.id, ada)


@pytest.mark.parametrize(
    ("queue", "who", "problem"),
    [
        (None, None, "needs a queue or a person"),
        ("kitchen", None, "no queue 'kitchen'"),
        (None, "nobody", "no such person"),
        (None, "Sam", "Sam is no member of the queue 'support'"),
        ("support", None, "waits in the queue 'support' already"),
    ],
)
def test_transfer_to_nowhere(
    session: Session, case: Escalation, ada: Principal, sam: Principal, queue: str | None, who: str | None, problem: str
) -> None:
    with pytest.raises(InvalidInput, match=problem):
        cases.transfer(session, case.id, ada, QUEUES, queue, sam.id if who == "Sam" else who)


def test_transfer_to_where_another_case_is(
    session: Session, conversation: Conversation, case: Escalation, work: Escalation, lea: Principal
) -> None:
    other = escalate(session, conversation, "success", "asked_for")
    with pytest.raises(InvalidInput, match=f"Case {other.id} of this customer"):
        cases.transfer(session, case.id, lea, QUEUES, "success")
    cases.transfer(session, case.id, lea, QUEUES, "account_management")
    assert (work.status, work.resolution, work.merged_into) == ("closed", "duplicate", case.id)


def test_transfer_to_a_queue_that_gives_cases_out(
    session: Session, conversation: Conversation, case: Escalation, lea: Principal
) -> None:
    there = person(session, "Tia", online=True)
    cases.transfer(session, case.id, lea, pushing(), "support", there.id)
    cases.transfer(session, case.id, lea, pushing(), "success")
    assert (case.assignee, conversation.owner) == (None, "queue:success")
    cases.transfer(session, case.id, lea, pushing(), "support")
    assert (case.assignee, conversation.owner) == (there.id, f"agent:{there.id}")


def test_notes(session: Session, conversation: Conversation, case: Escalation, ada: Principal, sam: Principal) -> None:
    made = cases.add_note(session, conversation.id, ada, "Rude, but right.", case.id)
    assert (made.by, made.text, made.case_id) == (ada.label, "Rude, but right.", case.id)
    once = cases.add_note(session, conversation.id, ada, " Twice ", client_id="n-1")
    assert cases.add_note(session, conversation.id, ada, "Twice", client_id="n-1") is once
    assert session.scalars(select(Note.text).order_by(Note.id)).all() == ["Rude, but right.", "Twice"]
    with pytest.raises(DuplicateId, match="another note"):
        cases.add_note(session, conversation.id, ada, "Thrice", client_id="n-1")
    for text, problem in (("  ", "empty"), ("x" * 4001, "4,001 characters")):
        with pytest.raises(InvalidInput, match=problem):
            cases.add_note(session, conversation.id, ada, text)
    with pytest.raises(NotFound):
        cases.add_note(session, conversation.id, sam, "I see nothing")
    with pytest.raises(NotFound):
        cases.add_note(session, conversation.id, ada, "Of another conversation", 99)


def test_priority_sets_the_clocks_anew(
    session: Session, conversation: Conversation, case: Escalation, ada: Principal
) -> None:
    cases.set_priority(session, case.id, ada, QUEUES, "urgent")
    targets = QUEUES.sla("urgent")
    assert case.first_response_due == case.created_at + targets.first_response
    assert case.resolution_due == case.created_at + targets.resolution
    cases.reply(session, case.id, ada, "Hello")
    answered = case.first_response_due
    cases.set_priority(session, case.id, ada, QUEUES, "low")
    assert case.first_response_due == answered
    assert case.resolution_due == case.created_at + QUEUES.sla("low").resolution
    with pytest.raises(InvalidInput, match="no priority 'now'"):
        cases.set_priority(session, case.id, ada, QUEUES, "now")


# Close, reopen, merge, undo


def test_resolve_asks_for_a_rating_and_undo_withdraws_it(
    session: Session, conversation: Conversation, case: Escalation, ada: Principal, bob: Principal
) -> None:
    cases.reply(session, case.id, ada, "Done.")
    conversation.misses, segment = 1, conversation.segment
    with pytest.raises(cases.Stale, match="Ada has"):
        cases.resolve(session, case.id, bob, "solved", say)
    with pytest.raises(InvalidInput, match="cannot be closed as 'done'"):
        cases.resolve(session, case.id, ada, "done", say)
    before = conversation.last_event
    cases.resolve(session, case.id, ada, "solved", say, "Light was off.")
    assert (case.status, case.resolution, case.closed_by) == ("closed", "solved", ada.label)
    assert (case.resolution_state, case.assignee, conversation.owner) == ("met", ada.id, "bot")
    assert (conversation.segment, conversation.segment_turns, conversation.misses) == (segment + 1, 0, 0)
    assert [kind for kind, _, _ in told(session, conversation, before)] == ["owner", "message", "note", "case"]
    assert session.get_one(Rating, case.id).number == conversation.last_number
    with pytest.raises(ConversationError, match="is closed"):
        cases.resolve(session, case.id, ada, "solved", say)
    cases.undo(session, case.id, ada)
    assert (case.status, case.resolution, case.closed_at) == ("open", None, None)
    assert (case.resolution_state, conversation.owner) == ("running", f"agent:{ada.id}")
    session.expire_all()
    assert session.get(Rating, case.id) is None


@pytest.mark.parametrize("follows", ["message", "time"])
def test_undo_comes_too_late(
    session: Session, conversation: Conversation, case: Escalation, ada: Principal, follows: str
) -> None:
    cases.resolve(session, case.id, ada, "solved", say)
    if follows == "message":
        customer_says(session, conversation, "Thanks!")
    else:
        last = session.scalars(select(Event).order_by(Event.id.desc())).first()
        assert last is not None
        last.created_at -= dt.timedelta(seconds=61)
    with pytest.raises(cases.Stale):
        cases.undo(session, case.id, ada)
    assert case.status == "closed"


def test_return_to_the_bot(session: Session, conversation: Conversation, case: Escalation, ada: Principal) -> None:
    cases.reply(session, case.id, ada, "The assistant helps with that.")
    cases.return_to_bot(session, case.id, ada, say)
    assert (case.resolution, conversation.owner) == ("returned_to_bot", "bot")
    last = session.scalars(select(Message).order_by(Message.number.desc())).first()
    assert last is not None
    assert (last.author, last.text) == ("bot", "utter_back_with_bot tr {case_number}")
    assert session.get(Rating, case.id) is None
    cases.undo(session, case.id, ada)
    assert (case.status, conversation.owner) == ("open", f"agent:{ada.id}")


def test_reopen_leaves_out_the_time_while_it_was_closed(
    session: Session, conversation: Conversation, case: Escalation, ada: Principal
) -> None:
    cases.reply(session, case.id, ada, "Done.")
    cases.resolve(session, case.id, ada, "solved", say)
    due = case.resolution_due
    assert due is not None
    assert case.closed_at is not None
    case.closed_at -= dt.timedelta(hours=2)
    cases.reopen(session, case.id, ada, QUEUES)
    assert (case.status, case.resolution, case.reopened) == ("open", None, 1)
    assert conversation.owner == f"agent:{ada.id}"
    assert case.resolution_due is not None
    assert abs((case.resolution_due - due) - dt.timedelta(hours=2)) < dt.timedelta(seconds=2)
    assert (case.first_response_state, case.waiting_since) == ("met", None)
    with pytest.raises(ConversationError, match="is open"):
        cases.reopen(session, case.id, ada, QUEUES)


def test_reopen_beside_a_newer_case(
    session: Session, conversation: Conversation, case: Escalation, ada: Principal
) -> None:
    cases.resolve(session, case.id, ada, "spam", say)
    newer = escalate(session, conversation, "support", "asked_for")
    assert newer.id != case.id
    with pytest.raises(ConversationError, match=f"Case {newer.id} of this customer is open"):
        cases.reopen(session, case.id, ada, QUEUES)


def other_conversation(session: Session, **values: Any) -> Conversation:
    """Another customer's, or the same one's."""
    made = Conversation(id="b" * 32, channel="webchat", audience="public", language="en", token_hash="1" * 64, **values)
    session.add(made)
    session.flush()
    return made


@pytest.mark.parametrize(
    ("same", "allowed"),
    [
        ({}, False),
        ({"customer_id": "c1"}, True),
        ({"contact": {"name": "A", "email": "A@Example.com", "time": ""}}, True),
        ({"contact": {"name": "A", "email": "", "time": ""}}, False),
        ({"account_id": "cafe"}, True),
    ],
)
def test_merge_of_one_persons_cases(
    session: Session,
    conversation: Conversation,
    case: Escalation,
    ada: Principal,
    lea: Principal,
    same: dict[str, Any],
    allowed: bool,
) -> None:
    conversation.customer_id, conversation.account_id = same.get("customer_id"), same.get("account_id")
    conversation.contact = {"name": "A", "email": "a@example.com", "time": ""} if same.get("contact") else None
    other = other_conversation(session, **same)
    second = escalate(session, other, "support", "asked_for")
    if "account_id" in same:
        with pytest.raises(InvalidInput, match="same person"):
            cases.merge(session, second.id, case.id, ada, say)
    if not allowed:
        with pytest.raises(InvalidInput, match="same person"):
            cases.merge(session, second.id, case.id, lea, say)
        return
    assert cases.merge(session, second.id, case.id, lea, say) is case
    assert (second.status, second.resolution, second.merged_into) == ("closed", "duplicate", case.id)
    assert (other.owner, conversation.owner) == ("bot", "queue:support")
    said = session.scalars(select(Message).where(Message.conversation_id == other.id)).one()
    assert said.text == f"utter_case_merged en {case.id}"
    sent = cases.reply(session, second.id, ada, "One answer to both.")
    assert (sent.conversation_id, case.assignee) == (conversation.id, ada.id)
    with pytest.raises(InvalidInput, match="into itself"):
        cases.merge(session, case.id, case.id, lea, say)


# What the customer does


def test_message_after_no_reply_opens_the_case_again(
    session: Session, conversation: Conversation, case: Escalation, ada: Principal
) -> None:
    cases.reply(session, case.id, ada, "Which printer?")
    cases.resolve(session, case.id, ada, "no_reply", say)
    score = events.add_message(session, conversation, "customer", "5", by="customer")
    assert cases.on_customer_message(session, conversation, score) is None
    message = customer_says(session, conversation, "The red one")
    assert (case.status, case.reopened, case.resolution) == ("open", 1, None)
    # Ada is away: the bot goes on, and somebody else may take it.
    assert (case.assignee, conversation.owner) == (None, "queue:support")
    assert (case.first_response_state, case.first_responded_at) == ("running", None)
    assert case.waiting_since is not None
    assert case.waiting_since >= message.created_at


def test_whoever_had_the_case_gets_it_again_when_they_are_there(session: Session, conversation: Conversation) -> None:
    tia = person(session, "Tia", online=True)
    case = escalate(session, conversation, "support", "asked_for")
    cases.reply(session, case.id, tia, "Which printer?")
    cases.resolve(session, case.id, tia, "no_reply", say)
    customer_says(session, conversation, "The red one")
    assert (case.assignee, conversation.owner) == (tia.id, f"agent:{tia.id}")


@pytest.mark.parametrize(
    ("resolution", "days", "reason", "same"),
    [
        ("solved", 1, "asked_for", True),
        ("solved", 1, "low_confidence", True),
        ("solved", 8, "asked_for", False),
        ("solved", 1, "bot_unavailable", False),
        ("spam", 1, "asked_for", False),
    ],
)
def test_asking_again_soon_opens_the_same_case(
    session: Session,
    conversation: Conversation,
    case: Escalation,
    ada: Principal,
    resolution: str,
    days: int,
    reason: str,
    same: bool,
) -> None:
    cases.resolve(session, case.id, ada, resolution, say)
    assert case.closed_at is not None
    case.closed_at -= dt.timedelta(days=days)
    again = escalate(session, conversation, "support", reason, 7)
    assert (again.id == case.id) is same
    assert (again.reopened, again.turn_number) == (int(same), 7)


def test_pushed_case_belongs_to_the_person_at_once(session: Session, conversation: Conversation) -> None:
    person(session, "Zoe", online=True, languages=("en",))
    person(session, "Old", online=True, seen=dt.timedelta(minutes=3))
    tia = person(session, "Tia", online=True)
    case = escalate(session, conversation, "support", "asked_for", routing=Routing(queues=pushing()))
    assert (case.assignee, conversation.owner) == (tia.id, f"agent:{tia.id}")
    assert session.get_one(Person, tia.id).last_assigned_at == case.assigned_at
