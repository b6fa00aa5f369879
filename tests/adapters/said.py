"""What Alpaca says, as payloads."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from gateway.aggregates.vocabulary import (
    ClientOrderId,
    OrdType,
    Side,
    StrategyId,
    Symbol,
    Ticket,
    TimeInForce,
)

ID = ClientOrderId("ord-7f2c")
TICKET = Ticket(
    symbol=Symbol("AAPL"),
    side=Side.BUY,
    qty=Decimal(2),
    ord_type=OrdType.LIMIT,
    time_in_force=TimeInForce.DAY,
    strategy_id=StrategyId("alpha"),
    limit_px=Decimal("150.10"),
)


def order(**changes: Any) -> dict[str, Any]:
    """An order as the broker sends it, every key present."""
    return {
        "id": "7b08df51-c1ac-453c-99f9-323a5f075f0d",
        "client_order_id": ID,
        "created_at": "2026-11-20T15:00:00.668464435Z",
        "updated_at": "2026-11-20T15:00:00.668464435Z",
        "submitted_at": "2026-11-20T15:00:00.577215743Z",
        "filled_at": None,
        "expired_at": None,
        "expires_at": "2026-11-20T21:00:00Z",
        "canceled_at": None,
        "failed_at": None,
        "replaced_at": None,
        "replaced_by": None,
        "replaces": None,
        "asset_id": "b0b6dd9d-8b9b-48a9-ba46-b9d54906e415",
        "symbol": "AAPL",
        "asset_class": "us_equity",
        "notional": None,
        "qty": "2",
        "filled_qty": "0",
        "filled_avg_price": None,
        "order_class": "",
        "order_type": "limit",
        "type": "limit",
        "side": "buy",
        "time_in_force": "day",
        "limit_price": "150.1",
        "stop_price": None,
        "status": "pending_new",
        "extended_hours": False,
        "legs": None,
        "trail_percent": None,
        "trail_price": None,
        "hwm": None,
        "position_intent": "buy_to_open",
        "ratio_qty": None,
        "subtag": None,
        "source": None,
        **changes,
    }


def without(payload: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in payload.items() if name not in names}


def fill(**changes: Any) -> dict[str, Any]:
    """A trade update of a partial fill, as the stream frames it."""
    return {
        "stream": "trade_updates",
        "data": {
            "event": "partial_fill",
            "event_id": "01JD5ZK3T0Q8M4N7V2X9YB6C1D",
            "at": "2026-11-20T15:00:00.123456Z",
            "timestamp": "2026-11-20T15:00:00.120001Z",
            "execution_id": "2f63ea93-423d-4169-b3f6-3fdafc10c418",
            "price": "100.25",
            "qty": "40",
            "position_qty": "140",
            "order": order(status="partially_filled", qty="100", filled_qty="40", filled_avg_price="100.25"),
            **changes,
        },
    }


def activity(**changes: Any) -> dict[str, Any]:
    return {
        "activity_type": "FILL",
        "id": "20261120100000120::2f63ea93-423d-4169-b3f6-3fdafc10c418",
        "type": "partial_fill",
        "transaction_time": "2026-11-20T15:00:00.120001Z",
        "price": "100.25",
        "qty": "40",
        "side": "buy",
        "symbol": "AAPL",
        "order_id": "7b08df51-c1ac-453c-99f9-323a5f075f0d",
        "order_status": "partially_filled",
        "cum_qty": "40",
        "leaves_qty": "60",
        **changes,
    }
