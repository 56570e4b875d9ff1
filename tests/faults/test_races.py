"""Customers, the bot and people at the same moment: whatever the order, events and state agree and nobody is forgotten.

Each race is run many times on each kind of database, with small pauses at random wherever a transaction begins or ends.
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import Engine, event, select
from sqlalchemy.orm import Session

from bot.conversation.models import Conversation, Event
from bot.dialogue.turn import Escalate, TurnResult
from bot.errors import ConversationError, NotFound
from bot.handoff import cases, team
from bot.handoff.models import Escalation
from bot.people.roles import Principal
from tests.conversation.fakes import PATIENCE, Bench, Call, domain_replies, said
from tests.faults.history import Acknowledged, Witness, read_history, verdict
from tests.handoff.fakes import person

pytestmark = pytest.mark.slow

ROUNDS = 12
_LONGEST_PAUSE = 0.003


@dataclass
class Scene:
    """A conversation with a case that is open, on two processes' services, and two people.

    Attributes:
        case: Its number.
        witness: What the customer and the people were told.
        refused: What the people were refused, by name.
    """

    benches: tuple[Bench, Bench]
    people: dict[str, Principal]
    dice: random.Random
    conversation: str
    case: int = 0
    witness: Witness = field(default_factory=Witness)
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def engine(self) -> Engine:
        """Of the database."""
        return self.benches[0].engine

    async def writes(self, *texts: str) -> None:
        """The customer sends texts one after the other, by any process."""
        for text in texts:
            await self.breathe()
            client_id = uuid.uuid4().hex
            message, _ = await self.dice.choice(self.benches).service.post(self.conversation, client_id, text)
            self.witness.sent.append(Acknowledged(client_id, text, message.number))

    async def does(self, who: str, change: Callable[[Session, Principal], object]) -> bool:
        """Somebody changes something, by any process; False where it is refused."""
        await self.breathe()
        changes = self.dice.choice(self.benches).changes

        def run() -> None:
            with changes.transaction() as session:
                change(session, self.people[who])

        try:
            await asyncio.to_thread(run)
        except (ConversationError, NotFound) as error:
            self.refused[who] = error.code
            return False
        return True

    async def claims(self, who: str) -> bool:
        """Take the case."""
        return await self.does(who, lambda session, by: cases.claim(session, self.case, by))

    async def releases(self, who: str) -> bool:
        """Give the case back."""
        return await self.does(who, lambda session, by: cases.release(session, self.case, by))

    async def replies(self, who: str) -> bool:
        """Write to the customer."""
        client_id = uuid.uuid4().hex
        done = await self.does(
            who, lambda session, by: cases.reply(session, self.case, by, f"{who} here", client_id=client_id)
        )
        if done:
            self.witness.by_agents.append(client_id)
        return done

    async def transfers(self, who: str, to: str) -> bool:
        """Pass the case on to somebody."""
        target = self.people[to].id
        return await self.does(
            who, lambda session, by: cases.transfer(session, self.case, by, self.queues, person=target)
        )

    async def resolves(self, who: str) -> bool:
        """Close the case; some ways open it again when the customer writes."""
        resolution = self.dice.choice(("solved", "no_reply", "cannot_help"))
        say = domain_replies().reply
        return await self.does(who, lambda session, by: cases.resolve(session, self.case, by, resolution, say))

    async def undoes(self, who: str) -> bool:
        """Take back what was done last."""
        return await self.does(who, lambda session, by: cases.undo(session, self.case, by))

    @property
    def queues(self) -> Any:
        """As configured."""
        return self.benches[0].store.queues

    async def breathe(self) -> None:
        """Wait for a random moment."""
        await asyncio.sleep(self.dice.uniform(0, _LONGEST_PAUSE))


@pytest.fixture
async def new_scene(any_engine: Engine) -> AsyncIterator[Callable[[int], Awaitable[Scene]]]:
    """Makes scenes, each with dice of its own."""
    pauses = random.Random(7)

    def pause(connection: object) -> None:
        time.sleep(pauses.uniform(0, _LONGEST_PAUSE))

    with Session(any_engine, expire_on_commit=False) as session, session.begin():
        people = {name: person(session, name.title(), online=True) for name in ("ada", "can")}
    benches = Bench(any_engine, look=0.05), Bench(any_engine, look=0.05)

    async def script(call: Call) -> TurnResult:
        await asyncio.sleep(pauses.uniform(0, 2 * _LONGEST_PAUSE))
        effects = [Escalate(queue="support", reason="asked_for")] if call.context.text == "A person!" else []
        return said(f"You wrote: {call.context.text}", effects=effects)

    for bench in benches:
        bench.dialogue.script = script
        await bench.service.start()
    event.listen(any_engine, "begin", pause)
    event.listen(any_engine, "commit", pause)

    async def make(seed: int) -> Scene:
        scene = Scene(benches, people, random.Random(seed), await benches[0].new())
        await scene.writes("A person!")
        await settled(scene)
        with Session(any_engine) as session:
            found = select(Escalation.id).where(Escalation.conversation_id == scene.conversation)
            scene.case = session.scalars(found).one()
        return scene

    yield make
    event.remove(any_engine, "begin", pause)
    event.remove(any_engine, "commit", pause)
    for bench in benches:
        await bench.service.stop(5)


async def settled(scene: Scene) -> None:
    """Wait until no message waits."""
    await scene.benches[0].settled()


def folded(engine: Engine, conversation_id: str) -> tuple[dict[str, str], dict[int, dict[str, Any]]]:
    """The owner, and the cases, as a reader has them who saw nothing but the events."""
    owner = {"owner": "bot", "name": ""}
    found: dict[int, dict[str, Any]] = {}
    with Session(engine) as session:
        query = select(Event).where(Event.conversation_id == conversation_id).order_by(Event.number)
        for happened in session.scalars(query):
            if happened.kind == "owner":
                owner = {name: happened.data[name] for name in ("owner", "name")}
            elif happened.kind == "case":
                before = found.get(happened.data["case"], {"version": 0})
                assert happened.data["version"] == before["version"] + 1, "a change of a case was not told"
                found[happened.data["case"]] = happened.data
    return owner, found


def loaded(engine: Engine, conversation_id: str) -> tuple[dict[str, str], dict[int, dict[str, Any]]]:
    """The same, as it stands in the tables."""
    with Session(engine) as session:
        conversation = session.get_one(Conversation, conversation_id)
        found = session.scalars(select(Escalation).where(Escalation.conversation_id == conversation_id))
        return team.owner_shown(session, conversation.owner), {
            case.id: {
                "open": case.status == "open",
                "queue": case.queue,
                "assignee": case.assignee,
                "priority": case.priority,
                "resolution": case.resolution,
                "version": case.version,
            }
            for case in found
        }


def assert_sound(scene: Scene) -> None:
    """State and events agree, the owner is whom the case says, and nobody was forgotten or talked over."""
    history = read_history(scene.engine, scene.conversation)
    assert verdict(history, scene.witness) == []
    owner, found = folded(scene.engine, scene.conversation)
    fresh_owner, fresh = loaded(scene.engine, scene.conversation)
    assert owner == fresh_owner
    assert {number: {key: case[key] for key in fresh[number]} for number, case in found.items()} == fresh
    case = fresh[scene.case]
    kind = "bot" if not case["open"] else "agent" if case["assignee"] else "queue"
    assert fresh_owner["owner"] == kind


async def a_claim_while_the_bot_answers(scene: Scene) -> None:
    await asyncio.gather(scene.writes("One", "Two"), scene.claims("ada"))
    assert scene.refused == {}


async def a_short_look_while_the_bot_answers(scene: Scene) -> None:
    async def look() -> None:
        await scene.claims("ada")
        await scene.releases("ada")

    await asyncio.gather(scene.writes("One", "Two"), look())
    assert scene.refused == {}


async def two_claims(scene: Scene) -> None:
    got = await asyncio.gather(scene.claims("ada"), scene.claims("can"))
    assert sorted(got) == [False, True]
    assert list(scene.refused.values()) == ["stale"]


async def a_transfer_while_replying(scene: Scene) -> None:
    await scene.claims("ada")
    replied, passed, _ = await asyncio.gather(
        scene.replies("ada"), scene.transfers("ada", "can"), scene.writes("Hello?")
    )
    assert passed
    # Too late, it is refused; and who has the case now can reply.
    assert scene.refused == ({} if replied else {"ada": "stale"})
    assert await scene.replies("can")


async def a_message_while_resolving(scene: Scene) -> None:
    await scene.claims("ada")
    await scene.replies("ada")
    await asyncio.gather(scene.writes("Wait!", "One more thing"), scene.resolves("ada"))
    assert scene.refused == {}


async def an_undo_while_the_customer_writes(scene: Scene) -> None:
    await scene.claims("ada")
    await scene.resolves("ada")
    await asyncio.gather(scene.writes("One more thing"), scene.undoes("ada"))
    assert scene.refused in ({}, {"ada": "stale"})


async def a_message_while_a_case_is_taken_from_the_queue_and_closed(scene: Scene) -> None:
    async def be_quick() -> None:
        await scene.claims("ada")
        await scene.replies("ada")
        await scene.resolves("ada")

    await asyncio.gather(scene.writes("One", "Two", "Three"), be_quick())
    assert scene.refused == {}


async def two_processes_with_one_conversation(scene: Scene) -> None:
    # Each waits for the acknowledgement; the two send at the same time, so neither order is wrong.
    await scene.writes(*(f"{number}" for number in range(6)))


@pytest.mark.parametrize(
    "race",
    [
        a_claim_while_the_bot_answers,
        a_short_look_while_the_bot_answers,
        two_claims,
        a_transfer_while_replying,
        a_message_while_resolving,
        an_undo_while_the_customer_writes,
        a_message_while_a_case_is_taken_from_the_queue_and_closed,
        two_processes_with_one_conversation,
    ],
)
async def test_race(new_scene: Callable[[int], Awaitable[Scene]], race: Callable[[Scene], Awaitable[None]]) -> None:
    for seed in range(ROUNDS):
        scene = await new_scene(seed)
        await asyncio.wait_for(race(scene), PATIENCE)
        await settled(scene)
        await asyncio.to_thread(assert_sound, scene)
