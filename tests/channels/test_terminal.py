"""What the terminal shows of a message."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from bot.channels.terminal import _show


def shown(**values: Any) -> str:
    """A message as it is printed."""
    console = Console(file=StringIO(), width=80)
    message = {"author": "bot", "name": None, "text": "Hello", "citations": [], "choices": [], **values}
    _show(console, message, [])
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("values", "first"),
    [
        ({}, "bot"),
        ({"author": "agent", "name": "Ada"}, "Ada"),
        ({"author": "agent", "name": "[red]Ada[/]"}, "[red]Ada[/]"),
    ],
)
def test_the_name_of_who_wrote_it_comes_first(values: dict[str, Any], first: str) -> None:
    assert shown(**values).splitlines()[0] == first
