"""How an operator's requests are put together, and what the tests of the manual controls look at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from tests.contract.steps import holds
from tests.kit.house import House

REASON = "getting out before the announcement"


def asked(by: str = "alice", *, ago: timedelta = timedelta(), **fields: Any) -> dict[str, Any]:
    """The fields every manual body has."""
    at = (datetime.now(UTC) - ago).isoformat()
    return {"reason": REASON, "requested_by": by, "requested_at": at} | fields


async def close(house: House, symbol: str = "AAPL", **fields: Any) -> httpx2.Response:
    return await house.client.post(f"/api/v1/positions/{symbol}/close", json=asked(**fields))


async def adjust(house: House, target: str, symbol: str = "AAPL", **fields: Any) -> httpx2.Response:
    body = asked(target_qty=target, **fields)
    return await house.client.post(f"/api/v1/positions/{symbol}/adjust", json=body)


async def cancel_all(house: House, symbol: str = "AAPL", **fields: Any) -> httpx2.Response:
    return await house.client.post("/api/v1/orders/cancel-all", json=asked(symbol=symbol, **fields))


async def flatten(house: House, id_token: str | None, **fields: Any) -> httpx2.Response:
    return await house.client.post("/api/v1/positions/flatten-all", json=asked(id_token=id_token, **fields))


async def trade(house: House, **fields: Any) -> httpx2.Response:
    """A market order for 10 AAPL by hand unless told otherwise."""
    body = asked(symbol="AAPL", side="buy", qty=10) | fields
    return await house.client.post("/api/v1/manual/orders", json=body)


async def bought(house: House, qty: int = 100, symbol: str = "AAPL", **fields: Any) -> None:
    """Held at the broker and booked here."""
    response = await house.submit(symbol=symbol, qty=qty, **fields)
    assert response.status_code == 200, response.text
    await house.until(lambda: holds(house, str(qty), symbol), what="the fill")


def hold_at_exchange(house: House, **positions: str) -> None:
    """Shares the account holds without any order of ours."""
    held = {symbol: {"qty": qty, "price": "100"} for symbol, qty in positions.items()}
    house.exchange.ctl("POST", "account", {"positions": held})


def held_at_exchange(house: House, symbol: str = "AAPL") -> str:
    positions = house.exchange.truth()["accounts"][house.exchange.account]["positions"]
    return next((str(held["qty"]) for held in positions if held["symbol"] == symbol), "0")


async def topics(house: House, topic: str) -> list[dict[str, Any]]:
    response = await house.client.get("/api/v1/events", params={"topic": topic, "limit": 1000})
    response.raise_for_status()
    found: list[dict[str, Any]] = response.json()["events"]
    return found
