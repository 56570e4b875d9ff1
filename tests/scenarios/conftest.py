"""Visitors of a running product."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.conftest import Product
from tests.scenarios.visitor import Visitor

Visit = Callable[..., Visitor]


@pytest.fixture
def visit() -> Iterator[Visit]:
    """Makes visitors of a product, in a language, and sees them off at the end."""
    visitors: list[Visitor] = []

    def make(product: Product, language: str | None = None) -> Visitor:
        visitors.append(Visitor(product.url, language))
        return visitors[-1]

    yield make
    for visitor in visitors:
        visitor.http.close()
