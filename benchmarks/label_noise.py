"""Examples in data/tags to look at again: tags that may be wrong or missing, and texts that are nearly the same.

Tags: confident learning (Northcutt et al., 2021, arXiv:1911.00068) as cleanlab implements it, for each tag, on what
`benchmarks.tagging` said out of fold. Texts: the cosine of the encoder's vectors, between different groups, and between
examples and held-out messages.
"""

from __future__ import annotations

import argparse
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from benchmarks.tagging import HELD_OUT, SAVED
from benchmarks.tagging_corpus import as_example, digest, group_of
from bot.console import build_progress, err, escape, out
from bot.encoder.encoder import Vectors, load_encoder
from bot.errors import TaggingError
from bot.knowledge.vectors import StoredEncoder
from bot.settings import Settings, load_settings
from bot.tagging.build import examples_folder
from bot.tagging.evaluate import read_labelled
from bot.tagging.examples import Example, load_examples
from bot.tagging.tags import TAGS

ALIKE = 0.97
_BLOCK = 1024


@dataclass(frozen=True)
class Doubt:
    """A tag of an example that may be wrong.

    Attributes:
        tag: Its name.
        given: Whether the example carries it; if not, it may be missing.
        probability: That it is carried, said by a head that has not seen the example.
        language: Of the text.
        text: The example's.
    """

    tag: str
    given: bool
    probability: float
    language: str
    text: str

    @property
    def right(self) -> float:
        """Probability that the example is right about the tag."""
        return self.probability if self.given else 1 - self.probability


@dataclass(frozen=True)
class Pair:
    """Two texts that are nearly the same.

    Attributes:
        cosine: Of their vectors.
        one: An example.
        other: Another, or a held-out message.
        held_out: Whether it is one.
        same_tags: Whether both carry the same.
    """

    cosine: float
    one: str
    other: str
    held_out: bool
    same_tags: bool


def read_probabilities(file: Path, examples: Sequence[Example]) -> NDArray[np.float64]:
    """What was said out of fold, shape (examples, TAGS).

    Raises:
        TaggingError: There is nothing, or it is of other examples.
    """
    remedy = "Run `python -m benchmarks.tagging --parts cv`."
    try:
        with file.open("rb") as stream, np.load(stream) as saved:
            known, probabilities = str(saved["digest"]), np.asarray(saved["probabilities"][:, : len(TAGS)])
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise TaggingError(f"{file} cannot be read: {error}.", remedy) from error
    if known != digest(examples):
        raise TaggingError(f"{file.name} is of other examples than those in data/tags now.", remedy)
    return probabilities


def doubts(examples: Sequence[Example], probabilities: NDArray[np.float64]) -> list[Doubt]:
    """Tags that may be wrong, the least likely first.

    Args:
        examples: Every tag must occur.
        probabilities: Shape (examples, TAGS).
    """
    from cleanlab.multilabel_classification.filter import find_multilabel_issues_per_class

    labels = [[column for column, name in enumerate(TAGS) if name in example.tags] for example in examples]
    flagged = find_multilabel_issues_per_class(labels, probabilities, n_jobs=1)
    found = [
        Doubt(
            TAGS[column],
            TAGS[column] in examples[row].tags,
            float(probabilities[row, column]),
            examples[row].language,
            examples[row].text,
        )
        for row, column in np.argwhere(flagged).tolist()
    ]
    return sorted(found, key=lambda doubt: doubt.right)


def pairs(examples: Sequence[Example], held_out: Sequence[Example], vectors: Vectors, least: float) -> list[Pair]:
    """Texts that are nearly the same, the nearest first; those of one group are meant to be.

    Args:
        examples: Of data/tags.
        held_out: To be compared with them, not with one another.
        vectors: Of both, one after the other, of unit length.
        least: Cosine.
    """
    both = [*examples, *held_out]
    found = [
        Pair(
            cosine,
            both[row].text,
            both[column].text,
            column >= len(examples),
            (both[row].tags, both[row].urgent) == (both[column].tags, both[column].urgent),
        )
        for row, column, cosine in _near(vectors, least)
        if row < len(examples) and group_of(both[row]) != group_of(both[column])
    ]
    return sorted(found, key=lambda pair: -pair.cosine)


def _near(vectors: Vectors, least: float) -> Iterator[tuple[int, int, float]]:
    """Rows of two vectors, the smaller first, and their cosine."""
    for start in range(0, len(vectors), _BLOCK):
        cosines = vectors[start : start + _BLOCK] @ vectors.T
        for row, column in np.argwhere(cosines >= least).tolist():
            if start + row < column:
                yield start + row, column, float(cosines[row, column])


def vectors_of(examples: Sequence[Example], settings: Settings, cache: Path) -> Vectors:
    """The main encoder's vectors, kept where `benchmarks.tagging` keeps them."""
    texts = [example.text for example in examples]
    stored = StoredEncoder(load_encoder(settings), cache / "vectors")
    missing = stored.count_new(("query", text) for text in texts)
    with build_progress() as progress:
        return np.array(stored.encode(texts, "query", lambda more: progress("encoding", more, missing)))


def show(found: Sequence[Doubt], near: Sequence[Pair], rows: int) -> None:
    """Print both tables, the worst first."""
    table = Table("tag", "is", "probability", "language", "text", title=f"{len(found):,} tags in doubt")
    for doubt in found[:rows]:
        given = "given" if doubt.given else "missing"
        table.add_row(doubt.tag, given, f"{doubt.probability:.3f}", doubt.language, escape(doubt.text))
    out.print(table)
    table = Table("cosine", "tags", "example", "nearly the same", title=f"{len(near):,} pairs nearly the same")
    for pair in near[:rows]:
        other = f"[bold]held out:[/] {escape(pair.other)}" if pair.held_out else escape(pair.other)
        table.add_row(f"{pair.cosine:.3f}", "same" if pair.same_tags else "differ", escape(pair.one), other)
    out.print(table)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--saved", type=Path, default=SAVED, help="what benchmarks.tagging saved; default: %(default)s")
    parser.add_argument("--alike", type=float, default=ALIKE, help="least cosine of a pair; default: %(default)s")
    parser.add_argument("--rows", type=int, default=60, help="of each table; default: %(default)s")
    parser.add_argument("--cache", type=Path, default=SAVED.parent, help="keep vectors here")
    parser.add_argument("--json", action="store_true", help="print all of it as JSON")
    options = parser.parse_args(arguments)
    if not 0 < options.alike <= 1:
        parser.error(f"--alike must be above 0 and at most 1. Currently, it is {options.alike}.")
    if options.rows < 1:
        parser.error(f"--rows must be at least 1. Currently, it is {options.rows}.")
    return options


def main() -> None:
    """Find both and print them."""
    options = parse()
    settings = load_settings(environ={})
    try:
        examples = load_examples(examples_folder(settings))
        found = doubts(examples, read_probabilities(options.saved, examples))
    except TaggingError as error:
        err.print(f"[red]{escape(str(error))}[/]")
        raise SystemExit(1) from error
    held_out = [as_example(message) for message in read_labelled(HELD_OUT)]
    near = pairs(examples, held_out, vectors_of([*examples, *held_out], settings, options.cache), options.alike)
    if options.json:
        result = {"doubts": [asdict(doubt) for doubt in found], "pairs": [asdict(pair) for pair in near]}
        print(json.dumps(result, ensure_ascii=False, indent=2))
        return
    show(found, near, options.rows)


if __name__ == "__main__":
    main()
