"""Run the `refill` command in the test's process, in a project of its own, and keep what it printed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot import cli
from bot.settings import SETTINGS


@dataclass
class Result:
    """How a command ended and what it printed."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What was printed as JSON."""
        return json.loads(self.out)


Refill = Callable[..., Result]


def command_in(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *first: str) -> Refill:
    """Runs the command in a project, without the settings of the environment.

    Args:
        root: Of the project.
        monkeypatch: Of the test.
        capsys: Of the test.
        first: Arguments every call begins with.
    """
    for setting in SETTINGS:
        monkeypatch.delenv(setting.variable, raising=False)
    monkeypatch.setenv("REFILL_ROOT", str(root))

    def run(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["refill", *first, *arguments])
        status = 0
        try:
            cli.main()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(bool(end.code))
        printed = capsys.readouterr()
        return Result(status, printed.out, printed.err)

    return run
