"""The life of one gateway process: start in order, serve, drain, stop in order."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import Any, Final
from uuid import uuid4

import psycopg
import uvicorn
import uvloop

from gateway import __version__
from gateway.adapters.examine import examine_postgres, examine_projections_login
from gateway.aggregates.refusals import LedgerUnavailable
from gateway.aggregates.vocabulary import SYSTEM
from gateway.commands.safety_view import RECON_GATE
from gateway.ledger import migrate
from gateway.ledger.envelope import Cause
from gateway.main.composition import DRAIN_SECONDS, Gateway
from gateway.main.gauges import Gauges
from gateway.main.http_protocol import BoundedHttp
from gateway.main.watching import WATCHERS, start_watching
from gateway.ports import BrokerUnreadable, MirrorUnavailable
from gateway.settings import Settings
from gateway.telemetry import configure_logging, log

_log = log("gateway.main")

LEDGER_PATIENCE_SECONDS: Final = 30.0
GAP_CHECK_SECONDS: Final = 1.0
CHASERS: Final = ("reconciliation", "resolver", "gaps", "inbox")
FIRST_LOOK_UP_SECONDS: Final = 0.5
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
        self._ledger_open = False
        self._account_checked = False

    async def start(self) -> None:
        """Raises LedgerNeverCame and BrokerContradicts; everything else heals in the background.

        After either, `stop` gives back what was taken.
        """
        await self._db_connect()
        self._startup("db_connect")
        await self._redis_connect()
        self._startup("redis_connect")
        await self._alpaca_connect()
        self._startup("alpaca_connect")
        await self._reconciliation_start()
        self._startup("reconciliation_start")
        self.gateway.background.keep("slice_releaser", self.gateway.slicing.releaser.run)
        self.gateway.phase.routes_ready = True
        self._startup("routes_ready")

    async def stop(self) -> None:
        gateway = self.gateway
        gateway.phase.draining = True
        if not self._ledger_open:
            await gateway.link.close()
            await self._let_go_of_database()
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                await gateway.submit_order.drain()
        self._shutdown("routes_drain")
        await gateway.background.stop(*CHASERS, *WATCHERS)
        await gateway.reconciler.stop()
        self._shutdown("reconciliation_stop")
        await gateway.background.stop("slice_releaser")
        await gateway.slicing.releaser.drain()
        self._shutdown("slice_scheduler_stop")
        if gateway.updates is not None:
            await gateway.updates.stop()
        await gateway.background.stop("trade_updates")
        gateway.broker.close()
        self._shutdown("alpaca_disconnect")
        await gateway.background.stop()
        await gateway.link.close()
        self._shutdown("redis_disconnect")
        await self._let_go_of_database()
        self._shutdown("db_disconnect")

    async def _let_go_of_database(self) -> None:
        await self.gateway.projections.stop()
        await self.gateway.read.close()
        await self.gateway.ledger.close()

    async def _db_connect(self) -> None:
        gateway, waited = self.gateway, 0.0
        while True:
            try:
                await asyncio.to_thread(_require_schema, gateway.database)
                await _require_usable(gateway)
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
        self._ledger_open = True

    async def _redis_connect(self) -> None:
        """A mirror that cannot be built now is built in the background; until then the gates refuse."""
        keep = self.gateway.keep_mirror
        try:
            await keep.rebuild("start")
        except (MirrorUnavailable, LedgerUnavailable) as error:
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
            await self._check_account()
        except BrokerUnreadable as error:
            _log.warning("broker not reachable yet", error=str(error))
        updates = gateway.updates
        gateway.background.keep("trade_updates", lambda: self._leading("trade-updates", updates.run))

    async def _check_account(self) -> None:
        """Raises BrokerContradicts and BrokerUnreadable."""
        settings = self.gateway.settings
        account = await self.gateway.broker.account()
        paper = account.account_number.startswith("PA")
        if paper is not settings.alpaca_paper:
            raise BrokerContradicts(
                f"ALPACA_PAPER={str(settings.alpaca_paper).lower()}, but the account at"
                f" {settings.alpaca_base_url} is a {'paper' if paper else 'live'} account"
            )
        self._account_checked = True

    async def _leading(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do the work while this process holds the lease; until then it stands by."""
        gateway = self.gateway
        cause = Cause(
            command_id=f"lease:{uuid4()}",
            actor=SYSTEM,
            correlation_id=f"lease:{name}",
            source="system",
            occurred_at=gateway.clock.now(),
        )
        async with gateway.ledger.lease(name, gateway.settings.pod_name, cause) as lease:
            gateway.leading.add(name)
            try:
                await _until_one_ends(work(), lease.lost.wait())
            finally:
                gateway.leading.discard(name)

    async def _reconcile(self) -> None:
        """Every process passes once, so that its gate opens, and when it is asked; one goes on by the clock.

        Who reads the stream need not be the one that does the rounds.
        """
        while not self._account_checked:
            try:
                await self._check_account()
            except BrokerUnreadable:
                await asyncio.sleep(1.0)
        reconciler = self.gateway.reconciler
        await reconciler.until_passed()
        await _until_one_ends(reconciler.when_asked(), self._leading("reconciliation", reconciler.rounds))

    async def _reconciliation_start(self) -> None:
        gateway, settings = self.gateway, self.gateway.settings
        background = gateway.background
        background.every("inbox", settings.resolver_interval_seconds, gateway.receive.drive_pending)
        background.every("gauges", GAP_CHECK_SECONDS, Gauges(gateway).refresh)
        start_watching(gateway)
        if settings.dry_run:
            return
        background.keep("reconciliation", self._reconcile)
        background.keep("resolver", lambda: self._leading("resolver", self._resolve))
        background.every("gaps", GAP_CHECK_SECONDS, lambda: gateway.fill_gap.run_once(gateway.record_report))

    async def _resolve(self) -> None:
        """The first look-ups are half a second apart, whatever the interval."""
        pause = min(self.gateway.settings.resolver_interval_seconds, FIRST_LOOK_UP_SECONDS)
        while True:
            await self.gateway.resolver.run_once()
            await asyncio.sleep(pause)


