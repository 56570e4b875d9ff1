"""Train Rasa, record the model's SHA-256, and refuse any other model."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.errors import DialogueError
from bot.settings import SETTINGS

if TYPE_CHECKING:
    from bot.settings import Settings

MODEL = "refill.tar.gz"
RECORD = "model.json"
_INPUTS = ("config.yml", "domain.yml", "data/nlu", "data/rules", "data/stories", "bot/nlu", "requirements/rasa.txt")


def rasa_python(settings: Settings) -> Path:
    """The interpreter of Rasa's own runtime.

    Raises:
        DialogueError: It is not installed.
    """
    python = settings.path(".venv-rasa", "bin", "python")
    if not python.exists():
        raise DialogueError("Rasa's runtime .venv-rasa is missing.", "Run `make setup`.")
    return python


def rasa_environment(encoder_url: str, threads: int) -> dict[str, str]:
    """Environment of a Rasa process: where the encoder and the actions are; few threads, no telemetry."""
    limits = dict.fromkeys(
        (
            "OMP_NUM_THREADS",
            "OPENBLAS_NUM_THREADS",
            "MKL_NUM_THREADS",
            "TF_INTRA_OP_PARALLELISM_THREADS",
            "TF_INTER_OP_PARALLELISM_THREADS",
        ),
        str(threads),
    )
    # Rasa has no use for the keys of the team API.
    secrets = {setting.variable for setting in SETTINGS if setting.secret}
    return {
        **{name: value for name, value in os.environ.items() if name not in secrets},
        **limits,
        "REFILL_ENCODER_URL": encoder_url,
        "REFILL_ACTION_URL": f"{encoder_url}/webhook",
        "RASA_TELEMETRY_ENABLED": "false",
        "SQLALCHEMY_SILENCE_UBER_WARNING": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
        "PYTHONWARNINGS": "ignore",
        "PYTHONUNBUFFERED": "1",
    }


def _inputs_fingerprint(settings: Settings, encoder_fingerprint: str) -> str:
    digest = hashlib.sha256(encoder_fingerprint.encode())
    for file in _input_files(settings):
        digest.update(f"\0{file.relative_to(settings.root)}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _input_files(settings: Settings) -> Iterator[Path]:
    for name in _INPUTS:
        path = settings.path(*name.split("/"))
        if path.is_dir():
            yield from sorted(f for f in path.rglob("*") if f.suffix in (".yml", ".py"))
        elif path.exists():
            yield path


def _record(folder: Path) -> dict[str, Any]:
    try:
        record = json.loads((folder / RECORD).read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise DialogueError(f"{folder / RECORD} is damaged.", "Run `refill train --force`.") from error
    return record if isinstance(record, dict) else {}


def model_folder(settings: Settings) -> Path:
    """Where Rasa's model stands."""
    return settings.models / "rasa"


def is_trained(settings: Settings, encoder_fingerprint: str) -> bool:
    """Whether the model on record was trained from the files as they are now."""
    folder = model_folder(settings)
    try:
        record = _record(folder)
    except DialogueError:
        return False
    return (folder / MODEL).exists() and record.get("inputs") == _inputs_fingerprint(settings, encoder_fingerprint)


def verified_model(settings: Settings) -> Path:
    """The model's file, if it is the one that was trained here.

    Raises:
        DialogueError: There is none, or its SHA-256 is not the one recorded.
    """
    folder = model_folder(settings)
    model = folder / MODEL
    expected = _record(folder).get("sha256")
    if not model.exists() or not expected:
        raise DialogueError("There is no trained Rasa model.", "Run `refill train`.")
    with model.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != expected:
        raise DialogueError(
            f"{model.name} is not the model trained here (SHA-256 {found[:12]}…, recorded {expected[:12]}…).",
            "A model can run code, so it is not loaded. Run `refill train --force`.",
        )
    return model


def train(
    settings: Settings, encoder_url: str, encoder_fingerprint: str, line: Callable[[str], None] = lambda text: None
) -> None:
    """Train and record; the model before stays in place until the new one is complete.

    Args:
        settings: Name the project.
        encoder_url: Where the encoder answers while this runs.
        encoder_fingerprint: Of that encoder.
        line: Called with each line Rasa prints.

    Raises:
        DialogueError: Rasa failed; the last lines it printed are in the message.
    """
    folder = model_folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    inputs = _inputs_fingerprint(settings, encoder_fingerprint)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".train-") as scratch:
        command = [
            str(rasa_python(settings)),
            *("-m", "rasa", "train", "--config", "config.yml", "--domain", "domain.yml"),
            *("--data", "data/nlu", "data/rules", "data/stories"),
            *("--out", scratch, "--fixed-model-name", "refill"),
        ]
        run_rasa(settings, command, encoder_url, line)
        model = Path(scratch) / MODEL
        if not model.exists():
            raise DialogueError("Rasa trained no model.", "Run `refill train --verbose` and read its output.")
        with model.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        (folder / RECORD).unlink(missing_ok=True)
        shutil.move(model, folder / MODEL)
    staged = folder / f".{RECORD}"
    staged.write_text(json.dumps({"sha256": digest, "inputs": inputs}), "utf-8")
    os.replace(staged, folder / RECORD)


def run_rasa(
    settings: Settings, command: list[str], encoder_url: str, line: Callable[[str], None] = lambda text: None
) -> list[str]:
    """Run a Rasa command to its end; returns the lines it printed.

    Raises:
        DialogueError: It failed.
    """
    process = subprocess.Popen(  # noqa: S603  (our own interpreter and arguments)
        command,
        cwd=settings.root,
        env=rasa_environment(encoder_url, settings["encoder.threads"]),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    printed: list[str] = []
    assert process.stdout is not None
    with process, process.stdout:
        for text in process.stdout:
            printed.append(text.rstrip())
            line(text.rstrip())
    if process.returncode:
        tail = "\n".join(printed[-15:])
        raise DialogueError(f"Rasa failed (exit status {process.returncode}):\n{tail}")
    return printed
