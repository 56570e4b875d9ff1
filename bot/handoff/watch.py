"""What happens to cases with time: warnings, broken promises, cases given out, people who went away.

What people's pages left in the database is tidied up too.

Any number of processes may watch: every change is made under the conversation's lock and only from the state it was
found in, so each is told once. All moments stand in the database; a process that ends loses none.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import Callable
from typing import Literal

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from bot.attachments import store as attachments
from bot.conversation import events
from bot.conversation.changes import Changes
from bot.conversation.models import now
from bot.customers import visitors
from bot.handoff import team
from bot.handoff.changing import hand_over, settle, tell
from bot.handoff.models import SIGNAL, Escalation
from bot.handoff.queues import Queues
from bot.people import sessions, throttle
from bot.people.models import Person, Presence

logger = logging.getLogger(__name__)

ClockName = Literal["first_response", "resolution"]
CLOCKS: tuple[ClockName, ...] = ("first_response", "resolution")
# Work is done in portions, so that one look never takes long.
_AT_ONCE = 200
_TIDY_EVERY = dt.timedelta(hours=1)
# Who looked at a conversation is of no use any more after this.
_PRESENCE_KEPT = dt.timedelta(days=1)


class Watch:
    """Looks after cases until it is cancelled.

    Args:
        changes: Makes transactions.
        queues: As configured.
        ring_topic: Called with `people` when somebody went away, from a thread.
        tick: Seconds between two looks.
    """

    def __init__(
        self,
        changes: Changes,
        queues: Queues,
        ring_topic: Callable[[str], object] = lambda topic: None,
        tick: float = 5.0,
    ) -> None:
        self._changes = changes
        self._queues = queues
        self._ring_topic = ring_topic
        self._tick = tick
        self._tidied: dt.datetime | None = None

    async def run(self) -> None:
        """Look again and again."""
        while True:
            try:
                await asyncio.to_thread(self.look)
            except Exception:
                # The database failed; the next look finds all that this one left.
                logger.exception("Cases could not be looked after")
            await asyncio.sleep(self._tick)

    def look(self) -> None:
        """Do all that is due by now."""
        moment = now()
        for clock in CLOCKS:
            self._tell_clock(clock, moment)
        self._send_away(moment)
        self._give_out(moment)
        if self._tidied is None or moment - self._tidied >= _TIDY_EVERY:
            self._tidied = moment
            self._tidy(moment)

    def _tidy(self, moment: dt.datetime) -> None:
        """Forget what browsers left behind: sessions that ended, visitors who were silent, files never sent."""
        with self._changes.transaction() as session:
            session.execute(delete(Presence).where(Presence.seen_at < moment - _PRESENCE_KEPT))
            attachments.delete_unsent(session, moment)
            sessions.forget_over(session, moment)
            visitors.forget_silent(session, moment)
            throttle.forget_old(session, moment)

    def _tell_clock(self, clock: ClockName, moment: dt.datetime) -> None:
        """Warn of what is due soon, and tell what is overdue."""
        state = getattr(Escalation, f"{clock}_state")
        warn_at, due = getattr(Escalation, f"{clock}_warn_at"), getattr(Escalation, f"{clock}_due")
        with self._changes.reading() as session:
            found = session.execute(
                select(Escalation.id, Escalation.conversation_id)
                .where(
                    Escalation.status == "open",
                    or_(
                        (state == "running") & (warn_at <= moment),
                        state.in_(("running", "warned")) & (due <= moment),
                    ),
                )
                .order_by(due)
                .limit(_AT_ONCE)
            ).all()
        for number, conversation_id in found:
            with self._changes.transaction() as session:
                conversation = events.locked(session, conversation_id)
                case = session.get_one(Escalation, number, populate_existing=True)
                was, until = getattr(case, f"{clock}_state"), getattr(case, f"{clock}_due")
                if case.status != "open" or was not in ("running", "warned") or until is None:
                    continue
                breached = until <= moment
                if not breached and (was == "warned" or getattr(case, f"{clock}_warn_at") > moment):
                    continue
                setattr(case, f"{clock}_state", "breached" if breached else "warned")
                action: Literal["sla_breached", "sla_warned"] = "sla_breached" if breached else "sla_warned"
                tell(session, conversation, case, action, "system", clock=clock, due=until.isoformat())

    def _send_away(self, moment: dt.datetime) -> None:
        """Those whose desk is silent are away; what was given to them and is unanswered waits in its queue again."""
        silent = or_(Person.seen_at.is_(None), Person.seen_at < moment - team.AWAY_AFTER)
        with self._changes.reading() as session:
            gone = session.scalars(select(Person.id).where(Person.online, silent)).all()
        for person_id in gone:
            with self._changes.transaction() as session:
                left = session.execute(
                    update(Person)
                    .where(Person.id == person_id, Person.online, silent)
                    .values(online=False)
                    .returning(Person.id)
                ).first()
            if left is not None:
                self._ring_topic("people")
        for number, conversation_id, person_id in self._unanswered():
            with self._changes.transaction() as session:
                self._take_back(session, number, conversation_id, person_id)

    def _pushing(self) -> list[str]:
        return [name for name in self._queues.names if self._queues.queue(name).assignment == "push"]

    def _unanswered(self) -> list[tuple[int, str, str]]:
        """What was given to people who are away now, and waits for their first word."""
        with self._changes.reading() as session:
            found = session.execute(
                select(Escalation.id, Escalation.conversation_id, Person.id)
                .join(Person, Person.id == Escalation.assignee)
                .where(
                    Escalation.status == "open",
                    Escalation.pushed,
                    Escalation.first_responded_at.is_(None),
                    Person.online.is_(False),
                )
                .limit(_AT_ONCE)
            )
            return [(number, conversation_id, person_id) for number, conversation_id, person_id in found]

    def _take_back(self, session: Session, number: int, conversation_id: str, person_id: str) -> None:
        conversation = events.locked(session, conversation_id)
        case = session.get_one(Escalation, number, populate_existing=True)
        person = session.get_one(Person, person_id, populate_existing=True)
        unanswered = case.status == "open" and case.pushed and case.first_responded_at is None
        if not unanswered or case.assignee != person_id or person.online:
            return
        case.assignee = case.assigned_at = None
        tell(session, conversation, case, "released", "system", away=person_id)
        settle(session, conversation, "system")

    def _give_out(self, moment: dt.datetime) -> None:
        """Give waiting cases to people, the most urgent and oldest first, where their queue is open and does so."""
        working = [name for name in self._pushing() if self._queues.queue(name).hours.is_open(moment)]
        if not working:
            return
        with self._changes.reading() as session:
            there = [one for one in team.candidates(session, moment) if one.online]
            waiting = session.scalars(
                select(Escalation)
                .where(Escalation.status == "open", Escalation.assignee.is_(None), Escalation.queue.in_(working))
                .order_by(team.by_urgency(), Escalation.created_at, Escalation.id)
                .limit(_AT_ONCE)
            ).all()
        for one in waiting if there else ():
            with self._changes.transaction() as session:
                conversation = events.locked(session, one.conversation_id)
                case = session.get_one(Escalation, one.id, populate_existing=True)
                if case.status != "open" or case.assignee is not None or not team.push(session, case, self._queues):
                    continue
                tell(session, conversation, case, "claimed", "system", pushed=True)
                if case.reason != SIGNAL:
                    hand_over(session, conversation, f"agent:{case.assignee}", "system")
