"""Orders nobody here sent: found once, answered once, and never in the way of the facts."""

from __future__ import annotations

from typing import Any

from gateway.aggregates.vocabulary import position_stream
from tests.contract.conftest import CreateTestApp
from tests.contract.steps import fill_at_exchange, holds, quarantined, reconcile, streams_written_after
from tests.kit.covers import covers
from tests.kit.house import House

REASON = {"reason": "checked with the desk by phone"}


def foreign_order(house: House, **fields: str) -> dict[str, Any]:
    """A resting buy of 10 AAPL from the broker's own screens, named as our own answers name orders."""
    body = {"symbol": "AAPL", "side": "buy", "qty": "10", "type": "limit", "limit_price": "90"} | fields
    order = house.exchange.ctl("POST", "foreign_order", {**body, "time_in_force": "day"})
    return {**order, "broker_order_id": order["id"]}


async def orphans(house: House, **params: str) -> list[dict[str, Any]]:
    head = await house.gateway.ledger.log.head()
    response = await house.client.get("/api/v1/orphans", params={**params, "min_position": max(head, 1)})
    assert response.status_code == 200, response.text
    assert response.json()["total"] == len(response.json()["orphans"])
    found: list[dict[str, Any]] = response.json()["orphans"]
    return found


async def found_orphan(house: House, **fields: str) -> dict[str, Any]:
    order = foreign_order(house, **fields)

    async def is_known() -> bool:
        return any(entry["broker_order_id"] == order["id"] for entry in await orphans(house))

    await house.until(is_known, what="the orphan's discovery")
    return order


async def answer(house: House, order: dict[str, Any], verb: str, **body: str) -> Any:
    return await house.client.post(f"/api/v1/orphans/{order['id']}/{verb}", json={**REASON, **body})


async def open_breaks(house: House) -> list[dict[str, Any]]:
    head = await house.gateway.ledger.log.head()
    response = await house.client.get("/api/v1/reconciliation/breaks", params={"min_position": head})
    found: list[dict[str, Any]] = response.json()["breaks"]
    return found


@covers("FC:E-01")
async def test_an_orphan_is_shown_quarantined_and_a_break(house: House) -> None:
    order = await found_orphan(house)
    await reconcile(house)
    (entry,) = await orphans(house)
    assert entry["broker_order_id"] == order["id"]
    assert (entry["strategy_id"], entry["status"], entry["side"], entry["qty"]) == (
        "external",
        "untracked",
        "buy",
        10,
    )
    assert (entry["filled_qty"], entry["estimated_notional"]) == ("0", "900")
    assert (entry["resolved_at"], entry["resolved_by"]) == (None, None)
    (quarantine,) = await quarantined(house)
    assert quarantine["cause"]["broker_order_id"] == order["id"]
    assert [found["kind"] for found in await open_breaks(house)] == ["orphan"]


async def test_the_list_is_cut_to_status_and_symbol(house: House) -> None:
    order = await found_orphan(house)
    await found_orphan(house, symbol="MSFT", limit_price="150")
    await answer(house, order, "ignore")
    assert [entry["symbol"] for entry in await orphans(house)] == ["MSFT", "AAPL"]
    assert [entry["symbol"] for entry in await orphans(house, status="ignored")] == ["AAPL"]
    assert [entry["status"] for entry in await orphans(house, symbol="MSFT")] == ["untracked"]
    viewer = house.as_role("viewer", strategies=("alpha_baseline",))
    assert (await viewer.get("/api/v1/orphans")).json() == {"orphans": [], "total": 0}


@covers("FC:E-01", "FM:F-085")
async def test_an_adopted_orphan_gives_later_executions_to_the_strategy(house: House) -> None:
    order = await found_orphan(house)
    fill_at_exchange(house, order, "4", "90")
    await house.until(lambda: holds(house, "4"), what="the first execution")
    adopted = await answer(house, order, "adopt", strategy_id="alpha_baseline")
    assert adopted.status_code == 200, adopted.text
    entry = adopted.json()
    assert (entry["status"], entry["strategy_id"], entry["resolved_by"]) == (
        "adopted",
        "alpha_baseline",
        "alice",
    )
    assert int(adopted.headers["x-ledger-position"]) > 0
    fill_at_exchange(house, order, "6", "90")
    await house.until(lambda: holds(house, "10"), what="the second execution")
    position, _ = await house.gateway.ledger.load(position_stream("AAPL"))
    assert {name: str(book.qty) for name, book in position.strategies.items()} == {
        "external": "4",
        "alpha_baseline": "6",
    }


