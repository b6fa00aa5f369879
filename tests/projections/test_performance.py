"""The arithmetic of daily performance."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from gateway.projections.queries.performance import Traded, daily_series

FIRST = date(2026, 3, 2)


def day(number: int) -> date:
    return FIRST + timedelta(days=number - 1)


@pytest.mark.parametrize(
    ("realized", "days", "cumulative", "drawdown", "total", "worst"),
    [
        ({1: 100, 3: -50}, 4, [100, 100, 50, 50], [0, 0, -50, -50], 50, -50),
        ({1: -100, 2: -50}, 2, [-100, -150], [0, -50], -150, -50),
        ({1: 0, 2: 100, 3: -25}, 3, [0, 100, 75], [0, 0, -25], 75, -25),
    ],
)
def test_the_vectors_of_the_contract(
    realized: dict[int, int],
    days: int,
    cumulative: list[int],
    drawdown: list[int],
    total: int,
    worst: int,
) -> None:
    traded = {day(number): Traded(Decimal(amount), 1) for number, amount in realized.items()}
    series = daily_series(traded, day(1), day(days), position=7)
    assert [d.date for d in series.days] == [day(number) for number in range(1, days + 1)]
    assert [d.cumulative for d in series.days] == cumulative
    assert [d.drawdown_pct for d in series.days] == drawdown
    assert (series.realized, series.max_drawdown_pct, series.position) == (total, worst, 7)


def test_the_series_starts_with_the_first_trade_even_when_asked_for_more() -> None:
    series = daily_series({day(3): Traded(Decimal(5), 1)}, day(1), day(4), position=0)
    assert [(d.date, d.closing_trades) for d in series.days] == [(day(3), 1), (day(4), 0)]


def test_days_outside_the_range_never_appear_and_are_not_summed() -> None:
    traded = {day(1): Traded(Decimal(1000), 1), day(3): Traded(Decimal(5), 1), day(9): Traded(Decimal(7), 1)}
    series = daily_series(traded, day(2), day(4), position=0)
    assert [d.cumulative for d in series.days] == [0, 5, 5]
    assert series.realized == 5
    assert series.first_trade_date == day(1)


@pytest.mark.parametrize("traded", [{}, {day(9): Traded(Decimal(1), 1)}])
def test_without_trades_up_to_the_end_the_series_is_empty(traded: dict[date, Traded]) -> None:
    series = daily_series(traded, day(1), day(4), position=0)
    assert (series.days, series.realized, series.max_drawdown_pct) == ((), 0, 0)


def test_percentages_have_four_decimals_at_most() -> None:
    traded = {day(1): Traded(Decimal(3)), day(2): Traded(Decimal(-1))}
    assert daily_series(traded, day(1), day(2), position=0).days[1].drawdown_pct == Decimal("-33.3333")
