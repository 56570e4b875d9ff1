"""Queues that tags call for."""

from __future__ import annotations

import pytest

from bot.handoff.routing import called, queue_for
from bot.tagging.tags import SIGNALS, TOPICS

SUCCESS = ("churn_risk", "low_adoption", "onboarding_need", "champion_change")
ACCOUNT_MANAGEMENT = ("renewal", "expansion")
NOBODY = ("advocacy", "goal", "milestone", "product_feedback")


def test_every_signal_is_spoken_of_here() -> None:
    assert sorted((*SUCCESS, *ACCOUNT_MANAGEMENT, *NOBODY)) == sorted(SIGNALS)


@pytest.mark.parametrize(
    ("names", "queue"),
    [
        *(((name,), "support") for name in TOPICS),
        *(((name,), "success") for name in SUCCESS),
        *(((name,), "account_management") for name in ACCOUNT_MANAGEMENT),
        *(((name,), "support") for name in NOBODY),
        ((), "support"),
        (("churn_risk", "billing"), "support"),
        (("goal", "expansion"), "account_management"),
    ],
)
def test_queue_of_a_customer_who_wants_a_person(names: tuple[str, ...], queue: str) -> None:
    assert queue_for(dict.fromkeys(names, 0.9), 0.6) == queue


def test_a_topic_however_weak_means_support() -> None:
    assert queue_for({"how_to": 0.3, "churn_risk": 0.99}, 0.6) == "support"


def test_the_most_probable_signal_decides() -> None:
    assert queue_for({"renewal": 0.7, "churn_risk": 0.8}, 0.6) == "success"
    assert queue_for({"renewal": 0.8, "churn_risk": 0.7}, 0.6) == "account_management"
    assert queue_for({"goal": 0.99, "renewal": 0.7}, 0.6) == "account_management"


def test_weak_signals_call_for_nobody() -> None:
    assert queue_for({"churn_risk": 0.59}, 0.6) == "support"
    assert called({"churn_risk": 0.59}, 0.6) == {}
    assert called({"churn_risk": 0.6}, 0.6) == {"success": ("churn_risk",)}


def test_work_for_each_queue_with_its_signals() -> None:
    tags = {"defect": 0.99, "low_adoption": 0.7, "expansion": 0.8, "churn_risk": 0.9, "advocacy": 0.9, "renewal": 0.5}
    assert called(tags, 0.6) == {"success": ("churn_risk", "low_adoption"), "account_management": ("expansion",)}
    assert list(called(tags, 0.6)) == ["success", "account_management"]
    assert list(called({"expansion": 0.9, "churn_risk": 0.8}, 0.6)) == ["account_management", "success"]
