"""Every metric moves when its event happens, in the process that caused it and without anybody looking.

An act is played on a running gateway; the registry is read before and after, never through `/metrics`.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import psycopg
import pytest
import redis
from prometheus_client import CollectorRegistry

from gateway import __version__
from gateway.adapters.embedded import EmbeddedPostgres, EmbeddedValkey
from gateway.aggregates.vocabulary import SYSTEM
from gateway.commands.audit import Audit
from gateway.ledger import migrate
from gateway.ledger.catalog import CATALOG
from gateway.ledger.ledger import Ledger
from gateway.telemetry import Metrics
from tests.contract.by_hand import asked, bought, close
from tests.contract.conftest import CreateTestApp
from tests.contract.relay import about, deliver, fill
from tests.contract.steps import ORDERS, fill_at_exchange, holds, reconcile, resting_order
from tests.contract.test_schemas import METRICS
from tests.kit.house import House
from tests.kit.signed import signed
from tests.kit.slicing import ask, until_slice

P: Final = "execution_gateway_"
SERVICE_SECRET: Final = "a secret of thirty-two bytes, or more"
Values = Mapping[str, Mapping[tuple[tuple[str, str], ...], float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What an act is played on. `valkey` and `postgres` are the act's own where it asks for them."""

    house: House
    database: str
    redis_url: str
    valkey: EmbeddedValkey | None
    postgres: EmbeddedPostgres | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    play: Callable[[Stage], Awaitable[None]]
    moves: tuple[str, ...]
    own_valkey: bool
    own_postgres: bool
    environment: Mapping[str, str]


ACTS: Final[dict[str, Act]] = {}
SWITCHES: Final = {"DRY_RUN": f"{P}dry_run_mode", "CIRCUIT_BREAKER_ENABLED": f"{P}circuit_breaker_enabled"}
"""Gauges that show configuration: they move from one process to the next."""
ELSEWHERE: Final = {
    "last_fact_timestamp": "test_ingest.py",
    "dead_letters": "test_ingest.py",
    "stream_silences_total": "test_ingest.py",
    "broker_clock_skew_seconds": "test_ingest.py",
    "order_flags_total": "test_executions.py",
    "cancels_stuck": "test_order_life.py",
}
"""Moved where what moves them is tested."""


