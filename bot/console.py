"""What the commands show: two consoles, steps with their time, progress bars."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

__all__ = ["err", "escape", "index_progress", "out", "step"]


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


@contextmanager
def index_progress() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar for the index; nothing is shown while nothing has to be done."""
    titles = {"encoding": "Encoding articles", "calibrating": "Calibrating the decision"}
    count = TextColumn("{task.completed}/{task.total}")
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), count, TimeElapsedColumn())
    tasks: dict[str, TaskID] = {}
    progress = Progress(*columns, console=err, disable=not err.is_terminal)

    def show(stage: str, done: int, total: int) -> None:
        if not tasks:
            progress.start()
        if stage not in tasks:
            tasks[stage] = progress.add_task(titles[stage], total=total)
            if not err.is_terminal:
                err.print(f"… {titles[stage]} ({total})")
        progress.advance(tasks[stage], done)

    try:
        yield show
    finally:
        progress.stop()
