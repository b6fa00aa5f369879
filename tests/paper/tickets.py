"""Order bodies as clients send them, and what the exchange says to bad ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient


def ticket(**changes: object) -> dict[str, object]:
    """Buy 100 AAPL at a limit of 10 for the day; None leaves a field out."""
    fields: dict[str, object] = {
        "symbol": "AAPL",
        "qty": "100",
        "side": "buy",
        "type": "limit",
        "limit_price": "10",
        "time_in_force": "day",
        **changes,
    }
    return {name: value for name, value in fields.items() if value is not None}


def submit(client: TradingClient, **changes: object) -> Any:
    return client.post("/orders", ticket(**changes))


def refusal(client: TradingClient, **changes: object) -> tuple[int, int, str]:
    """HTTP status, code and message of a refused order."""
    with pytest.raises(APIError) as caught:
        submit(client, **changes)
    return caught.value.status_code, caught.value.code, caught.value.message


def refused(ask: Callable[[], object]) -> tuple[int, Any]:
    """HTTP status and body of a refusal."""
    with pytest.raises(APIError) as caught:
        ask()
    return caught.value.status_code, json.loads(str(caught.value))
