"""From `data/tags` to the current tagger, when examples, encoder or recipe changed: `models/tagger/`."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock, Timeout

from bot.encoder.encoder import Encoder, Reading, clean, encoder_folder
from bot.errors import TaggingError
from bot.tagging import augment
from bot.tagging.augment import augmented
from bot.tagging.calibration import Calibration
from bot.tagging.examples import Example, load_examples
from bot.tagging.graph import Floats, Graph
from bot.tagging.recipe import Recipe
from bot.tagging.sentences import sentences
from bot.tagging.tagger import Tagger

if TYPE_CHECKING:
    from bot.settings import Settings

GRAPH = "head.onnx"
MANIFEST = "tagger.json"
FORMAT = 1
# One in so many groups of examples is kept from the head, to calibrate on.
HELD_OUT = 8
Progress = Callable[[str, int, int], None]


def tagger_folder(settings: Settings) -> Path:
    """Where the tagger stands."""
    return settings.models / "tagger"


def examples_folder(settings: Settings) -> Path:
    """Where the team's examples stand."""
    return settings.path("data", "tags")


def is_held_out(example: Example) -> bool:
    """Whether an example is kept for calibration: by its group or text alone, so that it is the same every time."""
    key = example.group or example.text
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") % HELD_OUT == 0


