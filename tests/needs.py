"""Find what the tests need beside Python packages, or get it, or say in one line how.

The browser is the system's Chromium; else Playwright's own download; else Debian's package, when root. Firefox and the
database servers are the system's; else Debian's packages, when root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# The last one is where its package for macOS puts it.
_FIREFOX_NAMES = ("firefox-esr", "firefox", "/Applications/Firefox.app/Contents/MacOS/firefox")
_POSTGRESQL_PARTS = ("initdb", "postgres")
# Where Debian's and Homebrew's packages keep what they leave off the PATH.
_POSTGRESQL_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
)
_NO_POSTGRESQL = "No PostgreSQL for the tests. Run: apt-get install postgresql   (macOS: brew install postgresql)"
_NO_REDIS = "No Redis for the tests. Run: apt-get install redis-server   (macOS: brew install redis)"
_NO_FIREFOX = "No Firefox for the tests. Run: apt-get install firefox-esr   (macOS: brew install --cask firefox)"
_REMEDY = "No browser for the tests. Run: apt-get install chromium   (or: .venv/bin/playwright install chromium)"


def system_browser() -> str | None:
    """The system's Chromium or Chrome, if there is one."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


def downloaded_browser() -> str | None:
    """The Chromium Playwright downloaded before, if there is one."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def browser() -> str:
    """Path of a browser.

    Raises:
        RuntimeError: There is none; the text is the line to run.
    """
    found = system_browser() or downloaded_browser()
    if found is None:
        raise RuntimeError(_REMEDY)
    return found


def firefox() -> str:
    """Path of a Firefox.

    Raises:
        RuntimeError: There is none; the text is the line to run.
    """
    found = next((path for name in _FIREFOX_NAMES if (path := shutil.which(name))), None)
    if found is None:
        raise RuntimeError(_NO_FIREFOX)
    return found


def postgresql() -> Path:
    """The folder of PostgreSQL's programs: of those on the PATH, else of the newest that is installed.

    Raises:
        RuntimeError: There are none; the text is the line to run.
    """
    found = [Path(path).resolve().parent for path in (shutil.which("postgres"),) if path]
    for pattern in _POSTGRESQL_FOLDERS:
        found += sorted(Path("/").glob(pattern[1:]), key=_version, reverse=True)
    for folder in found:
        if all((folder / part).is_file() for part in _POSTGRESQL_PARTS):
            return folder
    raise RuntimeError(_NO_POSTGRESQL)


def _version(folder: Path) -> int:
    return int("".join(filter(str.isdecimal, folder.parent.name)) or 0)


def redis() -> str:
    """Path of a Redis (or Valkey) server.

    Raises:
        RuntimeError: There is none; the text is the line to run.
    """
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found is None:
        raise RuntimeError(_NO_REDIS)
    return found


def _quietly(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=900, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def ensure_browser() -> str:
    """A browser, installed if need be."""
    if found := system_browser() or downloaded_browser():
        return found
    print("… Getting a browser for the tests", file=sys.stderr, flush=True)
    if _quietly(sys.executable, "-m", "playwright", "install", "chromium") and (found := downloaded_browser()):
        return found
    _install("chromium", "fonts-noto-cjk", "fonts-thai-tlwg")
    return browser()


def _install(*packages: str) -> None:
    """Get Debian's packages, when root on such a system."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        _quietly("apt-get", "update")
        _quietly("apt-get", "install", "-y", "--no-install-recommends", *packages)


def _ensure(name: str, find: Callable[[], object], package: str) -> object:
    try:
        return find()
    except RuntimeError:
        print(f"… Getting {name} for the tests", file=sys.stderr, flush=True)
        _install(package)
        return find()


def ensure_firefox() -> object:
    """A Firefox, installed if need be."""
    return _ensure("Firefox", firefox, "firefox-esr")


def ensure_postgresql() -> object:
    """PostgreSQL's programs, installed if need be."""
    return _ensure("PostgreSQL", postgresql, "postgresql")


def ensure_redis() -> object:
    """A Redis server, installed if need be."""
    return _ensure("Redis", redis, "redis-server")


def main() -> int:
    """Look for everything; 1 if something is missing."""
    missing = 0
    for name, ensure in (
        ("Browser", ensure_browser),
        ("Firefox", ensure_firefox),
        ("PostgreSQL", ensure_postgresql),
        ("Redis", ensure_redis),
    ):
        try:
            print(f"✓ {name} for the tests: {ensure()}", file=sys.stderr)
        except RuntimeError as error:
            print(f"✗ {error}", file=sys.stderr)
            missing = 1
    return missing


if __name__ == "__main__":
    sys.exit(main())
