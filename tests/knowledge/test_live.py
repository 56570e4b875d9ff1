"""A rebuilt index is taken up while questions are answered, and none of them fails."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bot.knowledge import live as module
from bot.knowledge.answer import Answerer
from bot.knowledge.build import answerer, current_answerer, ensure_index, index_folder
from bot.knowledge.index import MANIFEST, read_manifest
from bot.knowledge.live import LiveAnswerer
from bot.settings import Settings
from tests.knowledge.fakes import WordEncoder, project, put

WORDS = ("milk", "cups", "beans", "foam")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A project of four articles."""
    for word in WORDS:
        put(tmp_path, word, f"Edition 0 of {word}.", title=f"The {word}", questions=f'["where is the {word}"]')
    return project(tmp_path)


def edit(settings: Settings, edition: int) -> None:
    put(settings.root, "milk", f"Edition {edition} of milk.", title="The milk", questions='["where is the milk"]')


def start(settings: Settings, reports: list[str] | None = None) -> LiveAnswerer:
    """The answerer of the project, watching its index."""
    encoder = WordEncoder()
    first = answerer(settings, ensure_index(settings, encoder).index, encoder)
    report = (lambda line: None) if reports is None else reports.append
    return LiveAnswerer(first, index_folder(settings), lambda: current_answerer(settings, encoder), report)


def body(live: LiveAnswerer) -> str:
    found = live().find("milk")
    assert found is not None
    return found.body


def test_a_rebuilt_index_is_taken_up(settings: Settings) -> None:
    reports: list[str] = []
    live = start(settings, reports)
    assert not live.refresh()
    edit(settings, 1)
    ensure_index(settings, WordEncoder())
    assert body(live) == "Edition 0 of milk."
    assert live.refresh()
    assert body(live) == "Edition 1 of milk."
    assert not live.refresh()
    assert reports == ["The new index is in use"]


def test_one_rebuilt_before_the_first_look_is_taken_up(settings: Settings) -> None:
    live = start(settings)
    edit(settings, 1)
    ensure_index(settings, WordEncoder())
    assert live.refresh()
    assert body(live) == "Edition 1 of milk."


def test_it_watches(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHECK_SECONDS", 0.02)

    async def until_edited() -> None:
        in_use = asyncio.Event()
        loop = asyncio.get_running_loop()
        encoder = WordEncoder()
        first = answerer(settings, ensure_index(settings, encoder).index, encoder)
        live = LiveAnswerer(
            first,
            index_folder(settings),
            lambda: current_answerer(settings, encoder),
            lambda line: loop.call_soon_threadsafe(in_use.set),
        )
        watching = asyncio.create_task(live.watch())
        edit(settings, 1)
        await asyncio.to_thread(ensure_index, settings, WordEncoder())
        async with asyncio.timeout(20):
            await in_use.wait()
        assert body(live) == "Edition 1 of milk."
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching

    asyncio.run(until_edited())


def damage(settings: Settings, how: str) -> None:
    """Make an index that cannot be used the current one."""
    folder = index_folder(settings)
    edit(settings, 1)
    ensure_index(settings, WordEncoder("another" if how == "another encoder" else "words"))
    if how == "damaged":
        (folder / str(read_manifest(folder)["folder"]) / "public.chunks.faiss").write_bytes(b"IxFI")
    elif how == "no manifest":
        (folder / MANIFEST).unlink()
    elif how == "no files":
        shutil.rmtree(folder / str(read_manifest(folder)["folder"]))
    elif how == "broken manifest":
        (folder / MANIFEST).write_text("{", "utf-8")


@pytest.mark.parametrize("how", ["damaged", "no manifest", "no files", "broken manifest", "another encoder"])
def test_an_index_that_cannot_be_read_is_reported_once(
    settings: Settings, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    live = start(settings)
    damage(settings, how)
    with caplog.at_level(logging.ERROR):
        assert [live.refresh() for _ in range(3)] == [False] * 3
    assert caplog.text.count("the one before stays in use") == 1
    assert live().decide("where is the milk").article_id == "milk"
    assert body(live) == "Edition 0 of milk."
    edit(settings, 2)
    ensure_index(settings, WordEncoder())
    assert live.refresh()
    assert body(live) == "Edition 2 of milk."


def test_an_error_nobody_expected_leaves_the_old_one(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    first = start(settings)()

    def load() -> Answerer:
        raise ZeroDivisionError

    live = LiveAnswerer(first, index_folder(settings), load)
    edit(settings, 1)
    ensure_index(settings, WordEncoder())
    assert not live.refresh()
    assert live() is first
    assert "ZeroDivisionError" in caplog.text


REBUILDS = """
import sys
from pathlib import Path
from bot.knowledge.build import ensure_index
from bot.settings import load_settings
from tests.knowledge.fakes import WordEncoder
from tests.knowledge.test_live import edit

settings = load_settings(Path(sys.argv[1]), environ={})
for edition in range(1, int(sys.argv[2]) + 1):
    edit(settings, edition)
    assert ensure_index(settings, WordEncoder()).rebuilt
"""


@pytest.mark.slow
def test_no_question_fails_while_another_process_rebuilds(settings: Settings) -> None:
    live = start(settings)
    stop = threading.Event()
    failures: list[BaseException] = []
    seen: dict[str, None] = {}
    asked = 0

    def ask() -> None:
        nonlocal asked
        while not stop.is_set():
            try:
                one = live()
                found = one.article_answer("milk", "where is the milk")
                assert one.decide("where is the foam").article_id == "foam"
                assert found is not None
                assert found.answer is not None
                seen[found.answer] = None
                asked += 1
            except BaseException as error:  # noqa: BLE001  (shown by the test)
                failures.append(error)
                return

    def look() -> None:
        while not stop.is_set():
            live.refresh()

    threads = [threading.Thread(target=work) for work in (ask, ask, ask, look)]
    for thread in threads:
        thread.start()
    try:
        root = Path(__file__).parents[2]
        subprocess.run([sys.executable, "-c", REBUILDS, str(settings.root), "20"], cwd=root, check=True, timeout=120)
        live.refresh()
        assert live().find("milk") is not None
    finally:
        stop.set()
        for thread in threads:
            thread.join(20)
    assert failures == []
    assert asked > 100
    assert len(seen) > 3
    assert body(live) == "Edition 20 of milk."
    assert set(seen) <= {f"Edition {number} of milk." for number in range(21)}


def test_the_manifest_names_the_build_in_use(settings: Settings) -> None:
    live = start(settings)
    manifest = json.loads((index_folder(settings) / MANIFEST).read_text("utf-8"))
    assert live().build == manifest["folder"]
