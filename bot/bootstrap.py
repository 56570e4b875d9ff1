"""Make the two runtimes, .venv and .venv-rasa, from the pinned requirement files. Runs on a bare Python.

Refill runs on Python 3.11 or later, Rasa on Python 3.10 only. What is there and was made from the same requirement
files is left alone.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STAMP = ".refill-requirements"
OLDEST = (3, 11)
NEWEST_TRIED = (3, 13)

NO_PYTHON = """Refill needs Python 3.11 or later; this is Python {version}, and no newer one was found.
  → Install one (Debian: apt install python3.11 python3.11-venv; macOS: brew install python@3.12;
    anywhere: uv python install 3.12), then run the command again, e.g. `make {goal} PYTHON=python3.12`."""
NO_PYTHON_310 = """Rasa needs Python 3.10, and none was found on the PATH, under pyenv or under uv.
  → Install it in any of these ways, then run the command again:
      uv python install 3.10
      pyenv install 3.10
      apt install python3.10 python3.10-venv        (where your distribution has it)
    or name one: REFILL_PYTHON310=/path/to/python3.10 make {goal}"""


class BootstrapError(Exception):
    """Something is missing; the text says what and what to do."""


def say(text: str) -> None:
    """A line on standard error."""
    print(text, file=sys.stderr, flush=True)


def version_of(python: str) -> tuple[int, int] | None:
    """(major, minor) of an interpreter that can make virtual environments; None if it is not usable."""
    try:
        found = subprocess.run(
            [python, "-c", "import sys, venv, ensurepip; print(*sys.version_info[:2])"],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        major, minor = found.stdout.split()
        return int(major), int(minor)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def find_modern() -> str:
    """An interpreter of at least OLDEST: this one, or one on the PATH."""
    candidates = [sys.executable] if sys.version_info[:2] >= OLDEST else []
    candidates += [f"python3.{minor}" for minor in range(OLDEST[1], NEWEST_TRIED[1] + 1)]
    for candidate in candidates:
        found = version_of(candidate)
        if found and found >= OLDEST:
            return candidate
    raise BootstrapError(NO_PYTHON.format(version=".".join(map(str, sys.version_info[:2])), goal=_goal()))


def candidates_310() -> Iterator[str]:
    """Where a Python 3.10 may be."""
    if named := os.environ.get("REFILL_PYTHON310"):
        yield named
    yield "python3.10"
    roots = [os.environ.get("PYENV_ROOT", ""), str(Path.home() / ".pyenv")]
    for root in filter(None, roots):
        yield from sorted(map(str, Path(root, "versions").glob("3.10*/bin/python3.10")), reverse=True)
    if uv := shutil.which("uv"):
        found = subprocess.run(
            [uv, "python", "find", "--no-python-downloads", "3.10"], capture_output=True, text=True, check=False
        )
        if found.returncode == 0:
            yield found.stdout.strip()
    store = os.environ.get("UV_PYTHON_INSTALL_DIR") or str(Path.home() / ".local/share/uv/python")
    yield from sorted(map(str, Path(store).glob("cpython-3.10*/bin/python3.10")), reverse=True)


def find_310() -> str:
    """A Python 3.10 that works."""
    for candidate in candidates_310():
        if version_of(candidate) == (3, 10):
            return candidate
    raise BootstrapError(NO_PYTHON_310.format(goal=_goal()))


def _goal() -> str:
    return os.environ.get("REFILL_GOAL", "run")


def fingerprint(files: Sequence[Path]) -> str:
    """Changes when any of the files does."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def run(title: str, command: Sequence[str | Path], live: bool = True) -> None:
    """Run a long command, showing that it goes on.

    Args:
        title: What it does.
        command: To run.
        live: Count its seconds where there is a terminal; not for two at the same time.

    Raises:
        BootstrapError: It failed; the end of what it printed is in the text.
    """
    begun = time.monotonic()
    live = live and sys.stderr.isatty()
    if not live:
        say(f"… {title}")
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        process = subprocess.Popen(list(map(str, command)), stdout=log, stderr=subprocess.STDOUT, cwd=ROOT)
        try:
            while process.poll() is None:
                time.sleep(0.2)
                if live:
                    print(f"\r… {title}  {time.monotonic() - begun:4.0f} s ", end="", file=sys.stderr, flush=True)
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            raise
        if process.returncode:
            log.seek(0)
            tail = [line for line in log.read().splitlines() if line.strip()][-25:]
            raise BootstrapError(
                f"\n{title} failed:\n    "
                + "\n    ".join(tail)
                + "\n  → Check the network and the free disk space (6 GB), then run the command again."
            )
    say(f"{chr(13) if live else ''}✓ {title} ({time.monotonic() - begun:.0f} s)      ")


