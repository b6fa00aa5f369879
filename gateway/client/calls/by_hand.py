"""What an operator does by hand. Every request says who asks, when and why.

`requested_at` is now unless given. Whoever repeats a request gives it the first one's time: by it the gateway
knows that it is the same one.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from gateway.client.answers.orders import CancelAllOrdersResponse, OrderResponse
from gateway.client.answers.positions import (
    AdjustPositionResponse,
    ClosePositionResponse,
    FlattenAllResponse,
)
from gateway.client.call import Call, given, part, post
from gateway.client.calls.orders import new_order_id


def submit_manual_order(
    *,
    symbol: str,
    side: str,
    qty: int,
    reason: str,
    requested_by: str,
    requested_at: datetime | None = None,
    order_type: str = "market",
    limit_price: Decimal | None = None,
    stop_price: Decimal | None = None,
    time_in_force: str = "day",
    strategy_id: str | None = None,
    idempotency_key: str | None = None,
) -> Call[OrderResponse]:
    """Known by its key, which is chosen here unless given."""
    key = {"Idempotency-Key": idempotency_key or new_order_id()}
    body = _asked(locals(), requested_at, leave=("idempotency_key", "key"))
    return replace(post("/api/v1/manual/orders", OrderResponse, body), headers=key)


def cancel_all_orders(
    *, symbol: str, reason: str, requested_by: str, requested_at: datetime | None = None
) -> Call[CancelAllOrdersResponse]:
    return post("/api/v1/orders/cancel-all", CancelAllOrdersResponse, _asked(locals(), requested_at))


def close_position(
    symbol: str,
    *,
    reason: str,
    requested_by: str,
    requested_at: datetime | None = None,
    qty: int | None = None,
) -> Call[ClosePositionResponse]:
    """Everything, a fraction included, unless `qty` says how much."""
    body = _asked(locals(), requested_at, leave=("symbol",))
    return post(f"/api/v1/positions/{part(symbol)}/close", ClosePositionResponse, body)


def adjust_position(
    symbol: str,
    *,
    target_qty: int,
    reason: str,
    requested_by: str,
    requested_at: datetime | None = None,
    order_type: str = "market",
    limit_price: Decimal | None = None,
) -> Call[AdjustPositionResponse]:
    """Trade towards a signed target."""
    body = _asked(locals(), requested_at, leave=("symbol",))
    return post(f"/api/v1/positions/{part(symbol)}/adjust", AdjustPositionResponse, body)


def flatten_all(
    *, reason: str, requested_by: str, id_token: str, requested_at: datetime | None = None
) -> Call[FlattenAllResponse]:
    """`id_token` is a fresh second factor of the caller."""
    return post("/api/v1/positions/flatten-all", FlattenAllResponse, _asked(locals(), requested_at))


def _asked(
    fields: dict[str, object], requested_at: datetime | None, leave: tuple[str, ...] = ()
) -> dict[str, object]:
    said = fields | {"requested_at": requested_at or datetime.now(UTC)}
    return given({name: value for name, value in said.items() if name not in leave})
