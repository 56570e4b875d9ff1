"""What commands show of long work, on a terminal and without one."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from bot import console


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that is set by hand: its only item."""
    now = [1000.0]
    monkeypatch.setattr("bot.console.time.monotonic", lambda: now[0])
    return now


def shown(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> io.StringIO:
    """Catch what is written to standard error."""
    stream = io.StringIO()
    monkeypatch.setattr(console, "err", Console(file=stream, force_terminal=terminal, width=150, highlight=False))
    return stream


def test_nothing_is_shown_while_nothing_has_to_be_done(monkeypatch: pytest.MonkeyPatch) -> None:
    for terminal in (True, False):
        stream = shown(monkeypatch, terminal)
        with console.build_progress():
            pass
        assert stream.getvalue() == ""


def test_plain_lines_tell_rate_and_time_left(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> None:
    stream = shown(monkeypatch, terminal=False)
    with console.build_progress() as progress:
        progress("encoding", 0, 100_000)
        for _ in range(4):
            clock[0] += 10
            progress("encoding", 500, 100_000)
        progress("calibrating", 0, 1)
        progress("calibrating", 1, 1)
    assert stream.getvalue().splitlines() == [
        "… Encoding texts (100,000)",
        "… Encoding texts: 1,000 of 100,000, 50 a second, 33 min 0 s left",
        "… Encoding texts: 2,000 of 100,000, 50 a second, 32 min 40 s left",
        "… Calibrating the decision",
    ]


def test_hours_are_told_as_hours(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> None:
    stream = shown(monkeypatch, terminal=False)
    with console.build_progress() as progress:
        progress("encoding", 0, 1_000_000)
        clock[0] += 100
        progress("encoding", 10_000, 1_000_000)
    assert "10,000 of 1,000,000, 100 a second, 2 h 45 min left" in stream.getvalue()


def test_short_work_is_two_lines_at_most(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> None:
    stream = shown(monkeypatch, terminal=False)
    with console.build_progress() as progress:
        for _ in range(10):
            progress("encoding", 1, 10)
    assert stream.getvalue().splitlines() == ["… Encoding texts (10)"]


def test_a_terminal_shows_count_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = shown(monkeypatch, terminal=True)
    with console.build_progress() as progress:
        progress("waiting", 0, 1)
        for _ in range(3):
            progress("encoding", 1000, 4000)
    last = stream.getvalue()
    assert "Waiting for another process" in last
    assert "3,000/4,000" in last
    assert "/s" in last
