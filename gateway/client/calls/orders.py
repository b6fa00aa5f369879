"""Orders: one at a time, in slices, and what a relay tells of them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal

import msgspec

from gateway.client.answers.orders import (
    CancelOrderResponse,
    CancelSlicesResponse,
    OrderDetail,
    OrderResponse,
    PendingOrdersResponse,
    RecentFillsResponse,
    SlicingPlan,
    WebhookResponse,
)
from gateway.client.call import Call, get, given, part, post
from gateway.client.proofs import webhook_headers

AsOf = int | datetime
"""A ledger position, or an instant with an offset."""


def new_order_id() -> str:
    return uuid.uuid4().hex


def submit_order(
    *,
    symbol: str,
    side: str,
    qty: int,
    order_type: str = "market",
    limit_price: Decimal | None = None,
    stop_price: Decimal | None = None,
    time_in_force: str = "day",
    strategy_id: str | None = None,
    client_order_id: str | None = None,
) -> Call[OrderResponse]:
    """Safe to repeat as it is: its id is chosen here, before the first byte leaves.

    Give an id of your own where an order has to be recognised after a restart of your own.
    """
    body = given(locals() | {"client_order_id": client_order_id or new_order_id()})
    return Call(
        method="POST",
        path="/api/v1/orders",
        answer=OrderResponse,
        body=body,
        look_up=get(f"/api/v1/orders/{part(body['client_order_id'])}", OrderResponse),
    )


def order_detail(client_order_id: str, *, as_of: AsOf | None = None) -> Call[OrderDetail]:
    return get(f"/api/v1/orders/{part(client_order_id)}", OrderDetail, as_of=as_of)


def cancel_order(
    client_order_id: str,
    *,
    reason: str | None = None,
    requested_by: str | None = None,
    requested_at: datetime | None = None,
) -> Call[CancelOrderResponse]:
    """With a reason it is a manual cancel, on record with who asked for it, and `requested_by` is needed."""
    path = f"/api/v1/orders/{part(client_order_id)}/cancel"
    if reason is None:
        return post(path, CancelOrderResponse, repeatable=True)
    at = requested_at or datetime.now(UTC)
    body = given({"reason": reason, "requested_by": requested_by, "requested_at": at})
    return post(path, CancelOrderResponse, body, repeatable=True)


def list_pending_orders(
    *,
    strategy_id: str | None = None,
    symbol: str | None = None,
    parent_order_id: str | None = None,
    limit: int | None = None,
    offset: int | None = None,
    sort_by: str | None = None,
    sort_order: str | None = None,
) -> Call[PendingOrdersResponse]:
    return get("/api/v1/orders/pending", PendingOrdersResponse, **locals())


def list_recent_fills(*, limit: int | None = None) -> Call[RecentFillsResponse]:
    return get("/api/v1/orders/recent-fills", RecentFillsResponse, limit=limit)


def slice_order(
    *,
    symbol: str,
    side: str,
    qty: int,
    duration_minutes: int,
    interval_seconds: int | None = None,
    order_type: str = "market",
    limit_price: Decimal | None = None,
    stop_price: Decimal | None = None,
    time_in_force: str = "day",
    strategy_id: str | None = None,
    client_order_id: str | None = None,
    trade_date: date | None = None,
) -> Call[SlicingPlan]:
    """`client_order_id` names the parent; repeating the request is answered with the plan that stands."""
    body = given(locals() | {"client_order_id": client_order_id or new_order_id()})
    return post("/api/v1/orders/slice", SlicingPlan, body, repeatable=True)


def list_slices(parent_id: str) -> Call[tuple[OrderDetail, ...]]:
    return get(f"/api/v1/orders/{part(parent_id)}/slices", tuple[OrderDetail, ...])


def cancel_slices(parent_id: str, *, cancel_live: bool = False) -> Call[CancelSlicesResponse]:
    return Call(
        method="DELETE",
        path=f"/api/v1/orders/{part(parent_id)}/slices",
        answer=CancelSlicesResponse,
        query=given({"cancel_live": cancel_live}),
        repeatable=True,
    )


def receive_order_update(
    update: Mapping[str, object], *, secret: bytes, at: datetime | None = None
) -> Call[WebhookResponse]:
    """Tell a fact as a relay would: signed with the webhook's secret, and with a time where one is given."""
    raw = msgspec.json.encode(update)
    return Call(
        method="POST",
        path="/api/v1/webhooks/orders",
        answer=WebhookResponse,
        body=raw,
        headers=webhook_headers(secret, raw, at),
        repeatable=True,
    )
