"""What tags make of a conversation: work on signals, and the customer's case in the queue that is called for.

Everything here runs within a transaction of the caller's that holds the write lock. What makes a case by itself stands
in `bot.handoff.alarm`.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bot.conversation.models import Conversation, Message, is_person, now
from bot.conversation.records import StoredMessage
from bot.conversation.tags import SPEAKERS, ConversationTags, conversation_tags, time_weight
from bot.handoff import clocks, team
from bot.handoff.changing import remember, tell, tell_owner
from bot.handoff.escalation import latest, open_case, open_work, priority_for, take_over_work
from bot.handoff.models import SIGNAL, Escalation
from bot.handoff.queues import PRIORITIES
from bot.handoff.routing import Routing, called, queue_for
from bot.tagging.tags import Tagged

_RANK: dict[str, int] = {priority: rank for rank, priority in enumerate(PRIORITIES)}
_ONLY_SUPPORT = frozenset({"defect", "outage", "access"})


def place_case(session: Session, conversation: Conversation, number: int, routing: Routing) -> None:
    """Move the customer's case to the queue that the conversation's tags call for.

    From `support` to another one if signals alone speak; from one that was offered to `support` if a problem was
    reported along with what led to the offer. Its priority rises where they call for that. Only a case that nobody took
    yet, and only for what was said before or in the turn that opened it.

    Args:
        session: Of the transaction.
        conversation: The customer's.
        number: Of the message that was tagged, or was a choice.
        routing: What counts how much.
    """
    case = latest(session, conversation.id)
    if case is None or case.status != "open" or case.assignee is not None or is_person(conversation.owner):
        return
    if case.turn_number is None or number > case.turn_number:
        return
    tags = conversation_tags(session, conversation.id, routing.half_life_days)
    before, after = case.queue, case.queue
    if before == "support":
        after = queue_for(tags.probabilities, routing.work_probability)
    elif _reports_problem(session, conversation.id, tags, case.turn_number):
        after = "support"
    _raise_priority(session, conversation, case, routing)
    if after == before or open_case(session, conversation.id, after):
        return
    was = remember(conversation, case)
    case.queue = after
    clocks.set_anew(case, routing.queues, clocks.plan_of(session, conversation))
    tell(session, conversation, case, "moved", "system", was)
    take_over_work(session, conversation, case, "system")
    if conversation.owner == f"queue:{before}":
        # The version stays: the bot goes on in either queue, and a reply that is under way must not be dropped.
        conversation.owner = f"queue:{after}"
        tell_owner(session, conversation, "system")
    if after == "support":
        # The queue that was offered hears of its signals all the same.
        for tag in tags.signals:
            if before in called({tag.name: tag.probability}, routing.work_probability):
                heard = {tag.name: tag.probability}
                open_signal_work(session, conversation, tag.evidence[0].number, heard, routing)


def _raise_priority(session: Session, conversation: Conversation, case: Escalation, routing: Routing) -> None:
    called_for = priority_for(session, conversation, case.reason, routing)
    if _RANK[called_for] < _RANK[case.priority]:
        was, case.priority = case.priority, called_for
        clocks.set_anew(case, routing.queues, clocks.plan_of(session, conversation))
        tell(session, conversation, case, "priority", "system", was=was)


def _reports_problem(session: Session, conversation_id: str, tags: ConversationTags, turn_number: int) -> bool:
    """Whether what only support can mend was reported in a turn, or in the one before, which led to the offer."""
    offered_to = session.scalar(
        select(func.max(Message.number)).where(
            Message.conversation_id == conversation_id, Message.author.in_(SPEAKERS), Message.number < turn_number
        )
    )
    return any(
        tag.name in _ONLY_SUPPORT and (offered_to or turn_number) <= one.number <= turn_number
        for tag in tags.topics
        for one in tag.evidence
    )


def act_on_tags(
    session: Session, conversation: Conversation, message: StoredMessage, tagged: Tagged, routing: Routing
) -> list[Escalation]:
    """Open the work that a message's signals call for; what was said long ago, and is tagged only now, weighs less."""
    weight = time_weight(now() - message.created_at, routing.half_life_days)
    signals = {tag.name: weight * tag.probability for tag in tagged.signals}
    return open_signal_work(session, conversation, message.number, signals, routing)


def open_signal_work(
    session: Session, conversation: Conversation, number: int, signals: Mapping[str, float], routing: Routing
) -> list[Escalation]:
    """The work that signals call for, one for each queue: the open one, to which they are added, or a new one.

    A queue that has the customer's own case open gets none beside it.

    Args:
        session: Of the transaction.
        conversation: The customer's; its owner stays.
        number: Of the message that carries the signals.
        signals: Probability of each by its name.
        routing: What counts how much.
    """
    found = []
    for queue, names in called(signals, routing.work_probability).items():
        if open_case(session, conversation.id, queue):
            continue
        work = open_work(session, conversation.id, queue)
        if work:
            work.signals = list(dict.fromkeys([*(work.signals or ()), *names]))
        else:
            work = Escalation(
                conversation_id=conversation.id,
                queue=queue,
                reason=SIGNAL,
                language=conversation.language,
                opened_at_number=conversation.last_number,
                contact=conversation.contact,
                turn_number=number,
                signals=list(names),
                created_at=now(),
            )
            session.add(work)
            session.flush()
            team.push(session, work, routing.queues)
            tell(session, conversation, work, "opened", "system", turn=number, signals=work.signals)
        found.append(work)
    return found
