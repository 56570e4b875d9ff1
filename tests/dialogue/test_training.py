"""Only the model that was trained here is run, and it is trained anew when what it was made of changes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bot.dialogue.training import is_trained, rasa_environment, rasa_python, run_rasa, train, verified_model
from bot.errors import DialogueError
from bot.settings import Settings

TRAINER = """#!{python}
import pathlib, sys
arguments = sys.argv[1:]
print("arguments", *arguments)
out = pathlib.Path(arguments[arguments.index("--out") + 1])
assert pathlib.Path("config.yml").exists()
{body}
"""


def fake_rasa(project: Settings, body: str) -> None:
    """Put a program in the place of Rasa's interpreter."""
    python = project.path(".venv-rasa", "bin", "python")
    python.parent.mkdir(parents=True, exist_ok=True)
    python.write_text(TRAINER.format(python=sys.executable, body=body), "utf-8")
    python.chmod(0o755)


WRITES = "(out / 'refill.tar.gz').write_bytes(b'trained')"


def test_model_on_record(project: Settings) -> None:
    assert verified_model(project) == project.root / "models" / "rasa" / "refill.tar.gz"


def test_tampered_model_is_refused(project: Settings) -> None:
    model = verified_model(project)
    model.write_bytes(model.read_bytes() + b"!")
    with pytest.raises(DialogueError, match="not the model trained here") as caught:
        verified_model(project)
    assert "refill train --force" in caught.value.remedy


@pytest.mark.parametrize("missing", ["model.json", "refill.tar.gz"])
def test_model_or_record_is_missing(project: Settings, missing: str) -> None:
    (project.models / "rasa" / missing).unlink()
    with pytest.raises(DialogueError, match="no trained Rasa model") as caught:
        verified_model(project)
    assert "refill train" in caught.value.remedy
    assert not is_trained(project, "e5")


@pytest.mark.parametrize("record", ["", "{", "\x00", '{"sha256": '])
def test_record_that_is_damaged(project: Settings, record: str) -> None:
    (project.models / "rasa" / "model.json").write_text(record, "utf-8")
    with pytest.raises(DialogueError, match="damaged"):
        verified_model(project)
    assert not is_trained(project, "e5")


@pytest.mark.parametrize("record", ["[]", "null", "{}", '{"sha256": ""}', '{"sha256": null}'])
def test_record_that_says_nothing(project: Settings, record: str) -> None:
    (project.models / "rasa" / "model.json").write_text(record, "utf-8")
    with pytest.raises(DialogueError, match="no trained Rasa model"):
        verified_model(project)


def test_training_records_the_model(project: Settings) -> None:
    fake_rasa(project, WRITES)
    lines: list[str] = []
    train(project, "http://127.0.0.1:1", "e5", lines.append)
    assert verified_model(project).read_bytes() == b"trained"
    assert is_trained(project, "e5")
    assert any("--fixed-model-name refill" in line for line in lines)
    assert sorted(file.name for file in (project.models / "rasa").iterdir()) == ["model.json", "refill.tar.gz"]


@pytest.mark.parametrize(
    "name",
    [
        *("config.yml", "domain.yml", "data/nlu/greet.yml", "data/rules/greet.yml"),
        *("bot/nlu/tokenizer.py", "requirements/rasa.txt"),
    ],
)
def test_changed_input_means_training(project: Settings, name: str) -> None:
    fake_rasa(project, WRITES)
    train(project, "http://127.0.0.1:1", "e5")
    file = project.path(*name.split("/"))
    before = file.read_text("utf-8")
    file.write_text(before + " ", "utf-8")
    assert not is_trained(project, "e5")
    file.write_text(before, "utf-8")
    assert is_trained(project, "e5")


@pytest.mark.parametrize("change", ["add", "remove", "rename"])
def test_other_set_of_inputs_means_training(project: Settings, change: str) -> None:
    fake_rasa(project, WRITES)
    train(project, "http://127.0.0.1:1", "e5")
    file = project.path("data", "nlu", "greet.yml")
    if change == "add":
        project.path("data", "nlu", "more.yml").write_text("nlu: []", "utf-8")
    elif change == "remove":
        file.unlink()
    else:
        file.rename(file.with_name("renamed.yml"))
    assert not is_trained(project, "e5")


def test_other_encoder_means_training(project: Settings) -> None:
    fake_rasa(project, WRITES)
    train(project, "http://127.0.0.1:1", "e5")
    assert not is_trained(project, "another")


@pytest.mark.parametrize("body", ["sys.exit('out of memory')", "print('nothing to do')"])
def test_failed_training_leaves_the_model_before(project: Settings, body: str) -> None:
    fake_rasa(project, body)
    before = json.loads((project.models / "rasa" / "model.json").read_text("utf-8"))
    with pytest.raises(DialogueError, match=r"out of memory|no model"):
        train(project, "http://127.0.0.1:1", "e5")
    assert verified_model(project).read_bytes() == b"a model"
    assert json.loads((project.models / "rasa" / "model.json").read_text("utf-8")) == before
    assert sorted(file.name for file in (project.models / "rasa").iterdir()) == ["model.json", "refill.tar.gz"]


def test_runtime_is_missing(project: Settings) -> None:
    with pytest.raises(DialogueError, match=r"runtime \.venv-rasa is missing") as caught:
        rasa_python(project)
    assert "make setup" in caught.value.remedy


def test_output_of_rasa_is_read_whatever_its_bytes(project: Settings) -> None:
    script = "import sys; sys.stdout.buffer.write(b'caf\\xc3\\xa9 \\xff\\n'); print('end')"
    assert run_rasa(project, [sys.executable, "-c", script], "http://127.0.0.1:1") == ["café �", "end"]


def test_environment_of_rasa(project: Settings) -> None:
    environment = rasa_environment("http://127.0.0.1:5055", 2)
    assert environment["REFILL_ENCODER_URL"] == "http://127.0.0.1:5055"
    assert environment["REFILL_ACTION_URL"] == "http://127.0.0.1:5055/webhook"
    assert environment["RASA_TELEMETRY_ENABLED"] == "false"
    assert environment["OMP_NUM_THREADS"] == "2"


def test_shipped_inputs_exist() -> None:
    from bot.dialogue.training import _INPUTS

    project = Path(__file__).resolve().parents[2]
    assert [name for name in _INPUTS if not (project / name).exists()] == []
