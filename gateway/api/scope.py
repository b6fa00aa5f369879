"""Cutting requests and answers to what a caller may see."""

from __future__ import annotations

from gateway.aggregates.order.state import Order
from gateway.aggregates.refusals import OrderNotFound, StrategyUnauthorized
from gateway.aggregates.vocabulary import ClientOrderId, StrategyId, order_stream
from gateway.api.deps import House
from gateway.api.json_types import is_visible_ascii
from gateway.api.refusals import NoStrategyAccess
from gateway.api.roles import Principal


def require_scope(caller: Principal, strategy_id: StrategyId) -> StrategyId:
    """Raises StrategyUnauthorized."""
    if not caller.sees(strategy_id):
        raise StrategyUnauthorized("the strategy is not in the caller's scope", strategy_id=strategy_id)
    return strategy_id


def scope_of(caller: Principal, asked: StrategyId | None = None) -> frozenset[StrategyId] | None:
    """The strategies a list is cut to: the one asked for, or all the caller sees; None for all there are.

    Raises StrategyUnauthorized for a strategy outside the scope.
    """
    return caller.scope if asked is None else frozenset({require_scope(caller, asked)})


def require_some_strategy(caller: Principal) -> None:
    """Raises NoStrategyAccess when the caller may see no strategy at all."""
    if caller.scope is not None and not caller.strategies:
        raise NoStrategyAccess("the caller has no strategies")


def strategies_of(caller: Principal) -> list[str]:
    """How a list answer names the caller's strategies; `*` for all."""
    return ["*"] if caller.scope is None else sorted(caller.strategies or ())


async def require_order(house: House, client_order_id: str, caller: Principal) -> Order:
    """The order as the ledger has it now. Raises OrderNotFound, whether it is unknown or not the caller's."""
    order: Order | None = None
    if is_visible_ascii(client_order_id):
        order, _ = await house.ledger.load(order_stream(ClientOrderId(client_order_id)))
    if order is None or not caller.sees(order.strategy_id):
        raise order_not_found()
    return order


def order_not_found() -> OrderNotFound:
    """One body for unknown orders and for those of others: existence is not revealed."""
    return OrderNotFound("there is no such order in the caller's scope")
