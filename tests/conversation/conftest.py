"""A conversation service for each test, on a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.conversation.fakes import Bench


@pytest.fixture
async def make_bench(engine: Engine) -> AsyncIterator[Callable[..., Bench]]:
    """Makes services, all on the same database; stops them at the end."""
    made: list[Bench] = []

    def make(**options: Any) -> Bench:
        made.append(Bench(engine, **options))
        return made[-1]

    yield make
    for bench in made:
        await bench.service.stop(0)


@pytest.fixture
async def bench(make_bench: Callable[..., Bench]) -> Bench:
    """A service with the usual limits."""
    return make_bench()
