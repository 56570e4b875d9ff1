"""Which process delivers what: each holds what it took up, for some seconds that it renews."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Engine, delete, func, or_, select, update
from sqlalchemy.orm import Session

from bot.conversation.models import now
from bot.outbox.attempts import put_off
from bot.outbox.models import Outgoing, Webhook

# Deliveries of one webhook that are under way or wait for their next try, in one process.
MOST_PER_WEBHOOK = 50
KEPT_DAYS = 7
_AT_ONCE = 500


@dataclass(frozen=True)
class Claim:
    """A delivery this process took up.

    Attributes:
        begun: Whether a process had begun with this round before.
    """

    delivery: str
    webhook: str
    round: int
    begun: bool

    @property
    def workflow(self) -> str:
        """Id of its workflow."""
        return f"{self.delivery}.{self.round}"


class Claims:
    """What this process holds; safe from any thread.

    Args:
        engine: Of a migrated database.
        holder: This process, at most 32 characters.
        seconds: For which a claim holds.
    """

    def __init__(self, engine: Engine, holder: str, seconds: float) -> None:
        self._engine = engine
        self._holder = holder
        self._seconds = seconds

    def any_webhook(self) -> bool:
        """Whether there is anything to deliver to."""
        with Session(self._engine) as session:
            return session.scalar(select(Webhook.id).where(Webhook.active).limit(1)) is not None

    def claim(self) -> list[Claim]:
        """Take up what is pending for active webhooks and held by nobody, or by nobody any more; the oldest first."""
        with Session(self._engine) as session:
            query = (
                select(Outgoing.webhook_id, func.count())
                .where(Outgoing.holder == self._holder, Outgoing.state == "pending", Outgoing.held_until >= now())
                .group_by(Outgoing.webhook_id)
            )
            held = dict(session.execute(query).all())
            active = session.scalars(select(Webhook.id).where(Webhook.active)).all()
            found = [row for webhook in active for row in self._free(session, webhook, held.get(webhook, 0))]
        return self._take_up(found) if found else []

    def take(self, delivery: str) -> None:
        """Hold a delivery whose workflow this process resumes, whoever claimed it."""
        with Session(self._engine) as session, session.begin():
            session.execute(
                update(Outgoing)
                .where(
                    Outgoing.id == delivery,
                    Outgoing.state == "pending",
                    Outgoing.holder.is_distinct_from(self._holder),
                )
                .values(holder=self._holder, held_until=self._until())
            )

    def renew(self, deliveries: Sequence[str]) -> None:
        """Go on holding them."""
        for first in range(0, len(deliveries), _AT_ONCE):
            with Session(self._engine) as session, session.begin():
                session.execute(
                    update(Outgoing)
                    .where(Outgoing.id.in_(deliveries[first : first + _AT_ONCE]), Outgoing.holder == self._holder)
                    .values(held_until=self._until())
                )

    def release(self) -> None:
        """Hold nothing any more: others may go on at once."""
        with Session(self._engine) as session, session.begin():
            session.execute(
                update(Outgoing)
                .where(Outgoing.holder == self._holder, Outgoing.state == "pending")
                .values(holder=None, held_until=None)
            )

    def begin_again(self, delivery: str) -> None:
        """Leave a delivery to a workflow of its own: the one it had ended without an outcome."""
        with Session(self._engine) as session, session.begin():
            outgoing = session.get(Outgoing, delivery, with_for_update=True)
            if outgoing and outgoing.state == "pending" and outgoing.holder == self._holder:
                put_off(outgoing)

    def tidy(self) -> None:
        """Forget what was delivered more than KEPT_DAYS ago."""
        with Session(self._engine) as session, session.begin():
            session.execute(
                delete(Outgoing).where(
                    Outgoing.state == "delivered", Outgoing.finished_at < now() - dt.timedelta(days=KEPT_DAYS)
                )
            )

    def _free(self, session: Session, webhook: str, held: int) -> list[tuple[str, dt.datetime | None]]:
        query = (
            select(Outgoing.id, Outgoing.started_at)
            .where(Outgoing.webhook_id == webhook, Outgoing.state == "pending", self._is_free())
            .order_by(Outgoing.created_at)
            .limit(max(0, MOST_PER_WEBHOOK - held))
        )
        return [(delivery, started) for delivery, started in session.execute(query)]

    def _take_up(self, found: Sequence[tuple[str, dt.datetime | None]]) -> list[Claim]:
        begun = {delivery: started is not None for delivery, started in found}
        claimed: list[Claim] = []
        for first in range(0, len(found), _AT_ONCE):
            some = [delivery for delivery, _ in found[first : first + _AT_ONCE]]
            with Session(self._engine) as session, session.begin():
                taken = session.execute(
                    update(Outgoing)
                    .where(Outgoing.id.in_(some), Outgoing.state == "pending", self._is_free())
                    .values(
                        holder=self._holder,
                        held_until=self._until(),
                        started_at=func.coalesce(Outgoing.started_at, now()),
                    )
                    .returning(Outgoing.id, Outgoing.webhook_id, Outgoing.round)
                    .execution_options(synchronize_session=False)
                )
                claimed += [Claim(delivery, webhook, round_, begun[delivery]) for delivery, webhook, round_ in taken]
        return claimed

    def _is_free(self) -> ColumnElement[bool]:
        return or_(Outgoing.held_until.is_(None), Outgoing.held_until < now())

    def _until(self) -> dt.datetime:
        return now() + dt.timedelta(seconds=self._seconds)