def moves(
    *names: str,
    own_valkey: bool = False,
    own_postgres: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Callable[[Callable[[Stage], Awaitable[None]]], Callable[[Stage], Awaitable[None]]]:
    """Enter an act, and the metrics it has to move; a name without a room of its own is the gateway's."""
    full = tuple(name if name in METRICS else f"{P}{name}" for name in names)

    def enter(play: Callable[[Stage], Awaitable[None]]) -> Callable[[Stage], Awaitable[None]]:
        ACTS[play.__name__] = Act(
            play=play,
            moves=full,
            own_valkey=own_valkey,
            own_postgres=own_postgres,
            environment=environment or {},
        )
        return play

    return enter


def values(registry: CollectorRegistry) -> Values:
    """Name to labels to value; a histogram by its count."""
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in registry.collect():
        suffix = {"counter": "_total", "histogram": "_count"}.get(family.type, "")
        for sample in family.samples:
            if sample.name == f"{family.name}{suffix}":
                labels = tuple(sorted(sample.labels.items()))
                found.setdefault(sample.name.removesuffix("_count"), {})[labels] = sample.value
    return found


def test_every_metric_has_an_act_that_moves_it() -> None:
    moved = {name for act in ACTS.values() for name in act.moves} | set(SWITCHES.values())
    for name, file in ELSEWHERE.items():
        assert name in (Path(__file__).parent / file).read_text()
    assert moved | {f"{P}{name}" for name in ELSEWHERE} == METRICS.keys()


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
async def test_what_happens_moves_its_metric(
    act: Act,
    create_test_app: CreateTestApp,
    database: str,
    redis_url: str,
    request: pytest.FixtureRequest,
) -> None:
    valkey = request.getfixturevalue("private_valkey") if act.own_valkey else None
    postgres = request.getfixturevalue("private_postgres") if act.own_postgres else None
    if postgres is not None:
        database = postgres.url()
        migrate.upgrade(database)
    redis_url = valkey.url if valkey is not None else redis_url
    options: dict[str, Any] = {"database": database, "redis_url": redis_url, "environment": act.environment}
    async with create_test_app(**options) as house:
        stage = Stage(house=house, database=database, redis_url=redis_url, valkey=valkey, postgres=postgres)
        before, still = values(house.gateway.metrics.registry), set(act.moves)

        async def all_moved() -> bool:
            """Also what has moved back by now."""
            after = values(house.gateway.metrics.registry)
            still.difference_update(name for name in act.moves if after.get(name) != before.get(name))
            return not still

        watching = asyncio.create_task(house.until(all_moved, within=60, what=f"a move of {still}"))
        await act.play(stage)
        await watching


@pytest.mark.parametrize(("variable", "name"), SWITCHES.items())
async def test_a_switch_of_the_configuration_shows(
    create_test_app: CreateTestApp, variable: str, name: str
) -> None:
    for text, shown in (("true", 1), ("false", 0)):
        async with create_test_app(environment={variable: text}) as house:
            assert house.gateway.metrics.registry.get_sample_value(name) == shown


# --- the acts -----------------------------------------------------------------------------------------


@moves(
    "orders_submitted_total",
    "orders_filled_total",
    "order_latency_seconds",
    "orders_total",
    "order_placement_duration_seconds",
    "alpaca_api_requests_total",
    "webhook_received_total",
    "broker_facts_total",
    "unknown_broker_events_total",
    "positions_current",
    "pnl_dollars",
    "ledger_position",
    "http_request_duration_seconds",
    "api_auth_checks_total",
    "rate_limit_api_checks_total",
    f"{P}order_placement_duration_seconds",
)
async def a_fill(stage: Stage) -> None:
    order = await resting_order(stage.house)
    await deliver(stage.house, fill(order, execution_id="x-1", qty="10", price="90", total="10"))
    await deliver(stage.house, {"event": "a_new_word", "order": {"id": order["broker_order_id"]}})


@moves(
    "fat_finger_rejections_total",
    "gate_verdicts_total",
    "audit_log_events_total",
    "audit_write_latency_seconds",
)
async def a_refusal(stage: Stage) -> None:
    refused = await stage.house.submit(qty=900, type="limit", limit_price="5000")
    assert refused.status_code == 400


@moves("fat_finger_warnings_total", "admin_action_total", "rate_limit_checks_total")
async def a_way_out_beyond_the_limits(stage: Stage) -> None:
    await bought(stage.house)
    thresholds = {"symbol_overrides": {"AAPL": {"max_qty": 1}}}
    await stage.house.client.put("/api/v1/fat-finger/thresholds", json=thresholds)
    assert (await close(stage.house)).status_code == 200


@moves("kill_switch_engaged", "circuit_breaker_state")
async def a_stop(stage: Stage) -> None:
    await stage.house.engage_kill_switch()
    await stage.house.trip_circuit_breaker()


@moves("unknown_outcomes")
async def an_answer_that_never_came(stage: Stage) -> None:
    exchange = stage.house.exchange
    exchange.arm("http.status", match=ORDERS, status=504, body="")
    exchange.arm(
        "http.status", match={"method": "GET", "path": "/v2/orders:by_client_order_id"}, status=500, times=-1
    )
    assert (await stage.house.submit(client_order_id="unknown")).status_code == 202


@moves("unknown_outcome_resolutions_total")
async def an_answer_that_came_late(stage: Stage) -> None:
    stage.house.exchange.arm("http.hang", match=ORDERS, phase="after", seconds=3)
    stage.house.exchange.arm("ws.lose", times=-1)
    unknown = await stage.house.submit(client_order_id="slow", type="limit", limit_price="90")
    assert unknown.status_code == 202
    await stage.house.until_status("slow", "new", "accepted", "pending_new")


@moves("symbols_quarantined_total", "open_breaks", "orphans_open")
async def an_order_nobody_sent(stage: Stage) -> None:
    body = {"symbol": "MSFT", "side": "buy", "qty": "1", "type": "market", "time_in_force": "day"}
    stage.house.exchange.ctl("POST", "foreign_order", body)
    await stage.house.until(lambda: holds(stage.house, "1", "MSFT"), what="the foreign fill")


@moves("reconciliation_mismatches_total", "reconciliation_last_run_timestamp")
async def a_fill_that_was_missed(stage: Stage) -> None:
    order = await resting_order(stage.house)
    await stage.house.until_status(order["client_order_id"], "new")
    stage.house.exchange.arm("ws.lose", times=-1)
    fill_at_exchange(stage.house, order, "10", "90")
    await reconcile(stage.house)


@moves("inferred_executions")
async def a_fill_nobody_lists(stage: Stage) -> None:
    stage.house.gateway.fill_gap.settle_window *= 0
    order = await resting_order(stage.house)
    stage.house.exchange.arm("ws.lose", match={"event": "*fill"}, times=-1)
    stage.house.exchange.arm("read.activities_gap", times=-1)
    fill_at_exchange(stage.house, order, "10", "90")
    await reconcile(stage.house)


@moves("reconciliation_conflicts_skipped_total")
async def a_report_behind_what_is_booked(stage: Stage) -> None:
    """A relay has told of the end; the exchange, asked, still says that the order works."""
    order = await resting_order(stage.house)
    await stage.house.until_status(order["client_order_id"], "new")
    said = about(order, status="canceled", filled_qty="0")
    ended = {"event": "canceled", "timestamp": datetime.now(UTC).isoformat(), "order": said}
    await deliver(stage.house, ended)
    await stage.house.until_status(order["client_order_id"], "canceled")
    await reconcile(stage.house)


@moves("slices_total")
async def a_plan(stage: Stage) -> None:
    plan = (await ask(stage.house)).json()
    await until_slice(stage.house, plan["parent_order_id"], 0, "filled")


@moves(
    "s2s_auth_checks_total",
    "s2s_replay_detected_total",
    environment={"INTERNAL_TOKEN_SECRET": SERVICE_SECRET},
)
async def a_request_told_twice(stage: Stage) -> None:
    path = "/api/v1/positions"
    headers = signed("GET", path, SERVICE_SECRET)
    service = stage.house.as_nobody()
    statuses = [(await service.get(path, headers=headers)).status_code for _ in range(2)]
    assert statuses == [200, 401]


@moves("rate_limit_bypass_total")
async def more_than_is_allowed(stage: Stage) -> None:
    for _ in range(6):
        await stage.house.client.post("/api/v1/orders/cancel-all", json=asked(symbol="AAPL"))


@moves("redis_connection_status", "rate_limit_redis_errors_total", own_valkey=True)
async def redis_gone(stage: Stage) -> None:
    stage.valkey.stop()
    assert (await stage.house.submit()).status_code == 503


@moves("rate_limit_redis_timeout_total", own_valkey=True)
async def redis_asleep(stage: Stage) -> None:
    pid = stage.valkey.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        assert (await stage.house.submit()).status_code == 503
    finally:
        os.kill(pid, signal.SIGCONT)


@moves("mirror_rebuilds_total")
async def redis_emptied(stage: Stage) -> None:
    with redis.Redis.from_url(stage.redis_url) as server:
        server.flushdb()


@moves("reservation_drift", environment={"RESERVATION_AUDIT_INTERVAL_SECONDS": "3600"})
async def room_in_redis_that_the_ledger_never_gave(stage: Stage) -> None:
    await bought(stage.house)
    with redis.Redis.from_url(stage.redis_url) as server:
        server.hincrby("position_reservation:AAPL", "long", 7_500_000_000)
    assert await stage.house.gateway.keep_mirror.audit() == Decimal("7.5")


@moves("database_connection_status", "audit_log_write_failures_total", own_postgres=True)
async def postgres_gone(stage: Stage) -> None:
    viewer = stage.house.as_role("viewer")
    await asyncio.to_thread(stage.postgres.stop)
    body = {"reason": "a test says so", "operator": "bob"}
    assert (await viewer.post("/api/v1/kill-switch/engage", json=body)).status_code == 403


@moves("ledger_append_conflicts_total")
async def two_writers(stage: Stage) -> None:
    """What one has decided on, the other has changed meanwhile."""
    clock, counted = stage.house.gateway.clock, stage.house.gateway.metrics.append_conflicts

    async def happened() -> bool:
        return any(sample.value for metric in counted.collect() for sample in metric.samples)

    async with Ledger.opened(stage.database, CATALOG, build=__version__) as other:
        audit = Audit(ledger=other, clock=clock, metrics=Metrics())

        async def write() -> None:
            while True:
                await audit.rebuild_requested("orders", SYSTEM, "a test")

        writing = asyncio.create_task(write())
        await stage.house.until(lambda: _submits_until(stage.house, happened), what="a conflict")
        writing.cancel()
        await asyncio.wait({writing})


async def _submits_until(house: House, happened: Callable[[], Awaitable[bool]]) -> bool:
    assert (await house.submit(client_order_id=uuid4().hex, qty=1)).status_code == 200
    return await happened()


@moves("projection_lag_events", "projection_lag_seconds")
async def a_reader_held_up(stage: Stage) -> None:
    async with await psycopg.AsyncConnection.connect(stage.database) as holder:
        await holder.execute("lock table read.projection in access exclusive mode")
        assert (await stage.house.submit()).status_code == 200
        lag = stage.house.gateway.metrics.projection_lag_seconds.labels(projection="orders")

        async def shown() -> bool:
            return any(sample.value for metric in lag.collect() for sample in metric.samples)

        await stage.house.until(shown, what="the lag")


@moves("alpaca_connection_status", "stream_connected")
async def the_broker_gone(stage: Stage) -> None:
    gateway = stage.house.gateway

    async def noticed() -> bool:
        up = (gateway.metrics.alpaca_up, gateway.metrics.stream_connected)
        return not any(
            sample.value for gauge in up for metric in gauge.collect() for sample in metric.samples
        )

    stage.house.exchange.kill()
    try:
        await stage.house.until(noticed, within=30, what="the broker's absence")
    finally:
        stage.house.exchange.restart()


@moves("background_task_up")
async def a_task_stopped(stage: Stage) -> None:
    await stage.house.gateway.background.stop("slice_releaser")
