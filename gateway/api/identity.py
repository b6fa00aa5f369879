"""Which order a request names, and what a caller is told when that order is another one."""

from __future__ import annotations

from fastapi.exceptions import RequestValidationError

from gateway.aggregates.client_order_id import key_id
from gateway.aggregates.refusals import IdempotencyConflict
from gateway.aggregates.vocabulary import ClientOrderId, StrategyId
from gateway.api.roles import Principal


def given_id(
    client_order_id: ClientOrderId | None, key: str | None, strategy_id: StrategyId
) -> ClientOrderId | None:
    """The id the caller chose, as such or by an Idempotency-Key; None leaves it to the recipe."""
    if client_order_id is not None and key is not None:
        words = "client_order_id and Idempotency-Key exclude each other"
        raise RequestValidationError([{"type": "two_ids", "loc": ("body", "client_order_id"), "msg": words}])
    return client_order_id if key is None else key_id(strategy_id, key)


def discreet(conflict: IdempotencyConflict, caller: Principal) -> IdempotencyConflict:
    """Differences are told only when the stored order is surely the caller's."""
    if caller.scope is None or "strategy_id" not in conflict.facts.get("differences", ()):
        return conflict
    return IdempotencyConflict("the id already names another order; give another one", differences=[])
