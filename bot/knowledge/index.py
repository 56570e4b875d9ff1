"""The index of a knowledge base: built aside, put in place in one step, checked before it is read.

On disk: `manifest.json` names the format, the encoder and knowledge base it was built from, and the folder with the
files, their sizes and their SHA-256. The manifest is replaced last and atomically, so a reader sees the old index or
the new one. Public and internal articles have files of their own, one for each field of a shelf (PARTS): a search for
customers never opens the internal ones.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import tempfile
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args
from zipfile import BadZipFile

import faiss
import numpy as np
from numpy.typing import NDArray

from bot.encoder.encoder import Role, TextEncoder, Vectors
from bot.errors import KnowledgeError
from bot.knowledge import nearest
from bot.knowledge.article import Article, Audience
from bot.knowledge.centring import Centres, from_arrays, to_arrays
from bot.knowledge.head import Head
from bot.knowledge.keywords import Keywords
from bot.knowledge.nearest import Search
from bot.knowledge.splitter import Chunk, sentences, split
from bot.language import detect
from bot.settings import LANGUAGES

Half = NDArray[np.float16]

FORMAT = 7
MANIFEST = "manifest.json"
SENTENCES_UP_TO = 100_000  # chunks
# Larger files are checked against their SHA-256 by `refill check` only; their size is checked at every reading.
HASHED_AT_READING = 64 << 20
_BLOCK = 50_000
_REBUILD = "Run `refill index`."


class IndexDamaged(KnowledgeError):
    """The index is missing, damaged, or of another format, encoder or knowledge base; it must be rebuilt."""

    code = "index"


@dataclass(frozen=True)
class Shelf:
    """The searchable articles of one audience.

    Attributes:
        articles: In a fixed order; other fields refer to positions in it.
        questions: Index of the main encoder's part of the vectors of titles and question variants, inner product.
        question_texts: What was encoded, and the article each belongs to.
        question_vectors: Their vectors with all parts, centred, shape (questions, sum(parts)), 16-bit floats.
        question_words: Their keyword index.
        question_languages: Their languages, as positions in LANGUAGES.
        chunks, chunk_texts, chunk_vectors, chunk_words: The same of body chunks, in the order of the articles.
        sentence_vectors: Of the sentences of the chunks, in their order, shape (sentences, sum(parts)).
        sentence_starts: Row of each chunk's first sentence and, last, the number of sentences, shape (chunks + 1,).
        searches: How `questions` and `chunks` are searched.
    """

    articles: tuple[Article, ...]
    questions: faiss.Index
    question_texts: tuple[tuple[int, str], ...]
    question_vectors: Half
    question_words: Keywords
    question_languages: NDArray[np.uint8]
    chunks: faiss.Index
    chunk_texts: tuple[tuple[int, Chunk], ...]
    chunk_vectors: Half
    chunk_words: Keywords
    sentence_vectors: Half
    sentence_starts: NDArray[np.int64]
    searches: Mapping[str, Search] = field(default_factory=dict)

    @functools.cached_property
    def _numbers(self) -> dict[str, int]:
        return {article.id: number for number, article in enumerate(self.articles)}

    @functools.cached_property
    def question_owners(self) -> NDArray[np.int32]:
        """Position of the article of each question variant."""
        return np.fromiter((owner for owner, _ in self.question_texts), np.int32, len(self.question_texts))

    @functools.cached_property
    def chunk_owners(self) -> NDArray[np.int32]:
        """Position of the article of each chunk."""
        return np.fromiter((owner for owner, _ in self.chunk_texts), np.int32, len(self.chunk_texts))

    def chunk_rows(self, article: Article) -> range:
        """Positions of an article's chunks."""
        number = self._numbers[article.id]
        owners: Any = self.chunk_texts
        return range(bisect_left(owners, (number,)), bisect_left(owners, (number + 1,)))


