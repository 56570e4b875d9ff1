"""A database file that does not exist yet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from bot.settings import Settings, load_settings
from bot.storage.engine import open_engine


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a project in a folder of its own."""
    return load_settings(tmp_path, {})


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    """Of its database, without tables."""
    engine = open_engine(settings)
    yield engine
    engine.dispose()
