"""A scanner is a program of the operator's: it may find something, hang, crash, or not be there."""

from __future__ import annotations

import asyncio
import os
import stat
import time
from pathlib import Path

import psutil
import pytest

from bot.attachments.errors import FileInfected, FileUnscanned
from bot.attachments.scanner import Scanner

# Finds what holds the word EICAR, as clamdscan would; leaves its process id behind.
SCRIPT = """#!/bin/sh
echo $$ > "$1"
case "$2" in
  hang) sleep 60 & wait ;;
  crash) kill -SEGV $$ ;;
  early) exit 0 ;;
  odd) cat > /dev/null; echo "no signatures"; exit 2 ;;
esac
if grep -q EICAR; then echo "stream: Eicar FOUND"; exit 1; fi
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    file = tmp_path / "scan it.sh"
    file.write_text(SCRIPT)
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return file


def scanner(script: Path, way: str = "", seconds: float = 10.0) -> Scanner:
    return Scanner((str(script), str(script.with_suffix(".pid")), way), seconds)


async def test_a_clean_file_passes(script: Path) -> None:
    await scanner(script).scan("a.txt", b"Hello\0" * 100_000)


async def test_an_infected_file_does_not(script: Path) -> None:
    with pytest.raises(FileInfected, match=r"harmful in 'a\.txt'"):
        await scanner(script).scan("a.txt", b"xEICARx")


async def test_a_scanner_that_does_not_read_to_the_end_may_still_say_yes(script: Path) -> None:
    await scanner(script, "early").scan("a.txt", b"a" * 5_000_000)


@pytest.mark.parametrize("way", ["crash", "odd"])
async def test_a_scanner_that_fails_lets_nothing_pass(script: Path, way: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(FileUnscanned, match="Send it again in a few minutes"):
        await scanner(script, way).scan("secret name.txt", b"a")
    assert "ended with" in caplog.text
    assert "secret name" not in caplog.text


async def test_a_scanner_that_hangs_is_ended_with_all_it_started(script: Path) -> None:
    begin = time.monotonic()
    with pytest.raises(FileUnscanned):
        await scanner(script, "hang", 0.3).scan("a.txt", b"a")
    assert time.monotonic() - begin < 5
    group = int(script.with_suffix(".pid").read_text())
    assert [one for one in psutil.process_iter() if runs_in(one, group)] == []


def runs_in(process: psutil.Process, group: int) -> bool:
    """Whether a process of a group is at work; what was ended may still be listed."""
    try:
        return os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE
    except (ProcessLookupError, PermissionError, psutil.NoSuchProcess):
        return False


async def test_a_scanner_that_is_not_there_lets_nothing_pass(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(FileUnscanned):
        await Scanner((str(tmp_path / "none"),), 5).scan("a.txt", b"a")
    assert "cannot be run" in caplog.text


async def test_files_wait_for_their_turn_no_longer_than_the_limit(script: Path) -> None:
    slow = scanner(script, "hang", 0.5)
    found = await asyncio.gather(*(slow.scan("a.txt", b"a") for _ in range(8)), return_exceptions=True)
    assert [type(one) for one in found] == [FileUnscanned] * 8
