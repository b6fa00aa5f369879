"""Questions about orders and their executions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, func, select

from gateway.aggregates.vocabulary import OrdStatus, order_stream
from gateway.ledger.log import Log
from gateway.projections.folding import Folding
from gateway.projections.orders import ORDERS, OrderRow, load
from gateway.projections.snapshot import Snapshot
from gateway.projections.tables import FILLS as FILLS_TABLE
from gateway.projections.tables import ORDERS as ORDERS_TABLE
from gateway.projections.verify import legible

Strategies = Collection[str] | None
"""Whose orders may be seen; None for everybody's."""

_PENDING: Final = tuple(status.value for status in OrdStatus if not status.is_terminal)


class SortBy(StrEnum):
    CREATED_AT = "created_at"
    UPDATED_AT = "updated_at"
    SYMBOL = "symbol"
    STRATEGY_ID = "strategy_id"
    STATUS = "status"


@dataclass(frozen=True, slots=True)
class Owner:
    symbol: str
    strategy_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPage:
    """One page of orders; `total` counts all of them."""

    orders: tuple[OrderRow, ...]
    total: int
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One execution as it counts now. `completed` says that it was the one that filled its order."""

    client_order_id: str
    exec_id: str
    symbol: str
    strategy_id: str
    side: str
    qty: Decimal
    px: Decimal
    transact_time: datetime
    provisional: bool
    account_realized: Decimal
    strategy_realized: Decimal
    completed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FillPage:
    fills: tuple[Fill, ...]
    position: int


async def get_order(
    snapshot: Snapshot, client_order_id: str, *, strategies: Strategies = None
) -> OrderRow | None:
    """The order, or None where there is none that the caller may see."""
    table = snapshot.table(ORDERS_TABLE)
    found = await snapshot.rows(
        _orders(table).where(table.c.client_order_id == client_order_id, *_owned(table, strategies))
    )
    return load(found[0]._asdict()) if found else None


async def get_order_as_of(
    log: Log, client_order_id: str, position: int, *, strategies: Strategies = None
) -> OrderRow | None:
    """The order as it was known when the log ended at `position`. Raises ProjectionBehind, see `legible`."""
    folding = Folding([ORDERS])
    with legible():
        folding.take(await log.stream(order_stream(client_order_id), upto=position))
    row: OrderRow | None = folding.rows[ORDERS.name].get((client_order_id,))
    return row if row is None or strategies is None or row.strategy_id in strategies else None


async def owners(snapshot: Snapshot, client_order_ids: Collection[str]) -> dict[str, Owner]:
    """Whose these orders are; those the table does not know are left out."""
    table = snapshot.table(ORDERS_TABLE)
    whose = select(table.c.client_order_id, table.c.symbol, table.c.strategy_id)
    rows = await snapshot.rows(whose.where(table.c.client_order_id.in_(list(client_order_ids))))
    return {row.client_order_id: Owner(row.symbol, row.strategy_id) for row in rows}


async def pending_orders(
    snapshot: Snapshot,
    *,
    strategies: Strategies = None,
    symbol: str | None = None,
    parent_order_id: str | None = None,
    sort_by: SortBy = SortBy.CREATED_AT,
    descending: bool = True,
    limit: int = 100,
    offset: int = 0,
) -> OrderPage:
    """Orders that are not over. Those that sort alike come in the order of their ids."""
    table = snapshot.table(ORDERS_TABLE)
    wanted = [table.c.status.in_(_PENDING), *_owned(table, strategies)]
    if symbol is not None:
        wanted.append(table.c.symbol == symbol)
    if parent_order_id is not None:
        wanted.append(table.c.parent_order_id == parent_order_id)
    by = table.c[sort_by]
    page = (
        _orders(table)
        .where(*wanted)
        .order_by(by.desc() if descending else by.asc(), table.c.client_order_id)
        .limit(limit)
        .offset(offset)
    )
    (total,) = await snapshot.rows(select(func.count().label("orders")).select_from(table).where(*wanted))
    return OrderPage(
        orders=tuple(load(row._asdict()) for row in await snapshot.rows(page)),
        total=total.orders,
        position=snapshot.position(ORDERS_TABLE),
    )


async def live_orders(
    snapshot: Snapshot, *, strategies: Strategies = None, symbol: str | None = None
) -> Sequence[OrderRow]:
    """Every order that may still execute, without an upper bound."""
    table = snapshot.table(ORDERS_TABLE)
    wanted = [table.c.is_live, *_owned(table, strategies)]
    if symbol is not None:
        wanted.append(table.c.symbol == symbol)
    found = await snapshot.rows(_orders(table).where(*wanted).order_by(table.c.client_order_id))
    return [load(row._asdict()) for row in found]


async def recent_fills(
    snapshot: Snapshot, *, since: datetime, limit: int = 50, strategies: Strategies = None
) -> FillPage:
    """Executions that count, newest first by the broker's time."""
    fills, orders = snapshot.table(FILLS_TABLE), snapshot.table(ORDERS_TABLE)
    newest = (
        select(fills)
        .where(fills.c.counts, fills.c.transact_time >= since, *_owned(fills, strategies))
        .order_by(fills.c.transact_time.desc(), fills.c.position.desc())
        .limit(limit)
        .subquery("newest")
    )
    upto_this_one = fills.alias("upto_this_one")
    executed = (
        select(func.sum(upto_this_one.c.qty))
        .where(
            upto_this_one.c.counts,
            upto_this_one.c.client_order_id == newest.c.client_order_id,
            upto_this_one.c.booked_at_position <= newest.c.booked_at_position,
        )
        .scalar_subquery()
    )
    shown = (
        *(column for column in newest.c if column.name in Fill.__slots__),
        func.coalesce(executed >= orders.c.qty, False).label("completed"),
    )
    found = await snapshot.rows(
        select(*shown)
        .select_from(newest.outerjoin(orders, orders.c.client_order_id == newest.c.client_order_id))
        .order_by(newest.c.transact_time.desc(), newest.c.position.desc())
    )
    return FillPage(
        fills=tuple(Fill(**row._asdict()) for row in found),
        position=snapshot.position(FILLS_TABLE, ORDERS_TABLE),
    )


async def count_inferred(snapshot: Snapshot) -> int:
    """How many executions count that were only inferred."""
    fills = snapshot.table(FILLS_TABLE)
    inferred = select(func.count().label("fills")).where(fills.c.provisional, fills.c.counts)
    (found,) = await snapshot.rows(inferred)
    count: int = found.fills
    return count


def _orders(table: Table) -> Any:
    """What a row is loaded from; the other columns are for filters."""
    return select(table.c.state, table.c.updated_at, table.c.position)


def _owned(table: Table, strategies: Strategies) -> list[ColumnElement[bool]]:
    return [] if strategies is None else [table.c.strategy_id.in_(list(strategies))]
