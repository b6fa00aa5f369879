"""Slicing as a test asks for it, and a clock that can be moved."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx2

from tests.kit.house import House

LONG = {"symbol": "AAPL", "side": "buy", "qty": 103, "duration_minutes": 5}
SPACED = {"qty": 30, "duration_minutes": 3, "type": "limit", "limit_price": "100.01"}
"""Three slices a minute apart, with a price of their own: the exchange's quotes do not travel in time."""


class Ahead:
    """How far the gateway's clock is ahead of the wall's."""

    def __init__(self) -> None:
        self.by = timedelta()

    def move(self, seconds: int) -> None:
        self.by += timedelta(seconds=seconds)


async def ask(house: House, **fields: Any) -> httpx2.Response:
    return await house.client.post("/api/v1/orders/slice", json=LONG | fields)


async def planned(house: House, **fields: Any) -> dict[str, Any]:
    response = await ask(house, **fields)
    assert response.status_code == 200, response.text
    plan: dict[str, Any] = response.json()
    return plan


async def slices_of(house: House, parent: str) -> list[dict[str, Any]]:
    head = await house.gateway.ledger.log.head()
    response = await house.client.get(f"/api/v1/orders/{parent}/slices", params={"min_position": head})
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()
    return found


async def until_slice(house: House, parent: str, number: int, *statuses: str) -> dict[str, Any]:
    async def reached() -> dict[str, Any] | None:
        one = (await slices_of(house, parent))[number]
        return one if one["status"] in statuses else None

    found: dict[str, Any] = await house.until(reached, what=f"slice {number} {statuses}")
    return found
