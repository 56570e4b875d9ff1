"""Lists of cases, queues and ratings."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Query
from sqlalchemy import select

from bot.conversation.models import now
from bot.desk.api.routes import BIGGEST, INVALID, By, Limit, State, team_router
from bot.desk.api.shown import cases_out
from bot.desk.bodies.cases import Cases, QueueOut, QueuesOut, RatingOut, Ratings
from bot.desk.bodies.people import Language
from bot.desk.bodies.tags import Tag
from bot.desk.state import allowed
from bot.dialogue.turn import Queue
from bot.handoff import listing
from bot.handoff.access import visible
from bot.handoff.models import Escalation, Rating
from bot.handoff.queues import QUEUES, Priority

router = team_router()

Place = Annotated[
    str | None, Query(pattern=listing.CURSOR_PATTERN, description="`next` of the page before; none for the first.")
]
Status = Annotated[Literal["open", "closed"] | None, Query(description="Open or closed; without, both.")]


@router.get("/cases", **allowed("conversations:read"), responses=INVALID)
def read_cases(
    state: State,
    by: By,
    queue: Queue | None = None,
    status: Status = None,
    assignee: Annotated[
        str | None, Query(pattern="^(me|nobody|[0-9A-Za-z]{1,60})$", description="`me`, `nobody`, or an id.")
    ] = None,
    priority: Priority | None = None,
    language: Language | None = None,
    tag: Annotated[Tag | None, Query(description="A topic or signal heard in the conversation.")] = None,
    sla: Annotated[listing.SlaState | None, Query(description="How the clock that is due next stands.")] = None,
    text: Annotated[
        str, Query(max_length=200, description="A case number, or part of the contact or of what was said.")
    ] = "",
    order: Annotated[
        listing.Order, Query(description="By what is due next, who waits longest, the newest, or the last closed.")
    ] = "due",
    after: Place = None,
    limit: Limit = 50,
) -> Cases:
    """The customers' cases that the token sees, filtered and ordered."""
    words = "".join(character for character in text if character.isprintable())
    filters = listing.Filters(
        queue, status, assignee, priority, language, tag, sla, kind="own", text=words, order=order
    )
    with state.transaction() as session:
        page = listing.list_cases(session, by, filters, after, limit)
        return Cases(cases=cases_out(session, [row.case for row in page.rows]), next=page.next)


@router.get("/queues", **allowed("conversations:read"))
def read_queues(state: State, by: By) -> QueuesOut:
    """The queues the token sees, and how many open cases there are."""
    with state.transaction() as session:
        counts = listing.counts(session, by)
    moment = now()
    found = []
    for name in (name for name in QUEUES if by.sees(name)):
        queue, count = state.queues.queue(name), counts.get(name, listing.Count())
        found.append(
            QueueOut(
                name=name,
                languages=list(queue.languages),
                assignment=queue.assignment,
                open_now=queue.hours.is_open(moment),
                open=count.open,
                unassigned=count.unassigned,
                mine=count.mine,
                breached=count.breached,
            )
        )
    return QueuesOut(queues=found)


@router.get("/ratings", **allowed("conversations:read"), responses=INVALID)
def read_ratings(
    state: State,
    by: By,
    before: Annotated[int | None, Query(ge=1, le=BIGGEST, description="`next` of the page before.")] = None,
    limit: Limit = 50,
) -> Ratings:
    """What customers thought of the help, the newest case first; of cases the token sees."""
    query = (
        select(Rating, Escalation.queue)
        .join(Escalation, Escalation.id == Rating.case_id)
        .where(visible(by))
        .order_by(Rating.case_id.desc())
        .limit(limit + 1)
    )
    if before is not None:
        query = query.where(Rating.case_id < before)
    with state.transaction() as session:
        found = session.execute(query).all()
    shown = [
        RatingOut(
            case=rating.case_id,
            conversation_id=rating.conversation_id,
            queue=queue,
            csat=rating.csat,
            effort=rating.effort,
            comment=rating.comment,
            asked_at=rating.asked_at,
            rated_at=rating.rated_at,
        )
        for rating, queue in found[:limit]
    ]
    return Ratings(ratings=shown, next=shown[-1].case if len(found) > limit else None)
