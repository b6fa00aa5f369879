"""Whatever a signed message says, it is kept, answered with 200, and stands in nobody's way."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from gateway.commands.record_report import RecordReport
from tests.contract.relay import deliver, fill
from tests.contract.steps import resting_order
from tests.kit.house import House

TEXTS = ("", "x", "e\x001", "\ud800", "ü" * 300, "x" * 12_000, "1e5", "AAPL", "fill", "buy", "-1")
NUMBERS = (0, -1, 10**30, 1.5, True, "0.000000000000000001", "9" * 19, "10." + "1" * 300, "NaN", "-5")
TIMES = ("2026-11-20T15:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999Z", "yesterday")
EVENTS = ("fill", "partial_fill", "trade_bust", "trade_correct", "canceled", "new", "rejected", "replaced")
EXECUTIONS = ("x-1", "x-2", "e\x001", None)


def odd(random: Random, order: dict[str, Any]) -> dict[str, Any]:
    """A fill of a real order with a few of its values replaced by ones nobody would send."""
    body: dict[str, Any] = fill(order, execution_id="x-1", qty="1", price="90", total="1")
    body["event"] = random.choice(EVENTS)
    body["execution_id"] = random.choice(EXECUTIONS)
    body["previous_execution_id"] = random.choice(EXECUTIONS)
    for part in random.choices([body, body["order"]], k=random.randint(1, 3)):
        name = random.choice([*part, "reason", "event_id", "filled_avg_price", "status", "type", "data"])
        part[name] = random.choice([*TEXTS, *NUMBERS, *TIMES, None, [], {}, {"order": {}}])
    return body


async def states(house: House) -> dict[str, str]:
    found = (await house.client.get("/api/v1/projections")).json()["projections"]
    return {entry["name"]: entry["state"] for entry in found}


@pytest.mark.parametrize("seed", range(3))
async def test_any_signed_object_is_answered_with_200_and_every_read_table_stays_live(
    house: House, seed: int
) -> None:
    order, random = await resting_order(house), Random(seed)
    for _ in range(60):
        body = odd(random, order)
        response = await deliver(house, body)
        assert response.status_code == 200, (body, response.text)
    await house.gateway.projections.wait_for(await house.gateway.ledger.log.head(), timeout=10)
    assert set((await states(house)).values()) == {"live"}
    assert house.gateway.ledger.ailments == {}


async def test_a_fact_nobody_can_record_is_kept_aside_and_answered(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a bug nobody thought of")

    order = await resting_order(house)
    monkeypatch.setattr(RecordReport, "record", fail)
    response = await deliver(house, fill(order, execution_id="x-1", qty="1", price="90", total="1"))
    assert (response.status_code, response.json()["status"]) == (200, "recorded")
    assert response.json()["disposition"] == "unparsed"
    waiting = await house.gateway.ledger.inbox.pending()
    assert [message for message in waiting if message.source == "webhook"] == []  # the stream tells on