@dataclass(frozen=True)
class Index:
    """Both shelves, the centres taken from their vectors, and what is fitted for each audience on what it may see.

    Attributes:
        shelves: Of each audience's articles.
        centres: Of all vectors.
        calibration: By audience, as `Calibration.to_json`.
        heads: By audience; None where its articles have too few variants.
        build: Names the index.
    """

    shelves: dict[Audience, Shelf]
    centres: Centres
    calibration: dict[Audience, dict[str, Any]]
    heads: dict[Audience, Head | None]
    build: str

    def for_audience(self, audience: Audience) -> tuple[Shelf, ...]:
        """The shelves an audience may see: customers the public one, employees both."""
        return (self.shelves["public"],) if audience == "public" else tuple(self.shelves.values())


@dataclass(frozen=True)
class Texts:
    """What is encoded of articles."""

    articles: tuple[Article, ...]
    questions: tuple[tuple[int, str], ...]
    chunks: tuple[tuple[int, Chunk], ...]
    sentences: tuple[tuple[int, str], ...]

    def __iter__(self) -> Iterator[tuple[Role, str]]:
        """Every text, as what it is encoded."""
        for _, text in self.questions:
            yield "query", text
        for number, chunk in self.chunks:
            yield "passage", passage_text(self.articles[number], chunk)
        for _, text in self.sentences:
            yield "passage", text


@dataclass(frozen=True)
class Embedded:
    """Articles with the vectors of their texts, not centred yet."""

    articles: tuple[Article, ...]
    questions: Vectors
    question_texts: tuple[tuple[int, str], ...]
    chunks: Vectors
    chunk_texts: tuple[tuple[int, Chunk], ...]
    sentences: Vectors
    sentence_texts: tuple[tuple[int, str], ...]

    @functools.cached_property
    def question_languages(self) -> list[str]:
        """Language of each question: people ask in others than an article is written in."""
        return [detect(text, self.articles[number].language) for number, text in self.question_texts]

    @property
    def chunk_languages(self) -> list[str]:
        """Language of each chunk."""
        return [self.articles[number].language for number, _ in self.chunk_texts]

    def shelf(self, centres: Centres) -> Shelf:
        """The searchable form."""
        asked = _centred(centres, self.questions, self.question_languages, "query")
        told = _centred(centres, self.chunks, self.chunk_languages, "passage")
        languages = [self.chunk_languages[chunk] for chunk, _ in self.sentence_texts]
        said = _centred(centres, self.sentences, languages, "passage")
        main = slice(centres.parts[0] if centres.parts else None)
        questions, question_search = nearest.build(asked[:, main])
        # Chunks are looked for with questions, so that is what their search is tuned for.
        chunks, chunk_search = nearest.build(told[:, main], nearest.sample(asked[:, main]))
        owners = [chunk for chunk, _ in self.sentence_texts]
        return Shelf(
            articles=self.articles,
            questions=questions,
            question_texts=self.question_texts,
            question_vectors=asked.astype(np.float16),
            question_words=Keywords.of([text for _, text in self.question_texts]),
            question_languages=np.array([LANGUAGES.index(code) for code in self.question_languages], dtype=np.uint8),
            chunks=chunks,
            chunk_texts=self.chunk_texts,
            chunk_vectors=told.astype(np.float16),
            chunk_words=Keywords.of([passage_text(self.articles[number], chunk) for number, chunk in self.chunk_texts]),
            sentence_vectors=said.astype(np.float16),
            sentence_starts=np.searchsorted(owners, np.arange(len(self.chunk_texts) + 1)).astype(np.int64),
            searches={"questions": question_search, "chunks": chunk_search},
        )


