"""A gateway process killed at the worst moments, started again, and asked what it knows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from gateway.adapters.system_clock import SystemClock
from gateway.api.tokens import mint
from gateway.cli.stage import Stage
from gateway.main import wiring
from gateway.main.keys import signing_key
from gateway.settings import load_settings
from tests.contract.steps import ORDERS
from tests.kit.covers import covers
from tests.kit.exchange import Exchange


@dataclass
class Desk:
    """A gateway in a process of its own, and a caller of it."""

    stage: Stage
    exchange: Exchange

    def ask(self, method: str, path: str, **more: Any) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {self._token()}"}
        return httpx2.request(method, f"{self.stage.url}{path}", headers=headers, timeout=20, **more)

    def submit(self, **fields: Any) -> httpx2.Response:
        return self.ask("POST", "/api/v1/orders", json={"symbol": "AAPL", "side": "buy", "qty": 10} | fields)

    def until(self, holds: Callable[[], Any], what: str) -> Any:
        give_up = time.monotonic() + 15
        while time.monotonic() < give_up:
            if found := holds():
                return found
            time.sleep(0.02)
        raise AssertionError(f"{what} did not happen")

    def wait_for_gate(self) -> None:
        self.until(
            lambda: self.ask("GET", "/api/v1/reconciliation/status").json()["gate"] == "open", "a pass"
        )

    def wait_for_status(self, client_order_id: str, status: str) -> dict[str, Any]:
        def reached() -> dict[str, Any] | None:
            order: dict[str, Any] = self.ask("GET", f"/api/v1/orders/{client_order_id}").json()
            return order if order["status"] == status else None

        found: dict[str, Any] = self.until(reached, f"status {status}")
        return found

    def posts(self, client_order_id: str) -> int:
        return sum(
            entry["method"] == "POST" and client_order_id in str(entry.get("body", ""))
            for entry in self.exchange.ctl("GET", "requests?after=0")
        )

    def holding(self) -> str:
        positions = self.ask("GET", "/api/v1/positions").json()["positions"]
        return str(positions[0]["qty"]) if positions else "0"

    def _token(self) -> str:
        settings = load_settings(self.stage.variables)
        return mint(
            sub="alice",
            role="admin",
            strategies=("*",),
            life=timedelta(hours=1),
            now=datetime.now(UTC),
            rules=wiring.token_rules(settings, SystemClock()),
            signing_key=signing_key(settings),
        )


@pytest.fixture
def desk(database: str, redis_url: str, exchange: Exchange, tmp_path: Path) -> Iterator[Desk]:
    given = {
        "ENVIRONMENT": "test",
        "DATABASE_URL": database,
        "REDIS_URL": redis_url,
        "DRY_RUN": "false",
        "ALPACA_BASE_URL": exchange.url,
        "ALPACA_API_KEY_ID": exchange.key,
        "ALPACA_API_SECRET_KEY": exchange.secret,
    }
    with Stage(home=tmp_path / "home", given=given) as stage:
        desk = Desk(stage, exchange)
        desk.wait_for_gate()
        yield desk


@covers("FC:A-07", "FM:F-007", "FM:F-158", "INV-28")
def test_order_submission_phase3_failure_idempotent_retry(desk: Desk) -> None:
    """The broker has accepted, nobody here knows it yet, and the process is gone."""
    desk.exchange.arm("http.hang", match=ORDERS, phase="after", seconds=8)
    with ThreadPoolExecutor(max_workers=1) as aside:
        asked = aside.submit(desk.submit, client_order_id="killed")
        desk.until(lambda: desk.exchange.truth()["orders"], "the order at the exchange")
        desk.stage.kill_gateway()
        assert isinstance(asked.exception(timeout=20), httpx2.TransportError)
    desk.stage.start_gateway()
    desk.wait_for_gate()
    retried = desk.submit(client_order_id="killed")
    assert retried.status_code in (200, 202), retried.text
    order = desk.wait_for_status("killed", "filled")
    (held,) = desk.exchange.truth()["orders"]
    assert order["broker_order_id"] == held["id"]
    assert desk.posts("killed") == 1
    assert desk.holding() == "10"
    assert desk.submit(qty=991, type="limit", limit_price="50").status_code == 422
    assert desk.submit(qty=990, type="limit", limit_price="50").status_code == 200


@covers("FC:A-06")
def test_trap_6_an_order_killed_before_it_left_is_unknown_and_not_pending_for_ever(desk: Desk) -> None:
    """Nothing is at the broker; until that is proved the order keeps its room and nobody calls it done."""
    desk.exchange.arm("http.hang", match=ORDERS, phase="before", seconds=30)
    with ThreadPoolExecutor(max_workers=1) as aside:
        asked = aside.submit(desk.submit, client_order_id="never-left", qty=1000)
        desk.until(lambda: desk.posts("never-left"), "the POST")
        desk.stage.kill_gateway()
        assert isinstance(asked.exception(timeout=20), httpx2.TransportError)
    desk.exchange.ctl("DELETE", "faults")
    desk.stage.start_gateway()
    desk.wait_for_gate()
    assert desk.submit(qty=1, type="limit", limit_price="50").status_code == 422
    assert desk.submit(client_order_id="never-left", qty=1000).status_code == 202


@covers("FM:F-081")
def test_a_fill_kept_but_not_recorded_is_recorded_after_the_restart(desk: Desk, database: str) -> None:
    """The inbox has the payload, the ledger does not: what a crash between the two leaves behind."""
    order = desk.submit(client_order_id="kept", type="limit", limit_price="90").json()
    desk.exchange.arm("ws.lose", times=-1)
    desk.stage.kill_gateway()
    kept = (
        '{"event":"fill","execution_id":"x-1","qty":"10","price":"90","timestamp":"2026-11-20T15:00:00Z",'
        f'"order":{{"id":"{order["broker_order_id"]}","client_order_id":"kept","symbol":"AAPL",'
        '"side":"buy","qty":"10","status":"filled","filled_qty":"10"}}'
    )
    with psycopg.connect(database) as connection:
        connection.execute(
            "insert into ledger.inbox (source, received_at, headers, raw)"
            " values ('webhook', now() - interval '1 minute', '{}', %s)",
            (kept.encode(),),
        )
    desk.stage.start_gateway()
    assert desk.wait_for_status("kept", "filled")["filled_qty"] == "10"
    assert desk.holding() == "10"


@covers("FC:D-01", "FM:F-080")
def test_what_fills_while_the_process_is_dead_is_booked_after_the_restart(desk: Desk) -> None:
    order = desk.submit(client_order_id="asleep", type="limit", limit_price="90").json()
    desk.wait_for_status("asleep", "new")
    desk.stage.kill_gateway()
    for qty in ("4", "6"):
        path = f"orders/{order['broker_order_id']}/fill"
        desk.exchange.ctl("POST", path, {"qty": qty, "price": "90"})
    desk.stage.start_gateway()
    desk.wait_for_gate()
    assert desk.wait_for_status("asleep", "filled")["flags"] == []
    assert desk.holding() == "10"
