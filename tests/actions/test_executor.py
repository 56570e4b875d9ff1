"""Every action the domain names is there, and no other."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
import yaml
from rasa_sdk.interfaces import ActionNotFoundException

from actions import create_executor
from bot.knowledge.answer import Answerer
from tests.actions.conftest import Run, StubAnswerer

DOMAIN = yaml.safe_load((Path(__file__).resolve().parents[2] / "domain.yml").read_text("utf-8"))


def test_executor_knows_the_actions_of_the_domain() -> None:
    executor = create_executor(lambda: cast(Answerer, StubAnswerer()))
    assert set(executor.actions) == set(DOMAIN["actions"])


async def test_unknown_action(run: Run) -> None:
    with pytest.raises(ActionNotFoundException):
        await run("action_nothing")


@pytest.mark.parametrize("action", DOMAIN["actions"])
async def test_action_runs_without_a_context(run: Run, action: str) -> None:
    """A warm-up, or a turn that did not come from the conversation service."""
    done = await run(action)
    assert set(done.said) <= set(DOMAIN["responses"])
