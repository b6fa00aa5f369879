"""Differences between the ledger and the broker: shown with their age, and decided by a person."""

from __future__ import annotations

from typing import Any

from gateway.aggregates.vocabulary import position_stream
from tests.contract.relay import deliver, fill
from tests.contract.steps import holds, quarantined, reconcile, resting_order, traded
from tests.kit.covers import covers
from tests.kit.house import House

REASON = "the broker moved these shares in by transfer"


async def breaks(house: House, **params: str) -> list[dict[str, Any]]:
    head = await house.gateway.ledger.log.head()
    response = await house.client.get(
        "/api/v1/reconciliation/breaks", params={**params, "min_position": max(head, 1)}
    )
    assert response.status_code == 200, response.text
    assert response.json()["total"] == len(response.json()["breaks"])
    found: list[dict[str, Any]] = response.json()["breaks"]
    return found


def endow(house: House, qty: str, price: str, symbol: str = "AAPL") -> None:
    """Shares that appear at the broker without an order."""
    house.exchange.ctl("POST", "account", {"positions": {symbol: {"qty": qty, "price": price}}})


async def position_break(house: House) -> dict[str, Any]:
    """The break that two passes over a difference open."""
    await reconcile(house)
    await reconcile(house)
    (entry,) = await breaks(house, kind="position_qty")
    return entry


async def resolve(house: House, entry: dict[str, Any], action: str, reason: str = REASON) -> Any:
    path = f"/api/v1/reconciliation/breaks/{entry['break_id']}/resolve"
    return await house.client.post(path, json={"action": action, "reason": reason})


@covers("FC:E-02")
async def test_a_position_without_orders_is_a_break_with_both_figures_and_an_age(house: House) -> None:
    endow(house, "50", "120")
    entry = await position_break(house)
    assert (entry["symbol"], entry["ledger_value"], entry["broker_value"]) == ("AAPL", "0", "50")
    assert (entry["status"], entry["resolution"], entry["resolved_by"]) == ("open", None, None)
    assert entry["age_seconds"] >= 0
    (later,) = await breaks(house)
    assert later["age_seconds"] > entry["age_seconds"]
    (quarantine,) = await quarantined(house)
    assert (quarantine["symbol"], quarantine["reason"]) == ("AAPL", "position_mismatch")
    assert quarantine["cause"]["break_id"] == entry["break_id"]
    assert (await house.gateway.reconciler.status()).open_breaks == 1


@covers("FC:E-02", "FC:E-09")
async def test_accepting_the_broker_adjusts_by_the_difference_at_its_price_and_realizes_nothing(
    house: House,
) -> None:
    endow(house, "50", "120")
    entry = await position_break(house)
    accepted = await resolve(house, entry, "accept_broker")
    assert accepted.status_code == 200, accepted.text
    resolved = accepted.json()
    assert (resolved["status"], resolved["resolution"], resolved["resolved_by"]) == (
        "resolved",
        "accept_broker",
        "alice",
    )
    (adjusted,) = await house.gateway.ledger.log.read(0, 100, name="position.adjusted")
    event: Any = adjusted.event
    assert (event.qty, event.cost, event.account.realized, event.reason) == (50, 6000, 0, REASON)
    assert adjusted.actor.sub == "alice"
    assert int(accepted.headers["x-ledger-position"]) == adjusted.position + 1
    assert await holds(house, "50")
    held = await house.position()
    assert held is not None
    assert (held["avg_entry_price"], held["realized_pl"]) == ("120", "0")
    await reconcile(house)
    await reconcile(house)
    assert await breaks(house) == []
    release = await house.client.post("/api/v1/quarantine/AAPL/release", json={"reason": REASON})
    assert release.status_code == 200, release.text


