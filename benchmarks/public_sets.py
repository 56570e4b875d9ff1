"""The public data sets in the form of `refill evaluate`: labelled questions, and passages in four languages."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

from bot.errors import RefillError
from bot.knowledge.examples import Example, SquadFile, read_examples, read_squad

# Questions in, paragraphs in.
XQUAD_PAIRS = (("en", "en"), ("zh", "zh"), ("tr", "tr"), ("th", "th"), ("zh", "en"), ("tr", "en"), ("th", "en"))
SMALL_SEEDS = (0, 1, 2, 3, 4)
SMALL_LABELS, SMALL_EXAMPLES = 20, 15
SMALL_INSIDE, SMALL_OUTSIDE = 300, 300
_TYPO_EVERY = 40
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")

Split = tuple[list[Example], list[Example]]


def banking77(folder: Path) -> Split:
    """(train, test): 77 intents of one domain, all in scope."""
    files = [_there(folder / "banking77" / f"{part}.csv") for part in ("train", "test")]
    return read_examples(files[0]), read_examples(files[1])


def clinc150(folder: Path) -> Split:
    """(train, test): 150 intents of ten domains; the test has 1,000 queries out of scope.

    Neither the validation part nor the 100 queries of `oos_train` are used: who has a knowledge base has none of them.
    """
    parts = json.loads(_there(folder / "clinc150" / "data_full.json").read_text("utf-8"))
    train, inside, outside = (
        [Example(text, None if label == "oos" else label) for text, label in parts[part]]
        for part in ("train", "test", "oos_test")
    )
    return train, inside + outside


def small(folder: Path, seed: int) -> Split:
    """(train, test): what customers have. Few intents, few examples, typos, half of the test out of scope.

    20 intents of BANKING77 with 15 training examples each. The test has 300 of their questions, 150 of other intents
    of BANKING77 and 150 out-of-scope queries of CLINC150; half of all these texts get typos.
    """
    choice = random.Random(seed)
    train, test = banking77(folder)
    labels = set(choice.sample(sorted({example.label or "" for example in train}), SMALL_LABELS))
    learnt = []
    for label in sorted(labels):
        learnt += choice.sample([example for example in train if example.label == label], SMALL_EXAMPLES)
    inside = choice.sample([example for example in test if example.label in labels], SMALL_INSIDE)
    near = [example.text for example in test if example.label not in labels]
    far = [example.text for example in clinc150(folder)[1] if example.label is None]
    half = SMALL_OUTSIDE // 2
    outside = [Example(text, None) for text in (*choice.sample(near, half), *choice.sample(far, half))]
    asked = [
        Example(with_typos(example.text, choice), example.label) if number % 2 else example
        for number, example in enumerate((*inside, *outside))
    ]
    return learnt, asked


def with_typos(text: str, choice: random.Random) -> str:
    """A text with a letter missing or hit beside the key, once and once more for every 40 characters."""
    letters = list(text)
    places = [number for number, letter in enumerate(letters) if letter.lower() in "".join(_ROWS)]
    for place in choice.sample(places, min(len(places), 1 + len(text) // _TYPO_EVERY)):
        letters[place] = choice.choice(("", _beside(letters[place].lower(), choice)))
    return "".join(letters)


def xquad(folder: Path, language: str) -> SquadFile:
    """240 paragraphs with 1,190 questions, in one of the four languages."""
    return read_squad(_there(folder / "xquad" / f"xquad.{language}.json"))


def write_examples(file: Path, examples: Iterable[Example]) -> None:
    """Write examples as `refill evaluate answers` reads them."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("text", "label"))
        writer.writerows((example.text, example.label or "") for example in examples)


def texts_of(examples: Sequence[Example]) -> list[str]:
    """Their texts, in order."""
    return [example.text for example in examples]


def _beside(letter: str, choice: random.Random) -> str:
    row = next(row for row in _ROWS if letter in row)
    place = row.index(letter)
    return choice.choice(row[max(0, place - 1) : place] + row[place + 1 : place + 2])


def _there(file: Path) -> Path:
    if not file.is_file():
        raise RefillError(
            f"{file} is missing.", "Name the folder with the data sets by --data or REFILL_BENCHMARKS; see its README."
        )
    return file
