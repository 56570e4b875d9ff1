"""A website of somebody else's, the product its widget comes from, and a visitor's browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import ConsoleMessage, Page

from tests.embedding import host as hosts
from tests.embedding.chat import PATIENCE
from tests.embedding.host import Host
from tests.embedding.shop import Shop, open_shop


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """The website, on an origin of its own."""
    with hosts.serving() as host:
        yield host


@pytest.fixture(scope="module")
def shop(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The product, which lets the website embed it."""
    with open_shop(tmp_path_factory.mktemp("shop"), webchat__origins=host.origins) as shop:
        host.refill = shop.url
        yield shop


class Complaints(list[str]):
    """What the browser complained of; a test forgives what it caused on purpose."""

    def forgive(self, *causes: str) -> None:
        """Drop complaints that contain one of the causes."""
        self[:] = [text for text in self if not any(cause in text for cause in causes)]


@pytest.fixture(autouse=True)
def complaints(request: pytest.FixtureRequest) -> Iterator[Complaints]:
    """No page may log an error or a warning: exceptions, failed requests, violations of a content policy."""
    found = Complaints()
    if "page" in request.fixturenames:
        page: Page = request.getfixturevalue("page")
        page.set_default_timeout(PATIENCE)

        def note(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                found.append(f"{message.text} ({message.location['url']})")

        page.context.on("console", note)
        page.context.on("weberror", lambda error: found.append(str(error.error)))
    yield found
    assert found == []
