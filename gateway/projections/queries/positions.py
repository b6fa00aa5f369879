"""Questions about holdings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Table, select

from gateway.aggregates.exact import plus, ratio, total
from gateway.aggregates.position.state import EVERYBODY
from gateway.aggregates.vocabulary import ZERO, Side, Symbol, position_stream
from gateway.ledger.log import Log
from gateway.projections.orders import ORDERS, OrderRow
from gateway.projections.positions import POSITIONS, PositionRow
from gateway.projections.queries.orders import live_orders
from gateway.projections.snapshot import Snapshot
from gateway.projections.strategy_positions import STRATEGY_POSITIONS, StrategyPositionRow
from gateway.projections.tables import ORDERS as ORDERS_TABLE
from gateway.projections.tables import POSITIONS as POSITIONS_TABLE
from gateway.projections.tables import STRATEGY_POSITIONS as STRATEGY_POSITIONS_TABLE
from gateway.projections.verify import fold_log, legible

_SHOWN_PLACES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One symbol in one scope. `qty` is signed, `cost` is that of the open quantity and has its sign."""

    symbol: str
    qty: Decimal
    cost: Decimal
    realized: Decimal
    reserved_buy: Decimal
    reserved_sell: Decimal
    quarantined: bool
    last_trade_at: datetime | None
    updated_at: datetime

    @property
    def avg_px(self) -> Decimal:
        """Average entry price, for show: 6 decimals at most, zero when flat."""
        return ratio(self.cost.copy_abs(), self.qty.copy_abs(), _SHOWN_PLACES) if self.qty else ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """The open holdings by symbol; `realized` also covers every symbol that is flat by now."""

    open: tuple[Holding, ...]
    realized: Decimal
    position: int

    @classmethod
    def of(cls, holdings: Iterable[Holding], position: int) -> Holdings:
        every = sorted(holdings, key=lambda holding: holding.symbol)
        return cls(
            open=tuple(holding for holding in every if holding.qty),
            realized=total(holding.realized for holding in every),
            position=position,
        )


async def account_holdings(snapshot: Snapshot, *, symbol: str | None = None) -> Holdings:
    """What the account holds, from the account's own book."""
    rows = [PositionRow(**row) for row in await _rows(snapshot, POSITIONS_TABLE, symbol)]
    return Holdings.of(map(_account_holding, rows), snapshot.position(POSITIONS_TABLE))


async def strategy_holdings(
    snapshot: Snapshot, strategies: Collection[str], *, symbol: str | None = None
) -> Holdings:
    """What these strategies hold together, from their own books."""
    owned = [StrategyPositionRow(**row) for row in await _rows(snapshot, STRATEGY_POSITIONS_TABLE, symbol)]
    account = [PositionRow(**row) for row in await _rows(snapshot, POSITIONS_TABLE, symbol)]
    orders = await live_orders(snapshot, strategies=strategies, symbol=symbol)
    position = snapshot.position(STRATEGY_POSITIONS_TABLE, POSITIONS_TABLE, ORDERS_TABLE)
    return Holdings.of(_strategy_holdings(owned, account, orders, strategies), position)


async def holdings_as_of(
    log: Log, position: int, *, strategies: Collection[str] | None = None, symbol: str | None = None
) -> Holdings:
    """Holdings as they were known when the log ended at `position`; None is the account's view.

    Raises ProjectionBehind for a log this build cannot read.
    """
    stream = None if symbol is None else position_stream(Symbol(symbol))
    with legible():
        held = await fold_log(log, [POSITIONS, STRATEGY_POSITIONS], upto=position, stream=stream)
        account: Iterable[PositionRow] = held.rows[POSITIONS.name].values()
        if strategies is None:
            return Holdings.of(map(_account_holding, account), position)
        orders = await fold_log(log, [ORDERS], upto=position)
    owned: Iterable[StrategyPositionRow] = held.rows[STRATEGY_POSITIONS.name].values()
    live = [row for row in orders.rows[ORDERS.name].values() if row.is_live and row.strategy_id in strategies]
    return Holdings.of(_strategy_holdings(owned, account, live, strategies), position)


async def _rows(snapshot: Snapshot, template: Table, symbol: str | None) -> list[dict[str, Any]]:
    table = snapshot.table(template)
    everything = select(table)
    if symbol is not None:
        everything = everything.where(table.c.symbol == symbol)
    return [row._asdict() for row in await snapshot.rows(everything)]


def _account_holding(row: PositionRow) -> Holding:
    return Holding(
        symbol=row.symbol,
        qty=row.qty,
        cost=row.cost.copy_sign(row.qty),
        realized=row.realized,
        reserved_buy=row.reserved_buy,
        reserved_sell=row.reserved_sell,
        quarantined=bool(row.quarantined_for),
        last_trade_at=row.last_trade_at,
        updated_at=row.updated_at,
    )


def _strategy_holdings(
    owned: Iterable[StrategyPositionRow],
    account: Iterable[PositionRow],
    orders: Iterable[OrderRow],
    strategies: Collection[str],
) -> Iterable[Holding]:
    reserved: dict[tuple[str, Side], Decimal] = defaultdict(Decimal)
    for order in orders:
        key = (order.symbol, order.side)
        reserved[key] = plus(reserved[key], order.leaves_qty)
    quarantines = {row.symbol: {*row.quarantined_for} & {EVERYBODY, *strategies} for row in account}
    books: dict[str, list[StrategyPositionRow]] = defaultdict(list)
    for book in owned:
        if book.strategy_id in strategies:
            books[book.symbol].append(book)
    for symbol, rows in books.items():
        yield Holding(
            symbol=symbol,
            qty=total(row.qty for row in rows),
            cost=total(row.cost.copy_sign(row.qty) for row in rows),
            realized=total(row.realized for row in rows),
            reserved_buy=reserved[symbol, Side.BUY],
            reserved_sell=reserved[symbol, Side.SELL],
            quarantined=bool(quarantines.get(symbol)),
            last_trade_at=max((r.last_trade_at for r in rows if r.last_trade_at), default=None),
            updated_at=max(row.updated_at for row in rows),
        )
