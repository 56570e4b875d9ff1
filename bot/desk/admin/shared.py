"""What the forms of administration share."""

from __future__ import annotations

from fastapi import Request
from fastapi.datastructures import FormData

from bot.desk.pages import text, words_of
from bot.desk.words import sentence
from bot.errors import ConversationError, FieldError


class Problems(dict[str, str]):
    """What is wrong by field; "" for the form as a whole. A field that is not in it is right: its problem is empty."""

    def __missing__(self, field: str) -> str:
        return ""


def problems_of(request: Request, error: ConversationError, field: str = "") -> Problems:
    """What is wrong by field, in the reader's language.

    Args:
        request: The reader's.
        error: What was raised; only a FieldError names its field.
        field: The one to blame otherwise; empty: the whole form.
    """
    said = sentence(error, words_of(request))
    return Problems({error.field if isinstance(error, FieldError) else field: said})


def whole_number(form: FormData, name: str) -> int | None:
    """A field's whole number; None where it is empty.

    Raises:
        FieldError: It is no number; the rule is called as the field.
    """
    value = text(form, name)
    if not value:
        return None
    if not (value.isascii() and value.isdigit() and len(value) <= 9):
        raise FieldError(name, name, f"{value!r} is no whole number.", "Use digits only.")
    return int(value)