def texts_of(articles: Sequence[Article]) -> Texts:
    """The titles, question variants and chunks of articles; no question twice in one article."""
    chunks = [(number, chunk) for number, article in enumerate(articles) for chunk in split(article)]
    return Texts(
        tuple(articles),
        tuple(
            (number, text)
            for number, article in enumerate(articles)
            for text in dict.fromkeys((article.title, *article.questions))
        ),
        tuple(chunks),
        # Beyond this a search has enough to do, and the files grow sixfold.
        tuple(
            (row, text)
            for row, (number, chunk) in enumerate(chunks)
            for text in sentences(chunk.text, articles[number].language)
        )
        if len(chunks) <= SENTENCES_UP_TO
        else (),
    )


def embed(texts: Texts, encoder: TextEncoder, progress: Callable[[int], None] | None = None) -> Embedded:
    """Encode the texts of articles; progress is called with the number of texts done since the last call."""
    by_role: dict[Role, list[str]] = {"query": [], "passage": []}
    for role, text in texts:
        by_role[role].append(text)
    passages = encoder.encode(by_role["passage"], "passage", progress)
    return Embedded(
        texts.articles,
        encoder.encode(by_role["query"], "query", progress),
        texts.questions,
        passages[: len(texts.chunks)],
        texts.chunks,
        passages[len(texts.chunks) :],
        texts.sentences,
    )


def passage_text(article: Article, chunk: Chunk) -> str:
    """What is encoded for a chunk: its title and heading give it context."""
    return "\n".join(part for part in (article.title, chunk.heading, chunk.text) if part)


def _centred(centres: Centres, vectors: Vectors, languages: Sequence[str], role: Role) -> Vectors:
    """As `Centres.apply`, a block at a time: a million vectors take gigabytes."""
    result = np.empty_like(vectors)
    for start in range(0, len(vectors), _BLOCK):
        block = slice(start, start + _BLOCK)
        result[block] = centres.apply(vectors[block], languages[block], role)
    return result


# Files ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """A field of Shelf in a file of its own."""

    suffix: str
    write: Callable[[Any, Path], None]
    read: Callable[[Path], Any]


def _lines(to_line: Callable[[Any], str], from_line: Callable[[str], Any]) -> Part:
    """A tuple, one item a line: read item by item, so that a thread that reads lets others work."""

    def write(items: Iterable[Any], file: Path) -> None:
        with file.open("w", encoding="utf-8", newline="\n") as stream:
            stream.writelines(to_line(item) + "\n" for item in items)

    def read(file: Path) -> tuple[Any, ...]:
        with file.open(encoding="utf-8", newline="\n") as stream:
            return tuple(from_line(line) for line in stream)

    return Part("jsonl", write, read)


def _question_from(line: str) -> tuple[int, str]:
    number, text = json.loads(line)
    return number, text


def _chunk_from(line: str) -> tuple[int, Chunk]:
    number, heading, text = json.loads(line)
    return number, Chunk(heading, text)


def _write_array(values: NDArray[Any], file: Path) -> None:
    np.save(file, values, allow_pickle=False)


def _read_array(file: Path) -> NDArray[Any]:
    """Mapped: processes that read the same file share its memory."""
    found: NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
    return found


_ARRAY = Part("npy", _write_array, _read_array)

# Every stored field of Shelf; a further one needs a line here, and no more.
PARTS: dict[str, Part] = {
    "articles": _lines(Article.model_dump_json, Article.model_validate_json),
    "questions": Part("faiss", nearest.write, nearest.read),
    "question_texts": _lines(functools.partial(json.dumps, ensure_ascii=False), _question_from),
    "chunks": Part("faiss", nearest.write, nearest.read),
    "question_vectors": _ARRAY,
    "question_words": Part("npz", Keywords.write, Keywords.read),
    "question_languages": _ARRAY,
    "chunk_vectors": _ARRAY,
    "chunk_words": Part("npz", Keywords.write, Keywords.read),
    "sentence_vectors": _ARRAY,
    "sentence_starts": _ARRAY,
    "chunk_texts": _lines(
        lambda item: json.dumps((item[0], item[1].heading, item[1].text), ensure_ascii=False), _chunk_from
    ),
}