@covers("FC:E-09")
async def test_what_the_broker_lacks_leaves_at_our_own_average(house: House) -> None:
    await traded(house, "buy", "100", "90", name="bought")
    house.exchange.reset(seed=8)
    house.exchange.price("AAPL", "99.99", "100.01")
    endow(house, "40", "250")
    entry = await position_break(house)
    assert (entry["ledger_value"], entry["broker_value"]) == ("100", "40")
    assert (await resolve(house, entry, "accept_broker")).status_code == 200
    position, _ = await house.gateway.ledger.load(position_stream("AAPL"))
    assert (position.qty, position.account.cost, position.account.realized) == (40, 3600, 0)


async def test_the_same_decision_again_changes_nothing_and_another_one_is_refused(house: House) -> None:
    endow(house, "50", "120")
    entry = await position_break(house)
    first = (await resolve(house, entry, "accept_broker")).json()
    again = await resolve(house, entry, "accept_broker")
    assert again.status_code == 200
    assert again.json() == {**first, "age_seconds": again.json()["age_seconds"]}
    assert len(await house.gateway.ledger.log.read(0, 100, name="position.adjusted")) == 1
    other = await resolve(house, entry, "ignore")
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")


async def test_an_ignored_difference_stays_ignored_until_it_changes(house: House) -> None:
    endow(house, "50", "120")
    entry = await position_break(house)
    assert (await resolve(house, entry, "ignore")).json()["resolution"] == "ignore"
    await reconcile(house)
    await reconcile(house)
    assert await breaks(house) == []
    assert [b["resolution"] for b in await breaks(house, status="all")] == ["ignore"]
    endow(house, "10", "120")
    again = await position_break(house)
    assert again["break_id"] != entry["break_id"]
    assert (again["ledger_value"], again["broker_value"]) == ("0", "60")


@covers("FC:E-03")
async def test_a_break_closes_by_itself_when_the_figures_agree_again(house: House) -> None:
    endow(house, "50", "120")
    await position_break(house)
    endow(house, "-50", "120")
    await reconcile(house)
    assert await breaks(house) == []
    (closed,) = await breaks(house, status="resolved", symbol="aapl")
    assert (closed["resolution"], closed["resolved_by"]) == ("agreed", None)
    assert len(await quarantined(house)) == 1


async def test_an_execution_told_twice_with_another_price_is_a_break_and_the_first_stays_booked(
    house: House,
) -> None:
    order = await resting_order(house)
    for price in ("90", "91", "92"):
        await deliver(house, fill(order, execution_id="x-1", qty="10", price=price, total="10"))
    (entry,) = await breaks(house)
    assert (entry["kind"], entry["client_order_id"]) == ("fill_gap", order["client_order_id"])
    held = await house.position()
    assert held is not None
    assert (held["qty"], held["avg_entry_price"]) == ("10", "90")
    assert (await resolve(house, entry, "ignore")).status_code == 200
    assert await breaks(house) == []


@covers("FC:D-09")
async def test_a_broker_that_cannot_be_read_decides_nothing(house: House) -> None:
    endow(house, "50", "120")
    entry = await position_break(house)
    house.exchange.arm("http.status", match={"path": "/v2/positions"}, times=-1, status=503, body="")
    refused = await resolve(house, entry, "accept_broker")
    assert (refused.status_code, refused.json()["code"]) == (503, "reconciliation_broker_unavailable")
    assert [b["break_id"] for b in await breaks(house)] == [entry["break_id"]]


async def test_who_may_decide_about_which_break(house: House) -> None:
    endow(house, "50", "120")
    entry = await position_break(house)
    path = f"/api/v1/reconciliation/breaks/{entry['break_id']}/resolve"
    body = {"action": "ignore", "reason": REASON}
    refused = await house.as_role("operator").post(path, json=body)
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    assert (await resolve(house, entry, "ignore", "short")).status_code == 422
    assert (await resolve(house, entry, "adjust")).status_code == 422
    missing = await resolve(house, {"break_id": "break-99"}, "ignore")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    denied = await house.gateway.ledger.log.read(0, 100, name="control.refused")
    assert "break_resolve" in {event.event.action for event in denied}  # type: ignore[attr-defined]
