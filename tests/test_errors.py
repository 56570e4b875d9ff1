"""Errors say what is wrong and what to do, and have a code and a status of their own."""

from __future__ import annotations

import pytest

import bot.conversation.store
import bot.knowledge.article
from bot import errors
from bot.errors import RefillError

assert bot.conversation.store
assert bot.knowledge.article


def _all(base: type[RefillError]) -> list[type[RefillError]]:
    return [base, *(error for child in base.__subclasses__() for error in _all(child))]


@pytest.mark.parametrize("error", _all(RefillError), ids=lambda error: error.__name__)
def test_error_has_a_code_a_status_and_a_description(error: type[RefillError]) -> None:
    assert error.code
    assert error.code == error.code.lower()
    assert 400 <= error.status < 600
    assert error.__doc__


def test_every_area_has_a_code_of_its_own() -> None:
    areas = RefillError.__subclasses__()
    assert len({area.code for area in areas}) == len(areas)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.InvalidInput, 422, "invalid_input"),
        (errors.NotFound, 404, "not_found"),
        (errors.Overloaded, 503, "overloaded"),
        (errors.DialogueError, 503, "dialogue"),
        (errors.StorageError, 503, "storage"),
    ],
)
def test_what_callers_rely_on(error: type[RefillError], status: int, code: str) -> None:
    assert (error.status, error.code) == (status, code)


def test_text_is_message_and_remedy() -> None:
    error = RefillError("The port is taken.", "Set another.")
    assert (error.message, error.remedy, str(error)) == (
        "The port is taken.",
        "Set another.",
        "The port is taken. Set another.",
    )
    assert str(RefillError("The port is taken.")) == "The port is taken."
