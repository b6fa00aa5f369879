"""Who has a stake in a symbol: the strategies that hold it, or whose orders or slices are on the way."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from gateway.aggregates.order.state import Order
from gateway.aggregates.position.state import Position
from gateway.aggregates.refusals import StrategyUnauthorized
from gateway.aggregates.slice_plan.state import SlicePlan
from gateway.aggregates.vocabulary import EXTERNAL, StrategyId, Symbol, position_stream
from gateway.commands.by_hand import Extent, ManualAction, ManualRequest
from gateway.commands.safety_view import POSITION, symbol_of
from gateway.ledger.cache import Desk

ORDER: Final = "order-"
PLAN: Final = "slice-plan-"


def live_orders(desk: Desk, extent: Extent) -> list[Order]:
    """Oldest first."""
    live = (order for _, order in desk.live(ORDER) if extent.has(order.ticket.symbol, order.strategy_id))
    return sorted(live, key=lambda order: (order.created_at, order.client_order_id))


def waiting_plans(desk: Desk, extent: Extent) -> list[SlicePlan]:
    """Plans that still have slices to release."""
    return [
        plan
        for _, plan in desk.live(PLAN)
        if plan.waiting and extent.has(plan.ticket.symbol, plan.ticket.strategy_id)
    ]


def held_symbols(desk: Desk, extent: Extent) -> frozenset[Symbol]:
    """Symbols the extent holds shares of."""
    return frozenset(
        symbol_of(stream)
        for stream, position in desk.live(POSITION)
        if (extent.symbol is None or stream == position_stream(extent.symbol))
        and (position.qty if extent.strategy_id is None else position.book_of(extent.strategy_id).qty)
    )


def holders(position: Position | None) -> frozenset[StrategyId]:
    books = position.strategies.items() if position is not None else ()
    return frozenset(strategy_id for strategy_id, book in books if book.qty)


def owner(position: Position | None, action: ManualAction) -> StrategyId:
    """The one strategy that holds the symbol; with none or several, the action's own."""
    found = holders(position)
    return next(iter(found)) if len(found) == 1 else action.strategy_id


def require_stakes(desk: Desk, extent: Extent, symbols: Iterable[Symbol], request: ManualRequest) -> None:
    """Raises StrategyUnauthorized unless every strategy with a stake in the extent is in scope."""
    if extent.strategy_id is not None:
        foreign = not request.covers(extent.strategy_id)
    else:
        stakes = [_stakes(desk, symbol) for symbol in symbols]
        unclaimed = extent.symbol is None and not all(stakes)  # at the broker, and nobody here bought it
        foreign = (unclaimed and not request.covers(EXTERNAL)) or not all(
            request.covers(strategy_id) for one in stakes for strategy_id in one
        )
    if foreign:
        raise StrategyUnauthorized(
            "not every strategy with a position or a live order there is in the caller's scope"
        )


def _stakes(desk: Desk, symbol: Symbol) -> frozenset[StrategyId]:
    extent = Extent(symbol=symbol)
    return (
        holders(desk.state(position_stream(symbol)))
        | {order.strategy_id for order in live_orders(desk, extent)}
        | {plan.ticket.strategy_id for plan in waiting_plans(desk, extent)}
    )
