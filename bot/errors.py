"""Errors that people read: one base per area, each with what to do about it."""

from __future__ import annotations

from pydantic import BaseModel


class RefillError(Exception):
    """Base of every error Refill raises on purpose.

    Args:
        message: What is wrong, naming the rule and the value given.
        remedy: What the reader can do about it, one sentence; may be empty.
        rule: Short name of what is wrong, by which pages find the sentence in the reader's language.
        values: What that sentence has places for.
    """

    code = "error"
    status = 500
    # Seconds after which the same may go well.
    retry_after: int | None = None

    def __init__(self, message: str, remedy: str = "", *, rule: str = "", **values: object) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.rule = rule
        self.values = values

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class SettingsError(RefillError):
    """A setting in refill.toml or the environment is wrong."""

    code = "settings"


class EncoderError(RefillError):
    """The encoder cannot be built, loaded or reached."""

    code = "encoder"
    status = 503


class KnowledgeError(RefillError):
    """The knowledge base or its index is not usable."""

    code = "knowledge"


class TaggingError(RefillError):
    """Examples of tags or the tagger trained from them are not usable."""

    code = "tagging"
    status = 503


class DialogueError(RefillError):
    """Rasa is down, late, or its model is not the one that was trained here."""

    code = "dialogue"
    status = 503


class StorageError(RefillError):
    """The database is not usable."""

    code = "storage"
    status = 503


class ConversationError(RefillError):
    """A request about a conversation cannot be carried out."""

    code = "conversation"
    status = 409


class InvalidInput(ConversationError):
    """What was sent breaks a rule; nothing was stored."""

    code = "invalid_input"
    status = 422


class FieldError(InvalidInput):
    """One field of what was sent breaks a rule.

    Args:
        field: Its name.
        rule: Short name of the rule.
    """

    def __init__(self, field: str, rule: str, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy, rule=rule)
        self.field = field


class NotFound(ConversationError):
    """There is no such thing, or it is not this visitor's."""

    code = "not_found"
    status = 404


class Overloaded(ConversationError):
    """Too much is waiting; try again shortly."""

    code = "overloaded"
    status = 503
    retry_after = 5


class TooLarge(RefillError):
    """A request's body is larger than what is taken."""

    code = "too_large"
    status = 413


class ErrorDetail(BaseModel):
    """What went wrong and what to do."""

    code: str
    message: str
    remedy: str


class ErrorBody(BaseModel):
    """The one shape of every error."""

    error: ErrorDetail
