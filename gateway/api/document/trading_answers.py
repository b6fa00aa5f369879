"""An example of every answer about orders, positions and strategies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

AT: Final = "2026-11-20T15:00:00.120001Z"
LATER: Final = "2026-11-20T15:00:00.480217Z"
ORDER_ID: Final = "1b5445b3d1a61a15f64411be"
BROKER_ID: Final = "61e69015-8549-4bfd-b9c3-01e75843f47d"
_PARENT: Final = "de5bf58807d0628f57b9943a"
_TICKET: Final = {
    "client_order_id": ORDER_ID,
    "status": "new",
    "broker_order_id": BROKER_ID,
    "symbol": "AAPL",
    "side": "buy",
    "qty": 10,
    "order_type": "limit",
    "limit_price": "150.5",
    "stop_price": None,
    "time_in_force": "day",
    "strategy_id": "alpha_baseline",
    "filled_qty": "0",
    "created_at": AT,
}
_ORDER: Final = {**_TICKET, "message": "Order submitted", "ledger_position": 41}
_DETAIL: Final = {
    **_TICKET,
    "broker_status": "new",
    "error_message": None,
    "retry_count": 0,
    "updated_at": LATER,
    "submitted_at": AT,
    "cancel_requested_at": None,
    "filled_at": None,
    "filled_avg_price": None,
    "leaves_qty": "10",
    "metadata": {},
    "parent_order_id": None,
    "slice_num": None,
    "total_slices": None,
    "scheduled_time": None,
    "flags": [],
    "ledger_position": 41,
}
_SLICE: Final = {
    **_DETAIL,
    "client_order_id": "1a705db7d218498c42f16108",
    "parent_order_id": _PARENT,
    "slice_num": 0,
    "total_slices": 5,
    "scheduled_time": AT,
}
_STRATEGY: Final = {
    "strategy_id": "alpha_baseline",
    "name": "Alpha Baseline",
    "status": "active",
    "model_version": None,
    "model_status": None,
    "last_signal_at": AT,
    "last_error": None,
    "positions_count": 1,
    "open_orders_count": 1,
    "today_pnl": "12.5",
    "timestamp": LATER,
}

TRADING: Final[Mapping[str, Any]] = {
    "submit_order": _ORDER,
    "submit_manual_order": {**_ORDER, "message": "Order submitted (manual)"},
    "order_detail": _DETAIL,
    "list_pending_orders": {
        "orders": [_DETAIL],
        "total": 1,
        "limit": 100,
        "offset": 0,
        "filtered_by_strategy": False,
        "user_strategies": ["*"],
    },
    "list_recent_fills": {
        "events": [
            {
                "client_order_id": ORDER_ID,
                "symbol": "AAPL",
                "side": "buy",
                "qty": "10",
                "price": "150.48",
                "realized_pl": "0",
                "status": "filled",
                "timestamp": LATER,
                "execution_id": "2f63ea93-423d-4169-b3f6-3fdafc10c418",
                "provisional": False,
            }
        ],
        "total": 1,
        "limit": 50,
        "filtered_by_strategy": False,
        "user_strategies": ["*"],
    },
    "cancel_order": {
        "client_order_id": ORDER_ID,
        "order_id": ORDER_ID,
        "status": "pending_cancel",
        "message": "Cancel requested",
        "cancel_requested_at": LATER,
        "cancelled_at": None,
        "broker_notified": True,
        "ledger_position": 42,
    },
    "cancel_all_orders": {
        "status": "cancelled",
        "symbol": "AAPL",
        "cancelled_count": 1,
        "order_ids": [ORDER_ID],
        "failed": [],
        "strategies_affected": ["alpha_baseline"],
    },
    "slice_order": {
        "parent_order_id": _PARENT,
        "parent_strategy_id": "twap_parent_5m_60s",
        "strategy_id": "alpha_baseline",
        "symbol": "AAPL",
        "side": "buy",
        "total_qty": 103,
        "total_slices": 5,
        "duration_minutes": 5,
        "interval_seconds": 60,
        "slices": [
            {
                "slice_num": 0,
                "qty": 20,
                "scheduled_time": AT,
                "client_order_id": "1a705db7d218498c42f16108",
                "strategy_id": f"twap_slice_{_PARENT}_0",
                "status": "scheduled",
            }
        ],
        "status": "scheduled",
        "liquidity": {
            "enabled": True,
            "adv_20d": "52000000",
            "max_slice_pct_of_adv": 0.01,
            "max_slice_qty": 520000,
        },
        "message": "Slicing plan created",
        "ledger_position": 41,
    },
    "list_slices": [_SLICE],
    "cancel_slices": {
        "parent_order_id": _PARENT,
        "scheduler_canceled": 4,
        "db_canceled": 4,
        "cancel_requested": 0,
        "message": "4 slices canceled before their release",
    },
    "list_positions": {
        "positions": [
            {
                "symbol": "AAPL",
                "qty": "10",
                "avg_entry_price": "150.48",
                "current_price": "151",
                "unrealized_pl": "5.2",
                "realized_pl": "0",
                "reserved_buy": "0",
                "reserved_sell": "0",
                "updated_at": LATER,
                "last_trade_at": LATER,
                "quarantined": False,
                "strategy_id": None,
            }
        ],
        "total_positions": 1,
        "total_unrealized_pl": "5.2",
        "total_realized_pl": "0",
        "as_of": None,
        "ledger_position": 44,
    },
    "realtime_pnl": {
        "positions": [
            {
                "symbol": "AAPL",
                "qty": "10",
                "avg_entry_price": "150.48",
                "current_price": "151",
                "price_source": "real-time",
                "unrealized_pl": "5.2",
                "unrealized_pl_pct": "0.3456",
                "last_price_update": LATER,
            }
        ],
        "total_positions": 1,
        "total_unrealized_pl": "5.2",
        "total_unrealized_pl_pct": "0.3456",
        "realtime_prices_available": True,
        "timestamp": LATER,
    },
    "close_position": {
        "status": "closing",
        "symbol": "AAPL",
        "order_id": "20e6eeb38f5a75538dde2552",
        "qty_to_close": "10",
        "message": "Order submitted",
    },
    "adjust_position": {
        "status": "adjusting",
        "symbol": "AAPL",
        "current_qty": "10",
        "target_qty": "5",
        "order_id": "20e6eeb38f5a75538dde2552",
        "message": "Order submitted",
    },
    "flatten_all": {
        "status": "flattening",
        "positions_closed": 1,
        "orders_created": ["c0d1c44da04ce9e6ffe626ca"],
        "strategies_affected": ["alpha_baseline"],
        "results": [
            {"symbol": "AAPL", "status": "closing", "order_id": "c0d1c44da04ce9e6ffe626ca", "code": None}
        ],
    },
    "performance_by_day": {
        "daily_pnl": [
            {
                "date": "2026-11-20",
                "realized_pl": "12.5",
                "cumulative_realized_pl": "12.5",
                "peak_equity": "12.5",
                "drawdown_pct": "0",
                "closing_trade_count": 1,
            }
        ],
        "total_realized_pl": "12.5",
        "max_drawdown_pct": "0",
        "start_date": "2026-10-21",
        "end_date": "2026-11-20",
        "data_source": "realized_only",
        "note": "Realized P&L only; unrealized P&L is not included.",
        "data_available_from": "2026-11-20",
        "last_updated": LATER,
    },
    "list_strategies": {"strategies": [_STRATEGY], "total_count": 1, "timestamp": LATER},
    "strategy_status": _STRATEGY,
}
