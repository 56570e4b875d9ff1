"""The results of `benchmarks.answering` as tables in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.held_out import Shares

Scores = dict[str, float | None]

# In tables and plots.
TITLES = {
    "banking77": "BANKING77",
    "clinc150": "CLINC150",
    "small": "small and messy",
    "knowledge_base": "knowledge base",
}
COLUMNS = {
    "accuracy_no_rejection": "right first, in scope",
    "accuracy": "accuracy",
    "in_scope_accuracy": "answered rightly, in scope",
    "oos_recall": "out of scope not answered",
    "mcc": "MCC",
    "coverage": "answered, in scope",
    "precision": "right when answered",
    "auroc": "AUROC",
    "aurc": "AURC",
    "ece": "ECE",
    "ms_per_question": "ms",
}
RANKS = ("accuracy_at_1", "mrr_at_10", "recall_at_5")


def tables(
    scores: Mapping[str, Mapping[str, Scores]],
    passages: Mapping[str, Mapping[str, Scores]],
    kinds: Mapping[str, Shares],
) -> str:
    """The results as Markdown.

    Args:
        scores: By set and method.
        passages: By pair of languages and method.
        kinds: Of the shipped knowledge base, by language and kind of question.
    """
    parts = []
    for name, methods in scores.items():
        rows = [[method, *(shown(found[key]) for key in COLUMNS)] for method, found in methods.items()]
        parts += [f"### {TITLES[name]}", table(["", *COLUMNS.values()], rows)]
    if passages:
        methods = next(iter(passages.values()))
        rows = [
            [pair, *(" / ".join(shown(found[method][key]) for key in RANKS) for method in methods)]
            for pair, found in passages.items()
        ]
        parts += ["### XQuAD (accuracy@1 / MRR@10 / recall@5)", table(["", *methods], rows)]
    if kinds:
        keys = list(kinds["all"])
        alike = {kind: found for kind, found in kinds.items() if list(found) == keys}
        rows = [[kind, *(shown(found[key]) for key in keys)] for kind, found in alike.items()]
        parts += [
            "### Knowledge base, by language and kind",
            table(["", *(key.replace("_", " ") for key in keys)], rows),
            *(
                table([kind, *(key.replace("_", " ") for key in found)], [["", *map(shown, found.values())]])
                for kind, found in kinds.items()
                if kind not in alike
            ),
        ]
    return "\n\n".join(parts)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def shown(value: float | None) -> str:
    """A count, a share with three digits, milliseconds with one, or nothing."""
    if value is None or isinstance(value, int):
        return "" if value is None else str(value)
    return f"{value:.3f}" if value <= 1 else f"{value:.1f}"
