"""The life of one gateway process: start in order, serve, drain, stop in order."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import Final

import psycopg
import uvicorn
import uvloop

from gateway import __version__
from gateway.aggregates.refusals import LedgerUnavailable
from gateway.commands.safety_view import RECON_GATE
from gateway.ledger import migrate
from gateway.main.composition import DRAIN_SECONDS, Gateway
from gateway.ports import BrokerUnreadable, MirrorUnavailable
from gateway.settings import Settings
from gateway.telemetry import configure_logging, log

_log = log("gateway.main")

LEDGER_PATIENCE_SECONDS: Final = 30.0
GAP_CHECK_SECONDS: Final = 1.0
EXIT_LEDGER: Final = 3

Track = Callable[[str], None]


class LedgerNeverCame(Exception):
    """Postgres could not be used for thirty seconds; the text says why, and what to do."""


class BrokerContradicts(Exception):
    """The account found at the broker is not the kind the configuration promises."""


class Lifecycle:
    """Starts and stops one gateway. `startup` and `shutdown` are told each step as it is taken."""

    def __init__(
        self, gateway: Gateway, *, startup: Track = lambda step: None, shutdown: Track = lambda step: None
    ) -> None:
        self.gateway = gateway
        self._startup, self._shutdown = startup, shutdown

    async def start(self) -> None:
        """Raises LedgerNeverCame and BrokerContradicts; everything else heals in the background."""
        await self._db_connect()
        self._startup("db_connect")
        await self._redis_connect()
        self._startup("redis_connect")
        await self._alpaca_connect()
        self._startup("alpaca_connect")
        await self._reconciliation_start()
        self._startup("reconciliation_start")
        self.gateway.phase.routes_ready = True
        self._startup("routes_ready")

    async def stop(self) -> None:
        gateway = self.gateway
        gateway.phase.draining = True
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                await gateway.submit_order.drain()
        self._shutdown("routes_drain")
        await gateway.background.stop("reconciliation", "resolver", "gaps", "inbox")
        await gateway.reconciler.stop()
        self._shutdown("reconciliation_stop")
        self._shutdown("slice_scheduler_stop")
        if gateway.updates is not None:
            await gateway.updates.stop()
        await gateway.background.stop("trade_updates")
        self._shutdown("alpaca_disconnect")
        await gateway.background.stop()
        await gateway.link.close()
        self._shutdown("redis_disconnect")
        await gateway.projections.stop()
        await gateway.read.close()
        await gateway.ledger.close()
        self._shutdown("db_disconnect")

    async def _db_connect(self) -> None:
        gateway, waited = self.gateway, 0.0
        while True:
            try:
                await asyncio.to_thread(_require_schema, gateway.database)
                await gateway.ledger.open()
                break
            except (LedgerUnavailable, psycopg.OperationalError) as error:
                if waited >= LEDGER_PATIENCE_SECONDS:
                    raise LedgerNeverCame(f"the ledger cannot be used: {error}") from error
                await asyncio.sleep(1.0)
                waited += 1.0
        await gateway.read.open()
        await gateway.projections.start()
        generation = await asyncio.to_thread(_identity, gateway.database)
        _, version = await gateway.ledger.load(RECON_GATE)
        gateway.build_desk(generation, version)

    async def _redis_connect(self) -> None:
        """A mirror that cannot be built now is built in the background; until then the gates refuse."""
        keep = self.gateway.keep_mirror
        try:
            await keep.rebuild("start")
        except MirrorUnavailable as error:
            _log.warning("no mirror yet", error=str(error))
            keep.request_rebuild("start")
        background = self.gateway.background
        background.keep("mirror", keep.heal)
        background.keep("mirror_follow", keep.follow)
        background.every(
            "reservation_audit",
            self.gateway.settings.reservation_audit_interval_seconds,
            keep.audit_when_possible,
        )

    async def _alpaca_connect(self) -> None:
        gateway = self.gateway
        if gateway.updates is None:
            return
        try:
            account = await gateway.broker.account()
        except BrokerUnreadable as error:
            _log.warning("broker not reachable yet", error=str(error))
        else:
            paper = account.account_number.startswith("PA")
            if paper is not gateway.settings.alpaca_paper:
                raise BrokerContradicts(
                    f"ALPACA_PAPER={str(gateway.settings.alpaca_paper).lower()}, but the account at"
                    f" {gateway.settings.alpaca_base_url} is a {'paper' if paper else 'live'} account"
                )
        gateway.background.keep("trade_updates", gateway.updates.run)

    async def _reconciliation_start(self) -> None:
        gateway, settings = self.gateway, self.gateway.settings
        background = gateway.background
        background.every("inbox", settings.resolver_interval_seconds, gateway.receive.drive_pending)
        background.every("gauges", GAP_CHECK_SECONDS, self._gauges)
        if settings.dry_run:
            return
        background.keep("reconciliation", gateway.reconciler.rounds)
        background.every("resolver", min(settings.resolver_interval_seconds, 0.5), gateway.resolver.run_once)
        background.every("gaps", GAP_CHECK_SECONDS, lambda: gateway.fill_gap.run_once(gateway.record_report))

    async def _gauges(self) -> None:
        gateway = self.gateway
        head = gateway.ledger.desk.position
        gateway.metrics.ledger_position.set(head)
        for name, position in gateway.projections.positions.items():
            gateway.metrics.projection_lag_events.labels(projection=name).set(max(0, head - position))


def _require_schema(url: str) -> None:
    """Raises LedgerNeverCame at once when the database answers and its schema is not this build's."""
    found, wanted = migrate.current(url), migrate.newest()
    if found != wanted:
        raise LedgerNeverCame(
            f"the database is at migration {found}, this build needs {wanted}:"
            " run `gateway doctor`, then migrate with DATABASE_OWNER_URL"
        )


def _identity(url: str) -> str:
    """Names this ledger among all that might share a Redis: the database itself, not its address."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "select d.oid::text || ':' || d.datname from pg_database d where d.datname = current_database()"
        ).fetchone()
    assert row is not None
    return sha256(f"{row[0]}@{url.rpartition('@')[2]}".encode()).hexdigest()[:16]


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: draining comes first."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def run(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM. Raises LedgerNeverCame and BrokerContradicts."""
    configure_logging(
        settings.log_level, service="execution_gateway", version=__version__, pod=settings.pod_name
    )
    gc.set_threshold(100_000, 50, 100)  # measured: events are many, short-lived and free of cycles
    gateway = Gateway(settings)
    lifecycle = Lifecycle(gateway)
    await lifecycle.start()
    try:
        await _serve(gateway)
    finally:
        await lifecycle.stop()


async def _serve(gateway: Gateway) -> None:
    """Answer requests until told to stop; those under way are answered first."""
    server = _Server(
        uvicorn.Config(
            gateway.app(),
            host=gateway.settings.http_host,
            port=gateway.settings.http_port,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=int(DRAIN_SECONDS),
        )
    )

    def drain() -> None:
        gateway.phase.draining = True
        server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, drain)
    await server.serve()


def serve(settings: Settings) -> None:
    """Block until the process is told to stop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(settings))