def ensure_runtime(
    name: str, python: str, steps: Sequence[tuple[str, Sequence[str]]], files: Sequence[Path], live: bool = True
) -> bool:
    """Make a virtual environment and install into it, unless it was made from the same files; True if made now."""
    folder = ROOT / name
    interpreter = folder / "bin" / "python"
    stamp = folder / STAMP
    wanted = fingerprint(files)
    if stamp.exists() and stamp.read_text("utf-8") == wanted and version_of(str(interpreter)):
        return False
    stamp.unlink(missing_ok=True)
    if not version_of(str(interpreter)):
        shutil.rmtree(folder, ignore_errors=True)
        run(f"Making {name}", [python, "-m", "venv", folder], live)
    pip: list[str | Path] = [
        interpreter,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "--progress-bar",
        "off",
    ]
    for title, arguments in steps:
        run(title, [*pip, *arguments], live)
    stamp.write_text(wanted, "utf-8")
    return True


def ensure(dev: bool) -> None:
    """Make both runtimes, at the same time; with dev, what tests, lint and types need as well."""
    requirements = ROOT / "requirements"
    wanted = requirements / ("dev.txt" if dev else "runtime.txt")
    constraints = requirements / "constraints.txt"
    main_files = [requirements / "torch.txt", requirements / "runtime.txt", constraints, ROOT / "pyproject.toml"]
    dev_stamp = ROOT / ".venv" / ".refill-dev"
    dev_files = [*main_files, requirements / "dev.txt"]
    # A runtime that has the tests' packages serves `make run` as well.
    has_dev = dev_stamp.exists() and dev_stamp.read_text("utf-8") == fingerprint(dev_files)
    if dev and not has_dev:
        (ROOT / ".venv" / STAMP).unlink(missing_ok=True)
    rasa = [requirements / "rasa.txt", requirements / "constraints-rasa.txt"]
    installing_rasa = [("Installing Rasa (about 2 minutes)", ["-r", str(rasa[0]), "-c", str(rasa[1])])]
    modern, old = find_modern(), find_310()
    with ThreadPoolExecutor(1) as beside:
        other = beside.submit(ensure_runtime, ".venv-rasa", old, installing_rasa, rasa, live=False)
        ensure_runtime(
            ".venv",
            modern,
            [
                ("Installing PyTorch", ["-r", str(requirements / "torch.txt")]),
                ("Installing Refill's packages", ["-r", str(wanted), "-c", str(constraints)]),
                ("Installing Refill", ["--no-build-isolation", "--no-deps", "--editable", "."]),
            ],
            main_files,
        )
        if dev:
            dev_stamp.write_text(fingerprint(dev_files), "utf-8")
        other.result()


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dev", action="store_true", help="also install what tests, lint and types need")
    arguments = parser.parse_args()
    try:
        ensure(arguments.dev)
    except BootstrapError as error:
        say(f"✗ {error}")
        return 1
    except KeyboardInterrupt:
        say("\n✗ Interrupted. Run the command again to go on.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