async def test_the_same_answer_again_writes_nothing_and_another_one_is_refused(house: House) -> None:
    order = await found_orphan(house)
    first = await answer(house, order, "ignore")
    head = await house.gateway.ledger.log.head()
    again = await answer(house, order, "ignore")
    assert (again.status_code, again.json()) == (200, first.json())
    assert await streams_written_after(house, head) <= {"recon-gate"}
    assert len(await house.gateway.ledger.log.read(0, 1000, name="break.resolved")) == 1
    for verb, body in (("adopt", {"strategy_id": "alpha_baseline"}), ("cancel", {})):
        refused = await answer(house, order, verb, **body)
        assert (refused.status_code, refused.json()["code"]) == (409, "idempotency_conflict")
        assert refused.json()["orphan_status"] == "ignored"


@covers("FC:E-01")
async def test_a_canceled_orphan_is_closed_on_the_brokers_word(house: House) -> None:
    order = await found_orphan(house)
    house.exchange.arm("order.silent_cancel", times=1)
    asked = await answer(house, order, "cancel")
    assert asked.status_code == 200, asked.text
    assert asked.json()["status"] == "cancel_requested"
    assert [found["kind"] for found in await open_breaks(house)] == ["orphan"]
    await reconcile(house)
    (entry,) = await orphans(house)
    assert (entry["status"], entry["resolved_by"]) == ("closed", "alice")
    assert entry["resolved_at"] is not None
    assert await open_breaks(house) == []
    refused = await answer(house, order, "adopt", strategy_id="alpha_baseline")
    assert (refused.status_code, refused.json()["orphan_status"]) == (409, "closed")


async def test_a_quarantine_can_be_inspected_and_lifted_once_its_orphan_is_resolved(house: House) -> None:
    """An operator needs nothing but the API, and resolving alone lifts nothing."""
    order = await found_orphan(house)
    release = "/api/v1/quarantine/AAPL/release"
    refused = await house.client.post(release, json=REASON)
    assert (refused.status_code, refused.json()["code"]) == (409, "unresolved_orphans")
    assert refused.json()["broker_order_ids"] == [order["id"]]
    await answer(house, order, "ignore")
    assert len(await quarantined(house)) == 1
    blocked = await house.submit()
    assert (blocked.status_code, blocked.json()["code"]) == (503, "quarantined")
    released = await house.client.post(release, json=REASON)
    assert (released.status_code, released.json()["released_by"]) == (200, "alice")
    assert await quarantined(house) == []

    async def trades_again() -> bool:
        return (await house.submit(type="limit", limit_price="50")).status_code == 200

    await house.until(trades_again, what="trading after the release")


@covers("FC:B-01")
async def test_an_orphan_known_only_from_the_activities_opens_a_break_for_each_view(
    create_test_app: CreateTestApp, exchange: Any
) -> None:
    """It was over before anybody looked, so only its execution tells of it."""
    body = {"symbol": "AAPL", "side": "buy", "qty": "10", "type": "market", "time_in_force": "day"}
    order = exchange.ctl("POST", "foreign_order", body)
    async with create_test_app() as house:
        await house.until(lambda: holds(house, "10"), what="the execution's booking")
        assert {found["kind"] for found in await open_breaks(house)} == {"orphan", "activity_unmatched"}
        assert (await answer(house, order, "cancel")).status_code == 409
        assert (await answer(house, order, "ignore")).json()["status"] == "ignored"
        assert await open_breaks(house) == []


async def test_who_may_answer_for_which_orphan(house: House) -> None:
    order = await found_orphan(house)
    path = f"/api/v1/orphans/{order['id']}/ignore"
    for role in ("viewer", "operator", "auditor"):
        refused = await house.as_role(role).post(path, json=REASON)
        assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    short = await house.client.post(path, json={"reason": "short"})
    assert (short.status_code, short.json()["code"]) == (422, "request_validation")
    for unknown in ("no-such-order", "%00", "caf%C3%A9"):
        missing = await house.client.post(f"/api/v1/orphans/{unknown}/ignore", json=REASON)
        assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    ours = (await house.submit(symbol="MSFT", type="limit", limit_price="150")).json()
    missing = await house.client.post(f"/api/v1/orphans/{ours['broker_order_id']}/cancel", json=REASON)
    assert missing.status_code == 404
