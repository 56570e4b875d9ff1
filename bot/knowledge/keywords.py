"""Keyword search: BM25 over words and the character n-grams that stand for words in any language.

Latin words are searched whole and in pieces of four letters, so that an ending or a slip of the pen costs little;
Chinese by characters and pairs of them, Thai, which has no spaces, by three and four characters.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import bm25s
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# It sets itself to DEBUG, and tells of each index it makes.
logging.getLogger("bm25s").setLevel(logging.WARNING)

_RUNS = re.compile(r"(?P<zh>[\u3400-\u9fff]+)|(?P<th>[\u0e00-\u0e7f]+)|(?P<word>[^\W_\u0e00-\u0e7f\u3400-\u9fff]+)")
_PIECE = 4
_K1, _B = 1.2, 0.75
# A term that more texts have than this tells little and costs much.
_COMMON = 20_000
_BLOCK = 512


def terms(text: str) -> list[str]:
    """The terms of a text, with repetitions."""
    found: list[str] = []
    # The small letter of İ has a dot of its own beside it, which no word goes on after.
    for run in _RUNS.finditer(unicodedata.normalize("NFKC", text).replace("İ", "i").casefold()):
        part = run.group()
        if run["zh"]:
            found += [*part, *_pieces(part, 2)]
        elif run["th"]:
            found += [*_pieces(part, 3), *_pieces(part, 4)]
        else:
            word = _plain(part)
            found.append(word)
            found += _pieces(f"_{word}_", _PIECE)
    return found


def _plain(word: str) -> str:
    """Without accents: many write Turkish on keyboards that have none."""
    letters = unicodedata.normalize("NFKD", word.replace("ı", "i"))
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _pieces(text: str, length: int) -> list[str]:
    return [text[start : start + length] for start in range(len(text) - length + 1)]


class Keywords:
    """A keyword index of texts.

    Args:
        vocabulary: Number of each term.
        idf: Weight of each term; last, that of a term no text has. Shape (terms + 1,).
        engine: Scores of the texts by term.
        size: Number of texts.
    """

    def __init__(self, vocabulary: dict[str, int], idf: Floats, engine: bm25s.BM25, size: int) -> None:
        self._vocabulary = vocabulary
        self._idf = idf
        self._engine = engine
        self._size = size

    @classmethod
    def of(cls, texts: Sequence[str]) -> Keywords:
        """Index texts; none is as good as any number."""
        vocabulary: dict[str, int] = {}
        rows = [[vocabulary.setdefault(term, len(vocabulary)) for term in terms(text)] for text in texts]
        engine = bm25s.BM25(k1=_K1, b=_B, method="lucene")
        counts = np.zeros(len(vocabulary) + 1, dtype=np.int64)
        for row in rows:
            counts[list(set(row))] += 1
        idf = np.log(1 + (len(texts) - counts + 0.5) / (counts + 0.5)).astype(np.float32)
        if vocabulary:
            engine.index((rows, vocabulary), create_empty_token=False, show_progress=False)
        return cls(vocabulary, idf, engine, len(texts))

    def scores(self, question: Sequence[str]) -> Floats:
        """How much of a question's weight each text has, from 0 to 1; shape (texts,).

        The BM25 score of the question's different terms, over the score of a text that has each of them without end.

        Args:
            question: Its `terms`.
        """
        numbers = [self._vocabulary.get(term, -1) for term in dict.fromkeys(question)]
        most = float(self._idf[numbers].sum()) if numbers else 0.0
        rare = np.log(1 + (self._size - _COMMON + 0.5) / (_COMMON + 0.5)) if self._size > _COMMON else 0.0
        known = [number for number in numbers if number >= 0 and self._idf[number] >= rare]
        if not known or not most:
            return np.zeros(self._size, dtype=np.float32)
        scores: Floats = self._engine.get_scores_from_ids(known) / np.float32(most)
        return scores

    @staticmethod
    def best(scores: Floats, count: int) -> list[int]:
        """Rows of the best texts that have any of the words, at most count."""
        rows = np.arange(len(scores))
        if len(scores) > count * _BLOCK:
            # As many blocks reach the least of these maxima as texts are wanted: the others hold none of them.
            whole = len(scores) // _BLOCK * _BLOCK
            most = scores[:whole].reshape(-1, _BLOCK).max(axis=1)
            rows = np.flatnonzero(scores >= np.partition(most, -count)[-count])
        if len(rows) > count:
            rows = rows[np.argpartition(scores[rows], -count)[-count:]]
        return [row for row in rows.tolist() if scores[row] > 0]

    def write(self, file: Path) -> None:
        """Store it."""
        stored = getattr(self._engine, "scores", None) or {}
        arrays = {name: stored[name] for name in ("data", "indices", "indptr") if name in stored}
        terms_ = np.array(list(self._vocabulary), dtype=np.str_)
        with file.open("wb") as stream:
            np.savez(stream, allow_pickle=False, terms=terms_, idf=self._idf, size=self._size, **arrays)

    @classmethod
    def read(cls, file: Path) -> Keywords:
        """Back from `write`."""
        with np.load(file, allow_pickle=False) as stored:
            size = int(stored["size"])
            vocabulary = {str(term): number for number, term in enumerate(stored["terms"])}
            engine = bm25s.BM25(k1=_K1, b=_B, method="lucene")
            if vocabulary:
                engine.scores = {name: stored[name] for name in ("data", "indices", "indptr")}
                engine.scores["num_docs"] = size
                engine.nonoccurrence_array = None
                engine.vocab_dict = vocabulary
                engine.unique_token_ids_set = set(vocabulary.values())
            return cls(vocabulary, stored["idf"], engine, size)
