"""Probabilities and thresholds."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bot.encoder.encoder import Vectors
from bot.knowledge import calibration as module
from bot.knowledge import head as heads
from bot.knowledge.calibration import (
    CHOICES,
    FEATURES,
    MIN_SUBJECTS,
    SHARE_NOT_COVERED,
    SHARE_OFF_TOPIC,
    SHARE_VERBATIM,
    STANDARD,
    Calibration,
    Fitted,
    OffTopic,
    features,
    fit,
    threshold,
    told_by,
)
from bot.knowledge.head import FLOOR, Head
from bot.knowledge.index import Shelf
from bot.knowledge.keywords import terms
from bot.knowledge.retriever import Candidate, Query, rank
from tests.knowledge.fakes import (
    DIMENSIONS,
    OFF_TOPIC,
    WordEncoder,
    article,
    build,
    by_question_score,
    project,
    put,
    shelf_of,
)

pytestmark = pytest.mark.slow

WORDS = (
    *("milk", "cups", "beans", "foam", "grinder", "napkin", "sugar", "lid", "straw"),
    *("tray", "apron", "till", "stamp", "spoon", "crate", "oven", "knife", "fridge"),
)


def candidate(
    subject: str, question: float, chunk: float, hits: int = 0, words: float = 0.0, head: float = FLOOR
) -> Candidate:
    return Candidate(subject, question, chunk, words, head, hits, True, (question + chunk) / 2)


@functools.cache
def shelf(count: int) -> Shelf:
    """Articles about one thing each, with four questions about it."""
    return shelf_of(
        *(
            article(
                word,
                f"All about the {word}: clean the {word} each day.",
                title=f"The {word}",
                questions=f'["where is the {word}", "my {word} broke", "new {word} please", "{word} how many"]',
            )
            for word in WORDS[:count]
        )
    )


def off_topic() -> OffTopic:
    return OffTopic(OFF_TOPIC, WordEncoder().encode(OFF_TOPIC, "query"), ["en"] * len(OFF_TOPIC))


@functools.cache
def fitted(count: int) -> Fitted:
    return fit([shelf(count)], off_topic())


def asked(made: Fitted, shelves: Sequence[Shelf], text: str) -> tuple[float, float]:
    vector = WordEncoder().encode([text], "query")[0]
    query = Query(vector, (DIMENSIONS,), "en", tuple(terms(text)), told_by(made.head, vector))
    return made.calibration.probabilities(rank(shelves, query, made.calibration.mix))


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


RANKING = (
    candidate("a", 0.8, 0.6, hits=4, words=0.5, head=-0.5),
    candidate("b", 0.9, 0.3, words=0.2, head=-4.0),
    candidate("c", 0.2, 0.8, words=0.6, head=-1.5),
    candidate("d", 0.2, 0.2),
    candidate("e", 0.1, 0.1),
)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 40])
def test_features_of_any_number_of_subjects(count: int) -> None:
    found = features((RANKING * 8)[:count])
    assert found.shape == (FEATURES,)
    assert np.isfinite(found).all()
    assert found[:3].tolist() == pytest.approx([0.7, 0.8, 0.6])


@pytest.mark.parametrize(
    "change",
    [
        {"question_score": 0.7},
        {"chunk_score": 0.5},
        {"score": 0.75},
        {"words": 0.3},
        {"head": -0.4},
        {"question_hits": 5},
        {"same_language": False},
    ],
)
def test_everything_known_of_the_first_subject_counts(change: dict[str, float]) -> None:
    first, *others = RANKING
    changed: Candidate = replace(first, **change)  # type: ignore[arg-type]
    assert features([changed, *others]).tolist() != features(RANKING).tolist()


@pytest.mark.parametrize(
    "change",
    [{"question_score": 0.95}, {"chunk_score": 0.9}, {"score": 0.65}, {"words": 0.7}, {"head": -0.7}],
)
@pytest.mark.parametrize("place", [1, 3])
def test_what_another_subject_does_better_counts(change: dict[str, float], place: int) -> None:
    changed = list(RANKING)
    changed[place] = replace(RANKING[place], **change)  # type: ignore[arg-type]
    assert features(changed).tolist() != features(RANKING).tolist()


def test_probabilities_are_the_logistic_of_standardised_features() -> None:
    made = replace(by_question_score(), mean=(0.5,) * FEATURES, scale=(2.0,) * FEATURES)
    top, among = made.probabilities([candidate("a", 0.9, 0.1)])
    assert top == pytest.approx(1 / (1 + np.exp(-(40 * 0.2 - 36))))
    assert among == pytest.approx(1 / (1 + np.exp(-(40 * 0.2 - 20))))


def test_the_first_being_right_is_never_less_probable_than_one_of_the_first() -> None:
    made = replace(by_question_score(), among=(0.0,) * FEATURES + (-9.0,))
    top, among = made.probabilities([candidate("a", 1.0, 0.1)])
    assert among == top > 0.9


def test_no_ranking_no_probability() -> None:
    assert by_question_score().probabilities([]) == (0.0, 0.0)


def test_json_and_back() -> None:
    made = fitted(MIN_SUBJECTS).calibration
    assert made.mix.head > 0
    assert Calibration.from_json(json.loads(json.dumps(made.to_json()))) == made


@pytest.mark.parametrize("key", ["mix", "mean", "scale", "top", "among", "points", "among_points"])
def test_json_that_lacks_a_part_is_refused(key: str) -> None:
    values = by_question_score().to_json()
    del values[key]
    with pytest.raises(KeyError, match=key):
        Calibration.from_json(values)


@pytest.mark.parametrize("key", ["question", "head"])
def test_json_that_lacks_a_weight_is_refused(key: str) -> None:
    values = by_question_score().to_json()
    del values["mix"][key]
    with pytest.raises(KeyError, match=key):
        Calibration.from_json(values)


# Fitting -------------------------------------------------------------------------------------------------------------


def test_what_was_fitted_tells_good_questions_from_others() -> None:
    shelves = [shelf(len(WORDS))]
    made = fitted(len(WORDS))
    known, _ = asked(made, shelves, "my grinder broke")
    for text in ("my skateboard broke", "who invented the moon", ""):
        other, among = asked(made, shelves, text)
        assert 0 <= other <= among <= 1
        assert known > other + 0.2


def test_few_subjects_take_the_standard_fit() -> None:
    assert fitted(MIN_SUBJECTS - 1).calibration == STANDARD
    assert fitted(MIN_SUBJECTS).calibration != STANDARD
    assert fit([], off_topic()) == Fitted(STANDARD, None)
    assert fit([shelf_of()], off_topic()) == Fitted(STANDARD, None)


def test_the_standard_fit_is_surer_of_a_better_match() -> None:
    pairs = [
        STANDARD.probabilities([candidate("a", score, score), candidate("b", 0.3, 0.3)])
        for score in (0.3, 0.5, 0.7, 0.9)
    ]
    assert pairs == sorted(pairs)
    assert pairs[0][0] < 0.5 < pairs[-1][0] <= pairs[-1][1] <= 1


@pytest.mark.parametrize("others", [0, 1, 2, 3, 8])
def test_the_standard_fit_holds_for_any_number_of_subjects(others: int) -> None:
    unrelated = [candidate(f"other{number}", 0.3 - number / 50, 0.25) for number in range(others)]
    near, _ = STANDARD.probabilities([candidate("a", 0.95, 0.6, words=0.5), *unrelated])
    far, _ = STANDARD.probabilities([candidate("a", 0.36, 0.32, words=0.1), *unrelated])
    assert near > 0.95
    assert far < 0.8


def test_a_question_is_asked_with_itself_left_out() -> None:
    """A title leads to its article by the passage that carries it; a question only leads there by itself."""
    alone = [
        article(f"a{number}", f"body{number}.", title=f"title{number}", questions=f"[question{number}]")
        for number in range(MIN_SUBJECTS + 5)
    ]
    twice = [*alone, article("twin", "other.", title="another", questions="[question1]")]
    made = fit([shelf_of(*twice)], off_topic()).calibration
    # Every title is found, and a few questions by chance; with themselves in the search all would be.
    covered = made.points[: 2 * len(twice)]
    assert len(twice) <= sum(right for _, right, _ in covered) < 1.5 * len(twice)


def test_points_are_held_out_and_weigh_as_the_shares_say() -> None:
    made = fitted(len(WORDS)).calibration
    assert all(0 <= probability <= 1 for probability, _, _ in made.points + made.among_points)
    variants = 5 * len(WORDS)
    half = (variants + 1) // 2
    assert len(made.points) == len(made.among_points) == variants + 2 * half + len(OFF_TOPIC)
    assert {right for _, right, _ in made.points} == {0.0, 1.0}
    total = sum(weight for _, _, weight in made.points)
    assert total == pytest.approx(len(made.points), rel=1e-3)
    ends = [variants, variants + half, variants + 2 * half, len(made.points)]
    kinds = [made.points[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    shares = [sum(weight for _, _, weight in points) / total for points in kinds]
    rest = 1 - SHARE_NOT_COVERED - SHARE_OFF_TOPIC - SHARE_VERBATIM
    assert shares == pytest.approx([rest, SHARE_NOT_COVERED, SHARE_VERBATIM, SHARE_OFF_TOPIC], abs=0.01)
    assert [{right for _, right, _ in points} for points in kinds[1:]] == [{0.0}, {1.0}, {0.0}]


def test_a_fit_is_the_same_each_time() -> None:
    again = fit([shelf(MIN_SUBJECTS)], off_topic())
    assert again.calibration == fitted(MIN_SUBJECTS).calibration


def test_one_of_the_choices_is_right_at_least_as_often_as_the_first() -> None:
    made = fitted(len(WORDS)).calibration
    first = sum(right for _, right, _ in made.points)
    among = sum(right for _, right, _ in made.among_points)
    assert CHOICES == 3
    assert among >= first > 0


def test_very_many_variants_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_QUERIES", 20)
    points = fit([shelf(len(WORDS))], off_topic()).calibration.points
    assert len(points) == 20 + 10 + 10 + len(OFF_TOPIC)


@pytest.mark.parametrize("counts", [(3, 3), (0, 6), (6, 0, 0), (1,) * 11 + (40,), (0,) * 11 + (40,)])
def test_subjects_with_all_or_few_of_the_variants(counts: Sequence[int]) -> None:
    """A classifier that leaves a quarter out may have one subject left; then there is none."""
    words = ["where", "broken", "new", "sell", "buy", "clean", "open", "old", "where2", "lost", "spare"]
    made = fit(
        [
            shelf_of(
                *(
                    article(
                        f"w{number}",
                        f"All about w{number}.",
                        title=f"The w{number}",
                        questions=json.dumps([f"{words[n % 11]} w{number} {'now ' * (n // 11)}" for n in range(count)]),
                    )
                    for number, count in enumerate(counts)
                )
            )
        ],
        off_topic(),
    )
    assert made.head is not None
    assert len(made.head.subjects) == len(counts)
    assert (made.calibration == STANDARD) is (len(counts) < MIN_SUBJECTS)


# What a variant is asked with ----------------------------------------------------------------------------------------

TWIN, ALONE = "one for two", "nothing but its title"


def variants() -> tuple[module._Variants, list[str]]:
    """Variants of articles with five each, two of which share a text, and of one with a single text; the texts."""
    made = [
        article(
            word,
            f"Clean the {word}.",
            title=f"The {word}",
            questions=f'["where is the {word}", "my {word} broke", "new {word}", "{TWIN if number < 2 else word}"]',
        )
        for number, word in enumerate(WORDS[:8])
    ]
    alone = article("alone", "A body.", title=ALONE, questions=f'["{ALONE}"]')
    inside = article("inside", "A body.", title="Inside", questions=f'["{TWIN}"]', audience="internal")
    shelves = [shelf_of(*made, alone), shelf_of(inside)]
    texts = [text for each in shelves for _, text in each.question_texts]
    return module._Variants(shelves, (DIMENSIONS,)), texts


def scores_of(found: Sequence[Candidate]) -> dict[str, Candidate]:
    return {each.subject: each for each in found}


def test_a_text_that_is_left_out_is_left_out_wherever_it_stands() -> None:
    asking, texts = variants()
    places = [number for number, text in enumerate(texts) if text == TWIN]
    assert [asking.subjects[number] for number in places] == [*WORDS[:2], "inside"]
    for number in places:
        verbatim = scores_of(asking.ask(number, "verbatim", STANDARD.mix).found)
        covered = scores_of(asking.ask(number, "covered", STANDARD.mix).found)
        for subject in (*WORDS[:2], "inside"):
            assert verbatim[subject].question_score > 0.95
            assert covered[subject].question_score < 0.5
            assert verbatim[subject].words > covered[subject].words


def test_other_variants_of_the_subject_stay() -> None:
    asking, texts = variants()
    number = texts.index("my milk broke")
    covered = scores_of(asking.ask(number, "covered", STANDARD.mix).found)
    assert 0.3 < covered["milk"].question_score < 0.9


def test_what_no_article_covers_is_asked_without_its_subject() -> None:
    asking, texts = variants()
    one = asking.ask(texts.index("my milk broke"), "not_covered", STANDARD.mix)
    assert one.subject is None
    assert one.group == "milk"
    assert one.found
    assert "milk" not in scores_of(one.found)


def test_a_subjects_only_text_is_unknown_to_the_classifier_it_is_asked_with() -> None:
    asking, texts = variants()
    number = texts.index(ALONE)
    verbatim, covered = (scores_of(asking.ask(number, kind, STANDARD.mix).found) for kind in ("verbatim", "covered"))
    assert verbatim["alone"].head > -1
    assert covered["alone"].head == FLOOR
    assert all(each.head > FLOOR for subject, each in covered.items() if subject in WORDS)


def test_a_classifier_never_saw_the_text_or_the_subject_it_is_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[int, tuple[Vectors, Sequence[str]]] = {}
    kept: list[Head] = []
    train = heads.train

    def watched(vectors: Vectors, subjects: Sequence[str]) -> Head:
        kept.append(train(vectors, subjects))
        seen[id(kept[-1])] = (vectors, subjects)
        return kept[-1]

    monkeypatch.setattr(heads, "train", watched)
    asking, texts = variants()
    used: list[Head] = []

    def told(head: Head, vector: Vectors) -> dict[str, float]:
        used.append(head)
        return {}

    monkeypatch.setattr(module, "told_by", told)
    for number, text in enumerate(texts):
        vector = WordEncoder().encode([text], "query")[0]
        for kind in ("covered", "verbatim", "not_covered"):
            asking.ask(number, kind, STANDARD.mix)
            vectors, subjects = seen[id(used[-1])]
            if kind != "not_covered":  # Another subject may have the same text.
                assert bool(np.isclose(vectors @ vector, 1, atol=1e-3).any()) is (kind == "verbatim")
            unknown = kind == "not_covered" or (kind == "covered" and text == ALONE)
            assert (asking.subjects[number] not in subjects) is unknown
    assert len(used) == 3 * len(texts)


# The weights ---------------------------------------------------------------------------------------------------------


def test_articles_with_few_variants_have_no_classifier_and_give_it_no_weight() -> None:
    made = fit(
        [shelf_of(*(article(word, f"Clean the {word}.", title=f"The {word}", questions=None) for word in WORDS))],
        off_topic(),
    )
    assert made.head is None
    assert made.calibration.mix.head == 0


def test_the_classifier_gets_weight_where_it_ranks_better_than_the_nearest_text() -> None:
    """Each article's questions share one word beside ones that say nothing, which lead similarity astray."""
    random = np.random.default_rng(0)
    noise = [f"noise{number}" for number in range(12)]
    articles = [
        article(
            word,
            "Nothing here.",
            title=f"{word} {noise[0]}",
            questions=json.dumps([" ".join([word, *random.choice(noise, 5, replace=False)]) for _ in range(8)]),
        )
        for word in WORDS
    ]
    made = fit([shelf_of(*articles)], off_topic())
    assert made.calibration.mix.head > 0
    right = sum(right for _, right, _ in made.calibration.points)
    assert right > 0.9 * 9 * len(WORDS)


# Small knowledge bases -----------------------------------------------------------------------------------------------


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
    assert len(Calibration.from_json(index.calibration["public"]).points) > 0


def test_a_question_in_a_variants_own_words_is_more_probable_than_in_others() -> None:
    shelves = [shelf(len(WORDS))]
    made = fitted(len(WORDS))
    verbatim, _ = asked(made, shelves, "my milk broke")
    other, _ = asked(made, shelves, "the milk is gone")
    assert verbatim > 0.9
    assert verbatim > other
