"""The rooms hung together: adapters into commands, commands into routes. Starts nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final, cast

from fastapi import FastAPI

from gateway import __version__
from gateway.adapters import redis_nonces, redis_rate_limits, redis_reservations, redis_safety
from gateway.adapters.alpaca_reports import interpret
from gateway.adapters.alpaca_stream import TradeUpdates
from gateway.adapters.redis_link import RedisLink
from gateway.adapters.system_clock import SystemClock
from gateway.aggregates.refusals import LedgerUnavailable
from gateway.aggregates.vocabulary import ReportSource, Symbol
from gateway.api.app import create_app
from gateway.api.deps import House, Phase
from gateway.api.rate_limit import RateLimit
from gateway.api.security import Security
from gateway.commands.audit import Audit
from gateway.commands.cancel_order import CancelOrder
from gateway.commands.controls import Controls
from gateway.commands.fill_gap import FillGap
from gateway.commands.gates.walk import RiskRules, Surroundings
from gateway.commands.keep_mirror import KeepMirror
from gateway.commands.last_look import LastLook
from gateway.commands.outcome import RecordOutcome
from gateway.commands.receive import Receive
from gateway.commands.record_report import RecordReport
from gateway.commands.resolve_unknown import ResolveUnknown
from gateway.commands.submit_order import SubmitOrder
from gateway.commands.watch_clock import WatchClock
from gateway.ledger.catalog import CATALOG
from gateway.ledger.ledger import Ledger
from gateway.main import wiring
from gateway.main.background import Background
from gateway.main.differences import differences
from gateway.main.health import Watch
from gateway.main.manual import manual_desk, second_factor
from gateway.main.reconciling import reconciliation_pass
from gateway.main.slicing import slicing
from gateway.ports import MirrorUnavailable
from gateway.projections.audit import Report, verify
from gateway.projections.catalog import PROJECTIONS
from gateway.projections.engine import Projections
from gateway.projections.queries.positions import account_holdings
from gateway.projections.snapshot import ReadTables
from gateway.projections.verify import verify_projections
from gateway.reconcile.loop import Reconciler
from gateway.reconcile.run import Pass
from gateway.reconcile.shadow import ShadowLedger
from gateway.settings import Settings
from gateway.telemetry import GateLog, Metrics, log

_log = log("gateway.main")

DRAIN_SECONDS: Final = 30.0
SETTLE_WINDOW: Final = timedelta(seconds=10)
HOLDINGS_WAIT_SECONDS: Final = 10.0

Track = Callable[[str], None]


class Gateway:
    """One gateway process. `track_doors` is told the name of every door a request passes."""

    def __init__(
        self,
        settings: Settings,
        *,
        track_doors: Track = lambda door: None,
        new_gate_log: Callable[[], GateLog] = GateLog,
    ) -> None:
        self.settings = settings
        self.clock = SystemClock()
        self.metrics = Metrics()
        self.phase = Phase()
        self.leading: set[str] = set()
        """The leases this process holds."""
        self.background = Background(self.clock.now, self.metrics)
        self._track_doors = track_doors
        self._new_gate_log = new_gate_log
        self.database = wiring.secret(settings.database_url)
        self.read_database = wiring.secret(settings.projections_database_url) or self.database
        self._verifying = asyncio.Lock()
        self._build()

    # --- hanging the rooms together -----------------------------------------------------------------

    def _build(self) -> None:
        settings, clock, metrics = self.settings, self.clock, self.metrics
        self.ledger = Ledger(
            self.database, CATALOG, build=__version__, decided_again=metrics.append_conflicts.inc
        )
        self.projections = Projections(url=self.read_database, log=self.ledger.log, projections=PROJECTIONS)
        self.read = ReadTables(self.database, size=settings.db_pool_max_size)
        self.link = RedisLink(wiring.redis_url(settings), timeout=settings.redis_timeout_seconds)
        self.broker = wiring.broker(settings, clock, metrics, self._late_reply)
        self.fill_gap = FillGap(
            ledger=self.ledger, broker=self.broker, clock=clock, settle_window=SETTLE_WINDOW
        )
        self.record_report = self._door_for_facts(self.ledger, self.metrics, self.fill_gap)
        self.receive = Receive(
            ledger=self.ledger,
            clock=clock,
            metrics=metrics,
            interpret=interpret,
            record_report=self.record_report,
        )
        self.cancel_order = CancelOrder(
            ledger=self.ledger, broker=self.broker, clock=clock, record_report=self.record_report
        )
        self.outcome = RecordOutcome(
            ledger=self.ledger,
            broker=self.broker,
            clock=clock,
            cancel_order=self.cancel_order,
            notice_gap=self.fill_gap.notice,
        )
        self.audit = Audit(ledger=self.ledger, clock=clock, metrics=metrics)
        metrics.dry_run.set(1 if settings.dry_run else 0)
        metrics.breaker_enabled.set(1 if settings.circuit_breaker_enabled else 0)

    def _door_for_facts(self, ledger: Ledger, metrics: Metrics, fill_gap: FillGap) -> RecordReport:
        return RecordReport(
            ledger=ledger,
            broker=self.broker,
            clock=self.clock,
            metrics=metrics,
            notice_gap=fill_gap.notice,
            pod=self.settings.pod_name,
        )

    def build_desk(self, generation: str, recon_version: int) -> None:
        """What needs the ledger to be open: the mirror of this ledger, and all that decides on its state."""
        settings = self.settings
        self.mirror = redis_safety.RedisSafetyMirror(self.link, generation=generation)
        self.reservations = redis_reservations.RedisReservations(self.link, generation=generation)
        self.keep_mirror = KeepMirror(
            ledger=self.ledger,
            mirror=self.mirror,
            reservations=self.reservations,
            metrics=self.metrics,
            check_seconds=settings.mirror_check_interval_seconds,
            token_age_seconds=2 * settings.broker_deadline_seconds + DRAIN_SECONDS,
        )
        self.market_data = wiring.market_data(settings, self.clock, self.link, self.metrics)
        self._build_commands(wiring.risk_rules(settings))
        self._build_background_work(recon_version)
        self.differences = differences(
            settings,
            self.clock,
            ledger=self.ledger,
            broker=self.broker,
            cancel_order=self.cancel_order,
            backfill=self.reconciler.one_pass.backfill,
        )
        self.updates = self._trade_updates()
        self.watch = self._watch()

    def _build_commands(self, rules: RiskRules) -> None:
        around = Surroundings(
            ledger=self.ledger,
            mirror=self.mirror,
            reservations=self.reservations,
            market_data=self.market_data,
            broker=self.broker,
            clock=self.clock,
            metrics=self.metrics,
            rules=rules,
            request_mirror_rebuild=self.keep_mirror.request_rebuild,
            gate_state=lambda: self.reconciler.gate_state,
        )
        self.submit_order = SubmitOrder(
            around=around, audit=self.audit, outcome=self.outcome, last_look=LastLook(around)
        )
        self.slicing = slicing(
            self.settings,
            around,
            self.submit_order,
            self.cancel_order,
            self.audit,
            releaser_runs=lambda: self.background.is_up("slice_releaser"),
        )
        self.by_hand = manual_desk(
            around, self.submit_order, self.cancel_order, self.slicing.cancel_slices, self.audit
        )
        self.controls = Controls(
            ledger=self.ledger,
            mirror=self.mirror,
            keep_mirror=self.keep_mirror,
            clock=self.clock,
            metrics=self.metrics,
            quiet_period=timedelta(seconds=self.settings.circuit_breaker_quiet_period_seconds),
            default_thresholds=rules.default_thresholds,
        )

    def _build_background_work(self, recon_version: int) -> None:
        settings = self.settings
        self.resolver = ResolveUnknown(
            ledger=self.ledger,
            broker=self.broker,
            clock=self.clock,
            metrics=self.metrics,
            outcome=self.outcome,
            in_flight=lambda: self.submit_order.in_flight,
            grace=timedelta(seconds=settings.reconciliation_submitted_unconfirmed_grace_seconds),
            broker_deadline=timedelta(seconds=settings.broker_deadline_seconds),
        )
        self.reconciler = Reconciler(
            ledger=self.ledger,
            clock=self.clock,
            dry_run=settings.dry_run,
            one_pass=self._pass(self.ledger, self.metrics),
            shadow_pass=lambda shadow: self._pass(shadow, Metrics()),
            interval=timedelta(seconds=settings.reconciliation_interval_seconds),
            tolerance=timedelta(seconds=settings.reconciliation_break_tolerance_seconds),
            startup_timeout=timedelta(seconds=settings.reconciliation_timeout_seconds),
            start_version=recon_version,
            loop_state=self._loop_state,
        )

    def _trade_updates(self) -> TradeUpdates | None:
        settings = self.settings
        if settings.dry_run:
            return None

        async def repair() -> None:
            self.reconciler.wake()

        return TradeUpdates(
            wiring.secret(settings.alpaca_api_key_id),
            wiring.secret(settings.alpaca_api_secret_key),
            settings.alpaca_stream_url,
            on_frames=self.receive.frames,
            on_connected=repair,
            clock=self.clock,
        )

    def _watch(self) -> Watch:
        updates = self.updates

        async def gate() -> str:
            return (await self.reconciler.status()).gate

        return Watch(
            clock=self.clock,
            metrics=self.metrics,
            background=self.background,
            ledger=self.ledger.log.head,
            mirror=self.link.ping,
            broker=None
            if self.settings.dry_run
            else WatchClock(broker=self.broker, clock=self.clock, metrics=self.metrics),
            projection_failures=lambda: self.projections.failures,
            ledger_ailments=lambda: self.ledger.ailments,
            stream_connected=None
            if updates is None
            else (lambda: updates.connected or "trade-updates" not in self.leading),
            mirror_built=self.mirror.ready,
            gate=gate,
            draining=lambda: self.phase.draining,
            routes_ready=lambda: self.phase.routes_ready,
        )

    def _pass(self, ledger: Ledger | ShadowLedger, metrics: Metrics) -> Pass:
        """The parts of a reconciliation pass over the ledger or its shadow."""
        target = cast(Ledger, ledger)
        fill_gap, door = self.fill_gap, self.record_report
        if isinstance(ledger, ShadowLedger):
            fill_gap = FillGap(
                ledger=target, broker=self.broker, clock=self.clock, settle_window=SETTLE_WINDOW
            )
            door = self._door_for_facts(target, metrics, fill_gap)
        return reconciliation_pass(
            self.settings,
            self.clock,
            ledger=target,
            broker=self.broker,
            metrics=metrics,
            record_report=door,
            fill_gap=fill_gap,
            holdings=self._holdings,
            in_flight=lambda: self.submit_order.in_flight,
        )

    async def _holdings(self) -> Mapping[Symbol, Decimal]:
        """The read tables' holdings, once they have reached the head."""
        await self.projections.wait_for(await self.ledger.log.head(), ("positions",), HOLDINGS_WAIT_SECONDS)
        async with self.read.snapshot() as snapshot:
            holdings = await account_holdings(snapshot)
        return {Symbol(holding.symbol): holding.qty for holding in holdings.open}

    async def _late_reply(self, raw: bytes) -> None:
        with suppress(LedgerUnavailable):  # the resolver looks the order up anyway
            await self.receive(ReportSource.REPLY, raw, correlation_id="late-reply")

    def _loop_state(self) -> str:
        standing = self.background.standings.get("reconciliation")
        return standing.state if standing is not None else "stopped"

    def app(self) -> FastAPI:
        """The HTTP application; call it after `start` has opened the ledger."""
        settings = self.settings
        limits = redis_rate_limits.RedisRateLimits(self.link, clock=self.clock, trouble=self._limit_trouble)
        house = House(
            about=wiring.about(settings),
            clock=self.clock,
            metrics=self.metrics,
            phase=self.phase,
            door=Security(
                tokens=wiring.token_rules(settings, self.clock),
                services=wiring.service_rules(settings),
                nonces=redis_nonces.RedisNonces(self.link),
                clock=self.clock,
                metrics=self.metrics,
            ),
            limiter=RateLimit(
                rules=wiring.limits(settings),
                limits=limits,
                metrics=self.metrics,
                clock=self.clock,
                enforced=settings.rate_limit_mode == "enforce",
                service_factor=settings.rate_limit_internal_factor,
            ),
            webhook=wiring.webhook_rules(settings),
            submit_order=self.submit_order,
            cancel_order=self.cancel_order,
            slice_order=self.slicing.slice_order,
            cancel_slices=self.slicing.cancel_slices,
            receive=self.receive,
            controls=self.controls,
            by_hand=self.by_hand,
            second_factor=second_factor(settings, self.clock),
            reconcile=self.reconciler,
            differences=self.differences,
            projections=self.projections,
            ledger=self.ledger,
            market=self.market_data,
            read=self.read,
            verify=self.verify,
            audit=self.audit,
            health=self.watch.health,
            readiness=self.watch.readiness,
            read_wait_seconds=settings.read_wait_timeout_ms / 1000,
            started_at=self.clock.now(),
            track=self._track_doors,
            new_gate_log=self._new_gate_log,
        )
        return create_app(house, trusted_proxies=[str(host) for host in settings.trusted_proxy_hosts])

    def _limit_trouble(self, action: str, timed_out: bool) -> None:  # noqa: FBT001 - the adapter's shape
        counter = self.metrics.limits_timeouts if timed_out else self.metrics.limits_errors
        counter.labels(action=action).inc()

    async def verify(self, first: int | None, last: int | None) -> Report:
        """Every check of the ledger, the read tables and the mirror. Raises LedgerUnavailable."""

        async def tables() -> Any:
            return await verify_projections(self.read_database, self.ledger.log, PROJECTIONS)

        async def drift() -> Decimal | None:
            with suppress(MirrorUnavailable):
                return await self.keep_mirror.drift()
            return None

        async with self._verifying:
            return await verify(self.ledger.log, tables, first=first or 1, last=last, drift=drift)
