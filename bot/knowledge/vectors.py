"""Vectors of texts, kept on disk: no text is encoded twice, and a build that was killed goes on where it stopped.

Each encoder has a file of its own: a header that names the encoder, then records of one size (a digest of role and
text, a check sum, the vector). Records are only appended, a batch at a time. What a killed process left half written is
cut off at the next start; a record whose check sum is wrong is passed over. Records nobody asked for any more are
dropped once they are more than a fifth of the file.
"""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.encoder.encoder import Role, TextEncoder, Vectors
from bot.errors import KnowledgeError

Key = tuple[Role, str]

_HEADER = struct.Struct("<8sI20x32s")  # magic, dimensions, SHA-256 of the encoder's fingerprint
_MAGIC = b"REFILLV1"
_DIGEST_BYTES = 16
_BATCH = 512
_BLOCK = 4096
_WASTE = 0.2


def _digest(role: Role, text: str) -> bytes:
    return hashlib.blake2b(f"{role}\0{text}".encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).digest()


def _record(dimensions: int) -> np.dtype[Any]:
    return np.dtype([("key", f"V{_DIGEST_BYTES}"), ("check", "<u4"), ("vector", "<f4", (dimensions,))])


def _check(key: bytes, vector: Vectors) -> int:
    return zlib.crc32(vector.tobytes(), zlib.crc32(key))


class StoredEncoder:
    """An encoder that keeps every vector on disk and encodes only texts it has not met before.

    It must be used by one process at a time; `ensure_index` holds a lock.

    Args:
        encoder: For what is not there yet.
        folder: Where the file of this encoder stands, among those of others.
    """

    def __init__(self, encoder: TextEncoder, folder: Path) -> None:
        self._encoder = encoder
        self._identity = hashlib.sha256(encoder.fingerprint.encode()).digest()
        self._file = folder / f"{self._identity.hex()[:16]}.vectors"
        self._dimensions = 0
        self._count = 0
        self._rows: dict[bytes, int] = {}
        self._used: set[int] = set()
        folder.mkdir(parents=True, exist_ok=True)
        self._open()

    @property
    def fingerprint(self) -> str:
        """That of the encoder."""
        return self._encoder.fingerprint

    @property
    def parts(self) -> tuple[int, ...]:
        """Those of the encoder."""
        return self._encoder.parts

    @property
    def file(self) -> Path:
        """Where the vectors are."""
        return self._file

    def __len__(self) -> int:
        """Vectors that can be used."""
        return len(self._rows)

    def count_new(self, texts: Iterable[Key]) -> int:
        """How many different texts of these would have to be encoded."""
        return len({_digest(role, text) for role, text in texts} - self._rows.keys())

    def encode(self, texts: Sequence[str], role: Role, progress: Callable[[int], None] | None = None) -> Vectors:
        """The encoder's vectors of shape (len(texts), dimensions), float32.

        Args:
            texts: Any texts.
            role: What they are encoded as.
            progress: Called with the number of texts encoded since the last call; stored ones do not count.

        Raises:
            KnowledgeError: The encoder's vectors have other dimensions than those it gave before.
        """
        keys = [_digest(role, text) for text in texts]
        missing = [(key, text) for key, text in dict(zip(keys, texts, strict=True)).items() if key not in self._rows]
        for start in range(0, len(missing), _BATCH):
            batch = missing[start : start + _BATCH]
            self._append([key for key, _ in batch], self._encoder.encode([text for _, text in batch], role, progress))
        rows = [self._rows[key] for key in keys]
        self._used.update(rows)
        if not rows:
            return np.zeros((0, 0), dtype=np.float32)
        vectors: Vectors = self._records()["vector"][rows]
        return vectors

    def clear(self) -> None:
        """Forget every vector."""
        self._file.unlink(missing_ok=True)
        self._dimensions = self._count = 0
        self._rows.clear()
        self._used.clear()

    def drop_unused(self) -> None:
        """Drop the vectors nobody asked this object for, if they are a good part of the file."""
        if self._count - len(self._used) <= _WASTE * self._count:
            return
        records = self._records()
        kept = sorted(self._used)
        staged = self._file.with_suffix(".new")
        with staged.open("wb") as stream:
            stream.write(self._header())
            for start in range(0, len(kept), _BLOCK):
                stream.write(records[kept[start : start + _BLOCK]].tobytes())
        os.replace(staged, self._file)
        self._open()
        self._used = set(range(self._count))

    def _open(self) -> None:
        """Learn what is in the file; a torn end is cut, a file of something else is removed."""
        self._rows.clear()
        self._dimensions = self._count = 0
        size = self._file.stat().st_size if self._file.exists() else 0
        if size < _HEADER.size:
            self._file.unlink(missing_ok=True)
            return
        with self._file.open("rb+") as stream:
            magic, dimensions, identity = _HEADER.unpack(stream.read(_HEADER.size))
            known = magic == _MAGIC and identity == self._identity and dimensions > 0
            if known:
                self._dimensions = dimensions
                self._count = (size - _HEADER.size) // _record(dimensions).itemsize
                stream.truncate(_HEADER.size + self._count * _record(dimensions).itemsize)
        if not known:
            self._file.unlink()
            return
        records = self._records()
        for start in range(0, self._count, _BLOCK):
            block = records[start : start + _BLOCK]
            fields = zip(block["key"], block["check"].tolist(), np.ascontiguousarray(block["vector"]), strict=True)
            for row, (key, check, vector) in enumerate(fields, start):
                if _check(key.tobytes(), vector) == check:
                    self._rows[key.tobytes()] = row
        if not self._rows:
            self.clear()

    def _append(self, keys: Sequence[bytes], vectors: Vectors) -> None:
        dimensions = vectors.shape[1]
        if self._count and dimensions != self._dimensions:
            raise KnowledgeError(
                f"The encoder gave vectors of {dimensions} dimensions, and {self._dimensions} before.",
                "Run `refill index --force`.",
            )
        self._dimensions = dimensions
        block = np.zeros(len(keys), dtype=_record(dimensions))
        block["key"] = np.frombuffer(b"".join(keys), dtype=f"V{_DIGEST_BYTES}")
        block["vector"] = vectors
        block["check"] = [_check(key, vector) for key, vector in zip(keys, block["vector"], strict=True)]
        with self._file.open("ab") as stream:
            if not stream.tell():
                stream.write(self._header())
            stream.write(block.tobytes())
        self._rows.update(zip(keys, range(self._count, self._count + len(keys)), strict=True))
        self._count += len(keys)

    def _header(self) -> bytes:
        return _HEADER.pack(_MAGIC, self._dimensions, self._identity)

    def _records(self) -> NDArray[Any]:
        kind = _record(self._dimensions)
        if not self._count:
            return np.zeros(0, dtype=kind)
        return np.memmap(self._file, dtype=kind, mode="r", offset=_HEADER.size, shape=(self._count,))


def count_new(encoder: TextEncoder, texts: Iterable[Key]) -> int:
    """How many texts an encoder will report to `progress` when it is given these."""
    return encoder.count_new(texts) if isinstance(encoder, StoredEncoder) else sum(1 for _ in texts)


def tidy(folder: Path, in_use: Sequence[StoredEncoder]) -> None:
    """Keep only what a build used: drop other encoders' files, and vectors of texts that are gone."""
    files = {stored.file for stored in in_use}
    for file in folder.iterdir():
        if file not in files:
            file.unlink()
    for stored in in_use:
        stored.drop_unused()
