"""Orders on which the two sides do not agree: shown, kept up to date, and decided by a person."""

from __future__ import annotations

import asyncio
from typing import Any

from gateway.aggregates.vocabulary import position_stream
from tests.contract.conftest import CreateTestApp
from tests.contract.relay import about, deliver
from tests.contract.steps import fill_at_exchange, holds, quarantined, reconcile, resting_order, traded
from tests.contract.test_breaks import breaks, endow, position_break, resolve
from tests.kit.covers import covers
from tests.kit.house import House


async def canceled_here_alone(house: House, **fields: Any) -> dict[str, Any]:
    """An order that a relay says is over, while it goes on working at the broker."""
    order = await resting_order(house, **fields)
    await house.until_status(order["client_order_id"], "new")
    await deliver(house, {"event": "canceled", "order": about(order, status="canceled")})
    await house.until_status(order["client_order_id"], "canceled")
    return order


async def looked_at_twice(house: House) -> list[dict[str, Any]]:
    await reconcile(house)
    await reconcile(house)
    return await breaks(house)


async def room(house: House) -> int:
    position, _ = await house.gateway.ledger.load(position_stream("AAPL"))
    return int(position.reserved_buy)


async def test_an_order_over_here_and_working_there_is_a_break_until_both_agree(house: House) -> None:
    """Canceled here with 4, then the rest fills at the broker."""
    order = await resting_order(house)
    fill_at_exchange(house, order, "4", "90")
    await house.until_status(order["client_order_id"], "partially_filled")
    gone = about(order, status="canceled", filled_qty="4")
    await deliver(house, {"event": "canceled", "order": gone})
    (entry,) = await looked_at_twice(house)
    assert (entry["kind"], entry["ledger_value"], entry["broker_value"]) == (
        "order_status",
        "canceled",
        "partially_filled",
    )
    assert (entry["client_order_id"], entry["symbol"]) == (order["client_order_id"], "AAPL")
    assert await quarantined(house) == []
    fill_at_exchange(house, order, "6", "90")
    found = await house.until_status(order["client_order_id"], "filled")
    assert (found["filled_qty"], found["leaves_qty"]) == ("10", "0")
    assert await looked_at_twice(house) == []
    (closed,) = await breaks(house, status="resolved")
    assert (closed["break_id"], closed["resolution"]) == (entry["break_id"], "agreed")


@covers("FC:D-08")
async def test_what_one_list_leaves_out_does_not_close_its_break(house: House) -> None:
    """The order is asked for by itself."""
    await canceled_here_alone(house)
    (entry,) = await looked_at_twice(house)
    house.exchange.arm("read.list_gap", times=-1)
    (still,) = await looked_at_twice(house)
    assert still["break_id"] == entry["break_id"]


async def test_a_status_cannot_be_accepted_and_can_be_ignored_for_good(house: House) -> None:
    await canceled_here_alone(house)
    (entry,) = await looked_at_twice(house)
    refused = await resolve(house, entry, "accept_broker")
    assert (refused.status_code, refused.json()["code"]) == (409, "idempotency_conflict")
    assert (await resolve(house, entry, "ignore")).status_code == 200
    assert await looked_at_twice(house) == []


@covers("FC:D-10")
async def test_an_order_the_broker_lost_is_a_break_and_keeps_its_room_until_somebody_decides(
    house: House,
) -> None:
    order = await resting_order(house)
    await house.until_status(order["client_order_id"], "new")
    house.exchange.reset(seed=8)
    house.exchange.price("AAPL", "99.99", "100.01")
    (entry,) = await looked_at_twice(house)
    assert (entry["kind"], entry["ledger_value"], entry["broker_value"]) == (
        "order_missing",
        "new",
        "not found",
    )
    assert await room(house) == 10
    accepted = await resolve(house, entry, "accept_broker")
    assert accepted.status_code == 200, accepted.text
    found = await house.order(order["client_order_id"])
    assert (found["status"], await room(house)) == ("canceled", 0)
    (ended,) = await house.gateway.ledger.log.read(0, 100, name="order.canceled")
    assert (ended.actor.sub, ended.event.source) == ("alice", "manual")  # type: ignore[attr-defined]
    assert await looked_at_twice(house) == []


