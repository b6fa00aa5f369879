"""Questions about what each strategy has been doing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.dialects.postgresql import distinct_on

from gateway.aggregates.vocabulary import ZERO, OrdStatus
from gateway.projections.snapshot import Snapshot
from gateway.projections.tables import FILLS, ORDERS, STRATEGY_POSITIONS

_FAILURES = (OrdStatus.REJECTED.value, OrdStatus.FAILED.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """One strategy: its newest order, what is open, what it made on one UTC date in its own book."""

    newest_at: datetime | None = None
    newest_status: OrdStatus | None = None
    last_error: str | None = None
    open_orders: int = 0
    positions: int = 0
    realized: Decimal = ZERO


async def strategies(snapshot: Snapshot, *, today: date, errors_since: datetime) -> Mapping[str, Activity]:
    """Every strategy that ever had an order or a position."""
    newest = {row.strategy_id: row for row in await _newest_orders(snapshot)}
    errors = {row.strategy_id: row.error_message for row in await _newest_orders(snapshot, errors_since)}
    live = await _by_strategy(snapshot, ORDERS, func.count().filter(snapshot.table(ORDERS).c.is_live))
    held = snapshot.table(STRATEGY_POSITIONS)
    positions = await _by_strategy(snapshot, STRATEGY_POSITIONS, func.count().filter(held.c.qty != 0))
    fills = snapshot.table(FILLS)
    realized = await _by_strategy(
        snapshot, FILLS, func.sum(fills.c.strategy_realized), fills.c.counts, fills.c.trade_date == today
    )
    return {
        strategy_id: Activity(
            newest_at=newest[strategy_id].created_at if strategy_id in newest else None,
            newest_status=OrdStatus(newest[strategy_id].status) if strategy_id in newest else None,
            last_error=errors.get(strategy_id),
            open_orders=live.get(strategy_id, 0),
            positions=positions.get(strategy_id, 0),
            realized=realized.get(strategy_id, ZERO),
        )
        for strategy_id in sorted(live.keys() | positions.keys())
    }


async def _newest_orders(snapshot: Snapshot, failed_since: datetime | None = None) -> list[Any]:
    """The newest order of each strategy; or the newest of those that were refused or failed since."""
    orders = snapshot.table(ORDERS)
    found = (
        select(orders.c.strategy_id, orders.c.created_at, orders.c.status, orders.c.error_message)
        .ext(distinct_on(orders.c.strategy_id))
        .order_by(orders.c.strategy_id, orders.c.created_at.desc(), orders.c.position.desc())
    )
    if failed_since is not None:
        found = found.where(orders.c.status.in_(_FAILURES), orders.c.created_at >= failed_since)
    return await snapshot.rows(found)


async def _by_strategy(
    snapshot: Snapshot, template: Any, figure: ColumnElement[Any], *wanted: ColumnElement[bool]
) -> dict[str, Any]:
    table = snapshot.table(template)
    rows = await snapshot.rows(
        select(table.c.strategy_id, figure.label("figure")).where(*wanted).group_by(table.c.strategy_id)
    )
    return {row.strategy_id: row.figure for row in rows}