def _fingerprint(settings: Settings, encoder: str) -> str:
    digest = hashlib.sha256(f"{FORMAT} {encoder} {Recipe()}".encode())
    digest.update(Path(augment.__file__).read_bytes())
    folder = examples_folder(settings)
    for file in sorted(folder.rglob("*.yml")):
        digest.update(f"\0{file.relative_to(folder)}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def manifest(settings: Settings) -> dict[str, Any]:
    """What is recorded of the tagger that stands; empty if there is none that can be read."""
    try:
        read = json.loads((tagger_folder(settings) / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}


def is_current(settings: Settings, encoder: str) -> bool:
    """Whether the tagger was trained from the examples, encoder (its fingerprint) and recipe as they are now."""
    there = (tagger_folder(settings) / GRAPH).exists()
    return there and manifest(settings).get("inputs") == _fingerprint(settings, encoder)


def load_tagger(settings: Settings, encoder: Encoder) -> Tagger:
    """The tagger as it stands.

    Raises:
        TaggingError: There is none, it is another encoder's, or it is damaged.
    """
    record = verify(settings)
    if record.get("encoder") != encoder.fingerprint:
        raise TaggingError("The tagger was trained on another encoder.", "Run `refill train`.")
    calibration = Calibration.from_json(record["calibration"])
    graph = Graph((tagger_folder(settings) / GRAPH).read_bytes())
    return Tagger(encoder, graph, calibration, record["version"])


def verify(settings: Settings) -> dict[str, Any]:
    """What is recorded of the tagger, once its graph is found to be the one that was trained here.

    Raises:
        TaggingError: There is none, or it is another.
    """
    record, graph = manifest(settings), tagger_folder(settings) / GRAPH
    if not record or not graph.exists():
        raise TaggingError("There is no tagger.", "Run `refill train`.")
    if record.get("version") != _version(graph):
        raise TaggingError(f"{graph.name} is not the one trained here.", "Run `refill train --force`.")
    return record


def _version(graph: Path) -> str:
    with graph.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:12]


def ensure_tagger(
    settings: Settings,
    encoder: Encoder,
    force: bool = False,
    corrections: Sequence[Example] = (),
    progress: Progress = lambda stage, done, total: None,
) -> Tagger:
    """Load the current tagger, or train it first when examples, encoder or recipe changed.

    Args:
        settings: Name the project.
        encoder: Shared with everything else.
        force: Train in any case.
        corrections: Examples beside those of data/tags, when it is trained.
        progress: Called with the stage (`waiting`, `reading`, `training`), steps done now and in all.

    Raises:
        TaggingError: The examples break a rule.
    """
    if not force and is_current(settings, encoder.fingerprint):
        return load_tagger(settings, encoder)
    settings.models.mkdir(parents=True, exist_ok=True)
    lock = FileLock(settings.models / "tagger.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress("waiting", 0, 1)
        lock.acquire()
        progress("waiting", 1, 1)
    try:
        if force or not is_current(settings, encoder.fingerprint):
            _build(settings, encoder, corrections, progress)
    finally:
        lock.release()
    return load_tagger(settings, encoder)


def _build(settings: Settings, encoder: Encoder, corrections: Sequence[Example], progress: Progress) -> None:
    inputs = _fingerprint(settings, encoder.fingerprint)
    examples = [*load_examples(examples_folder(settings)), *corrections]
    trained = train(examples, encoder_folder(settings), encoder, progress, settings["encoder.threads"])
    folder = tagger_folder(settings)
    with tempfile.TemporaryDirectory(dir=settings.models, prefix=".tagger-") as scratch:
        staged = Path(scratch) / "tagger"
        staged.mkdir()
        (staged / GRAPH).write_bytes(trained.graph)
        record = {
            "format": FORMAT,
            "encoder": encoder.fingerprint,
            "inputs": inputs,
            "version": _version(staged / GRAPH),
            "examples": len(examples),
            "corrections": len(corrections),
            "calibration": trained.calibration.to_json(),
        }
        (staged / MANIFEST).write_text(json.dumps(record), "utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(staged, folder)


@dataclass(frozen=True)
class Trained:
    """A head as an ONNX graph, its calibration, and what it says of the examples it was not trained on."""

    graph: bytes
    calibration: Calibration
    held_out: tuple[Example, ...]
    logits: Floats


def train(
    examples: Sequence[Example],
    folder: Path,
    encoder: Encoder,
    progress: Progress = lambda stage, done, total: None,
    threads: int = 1,
) -> Trained:
    """Train and calibrate a head.

    Args:
        examples: All; those `is_held_out` tells are kept for calibration.
        folder: The encoder's, for its last layers.
        encoder: Reads the examples.
        progress: As in `ensure_tagger`.
        threads: Of the processor, to train on.
    """

    def read(texts: Sequence[str]) -> list[tuple[Reading, ...]]:
        return encoder.read_all(texts, lambda more: progress("reading", more, len(texts)))

    return train_on(examples, read, folder, Recipe(), progress, threads)


def train_on(
    examples: Sequence[Example],
    read: Callable[[Sequence[str]], list[tuple[Reading, ...]]],
    folder: Path,
    recipe: Recipe,
    progress: Progress = lambda stage, done, total: None,
    threads: int = 1,
) -> Trained:
    """Train and calibrate a head; other arguments as in `train`.

    Args:
        read: Gives what the encoder reads of texts; called once.
        recipe: How.
    """
    from bot.tagging.head import export, fit, material, new_head

    held_out = tuple(example for example in examples if is_held_out(example))
    learnt = [example for example in examples if not is_held_out(example)]
    learnt += augmented(learnt)
    readings = read([example.text for example in (*learnt, *held_out)])
    head = new_head(folder, recipe.dropout)
    materials = [material(example, windows[0]) for example, windows in zip(learnt, readings, strict=False)]
    fit(head, materials, recipe, lambda more, total: progress("training", more, total), threads)
    graph = export(head)
    found = logits_of(Graph(graph), held_out, readings[len(learnt) :])
    return Trained(graph, calibrate(held_out, found), held_out, found)


def calibrate(examples: Sequence[Example], logits: Floats) -> Calibration:
    """Fit on examples a head has not seen, and the logits it gives them."""
    from bot.tagging.calibration import fit as fit_calibration
    from bot.tagging.head import targets_of

    pairs = [targets_of(example) for example in examples]
    return fit_calibration(logits, np.stack([t for t, _ in pairs]), np.stack([k for _, k in pairs]))


def logits_of(graph: Graph, examples: Sequence[Example], readings: Sequence[tuple[Reading, ...]]) -> Floats:
    """What a head gives messages, whole and sentence by sentence, shape (examples, outputs)."""
    return np.stack(
        [
            graph.read(windows, sentences(clean(example.text), example.language))[0]
            for example, windows in zip(examples, readings, strict=True)
        ]
    )
