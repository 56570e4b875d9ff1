"""Days and times as customers read them."""

from __future__ import annotations

import datetime as dt

import pytest

from bot.handoff.moments import in_words

MOMENT = dt.datetime(2026, 11, 23, 6, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("language", "shown"),
    [
        ("en", "Monday 23 November, 09:00 (Istanbul)"),
        ("zh", "11月23日周一 09:00 (伊斯坦布尔)"),
        ("tr", "23 Kasım Pzt 09:00 (İstanbul)"),
        ("th", "วันจันทร์ที่ 23 พฤศจิกายน 09:00 (อิสตันบูล)"),
    ],
)
def test_moment(language: str, shown: str) -> None:
    assert in_words(MOMENT, "Europe/Istanbul", language) == shown


def test_utc_is_called_utc() -> None:
    assert in_words(MOMENT, "UTC", "en") == "Monday 23 November, 06:00 (UTC)"


def test_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="must have a time zone"):
        in_words(MOMENT.replace(tzinfo=None), "UTC", "en")
