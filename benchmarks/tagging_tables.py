"""The results of `benchmarks.tagging` as tables in Markdown, and their places in docs/benchmarks.md."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.answering_tables import shown, table
from bot.tagging.tags import TAGS

Results = Mapping[str, Any]
REFILL = "Refill"

COLUMNS = {
    "reactive_f1": "reactive",
    "any_signal_f1": "any signal",
    "topics_micro_f1": "topics, micro",
    "topics_macro_f1": "topics, macro",
    "signals_micro_f1": "signals, micro",
    "signals_macro_f1": "signals, macro",
    "urgent_f1": "urgent",
    "ece": "ECE",
}


def tables(results: Results) -> dict[str, str]:
    """Markdown of each part that was run."""
    makers: dict[str, Callable[[Results], str]] = {
        "cv": _cross_validation,
        "held_out": _scores,
        "curves": _curves,
        "latency": _latency,
    }
    return {part: make(results[part]) for part, make in makers.items() if part in results}


def fill(page: Path, parts: Mapping[str, str]) -> None:
    """Put tables between `<!-- tagging PART -->` and `<!-- end -->` of a page.

    Raises:
        ValueError: The page has no such place.
    """
    text = page.read_text("utf-8")
    for part, content in parts.items():
        place = re.compile(rf"(<!-- tagging {part} -->\n).*?(<!-- end -->)", re.DOTALL)
        if not place.search(text):
            raise ValueError(f"{page.name} has no place for {part}: put '<!-- tagging {part} -->' and '<!-- end -->'.")
        text = place.sub(lambda match, new=content: f"{match[1]}{new}\n{match[2]}", text)  # type: ignore[misc]
    page.write_text(text, "utf-8")


def _scores(part: Results) -> str:
    """Methods, then languages of the product."""
    methods: Results = part["methods"]
    rows = [[method, *(shown(scores[key]) for key in COLUMNS)] for method, scores in methods.items()]
    languages = methods[REFILL]["by_language"]
    by_language = [[language, *(shown(scores[key]) for key in COLUMNS)] for language, scores in languages.items()]
    header = list(COLUMNS.values())
    return "\n\n".join([table(["F1", *header], rows), table([f"{REFILL}, by language", *header], by_language)])


def _cross_validation(part: Results) -> str:
    methods: Results = part["methods"]
    rows = [
        [f"`{name}`", str(part["examples_by_tag"][name]), *(shown(found["by_tag"][name]) for found in methods.values())]
        for name in TAGS
    ]
    spread = [[shown(part["spread"][key]) for key in COLUMNS]]
    evidence = [
        [language, str(found["quotes"]), shown(found["f1"]), shown(found["nested"]), shown(found["whole_f1"])]
        for language, found in part["evidence"].items()
    ]
    return "\n\n".join(
        [
            _scores(part),
            table([f"{REFILL}, standard deviation over folds", *COLUMNS.values()], [["", *cells] for cells in spread]),
            table(["F1 by tag", "examples", *methods], rows),
            table(["evidence", "quotes", "F1", "nested", "F1 of the whole message"], evidence),
        ]
    )


def _curves(part: Results) -> str:
    methods: Results = part["methods"]
    sizes = [point["examples_per_tag"] for point in next(iter(methods.values()))]
    rows = [
        [method, *(f"{shown(point['topics_micro_f1'])} / {shown(point['signals_micro_f1'])}" for point in points)]
        for method, points in methods.items()
    ]
    return table(["examples per tag", *(f"{size:.0f}" for size in sizes)], rows)


def _latency(part: Results) -> str:
    keys = ("encode_p50", "tag_p50", "tag_p95", "head_p50")
    rows = [
        [found["tokens"], str(found["messages"]), *(f"{found[key]:.1f}" for key in keys), f"{found['ratio']:.2f}"]
        for found in part["lengths"]
    ]
    header = ["tokens", "messages", "encoding, p50 ms", "tagging, p50 ms", "p95 ms", "of it the head", "ratio"]
    return table(header, rows)
