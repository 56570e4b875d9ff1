"""Rules of `[invitations.<name>]` in refill.toml: what is shown to whom, where, and how often."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from bot.errors import SettingsError
from bot.settings import LANGUAGES, Settings
from bot.success.accounts import ACCOUNT_PATTERN
from bot.success.invitations import pages
from bot.tagging.tags import STAGES

LONGEST_TEXT = 300
LONGEST_WAIT = 3600
MOST_PAGES = 20
# Invitations that the website's own script opens are counted under this name.
OF_PAGE = "page"

_NAME = r"[a-z][a-z0-9_-]{0,29}"
_TEXT_RULE = f"a text of 1 to {LONGEST_TEXT} characters for one or more of the languages {', '.join(LANGUAGES)}"
_RULES = {
    **dict.fromkeys(LANGUAGES, _TEXT_RULE),
    "pages": f"a list of at most {MOST_PAGES}, each {pages.RULE}",
    "after": f"seconds from 0 to {LONGEST_WAIT}",
    "segment": "a table of identified, plans, stages, accounts, languages and returning",
    "identified": "true or false",
    "returning": "true or false",
    "plans": "a list of names of plans",
    "stages": f"a list out of {', '.join(STAGES)}",
    "accounts": "a list of ids of accounts",
    "languages": f"a list out of {', '.join(LANGUAGES)}",
    "every_days": "days from 1 to 3650",
    "most": "a whole number from 1 to 100",
    "from": "a day without quotes, as in 2026-11-22",
    "until": "a day without quotes, as in 2026-11-22",
    "enabled": "true or false",
}


def clean(text: str) -> str:
    """An invitation's text without the space around it.

    Raises:
        ValueError: It is empty, too long, or holds control characters.
    """
    text = text.strip()
    if not 1 <= len(text) <= LONGEST_TEXT or re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]", text):
        raise ValueError(_TEXT_RULE)
    return text


def _page(value: str) -> str:
    if not pages.is_pattern(value):
        raise ValueError(_RULES["pages"])
    return value


def _language(value: str) -> str:
    if value not in LANGUAGES:
        raise ValueError(_RULES["languages"])
    return value


def _stage(value: str) -> str:
    if value not in STAGES:
        raise ValueError(_RULES["stages"])
    return value


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Segment(_Table):
    """`[invitations.<name>.segment]`: whom a rule is for; what is left out does not matter.

    Attributes:
        identified: Customers a verified identity names (true), or only visitors nobody vouches for (false).
        plans: Of the customer's account, in small letters.
        stages: Of the customer's account.
        accounts: Their ids.
        languages: Of the page.
        returning: Visitors who were here on an earlier day (true), or were not (false); the browser judges that.
    """

    identified: bool | None = None
    plans: list[Annotated[str, AfterValidator(lambda plan: plan.strip().casefold())]] = Field([], max_length=50)
    stages: list[Annotated[str, AfterValidator(_stage)]] = []
    accounts: list[Annotated[str, Field(pattern=ACCOUNT_PATTERN)]] = Field([], max_length=1000)
    languages: list[Annotated[str, AfterValidator(_language)]] = []
    returning: bool | None = None

    @property
    def needs_account(self) -> bool:
        """Whether only the customer's account tells who is meant."""
        return bool(self.plans or self.stages or self.accounts)

    @model_validator(mode="after")
    def _can_be_met(self) -> Segment:
        if self.identified is False and self.needs_account:
            raise ValueError("without plans, stages and accounts where identified is false: nothing tells them then")
        return self


class Rule(_Table):
    """`[invitations.<name>]`.

    Attributes:
        texts: Markdown by language, in the order they are written.
        pages: Patterns of pages it is shown on; empty for all of them.
        after: Seconds on the page before it is shown.
        every_days: At least so many days between two times.
        most: So many times to the same person.
        first_day: First day it is shown, in UTC; None for no such day. `last_day` is the last one.
    """

    name: str = Field(pattern=f"^{_NAME}$")
    texts: dict[str, Annotated[str, AfterValidator(clean)]] = Field(min_length=1)
    pages: list[Annotated[str, AfterValidator(_page)]] = Field([], max_length=MOST_PAGES)
    after: int = Field(10, ge=0, le=LONGEST_WAIT)
    segment: Segment = Segment()
    every_days: int = Field(7, ge=1, le=3650)
    most: int = Field(3, ge=1, le=100)
    first_day: dt.date | None = Field(None, alias="from")
    last_day: dt.date | None = Field(None, alias="until")
    enabled: bool = True

    @model_validator(mode="after")
    def _days_in_order(self) -> Rule:
        if self.first_day and self.last_day and self.first_day > self.last_day:
            raise ValueError("a day 'from' that is not later than the day 'until'")
        return self


def invitation_rules(settings: Settings) -> tuple[Rule, ...]:
    """Read the rules, in the order of the file: the first that fits is shown.

    Raises:
        SettingsError: A key or value is not valid; names it and its rule.
    """
    return tuple(_read(name, table) for name, table in settings.section("invitations").items())


def _read(name: str, table: Any) -> Rule:
    place = f"invitations.{name}"
    if not re.fullmatch(_NAME, name) or name == OF_PAGE:
        raise SettingsError(
            f"'{place}' in refill.toml has no valid name.",
            f"Take 1 to 30 small letters, digits, - or _, beginning with a letter; not '{OF_PAGE}'.",
        )
    if not isinstance(table, dict):
        raise SettingsError(f"'{place}' in refill.toml must be a table.", f"Write [{place}] above its settings.")
    texts = {key: value for key, value in table.items() if key in LANGUAGES}
    rest = {key: value for key, value in table.items() if key not in LANGUAGES}
    reserved = {"name", "texts", "first_day", "last_day"} & rest.keys()
    if reserved:
        raise SettingsError(
            f"refill.toml has unknown settings: {place}.{min(reserved)}.", "docs/invitations.md lists all."
        )
    if not texts:
        raise SettingsError(f"'{place}' in refill.toml has no text.", f'Write {_TEXT_RULE}, as in en = "…".')
    try:
        return Rule.model_validate({"name": name, "texts": texts, **rest})
    except ValidationError as error:
        raise _problem(place, error) from error


def _problem(place: str, error: ValidationError) -> SettingsError:
    """What people read about the first problem."""
    first = error.errors(include_url=False)[0]
    keys = [str(key) for key in first["loc"] if isinstance(key, str) and key != "texts"]
    name = ".".join([place, *keys])
    if first["type"] == "extra_forbidden":
        return SettingsError(f"refill.toml has unknown settings: {name}.", "docs/invitations.md lists all.")
    known = [_RULES[key] for key in keys if key in _RULES]
    if first["type"] == "value_error":
        known.append(str(first["ctx"]["error"]))
    value = f" has value {first['input']!r}" if keys and not isinstance(first["input"], dict) else " is not valid"
    return SettingsError(
        f"Setting '{name}'{value} in refill.toml. It must be {known[-1]}.",
        "Correct it there; docs/invitations.md shows an example.",
    )
