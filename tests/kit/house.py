"""A whole gateway in this process: real Postgres, real Redis protocol, the exchange's own process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI

from gateway.api.tokens import mint
from gateway.main import wiring
from gateway.main.composition import Gateway
from gateway.main.keys import signing_key
from gateway.main.lifecycle import Lifecycle
from gateway.settings import load_settings
from gateway.telemetry import GateLog
from tests.kit.exchange import Exchange

LOCAL = "http://gateway.test"


class GateLogger:
    """The gates of the last request that walked any; equal to the list of their names."""

    def __init__(self) -> None:
        self._last = GateLog()

    def new(self) -> GateLog:
        self._last = GateLog()
        return self._last

    @property
    def sequence(self) -> list[str]:
        return self._last.sequence

    def __eq__(self, other: object) -> bool:
        return self._last.names == other

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return repr(self._last.names)


@dataclass(slots=True, kw_only=True)
class House:
    """`client` speaks as an admin; `as_role` gives a client of another role."""

    gateway: Gateway
    lifecycle: Lifecycle
    app: FastAPI
    client: httpx2.AsyncClient
    exchange: Exchange
    release_reconciliation: asyncio.Event
    loop_may_live: asyncio.Event
    _clients: list[httpx2.AsyncClient] = field(default_factory=list)

    def token(self, role: str = "admin", *, sub: str = "alice", strategies: tuple[str, ...] = ("*",)) -> str:
        settings = self.gateway.settings
        return mint(
            sub=sub,
            role=role,
            strategies=strategies,
            life=timedelta(hours=1),
            now=self.gateway.clock.now(),
            rules=wiring.token_rules(settings, self.gateway.clock),
            signing_key=signing_key(settings),
        )

    def as_role(
        self, role: str, *, sub: str = "bob", strategies: tuple[str, ...] = ("*",)
    ) -> httpx2.AsyncClient:
        return self._client({"Authorization": f"Bearer {self.token(role, sub=sub, strategies=strategies)}"})

    def as_nobody(self) -> httpx2.AsyncClient:
        return self._client({})

    def _client(self, headers: Mapping[str, str]) -> httpx2.AsyncClient:
        client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=self.app), base_url=LOCAL, headers=dict(headers)
        )
        self._clients.append(client)
        return client

    async def submit(self, **fields: Any) -> httpx2.Response:
        """A market order for 10 AAPL unless told otherwise."""
        body = {"symbol": "AAPL", "side": "buy", "qty": 10} | fields
        return await self.client.post("/api/v1/orders", json=body)

    async def order(self, client_order_id: str) -> dict[str, Any]:
        """The order as the ledger has it, through the API."""
        found: dict[str, Any] = await self._at_the_head(f"/api/v1/orders/{client_order_id}")
        return found

    async def position(self, symbol: str = "AAPL") -> dict[str, Any] | None:
        """The holding as the read tables show it once they have reached the head."""
        found = (await self._at_the_head("/api/v1/positions", symbol=symbol))["positions"]
        return found[0] if found else None

    async def _at_the_head(self, path: str, **asked: str) -> Any:
        """What a read answers once the tables show all that is recorded now, which a busy machine delays."""
        head = max(await self.gateway.ledger.log.head(), 1)

        async def answer() -> httpx2.Response | None:
            response = await self.client.get(path, params={**asked, "min_position": head})
            behind = response.status_code == 503 and response.json()["code"] == "projection_behind"
            return None if behind else response

        response: httpx2.Response = await self.until(answer, what=f"position {head} in the tables")
        return response.raise_for_status().json()

    async def until(
        self, holds: Callable[[], Awaitable[object]], *, within: float = 10.0, what: str = "it"
    ) -> Any:
        """Wait for something to become true."""
        give_up = asyncio.get_running_loop().time() + within
        while asyncio.get_running_loop().time() < give_up:
            if found := await holds():
                return found
            await asyncio.sleep(0.02)
        raise AssertionError(f"{what} did not happen within {within} s")

    async def until_status(self, client_order_id: str, *statuses: str) -> dict[str, Any]:
        async def reached() -> dict[str, Any] | None:
            order = await self.order(client_order_id)
            return order if order["status"] in statuses else None

        found: dict[str, Any] = await self.until(reached, what=f"status {statuses}")
        return found

    async def until_gate_opens(self, *, standby: bool = False) -> None:
        """And, where this gateway reads the stream, until the pass that follows its subscription is over."""
        updates = self.gateway.updates

        async def is_open() -> bool:
            return (await self.gateway.reconciler.status()).gate == "open"

        async def is_quiet() -> bool:
            heard = updates is not None and updates.connected
            return heard and self.gateway.reconciler.idle

        await self.until(is_open, what="the first reconciliation pass")
        if not standby:
            await self.until(is_quiet, what="the pass after the stream was heard")

    def posts(self, client_order_id: str | None = None) -> int:
        """How many POSTs of orders the exchange has seen."""
        requests = self.exchange.ctl("GET", "requests?after=0")
        found = requests["requests"] if isinstance(requests, dict) else requests
        return sum(
            entry["method"] == "POST"
            and entry["path"] == "/v2/orders"
            and (client_order_id is None or client_order_id in str(entry.get("body", "")))
            for entry in found
        )

    async def engage_kill_switch(self, **fields: Any) -> None:
        body = {"reason": "a test says so", "operator": "alice"} | fields
        (await self.client.post("/api/v1/kill-switch/engage", json=body)).raise_for_status()

    async def disengage_kill_switch(self, **fields: Any) -> None:
        body = {"operator": "alice"} | fields
        (await self.client.post("/api/v1/kill-switch/disengage", json=body)).raise_for_status()

    async def trip_circuit_breaker(self) -> None:
        body = {"reason": "a test says so"}
        (await self.client.post("/api/v1/circuit-breaker/trip", json=body)).raise_for_status()


@asynccontextmanager
async def running(
    *,
    database: str,
    redis_url: str,
    exchange: Exchange,
    home: Path,
    startup_tracker: Callable[[str], None] = lambda step: None,
    shutdown_tracker: Callable[[str], None] = lambda step: None,
    door_tracker: Callable[[str], None] = lambda door: None,
    gate_logger: GateLogger | None = None,
    block_reconciliation: bool = False,
    crash_reconciliation_loop: bool = False,
    standby: bool = False,
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[House]:
    """A started gateway and a client; stopped in order at the end, whatever the test did."""
    variables = {
        "ENVIRONMENT": "test",
        "DATABASE_URL": database,
        "REDIS_URL": redis_url,
        "DRY_RUN": "false",
        "ALPACA_BASE_URL": exchange.url,
        "ALPACA_API_KEY_ID": exchange.key,
        "ALPACA_API_SECRET_KEY": exchange.secret,
        "REDIS_TIMEOUT_SECONDS": "0.8",  # the test itself blocks the loop now and then
        "WEBHOOK_SECRET": "whsec-test",
        "GATEWAY_HOME": str(home),
        "FEATURE_PERFORMANCE_DASHBOARD": "true",
        "ORDER_SUBMIT_RATE_LIMIT": "100000",
        "ORDER_CANCEL_RATE_LIMIT": "100000",
        "RATE_LIMIT_MODE": "log_only",
        "RECONCILIATION_BREAK_TOLERANCE_SECONDS": "0",
    }
    gateway = Gateway(
        load_settings({**variables, **(environment or {})}),
        track_doors=door_tracker,
        new_gate_log=(gate_logger or GateLogger()).new,
    )
    release, may_live = asyncio.Event(), asyncio.Event()
    if not block_reconciliation:
        release.set()
    if not crash_reconciliation_loop:
        may_live.set()

    def started(step: str) -> None:
        if step == "alpaca_connect":
            _hold(gateway, release, may_live)
        startup_tracker(step)

    lifecycle = Lifecycle(gateway, startup=started, shutdown=shutdown_tracker)
    await lifecycle.start()
    try:
        app = gateway.app()
        house = House(
            gateway=gateway,
            lifecycle=lifecycle,
            app=app,
            client=httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=LOCAL),
            exchange=exchange,
            release_reconciliation=release,
            loop_may_live=may_live,
        )
        house.client.headers["Authorization"] = f"Bearer {house.token()}"
        if release.is_set() and may_live.is_set() and not gateway.settings.dry_run:
            await house.until_gate_opens(standby=standby)
        yield house
        await house.client.aclose()
        for client in house._clients:
            await client.aclose()
    finally:
        release.set()
        may_live.set()
        await lifecycle.stop()


def _hold(gateway: Gateway, release: asyncio.Event, may_live: asyncio.Event) -> None:
    """Put the pass behind a door that the test opens, at the one place where it asks us for holdings."""
    holdings = gateway.reconciler.one_pass.holdings

    async def held() -> Any:
        if not may_live.is_set():
            raise RuntimeError("a test wants the loop to crash")
        await release.wait()
        return await holdings()

    gateway.reconciler.one_pass.holdings = held
