"""The plain methods beside the tagger."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from benchmarks.tagging_baselines import KEYWORDS, METHODS, character_ngrams, keyword_rules, logistic_regression
from benchmarks.tagging_baselines import nearest_neighbour as nearest
from benchmarks.tagging_corpus import Corpus
from bot.settings import LANGUAGES
from bot.tagging.examples import Example
from bot.tagging.tags import TAGS

COLUMNS = (*TAGS, "urgent")
WORDS = {"billing": "invoice", "defect": "printer", "goal": "target"}


def corpus(examples: list[Example]) -> Corpus:
    """Vectors tell the first tag."""
    vectors = np.array([[float(name in one.tags) for name in WORDS] for one in examples], dtype=np.float32)
    return Corpus(examples, [() for _ in examples], vectors + 0.01)


def written(count: int, begin: int = 0) -> Corpus:
    """Examples with one of the words each, which is also their tag, some urgent, feelings of each kind."""
    names = list(WORDS)
    feelings = ("negative", "neutral", "positive")
    return corpus(
        [
            Example(
                f"{WORDS[names[number % 3]]} no {number}{' now' * (number % 5 == 0)}",
                "en",
                frozenset([names[number % 3]]),
                number % 5 == 0,
                feelings[number % 7 % 3],
            )
            for number in range(begin, begin + count)
        ]
    )


def said(text: str, language: str) -> set[str]:
    test = corpus([Example(text, language, frozenset())])
    (row,) = keyword_rules(test, test).carried
    return {COLUMNS[column] for column in np.flatnonzero(row)}


@pytest.mark.parametrize(
    ("text", "language", "names"),
    [
        ("How do I change the INVOICE?", "en", {"how_to", "billing"}),
        ("We’re thinking of training the others", "en", {"onboarding_need"}),
        ("I'm spinning", "en", set()),
        ("Please help, URGENT", "en", {"urgent"}),
        ("İptal etmek istiyorum", "tr", {"churn_risk"}),
        ("请问发票在哪里", "zh", {"how_to", "billing"}),
        ("ลืมรหัสผ่าน", "th", {"access"}),
    ],
)
def test_keywords_count_at_the_beginning_of_words_in_any_case(text: str, language: str, names: set[str]) -> None:
    assert said(text, language) == names


def test_every_tag_and_urgency_has_words_in_every_language() -> None:
    lists = yaml.safe_load(KEYWORDS.read_text("utf-8"))
    assert set(lists) == set(COLUMNS)
    for name, by_language in lists.items():
        assert set(by_language) == set(LANGUAGES), name
        for words in by_language.values():
            assert len(words) >= 5, name
            assert len(set(words)) == len(words), name


def test_the_nearest_example_lends_its_tags() -> None:
    train, test = written(30), written(6, 100)
    found = nearest(train, test)
    assert not found.calibrated
    assert (found.carried[:, : len(TAGS)] == test.true[:, : len(TAGS)]).all()


# One tag at least never occurs in so few examples.
@pytest.mark.filterwarnings("ignore:Label not:UserWarning")
@pytest.mark.parametrize("method", [character_ngrams, logistic_regression])
def test_regressions_learn_what_the_words_say(method: object) -> None:
    train, test = written(240), written(30, 1000)
    found = METHODS["character n-grams" if method is character_ngrams else "logistic regression"](train, test)
    assert found.calibrated
    assert found.probabilities.min() >= 0
    assert found.probabilities.max() <= 1
    assert (found.carried[:, : len(TAGS)] == test.true[:, : len(TAGS)]).mean() > 0.99
