"""What counts how much, and which queue tags call for. Probabilities in, queues out: nothing is read or stored here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.dialogue.turn import Queue
from bot.handoff.queues import Queues, default_queues, queues
from bot.settings import Settings
from bot.tagging.tags import TOPICS

# Advocacy, goals, milestones and product feedback are good to know, and call for nobody.
_CALLS_FOR: dict[str, Queue] = {
    "churn_risk": "success",
    "low_adoption": "success",
    "onboarding_need": "success",
    "champion_change": "success",
    "renewal": "account_management",
    "expansion": "account_management",
}


@dataclass(frozen=True)
class Routing:
    """What counts how much.

    Attributes:
        work_probability: Signals below it call for nobody.
        half_life_days: After so many days what was said counts half.
        urgent_probability: From which urgency an outage or defect makes a case by itself.
        reopen_within: So long after it was closed the customer opens a case again, instead of making a new one.
        queues: As configured.
    """

    work_probability: float = 0.6
    half_life_days: float = 30.0
    urgent_probability: float = 0.8
    reopen_within: dt.timedelta = dt.timedelta(days=7)
    queues: Queues = field(default_factory=default_queues)


def routing(settings: Settings) -> Routing:
    """As the operator set it.

    Raises:
        SettingsError: A queue or service level is not valid.
    """
    return Routing(
        settings["tagging.work_probability"],
        settings["tagging.half_life"],
        settings["handoff.urgent_probability"],
        dt.timedelta(days=settings["handoff.reopen_days"]),
        queues(settings),
    )


def called(tags: Mapping[str, float], at_least: float) -> dict[Queue, tuple[str, ...]]:
    """The queues that signals call for, each with those signals; the most probable first.

    Args:
        tags: Probability of each tag by its name; topics among them call for nobody here.
        at_least: Probability from which a signal calls.
    """
    found: dict[Queue, tuple[str, ...]] = {}
    for name in sorted(tags, key=lambda name: -tags[name]):
        if name in _CALLS_FOR and tags[name] >= at_least:
            queue = _CALLS_FOR[name]
            found[queue] = (*found.get(queue, ()), name)
    return found


def queue_for(tags: Mapping[str, float], at_least: float) -> Queue:
    """The queue of a customer who wants a person: `support` if there is a topic, or nothing that calls for another.

    Args:
        tags: Probability of each of the conversation's tags by its name.
        at_least: Probability from which a signal calls.
    """
    if any(name in TOPICS for name in tags):
        return "support"
    return next(iter(called(tags, at_least)), "support")
