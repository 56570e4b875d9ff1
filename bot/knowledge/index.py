"""The FAISS index of a knowledge base: built aside, put in place in one step, checked before it is read.

On disk: `manifest.json` names the format, the encoder and knowledge base it was built from, and the folder with the
files and their SHA-256. The manifest is replaced last and atomically, so a reader sees the old index or the new one.
Public and internal articles have files of their own: a search for customers never opens the internal ones.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import faiss
import numpy as np

from bot.encoder.encoder import TextEncoder, Vectors
from bot.errors import KnowledgeError
from bot.knowledge.article import Article, Audience
from bot.knowledge.centring import Centres, from_arrays, to_arrays
from bot.knowledge.splitter import Chunk, split

FORMAT = 5
MANIFEST = "manifest.json"
_REBUILD = "Run `refill index`."


class IndexDamaged(KnowledgeError):
    """The index is missing, damaged, or of another format, encoder or knowledge base; it must be rebuilt."""

    code = "index"


@dataclass(frozen=True)
class Shelf:
    """The searchable articles of one audience.

    Attributes:
        articles: In a fixed order; other fields refer to positions in it.
        questions: Vectors of titles and question variants, inner product.
        question_texts: What was encoded, and the article each belongs to.
        chunks: Vectors of body chunks, inner product.
        chunk_texts: The chunks, and the article each belongs to.
    """

    articles: tuple[Article, ...]
    questions: faiss.Index
    question_texts: tuple[tuple[int, str], ...]
    chunks: faiss.Index
    chunk_texts: tuple[tuple[int, Chunk], ...]


@dataclass(frozen=True)
class Index:
    """Both shelves, the centres taken from their vectors, and the calibration fitted on them."""

    shelves: dict[Audience, Shelf]
    centres: Centres
    calibration: dict[str, Any]
    build: str

    def for_audience(self, audience: Audience) -> tuple[Shelf, ...]:
        """The shelves an audience may see: customers the public one, employees both."""
        return (self.shelves["public"],) if audience == "public" else tuple(self.shelves.values())


@dataclass(frozen=True)
class Embedded:
    """Articles with the vectors of their texts, not centred yet."""

    articles: tuple[Article, ...]
    questions: Vectors
    question_texts: tuple[tuple[int, str], ...]
    chunks: Vectors
    chunk_texts: tuple[tuple[int, Chunk], ...]

    @property
    def question_languages(self) -> list[str]:
        """Language of each question."""
        return [self.articles[number].language for number, _ in self.question_texts]

    @property
    def chunk_languages(self) -> list[str]:
        """Language of each chunk."""
        return [self.articles[number].language for number, _ in self.chunk_texts]

    def shelf(self, centres: Centres) -> Shelf:
        """The searchable form."""
        return Shelf(
            self.articles,
            _flat(centres.apply(self.questions, self.question_languages, "query")),
            self.question_texts,
            _flat(centres.apply(self.chunks, self.chunk_languages, "passage")),
            self.chunk_texts,
        )


def embed(articles: Sequence[Article], encoder: TextEncoder, progress: Callable[[int], None] | None = None) -> Embedded:
    """Encode the texts of articles; progress is called with the number of texts done since the last call."""
    questions = [
        (number, text)
        for number, article in enumerate(articles)
        for text in dict.fromkeys((article.title, *article.questions))
    ]
    chunks = [(number, chunk) for number, article in enumerate(articles) for chunk in split(article)]
    return Embedded(
        tuple(articles),
        encoder.encode([text for _, text in questions], "query", progress),
        tuple(questions),
        encoder.encode([passage_text(articles[number], chunk) for number, chunk in chunks], "passage", progress),
        tuple(chunks),
    )


def count_texts(articles: Sequence[Article]) -> int:
    """How many texts `embed` will encode."""
    return sum(len({article.title, *article.questions}) + len(split(article)) for article in articles)


def passage_text(article: Article, chunk: Chunk) -> str:
    """What is encoded for a chunk: its title and heading give it context."""
    return "\n".join(part for part in (article.title, chunk.heading, chunk.text) if part)


def _flat(vectors: Vectors) -> faiss.Index:
    index = faiss.IndexFlatIP(vectors.shape[1] if vectors.size else 1)
    if vectors.size:
        index.add(np.ascontiguousarray(vectors))
    return index


def write_index(
    folder: Path,
    shelves: dict[Audience, Shelf],
    centres: Centres,
    calibration: dict[str, Any],
    encoder_fingerprint: str,
    knowledge_fingerprint: str,
) -> None:
    """Write an index and make it the current one."""
    folder.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=folder, prefix="build-"))
    for audience, shelf in shelves.items():
        faiss.write_index(shelf.questions, str(scratch / f"{audience}.questions.faiss"))
        faiss.write_index(shelf.chunks, str(scratch / f"{audience}.chunks.faiss"))
        texts = {
            "articles": [article.model_dump(mode="json") for article in shelf.articles],
            "questions": shelf.question_texts,
            "chunks": [(number, chunk.heading, chunk.text) for number, chunk in shelf.chunk_texts],
        }
        (scratch / f"{audience}.json").write_text(json.dumps(texts, ensure_ascii=False), "utf-8")
    np.savez(scratch / "centres.npz", allow_pickle=False, **to_arrays(centres))
    manifest = {
        "format": FORMAT,
        "encoder": encoder_fingerprint,
        "knowledge": knowledge_fingerprint,
        "folder": scratch.name,
        "calibration": calibration,
        "files": {file.name: _sha256(file) for file in sorted(scratch.iterdir())},
    }
    manifest["digest"] = _digest(manifest)
    staged = folder / f".{scratch.name}.json"
    staged.write_text(json.dumps(manifest, indent=1), "utf-8")
    os.replace(staged, folder / MANIFEST)
    for old in folder.glob("build-*"):
        if old != scratch:
            shutil.rmtree(old, ignore_errors=True)


def _digest(manifest: dict[str, Any]) -> str:
    """SHA-256 of a manifest, its own digest left out."""
    rest = {key: value for key, value in manifest.items() if key != "digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of the current index.

    Raises:
        IndexDamaged: There is none, or it is of another format.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    except FileNotFoundError as error:
        raise IndexDamaged(f"There is no index in {folder}.", _REBUILD) from error
    except (OSError, ValueError) as error:
        raise IndexDamaged(f"The index in {folder} has a damaged manifest.", _REBUILD) from error
    found = manifest.get("format") if isinstance(manifest, dict) else None
    if found != FORMAT:
        raise IndexDamaged(f"The index in {folder} has format {found}; this version reads {FORMAT}.", _REBUILD)
    if manifest.get("digest") != _digest(manifest):
        raise IndexDamaged(f"The index in {folder} is damaged: its manifest was changed.", _REBUILD)
    assert isinstance(manifest, dict)
    return manifest


def read_index(folder: Path, encoder_fingerprint: str) -> Index:
    """Read the current index, checking every file against its SHA-256 first.

    Raises:
        IndexDamaged: It is missing, damaged, or built with another encoder.
    """
    manifest = read_manifest(folder)
    if manifest.get("encoder") != encoder_fingerprint:
        raise IndexDamaged(f"The index in {folder} was built with another encoder.", _REBUILD)
    try:
        home = folder / manifest["folder"]
        for name, digest in manifest["files"].items():
            if _sha256(home / name) != digest:
                raise IndexDamaged(f"The index file {name} is damaged.", _REBUILD)
        shelves = {audience: _read_shelf(home, audience) for audience in get_args(Audience)}
        with np.load(home / "centres.npz") as arrays:
            centres = from_arrays(dict(arrays))
        return Index(shelves, centres, manifest["calibration"], manifest["folder"])
    except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise IndexDamaged(f"The index in {folder} is damaged: {error}.", _REBUILD) from error


def _read_shelf(home: Path, audience: Audience) -> Shelf:
    texts = json.loads((home / f"{audience}.json").read_text("utf-8"))
    return Shelf(
        tuple(Article.model_validate(article) for article in texts["articles"]),
        faiss.read_index(str(home / f"{audience}.questions.faiss")),
        tuple((number, text) for number, text in texts["questions"]),
        faiss.read_index(str(home / f"{audience}.chunks.faiss")),
        tuple((number, Chunk(heading, text)) for number, heading, text in texts["chunks"]),
    )