async def _until_one_ends(*works: Coroutine[Any, Any, object]) -> None:
    """The others end with it. Raises what it raises."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _require_schema(url: str) -> None:
    """Raises LedgerNeverCame at once when the database answers and its schema is not this build's."""
    found, wanted = migrate.current(url), migrate.newest()
    if found != wanted:
        raise LedgerNeverCame(
            f"the database is at migration {found}, this build needs {wanted}:"
            " run `gateway migrate` with DATABASE_OWNER_URL set"
        )


async def _require_usable(gateway: Gateway) -> None:
    """Raises LedgerNeverCame for a database or a login that must not be used, whoever else would take it."""
    findings = [await examine_projections_login(gateway.read_database)]
    if not gateway.settings.is_relaxed:
        newest = migrate.newest()
        findings += await examine_postgres(gateway.database, newest=newest, owner_may_run=False)
    wrong = [finding for finding in findings if not finding.ok]
    words = "; ".join(f"{finding.message}: {finding.what_to_do}" for finding in wrong)
    if any(finding.subject == "database" for finding in wrong):
        raise psycopg.OperationalError(words)
    if wrong:
        raise LedgerNeverCame(words)


def _identity(url: str) -> str:
    """Names this ledger among all that might share a Redis: the database itself, not its address."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "select (select system_identifier from pg_control_system()) || ':' || oid from pg_database"
            " where datname = current_database()"
        ).fetchone()
    assert row is not None
    return sha256(str(row[0]).encode()).hexdigest()[:16]


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
    this = asyncio.current_task()
    assert this is not None
    _when_told_to_stop(this.cancel)
    try:
        await lifecycle.start()
        await _serve(gateway)
    except asyncio.CancelledError:
        _log.info("told to stop before anything was served")
    finally:
        await lifecycle.stop()


async def _serve(gateway: Gateway) -> None:
    """Answer requests until told to stop; those under way are answered first."""
    server = _Server(
        uvicorn.Config(
            gateway.app(),
            host=gateway.settings.http_host,
            port=gateway.settings.http_port,
            http=BoundedHttp,
            ws="none",
            proxy_headers=False,  # the application's own rule is TRUSTED_PROXY_HOSTS
            server_header=False,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=int(DRAIN_SECONDS),
        )
    )

    told = asyncio.Event()

    async def leave() -> None:
        """New requests are refused from now on; the server goes when the orders under way are answered."""
        await told.wait()
        gateway.phase.draining = True
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                await gateway.submit_order.drain()
        server.should_exit = True

    _when_told_to_stop(told.set)
    leaving = asyncio.create_task(leave())
    await server.serve()
    leaving.cancel()


def _when_told_to_stop(act: Callable[[], object]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, act)


def serve(settings: Settings) -> None:
    """Block until the process is told to stop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(settings))