def _place(home: Path, audience: Audience, name: str) -> Path:
    return home / f"{audience}.{name}.{PARTS[name].suffix}"


def write_index(folder: Path, index: Index, encoder_fingerprint: str, knowledge_fingerprint: str) -> None:
    """Write an index and make it the current one. One process at a time: see `build_lock` in `build.py`."""
    folder.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=folder, prefix="build-"))
    for audience, shelf in index.shelves.items():
        for name, part in PARTS.items():
            part.write(getattr(shelf, name), _place(scratch, audience, name))
    np.savez(scratch / "centres.npz", allow_pickle=False, **to_arrays(index.centres))
    for audience, head in index.heads.items():
        if head is not None:
            head.write(scratch / f"{audience}.head.npz")
    manifest = {
        "format": FORMAT,
        "encoder": encoder_fingerprint,
        "knowledge": knowledge_fingerprint,
        "folder": scratch.name,
        "calibration": index.calibration,
        "searches": {
            audience: {name: search.to_json() for name, search in shelf.searches.items()}
            for audience, shelf in index.shelves.items()
        },
        "files": {
            file.name: {"size": file.stat().st_size, "sha256": _sha256(file)} for file in sorted(scratch.iterdir())
        },
    }
    manifest["digest"] = _digest(manifest)
    staged = folder / f".{scratch.name}.json"
    staged.write_text(json.dumps(manifest, indent=1), "utf-8")
    os.replace(staged, folder / MANIFEST)
    # Who is reading one of these starts again with the new one; what is mapped stays until it is let go.
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


def read_index(folder: Path, encoder_fingerprint: str, thorough: bool = False) -> Index:
    """Read the current index, checking every file first. When it is replaced meanwhile, the new one is read.

    Args:
        folder: Where the index stands.
        encoder_fingerprint: Of the encoder that will be used with it.
        thorough: Check the SHA-256 of large files too: seconds for each gigabyte.

    Raises:
        IndexDamaged: It is missing, damaged, or built with another encoder.
    """
    while True:
        manifest = read_manifest(folder)
        try:
            return _read(folder, manifest, encoder_fingerprint, thorough)
        except IndexDamaged:
            if read_manifest(folder)["digest"] == manifest["digest"]:
                raise


def _read(folder: Path, manifest: dict[str, Any], encoder_fingerprint: str, thorough: bool) -> Index:
    if manifest.get("encoder") != encoder_fingerprint:
        raise IndexDamaged(f"The index in {folder} was built with another encoder.", _REBUILD)
    try:
        home = folder / manifest["folder"]
        for name, expected in manifest["files"].items():
            size = (home / name).stat().st_size
            hashed = thorough or size <= HASHED_AT_READING
            if size != expected["size"] or (hashed and _sha256(home / name) != expected["sha256"]):
                raise IndexDamaged(f"The index file {name} is damaged.", _REBUILD)
        shelves = {
            audience: _read_shelf(home, audience, manifest["searches"][audience]) for audience in get_args(Audience)
        }
        with np.load(home / "centres.npz") as arrays:
            centres = from_arrays(dict(arrays))
        heads: dict[Audience, Head | None] = {
            audience: Head.read(file) if (file := home / f"{audience}.head.npz").exists() else None
            for audience in get_args(Audience)
        }
        return Index(shelves, centres, manifest["calibration"], heads, manifest["folder"])
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, BadZipFile) as error:
        raise IndexDamaged(f"The index in {folder} is damaged: {error}.", _REBUILD) from error


def _read_shelf(home: Path, audience: Audience, searches: dict[str, dict[str, Any]]) -> Shelf:
    fields = {name: part.read(_place(home, audience, name)) for name, part in PARTS.items()}
    return Shelf(**fields, searches={name: Search(**values) for name, values in searches.items()})
