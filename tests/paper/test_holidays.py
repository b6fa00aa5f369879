"""The calendar of the exchange in New York, as it was published."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from gateway.paper.clock import RegularHours, following_day
from gateway.paper.holidays import easter, is_half_day, is_trading_day

CLOSED = {
    2022: "01-17 02-21 04-15 05-30 06-20 07-04 09-05 11-24 12-26",
    2023: "01-02 01-16 02-20 04-07 05-29 06-19 07-04 09-04 11-23 12-25",
    2024: "01-01 01-15 02-19 03-29 05-27 06-19 07-04 09-02 11-28 12-25",
    2025: "01-01 01-09 01-20 02-17 04-18 05-26 06-19 07-04 09-01 11-27 12-25",
    2026: "01-01 01-19 02-16 04-03 05-25 06-19 07-03 09-07 11-26 12-25",
    2027: "01-01 01-18 02-15 03-26 05-31 06-18 07-05 09-06 11-25 12-24",
    2028: "01-17 02-21 04-14 05-29 06-19 07-04 09-04 11-23 12-25",
}
EARLY = {
    2022: "11-25",
    2023: "07-03 11-24",
    2024: "07-03 11-29 12-24",
    2025: "07-03 11-28 12-24",
    2026: "11-27 12-24",
    2027: "11-26",
    2028: "07-03 11-24",
}


def weekdays(year: int) -> list[date]:
    days = (date(year, 1, 1) + timedelta(days=n) for n in range(366))
    return [day for day in days if day.year == year and day.weekday() < 5]


@pytest.mark.parametrize("year", CLOSED)
def test_a_year_has_the_holidays_and_half_days_that_were_published(year: int) -> None:
    closed = [f"{day:%m-%d}" for day in weekdays(year) if not is_trading_day(day)]
    early = [f"{day:%m-%d}" for day in weekdays(year) if is_trading_day(day) and is_half_day(day)]
    assert (" ".join(closed), " ".join(early)) == (CLOSED[year], EARLY[year])


def test_easter_falls_where_the_church_puts_it() -> None:
    known = ["1961-04-02", "1981-04-19", "2000-04-23", "2008-03-23", "2011-04-24", "2024-03-31", "2038-04-25"]
    assert [str(easter(int(day[:4]))) for day in known] == known


def test_trades_settle_on_the_next_trading_day() -> None:
    session = RegularHours()
    assert following_day(session, date(2026, 11, 25)) == date(2026, 11, 27)
    assert following_day(session, date(2026, 12, 24)) == date(2026, 12, 28)
