"""What the commands show: two consoles, steps with their time, progress bars."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

__all__ = ["build_progress", "err", "escape", "out", "step"]

# Without a terminal, a stage that takes long says so at most this often.
PLAIN_SECONDS = 15.0


@contextmanager
def step(title: str) -> Iterator[Callable[[str], None]]:
    """Show a step with a spinner and its time; give a function that changes the line."""
    begun = time.monotonic()
    if not err.is_terminal:
        err.print(f"… {title}")
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(title)
        yield lambda text: progress.update(task, description=f"{title}: {escape(text[:80])}")
    err.print(f"[green]✓[/] {title} ({time.monotonic() - begun:.1f} s)")


class _Rate(ProgressColumn):
    """Steps a second, of late."""

    def render(self, task: Task) -> Text:
        """The rate; nothing where there is none yet, or only one step."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed and (task.total or 0) > 1 else "", style="progress.data.speed")


class _PlainStage:
    """A stage in lines of text: its begin, and now and then how far it is."""

    def __init__(self, title: str, total: int) -> None:
        self._title, self._total, self._done = title, total, 0
        self._begun = self._said = time.monotonic()
        err.print(f"… {title}" + (f" ({total:,})" if total > 1 else ""))

    def advance(self, steps: int) -> None:
        """Count steps; say so if it is time."""
        self._done += steps
        now = time.monotonic()
        if not 0 < self._done < self._total or now - self._said < PLAIN_SECONDS:
            return
        self._said = now
        rate = self._done / (now - self._begun)
        minutes, seconds = divmod(round((self._total - self._done) / rate), 60)
        left = f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {seconds} s"
        err.print(f"… {self._title}: {self._done:,} of {self._total:,}, {rate:,.0f} a second, {left} left")


@contextmanager
def build_progress() -> Iterator[Callable[[str, int, int], None]]:
    """Progress of index and tagger with rate and time left; nothing is shown while nothing has to be done."""
    titles = {
        "waiting": "Waiting for another process that builds the same",
        "encoding": "Encoding texts",
        "calibrating": "Calibrating the decision",
        "reading": "Reading examples of tags",
        "training": "Training the tagger",
    }
    count = TextColumn("{task.completed:,.0f}/{task.total:,.0f}")
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), count, _Rate())
    tasks: dict[str, TaskID] = {}
    plain: dict[str, _PlainStage] = {}
    progress = Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=err, disable=not err.is_terminal)

    def show(stage: str, done: int, total: int) -> None:
        if not err.is_terminal:
            if stage not in plain:
                plain[stage] = _PlainStage(titles[stage], total)
            plain[stage].advance(done)
            return
        if not tasks:
            progress.start()
        if stage not in tasks:
            tasks[stage] = progress.add_task(titles[stage], total=total)
        progress.advance(tasks[stage], done)

    try:
        yield show
    finally:
        progress.stop()
