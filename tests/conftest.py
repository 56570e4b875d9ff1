"""What several test folders share: the settings, the real encoder, the running product, a real browser.

The heavy parts are made once per session, and only when a test asks for them. A part that is missing fails the test.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from bot.settings import Settings, load_settings
from tests.needs import browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from sqlalchemy import Engine, QueuePool

    from bot.encoder.encoder import Encoder
    from bot.knowledge.answer import Answerer
    from bot.serve import Running
    from bot.tagging.tagger import Tagger
    from tests.services import PostgreSQL, RedisServer

TEAM_KEY = "key-of-the-team-in-tests"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of these tests."""
    parser.addoption("--nightly", action="store_true", help="fault tests: 25 kills on each database instead of a few")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Heavy parts are made once: what starts Rasa stays together, other heavy modules each by itself.

    What tries the chat on other websites is a group of its own, so that both processes have about as much to do.
    """
    for item in items:
        if item.get_closest_marker("rasa"):
            elsewhere = item.nodeid.startswith(("tests/embedding/", "tests/injection/"))
            item.add_marker(pytest.mark.xdist_group("rasa-elsewhere" if elsewhere else "rasa"))
        elif any(item.get_closest_marker(mark) for mark in ("browser", "encoder", "services")):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))


@pytest.fixture(scope="session")
def settings() -> Settings:
    """The project's settings, whatever the environment of the tests says."""
    return load_settings(environ={})


@pytest.fixture(scope="session")
def encoder(settings: Settings) -> Encoder:
    """The real encoder."""
    from bot.encoder.encoder import load_encoder

    return load_encoder(settings)


@pytest.fixture(scope="session")
def answerer(settings: Settings, encoder: Encoder) -> Answerer:
    """Answers from the shipped knowledge base."""
    from bot.knowledge import build

    return build.answerer(settings, build.ensure_index(settings, encoder).index, encoder)


@pytest.fixture(scope="session")
def tagger(settings: Settings, encoder: Encoder) -> Tagger:
    """The real tagger."""
    from bot.tagging.build import ensure_tagger

    return ensure_tagger(settings, encoder)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A migrated database file of the test's own."""
    from tests.conversation.fakes import new_database

    engine = new_database(tmp_path)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL cluster, shared: each test has a database of its own in it."""
    from tests import services

    with services.postgresql() as cluster:
        yield cluster


@pytest.fixture
def pg_url(postgresql: PostgreSQL) -> Iterator[str]:
    """`storage.url` of a migrated PostgreSQL database of the test's own."""
    with postgresql.database() as url:
        yield url


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    """A Redis, shared. A test that stops it starts it again."""
    from tests.services import RedisServer

    server = RedisServer()
    yield server
    server.stop()


@pytest.fixture
def redis_url(redis: RedisServer) -> str:
    """`storage.redis_url` of a running Redis."""
    return redis.url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def any_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A migrated database of the test's own, of each kind."""
    if request.param == "sqlite":
        from tests.conversation.fakes import new_database

        engine = new_database(tmp_path)
    else:
        from bot.storage.engine import open_engine

        variables = {"REFILL_STORAGE_URL": request.getfixturevalue("pg_url")}
        engine = open_engine(load_settings(tmp_path, variables))
    yield engine
    # A thread of a service that was stopped may still be at work; its connection would be left open.
    for _ in range(500):
        if not cast("QueuePool", engine.pool).checkedout():
            break
        time.sleep(0.01)
    engine.dispose()


@dataclass
class Product:
    """The whole product, running: the real Rasa process, encoder, database and servers.

    Attributes:
        url: Of the public server.
        running: The parts.
        settings: In force.
        loop: They run in, on a thread of its own.
    """

    url: str
    running: Running
    settings: Settings
    loop: asyncio.AbstractEventLoop

    def call(self, coroutine: Any) -> Any:
        """Run a coroutine among the product's parts and wait for it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(120)


def start_product(
    settings: Settings, encoder: Encoder, answerer: Answerer, tagger: Tagger, database: Path
) -> Iterator[Product]:
    """Run the product on free ports with a database of its own, until the generator is closed."""
    from bot.serve import running

    own = settings.replace(
        server__port=0,
        server__internal_port=0,
        server__api_key=TEAM_KEY,
        dialogue__rasa_port=0,
        storage__url=f"sqlite:///{database}",
    )
    started: Future[Product] = Future()
    finish: Future[asyncio.Event] = Future()

    async def run() -> None:
        stop = asyncio.Event()
        finish.set_result(stop)
        try:
            async with running(own, encoder, answerer, tagger) as parts:
                started.set_result(Product(parts.url, parts, own, asyncio.get_running_loop()))
                await stop.wait()
        except BaseException as error:
            if not started.done():
                started.set_exception(error)
            raise

    thread = threading.Thread(target=asyncio.run, args=(run(),), name="product")
    thread.start()
    product = started.result(180)
    try:
        yield product
    finally:
        product.loop.call_soon_threadsafe(finish.result().set)
        thread.join(60)
        assert not thread.is_alive(), "the product did not stop within 60 s"


@pytest.fixture(scope="session")
def product(
    settings: Settings,
    encoder: Encoder,
    answerer: Answerer,
    tagger: Tagger,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Product]:
    """The whole product, shared by tests that leave it as it is."""
    yield from start_product(settings, encoder, answerer, tagger, tmp_path_factory.mktemp("product") / "refill.db")


@pytest.fixture
def own_product(
    settings: Settings, encoder: Encoder, answerer: Answerer, tagger: Tagger, tmp_path: Path
) -> Iterator[Product]:
    """A product of the test's own, to be broken."""
    yield from start_product(settings, encoder, answerer, tagger, tmp_path / "refill.db")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A real browser. Of a module, not the session: Playwright's event loop would be in the way of other tests'."""
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-component-update"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=browser(), args=[*arguments, "--disable-background-networking", "--disable-sync"]
        )
        yield started
        started.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page of a fresh profile, desktop size, English."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    yield context.new_page()
    context.close()
