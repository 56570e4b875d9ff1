"""Find what the tests need beside Python packages, or get it, or say in one line how.

The browser is the system's Chromium; else Playwright's own download; else Debian's package, when root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
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
    if os.geteuid() == 0 and shutil.which("apt-get"):
        _quietly("apt-get", "update")
        _quietly("apt-get", "install", "-y", "--no-install-recommends", "chromium", "fonts-noto-cjk", "fonts-thai-tlwg")
        if found := system_browser():
            return found
    raise RuntimeError(_REMEDY)


if __name__ == "__main__":
    try:
        print(f"✓ Browser for the tests: {ensure_browser()}", file=sys.stderr)
    except RuntimeError as error:
        print(f"✗ {error}", file=sys.stderr)
        sys.exit(1)
