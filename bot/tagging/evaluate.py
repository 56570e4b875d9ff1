"""Labelled messages from a file, and what the tagger makes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bot.errors import TaggingError
from bot.tagging.metrics import TagScores, score
from bot.tagging.tagger import Tagger
from bot.tagging.tags import TAGS, Signal, Topic


class Labelled(BaseModel):
    """One line of the file."""

    model_config = ConfigDict(extra="ignore", strict=True)
    id: str | int
    lang: Literal["en", "zh", "tr", "th"]
    text: Annotated[str, Field(min_length=1)]
    reactive: bool
    topics: list[Topic]
    signals: list[Signal]
    urgent: bool

    @model_validator(mode="after")
    def _agree(self) -> Labelled:
        if self.reactive != bool(self.topics):
            raise ValueError("'reactive' must be true exactly when there are topics")
        return self


def read_labelled(file: Path) -> list[Labelled]:
    """Messages of a JSON Lines file.

    Raises:
        TaggingError: It cannot be read, is empty, or a line breaks a rule.
    """
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TaggingError(f"{file} cannot be read: {error}.", "Name a file of JSON lines in UTF-8.") from error
    found: list[Labelled] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found.append(Labelled.model_validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "line"
            raise TaggingError(
                f"{file.name}, line {number}: {place}: {first['msg']}.",
                'A line is {"id", "lang", "text", "reactive", "topics", "signals", "urgent"}.',
            ) from error
    if not found:
        raise TaggingError(f"{file.name} has no messages.", "A line is one message in JSON.")
    ids = [str(message.id) for message in found]
    if twice := next((name for name in ids if ids.count(name) > 1), None):
        raise TaggingError(f"{file.name} has the id {twice!r} twice.", "Give each message its own.")
    return found


def tag_each(
    tagger: Tagger, messages: Sequence[Labelled], progress: Callable[[int], None] = lambda count: None
) -> TagScores:
    """Tag messages and score what was said.

    Args:
        tagger: To be measured.
        messages: At least one.
        progress: Called with the number of messages tagged since the last call.
    """
    probabilities = np.zeros((len(messages), len(TAGS)))
    said, true = np.zeros((2, len(messages), len(TAGS) + 1), dtype=np.bool_)
    for row, message in enumerate(messages):
        found = tagger.weigh(message.text, message.lang)
        probabilities[row] = found.probabilities[: len(TAGS)]
        said[row] = found.carried
        true[row] = [name in (*message.topics, *message.signals) for name in TAGS] + [message.urgent]
        progress(1)
    return score(said, true, probabilities, [message.lang for message in messages])
