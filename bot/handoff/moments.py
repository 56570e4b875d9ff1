"""A day and time as customers read it in the bot's messages."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from babel.dates import format_skeleton, format_time, get_datetime_format, get_timezone_location

# English as the bot writes it: the day before the month.
_LOCALES = {"en": "en_GB"}


def in_words(moment: dt.datetime, time_zone: str, language: str) -> str:
    """A moment on the clock of a time zone, in a language: `Monday 23 November, 09:00 (Istanbul)`.

    Args:
        moment: With a time zone.
        time_zone: Its name, as `Europe/Istanbul`.
        language: One of `bot.settings.LANGUAGES`.

    Raises:
        ValueError: The moment has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"The moment {moment} must have a time zone.")
    locale = _LOCALES.get(language, language)
    there = moment.astimezone(ZoneInfo(time_zone))
    day = format_skeleton("MMMMEEEEd", there, locale=locale)
    time = format_time(there, "HH:mm", locale=locale)
    place = get_timezone_location(there.tzinfo, locale=locale, return_city=True)
    both = str(get_datetime_format("medium", locale=locale)).format(time, day)
    return f"{both} ({place})"
