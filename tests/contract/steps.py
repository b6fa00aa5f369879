"""What several of the contract's tests do or look at."""

from __future__ import annotations

from typing import Any

from tests.kit.house import House

ORDERS = {"method": "POST", "path": "/v2/orders"}


async def resting_order(house: House, **fields: Any) -> dict[str, Any]:
    """A buy of 10 AAPL that the exchange keeps on its book, as the POST answered it."""
    response = await house.submit(**{"type": "limit", "limit_price": "90"} | fields)
    assert response.status_code == 200, response.text
    order: dict[str, Any] = response.json()
    return order


def fill_at_exchange(house: House, order: dict[str, Any], qty: str, price: str) -> None:
    house.exchange.ctl("POST", f"orders/{order['broker_order_id']}/fill", {"qty": qty, "price": price})


async def traded(house: House, side: str, qty: str, price: str, *, name: str) -> str:
    """An order filled by hand at exactly this price, and booked here; gives the execution's id."""
    away = "50" if side == "buy" else "150"
    order = await resting_order(house, side=side, qty=int(qty), limit_price=away, client_order_id=name)
    fill_at_exchange(house, order, qty, price)
    await house.until_status(name, "filled")
    (execution,) = (
        str(entry["id"])
        for entry in house.exchange.truth()["executions"]["live"]
        if entry["order_id"] == order["broker_order_id"]
    )
    return execution


async def reconcile(house: House, *, shadow: bool = False) -> dict[str, Any]:
    """One pass of our own; one that is under way is waited for first."""
    params = {"shadow": "true"} if shadow else {}
    response = await house.client.post("/api/v1/reconciliation/run", params=params)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def holds(house: House, qty: str, symbol: str = "AAPL") -> bool:
    """Whether the read tables show this quantity, no row being none."""
    holding = await house.position(symbol)
    return (holding["qty"] if holding is not None else "0") == qty


async def quarantined(house: House) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await house.client.get("/api/v1/quarantine")).json()["quarantined"]
    return found


async def streams_written_after(house: House, position: int) -> set[str]:
    return {event.stream for event in await house.gateway.ledger.log.read(position, 1000)}


def metric(house: House, name: str, **labels: str) -> float:
    """A metric of this gateway as it stands; 0 for one that was never touched."""
    return house.gateway.metrics.registry.get_sample_value(f"execution_gateway_{name}", labels) or 0


async def told(house: House, client_order_id: str, name: str) -> list[Any]:
    """The events of one name on an order's stream."""
    events = await house.gateway.ledger.log.read(0, 10_000, stream=f"order-{client_order_id}")
    return [recorded.event for recorded in events if recorded.name == name]


async def flags(house: House, client_order_id: str) -> set[str]:
    return set((await house.order(client_order_id))["flags"])
