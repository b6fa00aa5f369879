"""A relay that turns the exchange's events into signed webhooks."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import httpx2

from gateway.api.webhook_signature import signature
from tests.kit.house import House

WEBHOOK = "/api/v1/webhooks/orders"
SECRET = b"whsec-test"


def fill(
    order: dict[str, Any], *, execution_id: str, qty: str, price: str, total: str, event: str = "fill"
) -> dict[str, Any]:
    """A fill as the exchange words it; `total` is the order's filled quantity after it."""
    return {
        "event": event,
        "execution_id": execution_id,
        "qty": qty,
        "price": price,
        "timestamp": datetime.now(UTC).isoformat(),
        "order": about(order, status="filled" if event == "fill" else "partially_filled", filled_qty=total),
    }


def about(order: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """What a relay says of an order: enough to know it by, and what has changed."""
    return {
        "id": order["broker_order_id"],
        "client_order_id": order["client_order_id"],
        "symbol": order["symbol"],
        "side": order["side"],
        "qty": str(order["qty"]),
        **changes,
    }


async def deliver(house: House, body: object, headers: dict[str, str] | None = None) -> httpx2.Response:
    """Post a body as the relay would: signed, and with no token of ours."""
    raw = json.dumps(body).encode()
    signed = {"X-Alpaca-Signature": signature(SECRET, raw), "Content-Type": "application/json"}
    return await house.as_nobody().post(WEBHOOK, content=raw, headers=signed | (headers or {}))
