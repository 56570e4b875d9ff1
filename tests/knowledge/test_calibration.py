"""Probabilities and thresholds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bot.encoder.encoder import Vectors
from bot.knowledge.calibration import CHOICES, MIN_SUBJECTS, STANDARD, Calibration, features, fit, threshold
from bot.knowledge.centring import Centres
from bot.knowledge.index import Shelf, embed
from bot.knowledge.retriever import Candidate, rank
from tests.knowledge.fakes import OFF_TOPIC, WordEncoder, article, build, by_question_score, project, put

WORDS = (
    *("milk", "cups", "beans", "foam", "grinder", "napkin", "sugar", "lid", "straw"),
    *("tray", "apron", "till", "stamp", "spoon", "crate", "oven", "knife", "fridge"),
)


def candidate(subject: str, question: float, chunk: float, hits: int = 0) -> Candidate:
    return Candidate(subject, question, chunk, (question + chunk) / 2, hits)


def shelf(count: int) -> Shelf:
    """Articles about one thing each, with four questions about it."""
    articles = [
        article(
            word,
            f"All about the {word}: clean the {word} each day.",
            title=f"The {word}",
            questions=f'["where is the {word}", "my {word} broke", "new {word} please", "{word} how many"]',
        )
        for word in WORDS[:count]
    ]
    return embed(articles, WordEncoder()).shelf(Centres({}))


def off_topic() -> Vectors:
    return WordEncoder().encode(OFF_TOPIC, "query")


def asked(calibration: Calibration, shelves: Sequence[Shelf], text: str) -> tuple[float, float]:
    vector = WordEncoder().encode([text], "query")[0]
    return calibration.probabilities(rank(shelves, vector, calibration.question_weight))


# Thresholds ----------------------------------------------------------------------------------------------------------

POINTS = ((0.9, 1.0, 1.0), (0.8, 1.0, 1.0), (0.7, 0.0, 1.0), (0.6, 1.0, 1.0), (0.1, 0.0, 1.0))


@pytest.mark.parametrize(
    ("precision", "expected"), [(0.9, 0.8), (0.75, 0.6), (0.76, 0.8), (0.6, 0.1), (0.61, 0.6), (0.99, 0.8)]
)
def test_the_threshold_is_the_least_that_reaches_the_precision(precision: float, expected: float) -> None:
    assert threshold(POINTS, precision) == expected
    assert threshold(POINTS[::-1], precision) == expected


def test_weights_count() -> None:
    points = ((0.9, 1.0, 3.0), (0.8, 0.0, 1.0))
    assert threshold(points, 0.75) == 0.8
    assert threshold(points, 0.76) == 0.9
    assert threshold(((0.9, 1.0, 1.0), (0.8, 0.0, 3.0)), 0.5) == 0.9


@pytest.mark.parametrize("points", [(), ((0.9, 0.0, 1.0),), ((0.9, 0.0, 1.0), (0.8, 1.0, 1.0))])
def test_a_precision_out_of_reach_is_a_threshold_above_one(points: Sequence[tuple[float, float, float]]) -> None:
    assert threshold(points, 0.9) > 1


def test_equal_probabilities_stand_or_fall_together() -> None:
    assert threshold(((0.5, 1.0, 1.0), (0.5, 0.0, 1.0)), 0.9) > 1


@pytest.mark.parametrize("precision", [0.0, 1.0, -0.5, 90])
def test_the_precision_is_a_share(precision: float) -> None:
    with pytest.raises(ValueError, match=r"precision must be between 0 and 1\. Currently, it is"):
        threshold(POINTS, precision)


# Features and probabilities ------------------------------------------------------------------------------------------


def test_features_of_a_ranking() -> None:
    ranking = [
        candidate("a", 0.8, 0.6, hits=4),
        candidate("b", 0.9, 0.3),
        candidate("c", 0.2, 0.8),
        candidate("d", 0.2, 0.2),
    ]
    expected = [0.7, 0.8, 0.6, 0.1, 0.5, 0.1, 0.2, 0.4, 0.64, -0.1]
    assert features(ranking).tolist() == pytest.approx(expected)


def test_a_single_subject_is_compared_with_what_unrelated_ones_score() -> None:
    found = features([candidate("a", 0.8, 0.6)]).tolist()
    assert found[:3] == pytest.approx([0.7, 0.8, 0.6])
    assert found[5:8] == [0.0, 0.0, 0.0]
    assert found[8] == pytest.approx(0.64)
    assert 0 < found[9] < 0.8
    assert 0 < found[3] <= found[4] < 0.7


def test_probabilities_are_the_logistic_of_standardised_features() -> None:
    made = replace(by_question_score(), mean=(0.5,) * 10, scale=(2.0,) * 10)
    top, among = made.probabilities([candidate("a", 0.9, 0.1)])
    assert top == pytest.approx(1 / (1 + np.exp(-(40 * 0.2 - 36))))
    assert among == pytest.approx(1 / (1 + np.exp(-(40 * 0.2 - 20))))


def test_the_first_being_right_is_never_less_probable_than_one_of_the_first() -> None:
    made = replace(by_question_score(), among=(0.0,) * 10 + (-9.0,))
    top, among = made.probabilities([candidate("a", 1.0, 0.1)])
    assert among == top > 0.9


def test_no_ranking_no_probability() -> None:
    assert by_question_score().probabilities([]) == (0.0, 0.0)


def test_json_and_back() -> None:
    made = fit([shelf(MIN_SUBJECTS)], off_topic())
    assert Calibration.from_json(json.loads(json.dumps(made.to_json()))) == made


@pytest.mark.parametrize("key", ["question_weight", "mean", "scale", "top", "among", "points", "among_points"])
def test_json_that_lacks_a_part_is_refused(key: str) -> None:
    values = by_question_score().to_json()
    del values[key]
    with pytest.raises(KeyError, match=key):
        Calibration.from_json(values)


# Fitting -------------------------------------------------------------------------------------------------------------


def test_what_was_fitted_tells_good_questions_from_others() -> None:
    shelves = [shelf(len(WORDS))]
    made = fit(shelves, off_topic())
    known, _ = asked(made, shelves, "my grinder broke")
    for text in ("my skateboard broke", "who invented the moon", ""):
        other, among = asked(made, shelves, text)
        assert 0 <= other <= among <= 1
        assert known > other + 0.2


def test_few_subjects_take_the_standard_fit() -> None:
    assert fit([shelf(MIN_SUBJECTS - 1)], off_topic()) == STANDARD
    assert fit([shelf(MIN_SUBJECTS)], off_topic()) != STANDARD
    assert fit([], off_topic()) == STANDARD


def test_the_standard_fit_is_surer_of_a_better_match() -> None:
    pairs = [
        STANDARD.probabilities([candidate("a", score, score), candidate("b", 0.3, 0.3)])
        for score in (0.3, 0.5, 0.7, 0.9)
    ]
    assert pairs == sorted(pairs)
    assert pairs[0][0] < 0.5 < pairs[-1][0] <= pairs[-1][1] <= 1


def test_a_question_is_asked_with_itself_left_out() -> None:
    """A title leads to its article by the passage that carries it; a question only leads there by itself."""
    alone = [
        article(f"a{number}", f"body{number}.", title=f"title{number}", questions=f"[question{number}]")
        for number in range(MIN_SUBJECTS + 5)
    ]
    twice = [*alone, article("twin", "other.", title="another", questions="[question1]")]
    made = fit([embed(twice, WordEncoder()).shelf(Centres({}))], off_topic())
    # Every title is found, and a few questions by chance; with themselves in the search all would be.
    assert len(twice) <= sum(right for _, right, _ in made.points) < 1.5 * len(twice)


def test_points_are_held_out_and_weigh_as_the_shares_say() -> None:
    made = fit([shelf(len(WORDS))], off_topic())
    assert all(0 <= probability <= 1 for probability, _, _ in made.points + made.among_points)
    assert len(made.points) == len(made.among_points) == 2 * 5 * len(WORDS) + len(OFF_TOPIC)
    assert {right for _, right, _ in made.points} == {0.0, 1.0}
    weights = sorted({weight for _, _, weight in made.points})
    total = sum(weight for _, _, weight in made.points)
    assert total == pytest.approx(len(made.points), rel=1e-3)
    covered = max(weights) * 5 * len(WORDS) / total
    assert covered == pytest.approx(0.7, abs=0.01)


def test_a_fit_is_the_same_each_time() -> None:
    assert fit([shelf(MIN_SUBJECTS)], off_topic()) == fit([shelf(MIN_SUBJECTS)], off_topic())


def test_one_of_the_choices_is_right_at_least_as_often_as_the_first() -> None:
    made = fit([shelf(len(WORDS))], off_topic())
    first = sum(right for _, right, _ in made.points)
    among = sum(right for _, right, _ in made.among_points)
    assert CHOICES == 3
    assert among >= first > 0


@pytest.mark.parametrize("count", [1, 2, 5])
def test_tiny_knowledge_bases(tmp_path: Path, count: int) -> None:
    from bot.knowledge.build import answerer

    for word in WORDS[:count]:
        put(tmp_path, word, f"Clean the {word}.", title=f"The {word}", questions=f'["how do I clean the {word}"]')
    encoder = WordEncoder()
    built = build(tmp_path, encoder)
    assert built.articles == count
    asking = answerer(project(tmp_path), built.index, encoder)
    for word in WORDS[:count]:
        found = asking.decide(f"how do I clean the {word}")
        assert found.article_id == word
        assert 0 <= found.confidence <= 1
    for text in (*OFF_TOPIC, "", "???"):
        other = asking.decide(text)
        assert other.decision != "answer"
        assert 0 <= other.confidence <= 1


@pytest.mark.parametrize("audience", ["public", "internal"])
def test_one_shelf_may_be_empty(tmp_path: Path, audience: str) -> None:
    from bot.knowledge.build import answerer

    for word in WORDS:
        put(tmp_path, word, f"Clean the {word}.", title=f"Clean {word}", audience=audience)
    encoder = WordEncoder()
    asking = answerer(project(tmp_path), build(tmp_path, encoder).index, encoder)
    assert asking.decide("clean grinder", "internal").article_id == "grinder"
    assert asking.decide("clean grinder", "public").article_id == ("grinder" if audience == "public" else None)


def test_without_off_topic_examples_it_still_fits(tmp_path: Path) -> None:
    for word in WORDS:
        put(tmp_path, word, f"Clean the {word}.", title=f"Clean {word}")
    settings = project(tmp_path, off_topic=())
    from bot.knowledge.build import ensure_index

    index = ensure_index(settings, WordEncoder()).index
    assert len(Calibration.from_json(index.calibration).points) > 0


def test_a_question_in_a_variants_own_words_is_more_probable_than_in_others() -> None:
    shelves = [shelf(len(WORDS))]
    made = fit(shelves, off_topic())
    verbatim, _ = asked(made, shelves, "my milk broke")
    other, _ = asked(made, shelves, "the milk is gone")
    assert verbatim > 0.9
    assert verbatim > other
