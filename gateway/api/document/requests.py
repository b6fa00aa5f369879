"""An example or two of every body that can be sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_BY_HAND: Final = {
    "reason": "the price ran away from us",
    "requested_by": "alice",
    "requested_at": "2026-11-20T15:00:00Z",
}
_REASON: Final = {"reason": "seen and agreed with the broker"}

REQUESTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "submit_order": {
        "market": {"symbol": "AAPL", "side": "buy", "qty": 10},
        "limit": {
            "symbol": "AAPL",
            "side": "sell",
            "qty": 5,
            "order_type": "limit",
            "limit_price": "150.5",
            "time_in_force": "gtc",
            "client_order_id": "rebalance-7",
            "strategy_id": "alpha_baseline",
        },
        "stop_limit": {
            "symbol": "BRK.B",
            "side": "sell",
            "qty": 5,
            "order_type": "stop_limit",
            "limit_price": "99.5",
            "stop_price": "100",
        },
    },
    "slice_order": {
        "twap": {
            "symbol": "AAPL",
            "side": "buy",
            "qty": 103,
            "duration_minutes": 5,
            "interval_seconds": 60,
        }
    },
    "submit_manual_order": {"market": {"symbol": "AAPL", "side": "buy", "qty": 10, **_BY_HAND}},
    "cancel_order": {"by_hand": _BY_HAND},
    "cancel_all_orders": {"symbol": {"symbol": "AAPL", **_BY_HAND}},
    "close_position": {"everything": _BY_HAND, "part": {"qty": "5", **_BY_HAND}},
    "adjust_position": {
        "market": {"target_qty": "5", **_BY_HAND},
        "limit": {"target_qty": "-5", "order_type": "limit", "limit_price": "150.5", **_BY_HAND},
    },
    "flatten_all": {"all": {**_BY_HAND, "id_token": "eyJhbGciOiJSUzI1NiJ9.e30.c2ln"}},
    "engage_kill_switch": {
        "symbol": {
            "reason": "odd prints",
            "operator": "alice",
            "scope": "symbol",
            "target": "MSFT",
            "cancel_open_orders": True,
        },
        "strategy": {
            "reason": "runaway strategy",
            "operator": "alice",
            "scope": "strategy",
            "target": "alpha_baseline",
            "details": {"ticket": "INC-7"},
        },
    },
    "disengage_kill_switch": {
        "symbol": {"operator": "alice", "scope": "symbol", "target": "MSFT", "notes": "prints are fine again"}
    },
    "trip_circuit_breaker": {"by_hand": {"reason": "spreads are wild", "details": {"spread_bps": 180}}},
    "reset_circuit_breaker": {"by_hand": {"reason": "spreads are back"}},
    "release_quarantine": {"release": {**_REASON, "force": False}},
    "set_fat_finger_thresholds": {
        "defaults": {
            "default_thresholds": {"max_notional": "100000", "max_qty": 10000, "max_adv_pct": "0.05"}
        },
        "overrides": {"symbol_overrides": {"AAPL": {"max_qty": 500}, "MSFT": None}},
    },
    "adopt_orphan": {"adopt": {**_REASON, "strategy_id": "alpha_baseline"}},
    "ignore_orphan": {"ignore": _REASON},
    "cancel_orphan": {"cancel": _REASON},
    "resolve_break": {"accept": {"action": "accept_broker", **_REASON}},
    "force_complete": {"override": {"reason": "the broker is down and we must get out"}},
    "backfill_fills": {"a_day": {"lookback_hours": 24, "recalc_all_trades": True}},
    "receive_order_update": {
        "fill": {
            "event": "fill",
            "execution_id": "2f63ea93-423d-4169-b3f6-3fdafc10c418",
            "price": "150.48",
            "qty": "10",
            "timestamp": "2026-11-20T15:00:00.120001Z",
            "order": {
                "id": "61e69015-8549-4bfd-b9c3-01e75843f47d",
                "client_order_id": "1b5445b3d1a61a15f64411be",
                "symbol": "AAPL",
                "side": "buy",
                "qty": "10",
                "status": "filled",
                "filled_qty": "10",
                "filled_avg_price": "150.48",
            },
        }
    },
}
