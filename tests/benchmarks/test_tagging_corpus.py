"""Examples as the benchmark holds and draws them."""

from __future__ import annotations

from collections import Counter

import numpy as np

from benchmarks.tagging_corpus import Corpus, as_example, at_most, digest, examples_per_tag
from bot.tagging.build import is_held_out
from bot.tagging.evaluate import Labelled
from bot.tagging.examples import Example
from bot.tagging.tags import TAGS


def example(number: int, *tags: str, group: str = "") -> Example:
    return Example(f"text {number}", "en", frozenset(tags), group=group)


def corpus(examples: list[Example]) -> Corpus:
    return Corpus(examples, [() for _ in examples], np.eye(len(examples), dtype=np.float32))


def test_learnt_and_kept_are_the_products_own_parts() -> None:
    whole = corpus([example(number, "goal") for number in range(200)])

    assert [one.text for one in whole.kept.examples] == [one.text for one in whole.examples if is_held_out(one)]
    assert len(whole.learnt.examples) + len(whole.kept.examples) == 200
    assert 0 < len(whole.kept.examples) < 100


def test_a_part_keeps_examples_and_vectors_together() -> None:
    part = corpus([example(number) for number in range(4)]).part([2, 0])

    assert [one.text for one in part.examples] == ["text 2", "text 0"]
    assert part.vectors.tolist() == [[0, 0, 1, 0], [1, 0, 0, 0]]


def test_truth_has_a_column_for_each_tag_and_one_for_urgency() -> None:
    urgent = Example("help", "en", frozenset(["outage"]), urgent=True)
    true = corpus([urgent, example(1)]).true

    assert true.shape == (2, len(TAGS) + 1)
    assert np.flatnonzero(true[0]).tolist() == [TAGS.index("outage"), len(TAGS)]
    assert not true[1].any()


def test_draws_have_about_as_many_of_each_tag_and_of_none() -> None:
    examples = [example(number, TAGS[number % 4]) for number in range(400)]
    examples += [example(number) for number in range(400, 500)]
    examples += [example(number, "goal", "defect") for number in range(500, 520)]

    rows = at_most(examples, 30)
    counts = Counter(name for row in rows for name in examples[row].tags or {"none"})

    assert rows == sorted(set(rows))
    assert all(30 <= counts[name] <= 32 for name in (TAGS[0], TAGS[2], TAGS[3], "none"))
    assert counts["goal"] == 20
    assert 30 <= counts["defect"] <= 50


def test_drawing_more_than_there_is_takes_all() -> None:
    examples = [example(number, "goal") for number in range(5)]
    assert at_most(examples, 10) == [0, 1, 2, 3, 4]
    assert examples_per_tag(examples) == 5 / len(TAGS)


def test_a_held_out_message_becomes_an_example() -> None:
    message = Labelled(
        id="a", lang="tr", text="Fatura?", reactive=True, topics=["billing"], signals=["renewal"], urgent=True
    )
    found = as_example(message)
    assert (found.text, found.language, found.tags, found.urgent) == (
        "Fatura?",
        "tr",
        frozenset(["billing", "renewal"]),
        True,
    )


def test_the_digest_changes_with_texts_and_tags() -> None:
    before = digest([example(1, "goal"), example(2)])
    assert before == digest([example(1, "goal"), example(2)])
    assert before != digest([example(1), example(2)])
    assert before != digest([example(1, "goal"), example(3)])
