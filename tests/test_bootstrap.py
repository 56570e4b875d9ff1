"""The set-up finds the interpreters it needs, in any of the ways people install them, or says what to do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bot import bootstrap


def interpreter(path: Path, version: str) -> Path:
    """An executable that answers as a Python of a version would."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {version.replace('.', ' ')}\n", "utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home and a PATH without any Python."""
    for name in ("REFILL_PYTHON310", "PYENV_ROOT", "PYENV_VERSION", "UV_PYTHON_INSTALL_DIR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def test_python_310_on_the_path(tmp_path: Path) -> None:
    interpreter(tmp_path / "bin" / "python3.10", "3.10")
    assert bootstrap.find_310() == "python3.10"


def test_a_shim_that_does_not_work_is_passed_over_for_pyenv(tmp_path: Path) -> None:
    shim = interpreter(tmp_path / "bin" / "python3.10", "3.10")
    shim.write_text("#!/bin/sh\necho 'pyenv: python3.10: command not found' >&2\nexit 127\n", "utf-8")
    found = interpreter(tmp_path / "home" / ".pyenv" / "versions" / "3.10.13" / "bin" / "python3.10", "3.10")
    assert bootstrap.find_310() == str(found)


def test_python_310_of_a_pyenv_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = interpreter(tmp_path / "pyenv" / "versions" / "3.10.14" / "bin" / "python3.10", "3.10")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    assert bootstrap.find_310() == str(found)


def test_python_310_that_uv_installed(tmp_path: Path) -> None:
    store = tmp_path / "home" / ".local" / "share" / "uv" / "python"
    found = interpreter(store / "cpython-3.10.16-linux-x86_64-gnu" / "bin" / "python3.10", "3.10")
    assert bootstrap.find_310() == str(found)


def test_python_310_that_uv_tells_of(tmp_path: Path) -> None:
    found = interpreter(tmp_path / "somewhere" / "python3.10", "3.10")
    uv = interpreter(tmp_path / "bin" / "uv", "")
    uv.write_text(f'#!/bin/sh\n[ "$1 $2" = "python find" ] && echo {found}\n', "utf-8")
    assert bootstrap.find_310() == str(found)


def test_the_interpreter_named_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interpreter(tmp_path / "bin" / "python3.10", "3.10")
    named = interpreter(tmp_path / "mine" / "python", "3.10")
    monkeypatch.setenv("REFILL_PYTHON310", str(named))
    assert bootstrap.find_310() == str(named)


def test_another_version_is_not_taken_for_310(tmp_path: Path) -> None:
    interpreter(tmp_path / "bin" / "python3.10", "3.9")
    with pytest.raises(bootstrap.BootstrapError):
        bootstrap.find_310()


def test_no_python_310_says_how_to_get_one() -> None:
    with pytest.raises(bootstrap.BootstrapError) as caught:
        bootstrap.find_310()
    assert "uv python install 3.10" in str(caught.value)
    assert "pyenv install 3.10" in str(caught.value)


def test_this_python_is_modern_enough() -> None:
    assert bootstrap.find_modern() == sys.executable


def test_a_newer_python_on_the_path_stands_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    interpreter(tmp_path / "bin" / "python3.12", "3.12")
    assert bootstrap.find_modern() == "python3.12"


def test_no_modern_python_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    with pytest.raises(bootstrap.BootstrapError, match=r"needs Python 3\.11 or later; this is Python 3\.9"):
        bootstrap.find_modern()


def test_a_failing_step_shows_the_end_of_its_output_and_what_to_do() -> None:
    with pytest.raises(bootstrap.BootstrapError) as caught:
        bootstrap.run("Installing", [sys.executable, "-c", "print('no such package'); raise SystemExit(3)"])
    assert "no such package" in str(caught.value)
    assert "→" in str(caught.value)


def test_a_runtime_is_made_once_and_again_when_its_requirements_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("one\n", "utf-8")
    steps: list[str] = []

    def record(title: str, command: object, live: bool) -> None:
        steps.append(title)
        if title == "Making .venv":
            interpreter(tmp_path / ".venv" / "bin" / "python", "3.12")

    monkeypatch.setattr(bootstrap, "run", record)

    def ensure() -> bool:
        return bootstrap.ensure_runtime(".venv", sys.executable, [("Installing", ["-r", "x"])], [requirements])

    assert ensure() is True
    assert ensure() is False
    assert steps == ["Making .venv", "Installing"]
    requirements.write_text("two\n", "utf-8")
    assert ensure() is True
    assert steps == ["Making .venv", "Installing", "Installing"]


def test_a_half_made_runtime_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)

    def fail(title: str, command: object, live: bool) -> None:
        raise bootstrap.BootstrapError("the network is away")

    steps = [("Installing", ["-r", "x"])]
    interpreter(tmp_path / ".venv" / "bin" / "python", "3.12")
    monkeypatch.setattr(bootstrap, "run", fail)
    with pytest.raises(bootstrap.BootstrapError):
        bootstrap.ensure_runtime(".venv", sys.executable, steps, [])
    done: list[str] = []
    monkeypatch.setattr(bootstrap, "run", lambda title, command, live: done.append(title))
    assert bootstrap.ensure_runtime(".venv", sys.executable, steps, []) is True
    assert done == ["Installing"]


def test_the_script_runs_without_any_package() -> None:
    script = Path(bootstrap.__file__)
    found = subprocess.run([sys.executable, "-S", "-I", script, "--help"], capture_output=True, text=True, check=True)
    assert "--dev" in found.stdout
