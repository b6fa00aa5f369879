"""The days on which the New York Stock Exchange is closed, and those on which it closes early."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from typing import Final

MONDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY = 0, 3, 4, 5, 6
FIRST_JUNETEENTH: Final = 2022

# Closed for one occasion only.
EXTRAORDINARY: Final = frozenset(
    {
        date(2001, 9, 11),
        date(2001, 9, 12),
        date(2001, 9, 13),
        date(2001, 9, 14),
        date(2004, 6, 11),
        date(2007, 1, 2),
        date(2012, 10, 29),
        date(2012, 10, 30),
        date(2018, 12, 5),
        date(2025, 1, 9),
    }
)


def is_trading_day(day: date) -> bool:
    return day.weekday() < SATURDAY and day not in holidays(day.year) and day not in EXTRAORDINARY


def is_half_day(day: date) -> bool:
    """The day after Thanksgiving, and the eves of Independence Day and Christmas."""
    if day == _thanksgiving(day.year) + timedelta(days=1):
        return True
    return (day.month, day.day) in {(7, 3), (12, 24)} and day.weekday() < FRIDAY


@lru_cache(maxsize=64)
def holidays(year: int) -> frozenset[date]:
    days = {
        _nth(year, 1, MONDAY, 3),
        _nth(year, 2, MONDAY, 3),
        easter(year) - timedelta(days=2),
        _nth(year, 6, MONDAY, 1) - timedelta(days=7),
        _observed(date(year, 7, 4)),
        _nth(year, 9, MONDAY, 1),
        _thanksgiving(year),
        _observed(date(year, 12, 25)),
    }
    # A Saturday's New Year would be observed in the old year, whose books must close: it is not.
    if (new_year := date(year, 1, 1)).weekday() != SATURDAY:
        days.add(_observed(new_year))
    if year >= FIRST_JUNETEENTH:
        days.add(_observed(date(year, 6, 19)))
    return frozenset(days)


def easter(year: int) -> date:
    """Easter Sunday by the anonymous Gregorian computus."""
    golden, (century, rest) = year % 19, divmod(year, 100)
    leaps, odd = divmod(century, 4)
    moon = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - leaps - moon + 15) % 30
    weekday = (32 + 2 * odd + 2 * (rest // 4) - epact - rest % 4) % 7
    shift = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * shift + 114, 31)
    return date(year, month, day + 1)


def _nth(year: int, month: int, weekday: int, n: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))


def _thanksgiving(year: int) -> date:
    return _nth(year, 11, THURSDAY, 4)


def _observed(day: date) -> date:
    """Saturday's holiday is kept on Friday, Sunday's on Monday."""
    return day + timedelta(days={SATURDAY: -1, SUNDAY: 1}.get(day.weekday(), 0))