async def test_an_order_that_turns_up_again_closes_its_break(house: House) -> None:
    order = await resting_order(house)
    await house.until_status(order["client_order_id"], "new")
    unknown = {"status": 404, "times": -1, "body": '{"code":40410000,"message":"order not found"}'}
    hidden = [
        house.exchange.arm("http.status", match={"path": path}, **unknown)
        for path in (f"/v2/orders/{order['broker_order_id']}", "/v2/orders:by_client_order_id")
    ]
    hidden.append(house.exchange.arm("http.body", match={"path": "/v2/orders"}, times=-1, body="[]"))
    (entry,) = await looked_at_twice(house)
    assert entry["kind"] == "order_missing"
    for fault in hidden:
        house.exchange.ctl("DELETE", f"faults/{fault}")
    late = await resolve(house, entry, "accept_broker")
    assert (late.status_code, late.json()["code"]) == (503, "reconciliation_in_progress")
    assert await looked_at_twice(house) == []


@covers("INV-30")
async def test_each_pass_says_when_it_last_saw_a_break_and_how_it_stands(house: House) -> None:
    endow(house, "50", "120")
    entry = await position_break(house)
    assert entry["last_seen"] >= entry["first_seen"]
    await reconcile(house)
    (again,) = await breaks(house)
    assert again["last_seen"] > entry["last_seen"]
    assert again["first_seen"] == entry["first_seen"]
    endow(house, "10", "120")
    await reconcile(house)
    await reconcile(house)
    (moved,) = await breaks(house)
    assert (moved["break_id"], moved["broker_value"]) == (entry["break_id"], "60")
    assert len(await house.gateway.ledger.log.read(0, 100, name="position.quarantined")) == 1


async def test_an_execution_on_its_way_is_not_adjusted_for(house: House) -> None:
    """What the broker holds by an execution we have not heard of yet is not taken over as an adjustment."""
    order = await resting_order(house)
    await house.until_status(order["client_order_id"], "new")
    endow(house, "50", "120")
    entry = await position_break(house)
    house.exchange.arm("ws.lose", match={"event": "*fill"}, times=-1)
    fill_at_exchange(house, order, "10", "90")
    refused = await resolve(house, entry, "accept_broker")
    assert (refused.status_code, refused.json()["code"]) == (503, "reconciliation_in_progress")
    await reconcile(house)
    assert (await resolve(house, entry, "accept_broker")).status_code == 200
    assert await holds(house, "60")
    assert await looked_at_twice(house) == []


@covers("FC:E-07")
async def test_fills_the_broker_counts_and_does_not_list_are_no_difference_of_holdings_yet(
    house: House,
) -> None:
    """Nothing is concluded while an execution may still be on its way."""
    order = await resting_order(house)
    house.exchange.arm("ws.lose", match={"event": "*fill"}, times=-1)
    house.exchange.arm("read.activities_gap", times=-1)
    fill_at_exchange(house, order, "10", "90")
    assert await looked_at_twice(house) == []
    house.gateway.fill_gap.settle_window *= 0
    await reconcile(house)
    assert await holds(house, "10")
    assert await looked_at_twice(house) == []


async def test_a_run_that_joins_a_pass_under_way_is_on_record_as_its_askers(
    create_test_app: CreateTestApp,
) -> None:
    async with create_test_app(block_reconciliation=True) as house:

        async def begun() -> bool:
            return not house.gateway.reconciler.idle

        await house.until(begun, what="the first pass")
        joined = house.client.post("/api/v1/reconciliation/run")
        waiting = asyncio.ensure_future(joined)

        async def recorded() -> list[Any]:
            found = await house.gateway.ledger.log.read(0, 100, name="reconciliation.joined")
            return list(found)

        (event,) = await house.until(recorded, what="the event")
        house.release_reconciliation.set()
        answer = (await waiting).json()
        assert (event.actor.sub, event.event.run_id) == ("alice", answer["run_id"])


async def test_the_counters_of_reconciliation_tell_what_was_added_and_what_was_outweighed(
    house: House,
) -> None:
    """Agreeing is neither; a fill from the activities is a fact that had to be added."""

    def count(name: str) -> float:
        metric = getattr(house.gateway.metrics, name).labels(pod=house.gateway.settings.pod_name)
        return float(metric._value.get())

    await traded(house, "buy", "5", "90", name="agreed")
    await resting_order(house, client_order_id="resting")
    await reconcile(house)
    added, outweighed = count("mismatches"), count("conflicts_skipped")
    await reconcile(house)
    assert (count("mismatches"), count("conflicts_skipped")) == (added, outweighed)
    order = await resting_order(house, client_order_id="missed")
    house.exchange.arm("ws.lose", match={"event": "*fill"}, times=-1)
    fill_at_exchange(house, order, "4", "90")
    result = await reconcile(house)
    assert count("mismatches") == added + result["reports_recorded"] > added
    await canceled_here_alone(house, client_order_id="disputed")
    await reconcile(house)
    assert count("conflicts_skipped") > outweighed
