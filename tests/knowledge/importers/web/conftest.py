"""The website the tests of this folder read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.knowledge.importers.web.site import Site, running_site


@pytest.fixture
def site() -> Iterator[Site]:
    """A website that has nothing yet."""
    with running_site() as site:
        yield site
