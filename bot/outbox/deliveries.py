"""What people do with deliveries: look through them, retry those that were given up."""

from __future__ import annotations

from typing import Literal, get_args

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from bot.errors import ConversationError, InvalidInput, NotFound
from bot.outbox import webhooks
from bot.outbox.attempts import put_off
from bot.outbox.models import Outgoing
from bot.people import audit
from bot.people.roles import Principal

State = Literal["pending", "delivered", "dead"]
STATES: tuple[State, ...] = get_args(State)


def list_deliveries(
    session: Session,
    state: str | None = None,
    webhook: str | None = None,
    before: str | None = None,
    limit: int = 50,
) -> list[Outgoing]:
    """Deliveries, newest first.

    Args:
        session: To read with.
        state: Only those in it, one of STATES.
        webhook: Only those of the webhook with this id.
        before: Id of the last one of the page before.
        limit: So many at most.

    Raises:
        InvalidInput: There is no such state.
        NotFound: There is no delivery `before`.
    """
    query = select(Outgoing).order_by(Outgoing.created_at.desc(), Outgoing.id.desc()).limit(limit)
    if state is not None:
        if state not in STATES:
            raise InvalidInput(f"A delivery is {', '.join(STATES)}. Currently, the state is {state[:40]!r}.")
        query = query.where(Outgoing.state == state)
    if webhook is not None:
        query = query.where(Outgoing.webhook_id == webhook)
    if before is not None:
        last = read(session, before)
        query = query.where(
            or_(
                Outgoing.created_at < last.created_at,
                and_(Outgoing.created_at == last.created_at, Outgoing.id < last.id),
            )
        )
    return list(session.scalars(query))


def read(session: Session, delivery: str) -> Outgoing:
    """One delivery by its id.

    Raises:
        NotFound: There is none.
    """
    found = session.get(Outgoing, delivery)
    if found is None:
        raise NotFound("There is no such delivery.")
    return found


def counts(session: Session, webhook: str | None = None) -> dict[State, int]:
    """How many deliveries there are in each state, of one webhook or of all."""
    query = select(Outgoing.state, func.count()).group_by(Outgoing.state)
    if webhook is not None:
        query = query.where(Outgoing.webhook_id == webhook)
    found = dict(session.execute(query).all())
    return {state: found.get(state, 0) for state in STATES}


def retry(session: Session, by: Principal, delivery: str) -> Outgoing:
    """Begin again with a delivery that was given up, under the same id.

    Raises:
        Forbidden: It needs `deliveries:manage`.
        NotFound: There is no such delivery.
        ConversationError: It was not given up.
    """
    by.demand("deliveries:manage")
    found = session.get(Outgoing, delivery, with_for_update=True)
    if found is None:
        raise NotFound("There is no such delivery.")
    if found.state != "dead":
        raise ConversationError(f"The delivery is {found.state}.", "Only dead ones are retried.")
    _begin_again(found)
    audit.note(session, by, "delivery.retry", f"delivery:{found.id}", {"event": found.event})
    return found


def retry_dead(session: Session, by: Principal, webhook: str) -> int:
    """Begin again with all deliveries of a webhook that were given up; how many there were.

    Raises:
        Forbidden: It needs `deliveries:manage`.
        NotFound: There is no such webhook.
    """
    by.demand("deliveries:manage")
    found = webhooks.read(session, webhook)
    dead = session.scalars(
        select(Outgoing)
        .where(Outgoing.webhook_id == found.id, Outgoing.state == "dead")
        .order_by(Outgoing.id)
        .with_for_update()
    ).all()
    for outgoing in dead:
        _begin_again(outgoing)
    if dead:
        audit.note(session, by, "delivery.retry", f"webhook:{found.id}", {"count": len(dead)})
    return len(dead)


def _begin_again(outgoing: Outgoing) -> None:
    put_off(outgoing)
    outgoing.state = "pending"
    outgoing.finished_at = None
