"""Tables of results and where they go."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from benchmarks.tagging import RUNS, as_results, parse, rounded
from benchmarks.tagging_baselines import Verdicts
from benchmarks.tagging_corpus import Corpus
from benchmarks.tagging_latency import Latency
from benchmarks.tagging_tables import fill, tables
from bot.tagging.examples import Example
from bot.tagging.tags import TAGS

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def results() -> dict[str, object]:
    corpus = Corpus(
        [Example("a", "en", frozenset(["goal"])), Example("b", "th", frozenset(["defect"]))],
        [(), ()],
        np.eye(2, dtype=np.float32),
    )
    methods = {
        "Refill": as_results(Verdicts(corpus.true, corpus.true.astype(float), True), corpus),
        "keyword rules": as_results(Verdicts.plain(~corpus.true), corpus),
    }
    point = {"examples_per_tag": 10.2, "topics_micro_f1": 0.5, "signals_micro_f1": 0.25}
    return {
        "cv": {
            "methods": methods,
            "examples_by_tag": dict.fromkeys(TAGS, 7),
            "spread": {key: 0.5 for key in methods["Refill"] if key.endswith("_f1") or key == "ece"},
            "evidence": {"all": {"quotes": 12, "f1": 0.75, "nested": 0.875, "whole_f1": 0.625}},
        },
        "held_out": {"methods": methods},
        "curves": {"methods": {"Refill": [point, {**point, "examples_per_tag": 60.0}]}},
        "latency": {"lengths": [asdict(Latency("1 to 15", 9, 8.0, 2.0, 3.04, 1.5, 0.25))]},
    }


def test_each_part_has_its_tables() -> None:
    found = tables(results())

    assert "| Refill | 1.000 | 1.000 | 1.000 | 1.000 | 1.000 | 1.000 |  | 0.000 |" in found["held_out"]
    # A method that gives no probabilities has no calibration error.
    assert re.search(r"\| keyword rules \|.*\|  \|$", found["held_out"], re.MULTILINE)
    assert "| th |" in found["held_out"]
    assert "| `goal` | 7 | 1.000 | 0.000 |" in found["cv"]
    assert "| all | 12 | 0.750 | 0.875 | 0.625 |" in found["cv"]
    assert found["curves"].splitlines()[0] == "| examples per tag | 10 | 60 |"
    assert "| Refill | 0.500 / 0.250 | 0.500 / 0.250 |" in found["curves"]
    assert "| 1 to 15 | 9 | 8.0 | 2.0 | 3.0 | 1.5 | 0.25 |" in found["latency"]


def test_only_parts_that_were_run_have_tables() -> None:
    assert set(tables({"latency": results()["latency"]})) == {"latency"}


def test_tables_replace_those_of_the_last_run(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- tagging cv -->\nold\n<!-- end -->\nbetween\n<!-- tagging curves -->\n<!-- end -->\n")

    fill(page, {"cv": "| new \\1 |"})
    fill(page, {"cv": "| newer |"})

    assert page.read_text() == (
        "before\n<!-- tagging cv -->\n| newer |\n<!-- end -->\nbetween\n<!-- tagging curves -->\n<!-- end -->\n"
    )
    with pytest.raises(ValueError, match="no place for latency"):
        fill(page, {"latency": "|"})


def test_the_page_has_a_place_for_every_part() -> None:
    assert re.findall(r"<!-- tagging (\w+) -->", PAGE.read_text("utf-8")) == list(RUNS)


def test_a_quick_run_replaces_no_results(tmp_path: Path) -> None:
    quick = parse(["--quick", "--cache", str(tmp_path)])
    for file in (quick.save, quick.results, quick.output):
        assert tmp_path in file.parents
    assert not quick.fill
    assert parse([]).fill


@pytest.mark.parametrize("arguments", [["--parts", "cv,all"], ["--folds", "1"]])
def test_wrong_options_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(arguments)
    assert "Currently, it" in capsys.readouterr().err


def test_results_have_four_digits() -> None:
    assert rounded({"a": [0.123456, 3], "b": None}) == {"a": [0.1235, 3], "b": None}
