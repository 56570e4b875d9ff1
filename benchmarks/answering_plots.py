"""The plots of `benchmarks.answering`: accuracy beside the baselines, risk and coverage, reliability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bot.knowledge.metrics import Asked, reliability, risk_coverage

# Okabe and Ito's colours, which colour-blind people tell apart; lines differ in style and bars in pattern as well.
_STYLES = {
    "Refill": ("#0072B2", "-", ""),
    "nearest neighbour": ("#E69F00", "--", "//"),
    "logistic regression": ("#009E73", "-.", ".."),
    "BM25": ("#CC79A7", ":", "xx"),
    "Rasa DIET": ("#D55E00", (0, (5, 1, 1, 1)), "\\\\"),
}
_SET_STYLES = (("#0072B2", "o-"), ("#E69F00", "s--"), ("#009E73", "^-."), ("#D55E00", "v:"), ("#CC79A7", "D-"))

Rows = Mapping[str, Mapping[str, Sequence[Asked]]]


def accuracy(
    answers: Mapping[str, Mapping[str, float]], passages: Mapping[str, Mapping[str, float]], file: Path
) -> None:
    """Bars for each set: questions whose right article, or paragraph, is first.

    Args:
        answers: Accuracy without rejection by set and method.
        passages: Accuracy at 1 by pair of languages and method.
        file: Where the plot goes.
    """
    parts = [
        (answers, "Labelled questions: right article first, in scope"),
        (passages, "XQuAD: right paragraph first"),
    ]
    parts = [part for part in parts if part[0]]
    figure = Figure(figsize=(10, 4.6 * len(parts)), layout="constrained")
    for axes, (values, title) in zip(np.atleast_1d(figure.subplots(len(parts))), parts, strict=True):
        _bars(axes, values)
        axes.set_title(title, fontsize=14)
        axes.set_ylabel("share of questions", fontsize=12)
    _save(figure, file)


def _bars(axes: Axes, values: Mapping[str, Mapping[str, float]]) -> None:
    methods = [method for method in _STYLES if any(method in found for found in values.values())]
    width = 0.84 / len(methods)
    for number, method in enumerate(methods):
        colour, _, pattern = _STYLES[method]
        places = [place + (number - (len(methods) - 1) / 2) * width for place in range(len(values))]
        heights = [found.get(method, np.nan) for found in values.values()]
        bars = axes.bar(
            places, heights, 0.92 * width, color=colour, hatch=pattern, edgecolor="white", linewidth=0, label=method
        )
        size = 9 if len(values) * len(methods) <= 24 else 8
        axes.bar_label(
            bars, labels=[f"{h:.2f}".lstrip("0") if h == h else "" for h in heights], fontsize=size, padding=1
        )
    axes.set_xticks(range(len(values)), list(values), fontsize=12)
    axes.set_ylim(0, 1.08)
    axes.set_yticks(np.arange(0, 1.01, 0.2))
    axes.tick_params(axis="y", labelsize=11)
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=11, ncols=len(methods), loc="upper center", bbox_to_anchor=(0.5, -0.08), frameon=False)


def risk(rows: Rows, file: Path) -> None:
    """Risk against coverage, a panel for each set: how many answers are wrong if so many questions are answered."""
    columns = 2 if len(rows) > 1 else 1
    lines = -(-len(rows) // columns)
    figure = Figure(figsize=(5.2 * columns, 4.2 * lines), layout="constrained")
    panels = np.atleast_1d(figure.subplots(lines, columns)).ravel()
    for axes, (name, methods) in zip(panels, rows.items(), strict=False):
        for method, asked in methods.items():
            colour, style, _ = _STYLES[method]
            coverage, wrong = risk_coverage(asked)
            # The first few rows say more of chance than of the method.
            shown = coverage >= 0.02
            axes.plot(coverage[shown], wrong[shown], linestyle=style, color=colour, label=method, linewidth=2)
        decided = methods["Refill"]
        answered = [row for row in decided if row.answered]
        if answered:
            point = len(answered) / len(decided), 1 - sum(row.top_is_right for row in answered) / len(answered)
            axes.plot(*point, "*", color="black", markersize=14, label="Refill as it decides")
        axes.set_title(name, fontsize=14)
        axes.set_xlabel("coverage: share of all questions answered", fontsize=12)
        axes.set_ylabel("risk: share of these answered wrongly", fontsize=12)
        axes.set_xlim(0, 1)
        axes.set_ylim(bottom=0)
        axes.tick_params(labelsize=11)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=10, loc="upper left")
    for axes in panels[len(rows) :]:
        axes.set_visible(False)
    _save(figure, file)


def calibration(rows: Mapping[str, Sequence[Asked]], file: Path) -> None:
    """Reliability: the probability Refill gives against how often the article is right."""
    figure = Figure(figsize=(6.4, 6), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=1, label="what would be exact")
    for (colour, style), (name, asked) in zip(_SET_STYLES, rows.items(), strict=False):
        confidence, right, _ = reliability(asked)
        axes.plot(confidence, right, style, color=colour, label=name, markersize=6, linewidth=1.6)
    axes.set_xlabel("mean probability in a bin of a fifteenth of the questions", fontsize=12)
    axes.set_ylabel("share whose first article is right", fontsize=12)
    axes.set_title("Probability and truth", fontsize=14)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.tick_params(labelsize=11)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=11, loc="upper left")
    _save(figure, file)


def _save(figure: Figure, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=100)
