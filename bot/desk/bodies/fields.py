"""Fields that several bodies have."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from bot.conversation.corrections import LONGEST_NAME
from bot.success.accounts import ACCOUNT_PATTERN

MOMENT_RULE = "must be a moment with its zone, as 2026-11-22T09:30:00+03:00"


def _moment(value: object) -> object:
    """Only ISO 8601 is taken: pydantic alone would read 1700000000 too."""
    if not isinstance(value, str):
        raise ValueError(MOMENT_RULE)
    try:
        return dt.datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(MOMENT_RULE) from None


AccountId = Annotated[
    str, Field(pattern=ACCOUNT_PATTERN, description="By which your other systems know the company; made if unknown.")
]
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
Moment = Annotated[AwareDatetime, BeforeValidator(_moment)]


class Given(BaseModel):
    """What a request brings; a key nobody asked for is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)
