"""What goes on and what is refused while a part is away, and that its return heals everything by itself.

Parts go away for real: servers are stopped, the exchange's process is killed, a table refuses its rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx2
import psycopg
import pytest

from gateway.adapters.embedded import EmbeddedPostgres, EmbeddedValkey
from gateway.ledger import migrate
from tests.contract.by_hand import adjust, bought, close
from tests.contract.conftest import CreateTestApp
from tests.contract.relay import deliver
from tests.contract.steps import resting_order
from tests.kit.covers import covers
from tests.kit.house import House
from tests.kit.signed import signed
from tests.kit.slicing import ask

SERVICE_SECRET: Final = "a secret of thirty-two bytes, or more"
V1: Final = "/api/v1"
QUOTES: Final = {"path": "/v2/stocks/quotes/latest"}
BARS: Final = {"path": "/v2/stocks/bars"}

Ask = Callable[["Desk"], Awaitable[httpx2.Response]]
Refusals = Mapping[str, tuple[int, frozenset[str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A gateway that holds 100 AAPL and has an order resting, and the servers it stands on."""

    house: House
    resting: str
    database: str
    valkey: EmbeddedValkey | None
    postgres: EmbeddedPostgres | None
    programs: Path | None


Away = Callable[[Desk], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    away: Away
    works: tuple[str, ...]
    refuses: Refusals
    own_valkey: bool = False
    own_postgres: bool = False
    health: str | None = "degraded"
    """What `/health` comes to say; None where it asks too seldom to be waited for."""


# --- what is asked of a gateway -----------------------------------------------------------------------


def get(path: str) -> Ask:
    return lambda desk: desk.house.client.get(path)


def post(path: str, **body: Any) -> Ask:
    return lambda desk: desk.house.client.post(f"{V1}{path}", json=body or None)


def from_a_service(desk: Desk) -> Awaitable[httpx2.Response]:
    path = f"{V1}/positions"
    return desk.house.as_nobody().get(path, headers=signed("GET", path, SERVICE_SECRET))


ASKED: Final[Mapping[str, Ask]] = {
    "live": get("/health/live"),
    "health": get("/health"),
    "metrics": get("/metrics"),
    "orders": get(f"{V1}/orders/pending"),
    "positions": get(f"{V1}/positions"),
    "events": get(f"{V1}/events"),
    "thresholds": get(f"{V1}/fat-finger/thresholds"),
    "cancel": lambda desk: desk.house.client.post(f"{V1}/orders/{desk.resting}/cancel"),
    "webhook": lambda desk: deliver(desk.house, {"event": "a_new_word"}),
    "close": lambda desk: close(desk.house, qty="10"),
    "reducing adjust": lambda desk: adjust(desk.house, "50"),
    "trip": post("/circuit-breaker/trip", reason="a test says so"),
    "reset": post("/circuit-breaker/reset", reason="a test says so"),
    "engage": post("/kill-switch/engage", reason="a test says so", operator="alice"),
    "disengage": post("/kill-switch/disengage", operator="alice"),
    "service": from_a_service,
    "slice": lambda desk: ask(desk.house, symbol="MSFT", client_order_id=uuid4().hex),
    "order": lambda desk: desk.house.submit(client_order_id=uuid4().hex, qty=1),
    "priced order": lambda desk: desk.house.submit(
        client_order_id=uuid4().hex, qty=1, type="limit", limit_price="90"
    ),
}


# --- the ways a part goes away, and comes back ----------------------------------------------------------


@asynccontextmanager
async def redis_away(desk: Desk) -> AsyncIterator[None]:
    desk.valkey.stop()
    yield
    EmbeddedValkey.start(desk.valkey.directory)


@asynccontextmanager
async def postgres_away(desk: Desk) -> AsyncIterator[None]:
    await asyncio.to_thread(desk.postgres.stop)
    yield
    await asyncio.to_thread(EmbeddedPostgres.start, desk.postgres.directory, programs=desk.programs)


@asynccontextmanager
async def broker_away(desk: Desk) -> AsyncIterator[None]:
    desk.house.exchange.kill()
    try:
        yield
    finally:
        desk.house.exchange.restart()


@asynccontextmanager
async def reconciliation_dead(desk: Desk) -> AsyncIterator[None]:
    reconciler = desk.house.gateway.reconciler
    holdings = reconciler.one_pass.holdings

    async def broken() -> Any:
        raise RuntimeError("a test wants the loop to crash")

    reconciler.one_pass.holdings = broken
    reconciler.wake()
    yield
    reconciler.one_pass.holdings = holdings


@asynccontextmanager
async def projection_failed(desk: Desk) -> AsyncIterator[None]:
    """The table of orders takes no row any more."""

    def alter(how: str) -> None:
        with psycopg.connect(desk.database, autocommit=True) as owner:
            found = owner.execute("select table_name from read.projection where name = 'orders'").fetchone()
            owner.execute(f"alter table read.{found[0]} {how}")

    await asyncio.to_thread(alter, "add constraint full_up check (false) not valid")
    yield
    await asyncio.to_thread(alter, "drop constraint full_up")


@asynccontextmanager
async def releaser_dead(desk: Desk) -> AsyncIterator[None]:
    gateway = desk.house.gateway
    await gateway.background.stop("slice_releaser")
    yield
    gateway.background.keep("slice_releaser", gateway.slicing.releaser.run)


@asynccontextmanager
async def market_data_away(desk: Desk) -> AsyncIterator[None]:
    exchange = desk.house.exchange
    faults = [exchange.arm("http.status", match=path, status=500, times=-1) for path in (QUOTES, BARS)]
    yield
    for fault in faults:
        exchange.ctl("DELETE", f"faults/{fault}")


def refused(status: int, *codes: str) -> tuple[int, frozenset[str]]:
    return status, frozenset(codes)


READS: Final = ("orders", "positions", "events", "thresholds")
ALWAYS: Final = ("live", "health", "metrics")
UNKNOWN_SAFETY: Final = refused(503, "kill_switch_unavailable")
NO_LEDGER: Final = refused(
    503, "ledger_unavailable", "kill_switch_unavailable", "circuit_breaker_unavailable", "projection_behind"
)
MODES: Final[Mapping[str, Mode]] = {
    "redis down": Mode(
        away=redis_away,
        own_valkey=True,
        works=(*ALWAYS, *READS, "cancel", "webhook", "close", "reducing adjust", "engage", "trip"),
        refuses={
            "order": UNKNOWN_SAFETY,
            "slice": UNKNOWN_SAFETY,
            "service": refused(503, "auth_unavailable"),
            "disengage": UNKNOWN_SAFETY,
            "reset": refused(503, "circuit_breaker_unavailable"),
        },
    ),
    "postgres down": Mode(
        away=postgres_away,
        own_postgres=True,
        health="unhealthy",
        works=ALWAYS,
        refuses=dict.fromkeys(
            ("orders", "events", "cancel", "webhook", "close", "engage", "order"),
            NO_LEDGER,
        ),
    ),
    "broker down": Mode(
        away=broker_away,
        health=None,
        works=(*ALWAYS, *READS, "cancel", "webhook", "trip", "reset", "engage", "disengage"),
        refuses={"priced order": refused(503, "broker_unavailable")},
    ),
    "reconciliation task dead": Mode(
        away=reconciliation_dead,
        works=(*ALWAYS, *READS, "cancel", "webhook", "close", "reducing adjust"),
        refuses={"order": refused(503, "reconciliation_in_progress")},
    ),
    "projection failed": Mode(
        away=projection_failed,
        works=(*ALWAYS, "positions", "events", "cancel", "webhook", "close", "order"),
        refuses={"orders": refused(503, "projection_behind")},
    ),
    "releaser dead": Mode(
        away=releaser_dead,
        works=(*ALWAYS, *READS, "cancel", "webhook", "close", "reducing adjust", "order", "trip", "reset"),
        refuses={"slice": refused(503, "scheduler_unavailable")},
    ),
    "market data down": Mode(
        away=market_data_away,
        health="healthy",
        works=(*ALWAYS, *READS, "cancel", "webhook", "close", "reducing adjust", "trip", "reset"),
        refuses={
            "order": refused(400, "fat_finger_rejected"),
            "slice": refused(503, "liquidity_unavailable"),
        },
    ),
}


@covers("FM:F-020", "FM:F-040", "FM:F-053", "FM:F-122", "FM:F-156", "INV-31", "FC:D-06")
@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
async def test_a_part_that_is_away_takes_only_its_own_with_it(
    mode: Mode,
    create_test_app: CreateTestApp,
    database: str,
    redis_url: str,
    postgres_programs: Path | None,
    request: pytest.FixtureRequest,
) -> None:
    valkey = request.getfixturevalue("private_valkey") if mode.own_valkey else None
    postgres = request.getfixturevalue("private_postgres") if mode.own_postgres else None
    if postgres is not None:
        database = postgres.url()
        await asyncio.to_thread(migrate.upgrade, database)
    options: dict[str, Any] = {
        "database": database,
        "redis_url": valkey.url if valkey is not None else redis_url,
        "environment": {"INTERNAL_TOKEN_SECRET": SERVICE_SECRET},
    }
    async with create_test_app(**options) as house:
        await bought(house)
        resting = (await resting_order(house))["client_order_id"]
        desk = Desk(
            house=house,
            resting=resting,
            database=database,
            valkey=valkey,
            postgres=postgres,
            programs=postgres_programs,
        )
        async with mode.away(desk):
            await _noticed(desk, mode)
            for name in mode.works:
                answer = await ASKED[name](desk)
                assert answer.status_code in (200, 202), (name, answer.text)
            answers = await asyncio.gather(*(ASKED[name](desk) for name in mode.refuses))
            for (name, (status, codes)), answer in zip(mode.refuses.items(), answers, strict=True):
                assert answer.status_code == status, (name, answer.text)
                assert answer.json()["code"] in codes, (name, answer.text)
        await house.until(lambda: _all_well(desk, mode), within=40, what="the healing")
        if "cancel" in mode.works:
            await house.until(lambda: _is_canceled(desk), within=40, what="the cancel")


async def _noticed(desk: Desk, mode: Mode) -> None:
    """What was told while the part was away is no cause for it to be noticed, so tell something."""
    if "orders" in mode.refuses:
        await desk.house.submit(client_order_id=uuid4().hex, qty=1)
    if mode.health is not None:
        await desk.house.until(lambda: _health(desk, mode.health), within=20, what=f"health {mode.health}")


async def _health(desk: Desk, status: str | None) -> bool:
    answer = await desk.house.client.get("/health")
    assert answer.status_code == 200
    return bool(answer.json()["status"] == status)


async def _is_canceled(desk: Desk) -> bool:
    order = await desk.house.order(desk.resting)
    return bool(order["status"] == "canceled")


async def _all_well(desk: Desk, mode: Mode) -> bool:
    """Everything refused is taken again once whatever the operators stopped is let go."""
    for name in ("disengage", "reset"):
        await ASKED[name](desk)
    asked_again = [name for name in mode.refuses if name != "engage"]
    answers = [await ASKED[name](desk) for name in ("order", *asked_again)]
    return not any(answer.is_server_error or answer.status_code == 429 for answer in answers)
