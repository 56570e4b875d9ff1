"""Plain methods to compare the tagger with: keyword rules, n-grams of characters, and two on the encoder's vectors.

Each learns from the same examples as the tagger. Those that give scores are calibrated, and their thresholds chosen, by
the product's own code on the examples the tagger is calibrated on.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from benchmarks.tagging_corpus import Corpus
from bot.tagging.build import calibrate
from bot.tagging.head import targets_of
from bot.tagging.tags import TAGS

KEYWORDS = Path(__file__).parent / "data" / "tag_keywords.yml"
# Scripts without spaces between words: a word may begin anywhere.
_UNSPACED = ("zh", "th")


@dataclass(frozen=True)
class Verdicts:
    """What a method says of messages.

    Attributes:
        carried: Which tags and whether urgent, shape (messages, TAGS and urgent).
        probabilities: Shape (messages, outputs), at least TAGS and urgent; 0 and 1 where a method gives none.
        calibrated: Whether they are probabilities.
    """

    carried: NDArray[np.bool_]
    probabilities: NDArray[np.float64]
    calibrated: bool

    @staticmethod
    def plain(carried: NDArray[np.bool_]) -> Verdicts:
        """Of a method without probabilities."""
        return Verdicts(carried, carried.astype(np.float64), False)


Method = Callable[[Corpus, Corpus], Verdicts]


def keyword_rules(train: Corpus, test: Corpus) -> Verdicts:
    """What the word lists say; nothing is learnt."""
    rules = _rules()
    columns = (*TAGS, "urgent")
    found = [
        [bool(rules[name][example.language].search(_folded(example.text))) for name in columns]
        for example in test.examples
    ]
    return Verdicts.plain(np.array(found, dtype=np.bool_))


@functools.cache
def _rules() -> dict[str, dict[str, re.Pattern[str]]]:
    lists: dict[str, dict[str, list[str]]] = yaml.safe_load(KEYWORDS.read_text("utf-8"))
    return {
        name: {language: _pattern(words, language) for language, words in by_language.items()}
        for name, by_language in lists.items()
    }


def _pattern(words: list[str], language: str) -> re.Pattern[str]:
    begin = "" if language in _UNSPACED else r"\b"
    return re.compile(begin + "(?:" + "|".join(re.escape(_folded(word)) for word in words) + ")")


def _folded(text: str) -> str:
    """In small letters; the Turkish capital with its dot becomes one letter, and curly apostrophes straight ones."""
    return text.replace("İ", "i").replace("’", "'").casefold()


def character_ngrams(train: Corpus, test: Corpus) -> Verdicts:
    """Logistic regression for each output on TF-IDF of one to four characters."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    learnt = train.learnt
    features = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), min_df=2, sublinear_tf=True, dtype=np.float32)
    known = features.fit_transform([example.text for example in learnt.examples])
    others = [features.transform([example.text for example in part.examples]) for part in (train.kept, test)]
    return _regression(train, 10.0, known, *others)


def logistic_regression(train: Corpus, test: Corpus) -> Verdicts:
    """Logistic regression for each output on the encoder's vectors, standardised."""
    from sklearn.preprocessing import StandardScaler

    scale = StandardScaler().fit(train.learnt.vectors)
    return _regression(train, 0.03, *(scale.transform(part.vectors) for part in (train.learnt, train.kept, test)))


def _regression(train: Corpus, strength: float, learnt: Any, kept: Any, asked: Any) -> Verdicts:
    """One regression for each output, then calibration; `learnt`, `kept` and `asked` are features."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    targets = np.stack([targets_of(example)[0] for example in train.learnt.examples]).astype(int)
    model = OneVsRestClassifier(LogisticRegression(C=strength, max_iter=1000)).fit(learnt, targets)
    calibration = calibrate(train.kept.examples, model.decision_function(kept))
    probabilities = calibration.probabilities(model.decision_function(asked))
    return Verdicts(calibration.carried(probabilities), probabilities, True)


def nearest_neighbour(train: Corpus, test: Corpus) -> Verdicts:
    """The tags of the example with the highest cosine."""
    best = (test.vectors @ train.vectors.T).argmax(axis=1)
    return Verdicts.plain(train.true[best])


METHODS: dict[str, Method] = {
    "keyword rules": keyword_rules,
    "character n-grams": character_ngrams,
    "nearest neighbour": nearest_neighbour,
    "logistic regression": logistic_regression,
}
