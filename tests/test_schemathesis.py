"""Made-up requests, right and wrong ones, for every operation: never a fault of ours, never an answer not described."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.desk.calls import sent
from tests.desk.world import KEY, QUEUES, World, new_world

pytestmark = pytest.mark.slow

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = {GenerationMode.POSITIVE: 16, GenerationMode.NEGATIVE: 8}


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """The application with some cases, put back after each request."""
    world = new_world()
    world.state.closing = world.app.state.webchat.closing = True  # Streams end at once.
    world.save()
    yield world
    world.engine.dispose()


def there(world: World, operation: APIOperation[Any, Any, Any, Any]) -> dict[str, Any]:
    """Values of the path with which something is there."""
    path, _ = sent(world, (operation.method, operation.path), world.places[QUEUES[0]])
    names = operation.path.split("/")
    return {name[1:-1]: value for name, value in zip(names, path.split("/"), strict=True) if name.startswith("{")}


def send(world: World, case: Case[Any], token: str, known: dict[str, Any]) -> None:
    """Send a request, check the answer, put the world back."""
    if known:
        case.path_parameters = known
    if isinstance(case.query, dict) and "wait" in case.query:
        case.query = {**case.query, "wait": 0}  # Nobody waits here.
    try:
        case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, checks=CHECKS)
    finally:
        world.restore()


def try_operation(world: World, operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode, token: str) -> None:
    """Send an operation requests that fit its description, or that do not; half of them where something is there."""
    known = there(world, operation)

    @seed(1)
    @settings(
        max_examples=EXAMPLES[mode],
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), is_there=st.booleans())
    def check(case: Case[Any], is_there: bool) -> None:
        send(world, case, token, known if is_there else {})

    check()


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("of_team", [True, False], ids=["team", "visitors"])
def test_made_up_requests(world: World, mode: GenerationMode, of_team: bool) -> None:
    description = schemathesis.openapi.from_asgi("/openapi.json", world.app)
    token = KEY if of_team else world.places[QUEUES[0]].browser
    wrong, tried = [], 0
    for found in description.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        if ("team" in (operation.tags or ())) is of_team:
            try:
                try_operation(world, operation, mode, token)
            except Unsatisfiable:
                assert mode is GenerationMode.NEGATIVE, operation.label
            except FailureGroup as failure:
                wrong.append(f"{operation.label}: {failure}")
            tried += 1
    assert "\n\n".join(wrong) == ""
    assert tried >= (50 if of_team else 8)
