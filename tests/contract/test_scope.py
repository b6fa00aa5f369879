"""What a caller of one strategy sees of a symbol that several share."""

from __future__ import annotations

from typing import Any

import httpx2

from tests.contract.steps import holds
from tests.kit.house import House


async def position_events(client: httpx2.AsyncClient) -> list[dict[str, Any]]:
    response = await client.get("/api/v1/events", params={"topic": "position.", "limit": 1000})
    response.raise_for_status()
    found: list[dict[str, Any]] = response.json()["events"]
    return found


async def test_a_scoped_caller_sees_its_own_part_of_a_position_and_nothing_of_the_accounts(
    house: House,
) -> None:
    for qty, strategy_id in ((10, "alpha_baseline"), (5, "beta")):
        assert (await house.submit(qty=qty, strategy_id=strategy_id)).status_code == 200
    await house.until(lambda: holds(house, "15"), what="both fills")
    mine = await position_events(house.as_role("viewer", strategies=("beta",)))
    assert {event["topic"] for event in mine} == {"position.reserved", "position.filled"}
    assert {event["strategy_id"] for event in mine} == {"beta"}
    assert [key for event in mine for key in event["data"] if key.startswith("account")] == []
    everything = await position_events(house.client)
    (account, *_) = [event["data"] for event in everything if event["topic"] == "position.filled"]
    assert any(key.startswith("account") for key in account)
    assert {event["strategy_id"] for event in everything} == {"alpha_baseline", "beta"}
