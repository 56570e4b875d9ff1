"""Short texts that name people and companies."""

from __future__ import annotations

import pytest

from bot.conversation.lines import one_line
from bot.errors import InvalidInput


@pytest.mark.parametrize(
    ("value", "line"), [(" Ada ", "Ada"), ("Ayşe Ünlü", "Ayşe Ünlü"), ("王", "王"), ("a" * 50, "a" * 50)]
)
def test_line(value: str, line: str) -> None:
    assert one_line(value, "by", 50) == line


@pytest.mark.parametrize("value", ["", "  ", "\n", "a" * 51])
def test_length(value: str) -> None:
    with pytest.raises(
        InvalidInput, match=f"'by' must have 1 to 50 characters. Currently, it has {len(value.strip())}"
    ):
        one_line(value, "by", 50)


@pytest.mark.parametrize("value", ["a\nb", "a\tb", "a\x00b", "a\u2028b", "a\u2029b", "a\ud800"])
def test_what_does_not_belong_in_a_line(value: str) -> None:
    with pytest.raises(InvalidInput, match="'by' must be one line of text"):
        one_line(value, "by", 50)
