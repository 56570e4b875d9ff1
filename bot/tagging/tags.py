"""The names of tags, and what is said about one message. What each tag means: docs/tagging.md."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

Topic = Literal["how_to", "defect", "outage", "access", "billing", "pre_sales"]
Signal = Literal[
    "onboarding_need",
    "low_adoption",
    "churn_risk",
    "renewal",
    "expansion",
    "advocacy",
    "goal",
    "milestone",
    "product_feedback",
    "champion_change",
]
Kind = Literal["reactive_support", "proactive_success", "both", "neither"]
Sentiment = Literal["negative", "neutral", "positive"]
Stage = Literal["onboarding", "adoption", "retention", "expansion"]

TOPICS: tuple[Topic, ...] = get_args(Topic)
SIGNALS: tuple[Signal, ...] = get_args(Signal)
TAGS: tuple[str, ...] = (*TOPICS, *SIGNALS)
SENTIMENTS: tuple[Sentiment, ...] = get_args(Sentiment)
STAGES: tuple[Stage, ...] = get_args(Stage)

# Where in the customer's life a signal is heard; product feedback is given at any time.
_STAGE_OF: dict[str, Stage] = {
    "onboarding_need": "onboarding",
    "low_adoption": "adoption",
    "goal": "adoption",
    "churn_risk": "retention",
    "renewal": "retention",
    "champion_change": "retention",
    "expansion": "expansion",
    "advocacy": "expansion",
    "milestone": "expansion",
}


@dataclass(frozen=True)
class Tag:
    """A topic or signal with its evidence.

    Attributes:
        name: One of TAGS.
        probability: Calibrated, from 0 to 1.
        start: Of the evidence in the message's text, in characters.
        end: Behind its last character.
        quote: `text[start:end]`, the customer's own words.
    """

    name: str
    probability: float
    start: int
    end: int
    quote: str

    @property
    def is_topic(self) -> bool:
        """Whether it is a topic, not a signal."""
        return self.name in TOPICS


@dataclass(frozen=True)
class Tagged:
    """What one message carries.

    Attributes:
        tags: Topics, then signals; the most probable first in each.
        urgent: Whether somebody should look at once.
        urgency: Probability of that.
        sentiment: The customer's feeling.
        language: Of the message.
        model: Version of the model that said so.
    """

    tags: tuple[Tag, ...]
    urgent: bool
    urgency: float
    sentiment: Sentiment
    language: str
    model: str

    @property
    def topics(self) -> tuple[Tag, ...]:
        """What help is asked for."""
        return tuple(tag for tag in self.tags if tag.is_topic)

    @property
    def signals(self) -> tuple[Tag, ...]:
        """What it tells beyond the moment."""
        return tuple(tag for tag in self.tags if not tag.is_topic)

    @property
    def kind(self) -> Kind:
        """Reactive support, proactive success, both or neither."""
        return kind_of(tag.name for tag in self.tags)

    @property
    def stage(self) -> Stage | None:
        """Where in the customer's life its signals are heard."""
        return stage_of({tag.name: tag.probability for tag in self.signals})

    def to_json(self) -> dict[str, Any]:
        """As `refill tag --json` prints it."""

        def shown(tag: Tag) -> dict[str, Any]:
            return {**asdict(tag), "probability": round(tag.probability, 4)}

        return {
            "kind": self.kind,
            "topics": [shown(tag) for tag in self.topics],
            "signals": [shown(tag) for tag in self.signals],
            "urgent": self.urgent,
            "urgency": round(self.urgency, 4),
            "sentiment": self.sentiment,
            "stage": self.stage,
            "language": self.language,
            "model": self.model,
        }


def kind_of(names: Iterable[str]) -> Kind:
    """The kind of what carries these tags."""
    found = set(names)
    topic, signal = not found.isdisjoint(TOPICS), not found.isdisjoint(SIGNALS)
    if topic and signal:
        return "both"
    return "reactive_support" if topic else "proactive_success" if signal else "neither"


def stage_of(signals: dict[str, float]) -> Stage | None:
    """The stage for which the signals weigh most; None without any that tells.

    Args:
        signals: Weight of each, a probability for example.
    """
    weights = dict.fromkeys(STAGES, 0.0)
    for name, weight in signals.items():
        if name in _STAGE_OF:
            weights[_STAGE_OF[name]] += weight
    best = max(STAGES, key=weights.__getitem__)
    return best if weights[best] > 0 else None
