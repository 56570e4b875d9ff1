"""The plots of `benchmarks.tagging`: which tags are confused, what more examples bring, reliability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bot.tagging.metrics import Bools
from bot.tagging.tags import SIGNALS, TAGS, TOPICS

_NONE = "nothing"
# Okabe and Ito's colours, which colour-blind people tell apart; lines differ in style and marker as well.
_STYLES = {
    "Refill": ("#0072B2", "o-"),
    "logistic regression": ("#009E73", "^-."),
    "character n-grams": ("#D55E00", "v:"),
    "nearest neighbour": ("#E69F00", "s--"),
}
_BINS = 10
# As in the calibration error: less is said of nearly every message and tag.
_SAID = 0.05
_FEWEST = 10


def confusion(said: Bools, true: Bools) -> NDArray[np.float64]:
    """What is said of messages that carry a tag, shape (TAGS and nothing, TAGS and nothing), shares of the row.

    In a tag's own column: it was said. In others: that tag was said and is not true, in its place or beside it. In the
    last: nothing was said. The last row has the messages that carry nothing. NaN where no message carries the tag.

    Args:
        said: Shape (messages, TAGS).
        true: The same shape.
    """
    rows = [*true.T, ~true.any(axis=1)]
    found = np.full((len(rows), len(rows)), np.nan)
    for number, carrying in enumerate(rows):
        if not carrying.any():
            continue
        wrong = said[carrying] & ~true[carrying]
        found[number, :-1] = wrong.mean(axis=0)
        found[number, -1] = (~said[carrying].any(axis=1)).mean()
        if number < len(TAGS):
            found[number, number] = said[carrying, number].mean()
    return found


def draw_confusion(said: Bools, true: Bools, file: Path) -> None:
    """A table of shares in colour; arguments as in `confusion`."""
    shares = confusion(said, true)
    names = [*(name.replace("_", " ") for name in TAGS), _NONE]
    counts = [*true.sum(axis=0), (~true.any(axis=1)).sum()]
    figure = Figure(figsize=(12, 10.2), layout="constrained")
    axes = figure.subplots()
    # Small shares are what the picture is about; the square root sets them apart.
    axes.imshow(np.sqrt(np.nan_to_num(shares)), cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(shares.shape):
        value = shares[row, column]
        if value >= 0.005:
            colour = "white" if value > 0.4 else "black"
            shown = f"{value:.2f}".lstrip("0") if value < 0.995 else "1"
            axes.text(column, row, shown, ha="center", va="center", color=colour, fontsize=11)
    axes.set_xticks(range(len(names)), names, rotation=45, ha="left", rotation_mode="anchor", fontsize=12)
    axes.set_yticks(
        range(len(names)), [f"{name} ({count:,})" for name, count in zip(names, counts, strict=True)], fontsize=12
    )
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    for edge in (len(TOPICS) - 0.5, len(TAGS) - 0.5):
        axes.axhline(edge, color="grey", linewidth=1)
        axes.axvline(edge, color="grey", linewidth=1)
    axes.set_ylabel("the message carries (messages)", fontsize=13)
    axes.set_xlabel("was said: on the diagonal rightly, elsewhere though it is not true; share of the row", fontsize=13)
    _save(figure, file)


def draw_curves(curves: Mapping[str, Sequence[Mapping[str, float]]], file: Path) -> None:
    """F1 against examples per tag, a panel for topics and one for signals.

    Args:
        curves: By method, points with `examples_per_tag`, `topics_micro_f1` and `signals_micro_f1`.
        file: Where the plot goes.
    """
    figure = Figure(figsize=(11, 4.8), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, key, title in zip(panels, ("topics_micro_f1", "signals_micro_f1"), ("Topics", "Signals"), strict=True):
        for method, points in curves.items():
            colour, style = _STYLES[method]
            sizes = [point["examples_per_tag"] for point in points]
            axes.plot(
                sizes, [point[key] for point in points], style, color=colour, label=method, linewidth=2, markersize=7
            )
        sizes = [point["examples_per_tag"] for point in next(iter(curves.values()))]
        axes.set_xscale("log")
        axes.set_xticks(sizes, [f"{size:.0f}" for size in sizes])
        axes.set_xticks([], minor=True)
        axes.set_title(title, fontsize=14)
        axes.set_xlabel("examples per tag, four languages together", fontsize=12)
        axes.set_ylim(0, 1)
        axes.tick_params(labelsize=11)
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("micro F1", fontsize=12)
    panels[0].legend(fontsize=11, loc="lower right")
    _save(figure, file)


def reliability(
    probabilities: NDArray[np.float64], true: Bools
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Mean probability, share of true and count in bins of equal width; bins with few are left out.

    Args:
        probabilities: Any shape; below 0.05 they are not counted.
        true: The same shape.
    """
    considered = probabilities >= _SAID
    values, right = probabilities[considered], true[considered]
    bins = np.minimum((values * _BINS).astype(int), _BINS - 1)
    parts = [bins == number for number in range(_BINS) if (bins == number).sum() >= _FEWEST]
    means = [(values[part].mean(), right[part].mean(), part.sum()) for part in parts]
    found = np.array(means, dtype=np.float64).reshape(-1, 3)
    return found[:, 0], found[:, 1], found[:, 2].astype(np.int64)


def draw_reliability(probabilities: NDArray[np.float64], true: Bools, file: Path) -> None:
    """Probability against truth, for topics, signals and urgency.

    Args:
        probabilities: Shape (messages, TAGS and urgent).
        true: The same shape.
        file: Where the plot goes.
    """
    urgent = len(TAGS)
    parts = {
        "topics": (slice(0, len(TOPICS)), "#0072B2", "o-"),
        "signals": (slice(len(TOPICS), len(TOPICS) + len(SIGNALS)), "#E69F00", "s--"),
        "urgent": (slice(urgent, urgent + 1), "#009E73", "^-."),
    }
    figure = Figure(figsize=(6.4, 6), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=1, label="what would be exact")
    for name, (columns, colour, style) in parts.items():
        mean, share, counts = reliability(probabilities[:, columns], true[:, columns])
        axes.plot(mean, share, style, color=colour, label=f"{name} ({counts.sum():,})", markersize=7, linewidth=2)
    axes.set_xlabel("mean probability in a tenth of the scale", fontsize=12)
    axes.set_ylabel("share that is true", fontsize=12)
    axes.set_title("Probability and truth, said with at least 0.05", fontsize=14)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.tick_params(labelsize=11)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=11, loc="upper left")
    _save(figure, file)


def _save(figure: Figure, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=100)
