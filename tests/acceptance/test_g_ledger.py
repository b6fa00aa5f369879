"""The ledger itself: read again without effect, and gone for a while without anything pretended."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from gateway.adapters.embedded import EmbeddedPostgres
from gateway.ledger import migrate
from tests.contract.by_hand import bought
from tests.contract.conftest import CreateTestApp
from tests.contract.relay import about, deliver
from tests.contract.steps import holds, metric, reconcile, resting_order
from tests.kit.covers import covers
from tests.kit.house import House


def orders_sent(house: House) -> int:
    asked = house.exchange.ctl("GET", "requests?after=0")
    return sum(entry["method"] != "GET" for entry in asked)


@covers("FC:G-01")
async def test_reading_the_past_again_sends_nothing_and_alerts_nobody(create_test_app: CreateTestApp) -> None:
    async with create_test_app() as house:
        house.exchange.arm("order.fill_after_terminal", status="canceled", qty="4")
        order = await resting_order(house)
        await house.client.post(f"/api/v1/orders/{order['client_order_id']}/cancel")
        await house.until(lambda: holds(house, "4"), what="the late fill")
        assert metric(house, "order_flags_total", flag="late_fill") == 1
        asked = await house.client.post(
            "/api/v1/projections/orders/rebuild", json={"reason": "read it again"}
        )
        assert asked.status_code == 202, asked.text
        await reconcile(house)
        sent = orders_sent(house)
        head = await house.gateway.ledger.log.head()
    async with create_test_app() as house:
        report = (await house.client.get("/api/v1/ledger/verify")).json()
        assert report["ok"], report
        assert orders_sent(house) == sent
        assert metric(house, "order_flags_total", flag="late_fill") == 0
        written = [(event.stream, event.name) for event in await house.gateway.ledger.log.read(head, 1000)]
        assert [entry for entry in written if entry[0].startswith(("order-", "position-"))] == []


@covers("FC:G-10", "FM:F-020", "FM:F-155")
async def test_without_a_ledger_nothing_leaves_nothing_is_promised_and_facts_come_back(
    create_test_app: CreateTestApp, private_postgres: EmbeddedPostgres, postgres_programs: Path | None
) -> None:
    database = private_postgres.url()
    await asyncio.to_thread(migrate.upgrade, database)
    async with create_test_app(database=database) as house:
        await bought(house, 10)
        order = await resting_order(house, qty=900)
        sent = orders_sent(house)
        await asyncio.to_thread(private_postgres.stop)
        answers = await asyncio.gather(
            house.submit(client_order_id="never", type="limit", limit_price="90"),
            house.client.post(f"/api/v1/orders/{order['client_order_id']}/cancel"),
            house.client.post("/api/v1/kill-switch/engage", json={"reason": "fire", "operator": "alice"}),
            deliver(house, {"event": "canceled", "order": about(order, status="canceled")}),
        )
        assert [answer.status_code for answer in answers] == [503] * 4
        assert orders_sent(house) == sent, "what is not on record does not leave"
        house.exchange.ctl("POST", f"orders/{order['broker_order_id']}/cancel", {})  # by hand, at the broker
        await asyncio.to_thread(
            EmbeddedPostgres.start, private_postgres.directory, programs=postgres_programs
        )

        async def told() -> Any:
            answer = await house.client.get(f"/api/v1/orders/{order['client_order_id']}")
            return answer.status_code == 200 and answer.json()["status"] == "canceled"

        await house.until(told, within=30, what="what people did at the broker")
        status = (await house.client.get("/api/v1/kill-switch/status")).json()
        assert status["state"] != "ENGAGED", "what was refused has not happened"

        async def takes_all_the_room() -> bool:
            answer = await house.submit(client_order_id="whole", qty=990, type="limit", limit_price="50")
            return answer.status_code == 200

        await house.until(takes_all_the_room, within=30, what="the room that was given back")
