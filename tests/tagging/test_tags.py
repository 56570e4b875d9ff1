"""Names, kinds and stages."""

from __future__ import annotations

import pytest

from bot.tagging.tags import SIGNALS, STAGES, TAGS, TOPICS, Tag, Tagged, kind_of, stage_of


def tagged(*tags: Tag) -> Tagged:
    return Tagged(tags, False, 0.1, "neutral", "en", "v")


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        ((), "neither"),
        (("defect",), "reactive_support"),
        (("expansion", "goal"), "proactive_success"),
        (("defect", "expansion"), "both"),
    ],
)
def test_kind(names: tuple[str, ...], kind: str) -> None:
    assert kind_of(names) == kind


def test_topics_and_signals_are_apart() -> None:
    assert len(TOPICS) == 6
    assert len(SIGNALS) == 10
    assert set(TOPICS).isdisjoint(SIGNALS)
    assert (*TOPICS, *SIGNALS) == TAGS


@pytest.mark.parametrize(
    ("signals", "stage"),
    [
        ({}, None),
        ({"product_feedback": 0.9}, None),
        ({"onboarding_need": 0.5}, "onboarding"),
        ({"goal": 0.6, "churn_risk": 0.5, "renewal": 0.4}, "retention"),
        ({"expansion": 0.5, "low_adoption": 0.4}, "expansion"),
    ],
)
def test_stage_weighs_the_signals(signals: dict[str, float], stage: str | None) -> None:
    assert stage_of(signals) == stage
    assert stage is None or stage in STAGES


def test_a_message_tells_its_kind_and_stage() -> None:
    message = tagged(Tag("defect", 0.9, 0, 3, "a b"), Tag("churn_risk", 0.8, 4, 7, "c d"))
    assert [tag.name for tag in message.topics] == ["defect"]
    assert [tag.name for tag in message.signals] == ["churn_risk"]
    assert (message.kind, message.stage) == ("both", "retention")


def test_json_has_what_is_promised() -> None:
    shown = tagged(Tag("defect", 0.912345, 2, 5, "x y")).to_json()
    assert {"kind", "topics", "signals", "urgent", "sentiment", "stage", "language"} <= set(shown)
    assert shown["topics"] == [{"name": "defect", "probability": 0.9123, "start": 2, "end": 5, "quote": "x y"}]
    assert shown["signals"] == []
