"""Questions about profit and loss by day. Realized only; unrealized P&L has no place in a ledger."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

from sqlalchemy import func, select

from gateway.aggregates.exact import minus, plus, ratio, times, total
from gateway.aggregates.vocabulary import ZERO
from gateway.ledger.log import Log
from gateway.projections.fills import FILLS, FillRow
from gateway.projections.snapshot import Snapshot
from gateway.projections.tables import FILLS as FILLS_TABLE
from gateway.projections.verify import fold_log, legible

_PERCENT_PLACES: Final = 4
_HUNDRED: Final = Decimal(100)


@dataclass(frozen=True, slots=True)
class Traded:
    """What the executions of one UTC date realized, and how many of them realized anything."""

    realized: Decimal = ZERO
    closing_trades: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    date: date
    realized: Decimal
    cumulative: Decimal
    peak: Decimal
    drawdown_pct: Decimal
    """Zero or negative; at most 4 decimals."""
    closing_trades: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DailySeries:
    """Every day from the first trade in the range, or its start if that is later, to its end."""

    days: tuple[Day, ...]
    realized: Decimal
    max_drawdown_pct: Decimal
    first_trade_date: date | None
    """Of all trades in scope, inside the range or not."""
    position: int


def daily_series(traded: Mapping[date, Traded], start: date, end: date, *, position: int) -> DailySeries:
    """The series between two dates, both included. What happened outside of them is not counted."""
    first = min(traded, default=None)
    days: list[Day] = []
    day = end + timedelta(days=1) if first is None else max(start, first)
    while day <= end:
        days.append(_day(days[-1] if days else None, day, traded.get(day, Traded())))
        day += timedelta(days=1)
    return DailySeries(
        days=tuple(days),
        realized=total(day.realized for day in days),
        max_drawdown_pct=min((day.drawdown_pct for day in days), default=ZERO),
        first_trade_date=first,
        position=position,
    )


def _day(before: Day | None, today: date, traded: Traded) -> Day:
    cumulative = plus(before.cumulative, traded.realized) if before else traded.realized
    peak = max(before.peak, cumulative) if before else cumulative
    return Day(
        date=today,
        realized=traded.realized,
        cumulative=cumulative,
        peak=peak,
        drawdown_pct=_percent(minus(cumulative, peak), peak),
        closing_trades=traded.closing_trades,
    )


def _percent(change: Decimal, base: Decimal) -> Decimal:
    return ratio(times(change, _HUNDRED), base.copy_abs(), _PERCENT_PLACES) if base else ZERO


async def daily_performance(
    snapshot: Snapshot, start: date, end: date, *, strategies: Collection[str] | None = None
) -> DailySeries:
    """Realized P&L by day: the account's, or what these strategies made in their own books."""
    table = snapshot.table(FILLS_TABLE)
    realized = table.c.account_realized if strategies is None else table.c.strategy_realized
    by_day = (
        select(
            table.c.trade_date,
            func.sum(realized).label("realized"),
            func.count().filter(realized != 0).label("closing_trades"),
        )
        .where(table.c.counts)
        .group_by(table.c.trade_date)
    )
    if strategies is not None:
        by_day = by_day.where(table.c.strategy_id.in_(list(strategies)))
    traded = {row.trade_date: Traded(row.realized, row.closing_trades) for row in await snapshot.rows(by_day)}
    return daily_series(traded, start, end, position=snapshot.position(FILLS_TABLE))


async def realized_on(snapshot: Snapshot, day: date, *, upto: int | None = None) -> Decimal:
    """What the account realized on one UTC date; by executions booked up to a ledger position, if given."""
    table = snapshot.table(FILLS_TABLE)
    midnight = datetime.combine(day, time(), UTC)
    wanted = [table.c.counts, table.c.transact_time >= midnight, table.c.trade_date == day]
    if upto is not None:
        wanted.append(table.c.booked_at_position <= upto)
    (row,) = await snapshot.rows(select(func.sum(table.c.account_realized).label("realized")).where(*wanted))
    return row.realized if row.realized is not None else ZERO


async def daily_performance_as_of(
    log: Log, position: int, start: date, end: date, *, strategies: Collection[str] | None = None
) -> DailySeries:
    """The same, as it was known when the log ended at `position`. Raises ProjectionBehind, see `legible`."""
    with legible():
        folding = await fold_log(log, [FILLS], upto=position)
    fills: Iterable[FillRow] = folding.rows[FILLS.name].values()
    traded: dict[date, Traded] = {}
    for fill in fills:
        if fill.counts and (strategies is None or fill.strategy_id in strategies):
            realized = fill.account_realized if strategies is None else fill.strategy_realized
            before = traded.get(fill.trade_date, Traded())
            traded[fill.trade_date] = Traded(
                plus(before.realized, realized), before.closing_trades + (realized != 0)
            )
    return daily_series(traded, start, end, position=position)
