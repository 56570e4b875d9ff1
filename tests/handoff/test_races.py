"""Several at once, on every database; and events that tell the whole state, whatever is done in whichever order."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import Engine, select

from bot.conversation import events
from bot.conversation.changes import Changes
from bot.conversation.models import Conversation, Event, Message
from bot.errors import ConversationError
from bot.handoff import assignment, cases, team
from bot.handoff.escalation import escalate
from bot.handoff.models import Escalation
from bot.handoff.queues import PRIORITIES, QUEUES, default_queues
from bot.handoff.routing import Routing
from bot.handoff.watch import Watch
from bot.handoff.work import open_signal_work
from bot.people.roles import Forbidden, Principal
from tests.handoff.fakes import person, pushing, say

pytestmark = pytest.mark.slow

QUEUES_OF = default_queues()
HERE = "a" * 32
Act = Callable[[Any], object]


@dataclass
class Scene:
    """A conversation with a case in support, and people who can all see it."""

    changes: Changes
    people: dict[str, Principal]
    case: int

    def at_once(self, *acts: Act) -> list[object]:
        """Do all of this at the same time, each in a transaction of its own; gives results or errors."""
        barrier = threading.Barrier(len(acts))
        results: list[object] = [None] * len(acts)

        def run(place: int, act: Act) -> None:
            barrier.wait(10)
            try:
                with self.changes.transaction() as session:
                    results[place] = act(session)
            except ConversationError as error:
                results[place] = error

        threads = [threading.Thread(target=run, args=each) for each in enumerate(acts)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        return results

    def check(self) -> State:
        """The state that all events tell is the one that stands in the rows."""
        told = State()
        with self.changes.reading() as session:
            for number, event in enumerate(session.scalars(select(Event).order_by(Event.number)), 1):
                assert event.number == number
                told.fold(event)
            stored = stored_state(session)
        assert told == stored
        return stored


@dataclass
class State:
    """What can be known of a conversation."""

    owner: dict[str, str] = field(default_factory=lambda: {"owner": "bot", "name": ""})
    cases: dict[int, tuple[object, ...]] = field(default_factory=dict)
    messages: list[int] = field(default_factory=list)

    def fold(self, event: Event) -> None:
        """Take one event in."""
        if event.kind == "message":
            self.messages.append(event.data["number"])
        elif event.kind == "owner":
            self.owner = {name: event.data[name] for name in ("owner", "name")}
        elif event.kind == "case":
            told = ("open", "queue", "assignee", "priority", "resolution", "version")
            self.cases[event.data["case"]] = tuple(event.data[name] for name in told)


def stored_state(session: Any) -> State:
    """As the rows say."""
    conversation = session.get_one(Conversation, HERE)
    rows = session.scalars(select(Escalation).where(Escalation.conversation_id == HERE))
    return State(
        team.owner_shown(session, conversation.owner),
        {r.id: (r.status == "open", r.queue, r.assignee, r.priority, r.resolution, r.version) for r in rows},
        list(session.scalars(select(Message.number).where(Message.conversation_id == HERE).order_by(Message.number))),
    )


def make_scene(engine: Engine) -> Scene:
    """A scene in a database."""
    changes = Changes(engine)
    with changes.transaction() as session:
        conversation = Conversation(
            id=HERE, channel="webchat", audience="public", language="en", token_hash="0" * 64, customer_id="c"
        )
        session.add(conversation)
        session.flush()
        people = {name: person(session, name, "lead", online=name != "Cem") for name in ("Ada", "Bob", "Cem")}
        people["Dan"] = person(session, "Dan")
        case = escalate(session, events.locked(session, HERE), "support", "asked_for")
    return Scene(changes, people, case.id)


@pytest.fixture
def scene(any_engine: Engine) -> Scene:
    """One on each kind of database."""
    return make_scene(any_engine)


def customer_writes(session: Any) -> Message:
    """Store what the customer writes, as the service does."""
    conversation = events.locked(session, HERE)
    message = events.add_message(session, conversation, "customer", "Hello?", by="customer")
    cases.on_customer_message(session, conversation, message)
    return message


def test_of_several_who_claim_one_wins(scene: Scene) -> None:
    def claim(who: Principal) -> Act:
        return lambda session: cases.claim(session, scene.case, who)

    results = scene.at_once(*(claim(scene.people[name]) for name in ("Ada", "Bob", "Cem", "Dan")))
    won = [result for result in results if isinstance(result, Escalation)]
    lost = [result for result in results if isinstance(result, cases.Stale)]
    assert (len(won), len(lost)) == (1, 3)
    (winner,) = [one for one in scene.people.values() if one.id == won[0].assignee]
    assert {str(error.message) for error in lost} == {f"{winner.name} has this case."}
    assert scene.check().owner == {"owner": "agent", "name": winner.name}


def test_nobody_is_given_more_than_they_can_take(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    both = threading.Barrier(2)

    def side_by_side(*arguments: Any) -> str | None:
        chosen = assignment.choose(*arguments)
        with contextlib.suppress(threading.BrokenBarrierError):  # SQLite lets one come after the other.
            both.wait(0.2)
        return chosen

    monkeypatch.setattr(team, "choose", side_by_side)
    routing = Routing(queues=pushing(capacity=1, members=["ada@example.com"]))

    def opens(number: str) -> Act:
        def act(session: Any) -> str | None:
            made = Conversation(id=number * 32, channel="webchat", audience="public", language="en", token_hash=number)
            session.add(made)
            session.flush()
            return escalate(session, made, "support", "asked_for", routing=routing).assignee

        return act

    assert set(scene.at_once(opens("b"), opens("c"))) == {scene.people["Ada"].id, None}


def test_claim_while_it_is_transferred(scene: Scene) -> None:
    ada, bob = scene.people["Ada"], scene.people["Bob"]
    claimed, transferred = scene.at_once(
        lambda session: cases.claim(session, scene.case, scene.people["Dan"]),
        lambda session: cases.transfer(session, scene.case, ada, QUEUES_OF, "success", bob.id),
    )
    assert isinstance(transferred, Escalation)
    assert isinstance(claimed, Escalation | ConversationError)
    state = scene.check()
    assert state.cases[scene.case][1:3] == ("success", bob.id)
    assert state.owner == {"owner": "agent", "name": "Bob"}


@pytest.mark.parametrize("resolution", ["solved", "no_reply"])
def test_customer_writes_while_the_case_is_resolved(scene: Scene, resolution: str) -> None:
    ada = scene.people["Ada"]
    with scene.changes.transaction() as session:
        cases.reply(session, scene.case, ada, "Does it work?")
    resolved, message = scene.at_once(
        lambda session: cases.resolve(session, scene.case, ada, resolution, say), customer_writes
    )
    assert isinstance(resolved, Escalation)
    assert isinstance(message, Message)
    state = scene.check()
    with scene.changes.reading() as session:
        asked = session.scalars(select(Message.number).where(Message.author == "bot")).one()
    if resolution == "no_reply" and message.number > asked:
        assert state.cases[scene.case][0] is True
        assert state.owner == {"owner": "agent", "name": "Ada"}
    else:
        assert state.cases[scene.case][0] is False
        assert state.owner["owner"] == "bot"


def test_the_same_reply_sent_twice_at_once_is_one_message(scene: Scene) -> None:
    def send(session: Any) -> object:
        return cases.reply(session, scene.case, scene.people["Ada"], "Hello", "c1").number

    assert scene.at_once(send, send, send) == [1, 1, 1]
    assert scene.check().messages == [1]


def test_two_processes_tell_each_warning_once(scene: Scene) -> None:
    with scene.changes.transaction() as session:
        case = session.get_one(Escalation, scene.case)
        case.first_response_warn_at = case.first_response_due = case.created_at
        case.resolution_warn_at = case.created_at
    watch = Watch(scene.changes, QUEUES_OF)
    threads = [threading.Thread(target=watch.look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with scene.changes.reading() as session:
        told = [
            (event.data["action"], event.data["clock"])
            for event in session.scalars(select(Event).where(Event.kind == "case").order_by(Event.number))
            if "clock" in event.data
        ]
    assert sorted(told) == [("sla_breached", "first_response"), ("sla_warned", "resolution")]
    scene.check()


def any_act(rng: random.Random, scene: Scene, session: Any) -> object:
    """Something that may happen, on some case, by somebody."""
    numbers = session.scalars(select(Escalation.id)).all()
    number, other = rng.choice(numbers), rng.choice(numbers)
    by = rng.choice(list(scene.people.values()))
    queues = rng.choice((QUEUES_OF, pushing()))
    routing = Routing(queues=queues)
    acts: list[Callable[[], object]] = [
        lambda: cases.claim(session, number, by, take_over=rng.random() < 0.3),
        lambda: cases.release(session, number, by),
        lambda: cases.transfer(
            session,
            number,
            by,
            queues,
            rng.choice((None, *QUEUES)),
            rng.choice((None, rng.choice(list(scene.people.values())).id)),
            rng.choice(("", "See this")),
        ),
        lambda: cases.reply(session, number, by, "Hello"),
        lambda: cases.add_note(session, HERE, by, "Note", number),
        lambda: cases.set_priority(session, number, by, queues, rng.choice(PRIORITIES)),
        lambda: cases.resolve(session, number, by, rng.choice(cases.RESOLUTIONS), say),
        lambda: cases.return_to_bot(session, number, by, say),
        lambda: cases.reopen(session, number, by, queues),
        lambda: cases.merge(session, number, other, by, say),
        lambda: cases.undo(session, number, by),
        lambda: customer_writes(session),
        lambda: escalate(
            session, events.locked(session, HERE), rng.choice(QUEUES), rng.choice(("asked_for", "angry")), 1, routing
        ),
        lambda: open_signal_work(session, events.locked(session, HERE), 1, {"churn_risk": 0.9}, routing),
    ]
    return rng.choice(acts)()


@pytest.mark.parametrize("seed", range(6))
def test_old_state_and_events_are_the_fresh_state(engine: Engine, seed: int) -> None:
    scene = make_scene(engine)
    rng = random.Random(seed)
    told, seen, done = State(), 0, 0
    for _ in range(60):
        try:
            with scene.changes.transaction() as session:
                any_act(rng, scene, session)
                done += 1
        except (ConversationError, Forbidden):
            pass
        if rng.random() < 0.1:
            Watch(scene.changes, pushing()).look()
        with scene.changes.reading() as session:
            for event in session.scalars(select(Event).where(Event.number > seen).order_by(Event.number)):
                assert event.number == seen + 1
                told.fold(event)
                seen = event.number
            stored = stored_state(session)
            own = session.scalars(
                select(Escalation).where(Escalation.status == "open", Escalation.reason != "signal")
            ).all()
        assert told == stored
        # While the customer has a case open, a person or a queue has the conversation; else the bot, or who wrote.
        assert (stored.owner["owner"] == "bot") <= (not own)
        assert len({case.queue for case in own}) == len(own)
    assert done > 15
