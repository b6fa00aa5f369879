"""One pass: fetch what the broker says, compare, and close the gap through the one door for facts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import uuid4

from gateway.aggregates import recon_gate
from gateway.aggregates.differences import BREAK_KINDS, ORPHAN
from gateway.aggregates.refusals import ProjectionBehind
from gateway.aggregates.vocabulary import SYSTEM, Actor, Symbol
from gateway.commands.safety_view import CIRCUIT_BREAKER, RECON_GATE
from gateway.ledger.ledger import Ledger
from gateway.ports import Broker, BrokerUnreadable, Clock
from gateway.reconcile.backfill import Backfill
from gateway.reconcile.judge import Findings, Judge
from gateway.reconcile.order_sweep import ORDERS, OrderSweep
from gateway.reconcile.pass_record import PassRecord, PassResult
from gateway.reconcile.position_diff import differences
from gateway.reconcile.read_activities import ReadActivities
from gateway.telemetry import Metrics, log

_log = log("gateway.reconcile")
TURN: Final = "reconciliation-pass"
TURN_PATIENCE_SECONDS: Final = 30.0
"""How long a pass waits for another process's; it then goes on, and that one's findings are void."""

Holdings = Callable[[], Awaitable[Mapping[Symbol, Decimal]]]
"""Signed shares per symbol as the read tables have them, once they have reached the head."""


@dataclass(slots=True, kw_only=True)
class Pass:
    """The parts of a pass; the same code runs in shadow over a writer that commits nothing."""

    ledger: Ledger
    broker: Broker
    clock: Clock
    metrics: Metrics
    sweep: OrderSweep
    backfill: Backfill
    activities: ReadActivities
    judge: Judge
    holdings: Holdings
    reads_activities: bool
    pod: str
    _caught_up: bool = False
    """The first backfill of a process reads every page; later ones stop at the limit and go on next time."""

    async def run(self, *, by: Actor = SYSTEM, correlation_id: str | None = None) -> PassResult:
        """One at a time in all processes.

        Raises BrokerUnreadable after recording the failure, and LedgerUnavailable.
        """
        result = PassResult(run_id=str(uuid4()))
        record = PassRecord(
            ledger=self.ledger,
            clock=self.clock,
            run_id=result.run_id,
            by=by,
            correlation_id=correlation_id or f"reconcile:{result.run_id}",
        )
        async with self.ledger.turn(TURN, patience=TURN_PATIENCE_SECONDS):
            started = self.clock.now()
            await record.begin()
            try:
                seen = await self._compare(result, record)
            except BrokerUnreadable as error:
                await self._fail(record, str(error))
                raise
            finally:
                self.metrics.mismatches.labels(pod=self.pod).inc(result.reports_recorded)
            await self._succeed(result, record, started, seen)
        return result

    async def _compare(self, result: PassResult, record: PassRecord) -> Collection[str]:
        """Gives the ids of the open breaks that were found again."""
        findings = Findings()
        await self.sweep(result, findings, record.correlation_id)
        if not self.reads_activities or await self._read_activities(result, record):
            await self._compare_holdings(findings)
        return await self.judge(findings, record, self.clock.now())

    async def _read_activities(self, result: PassResult, record: PassRecord) -> bool:
        """Whether all were read, fills before splits; a failure is reported and does not fail the pass."""
        try:
            filled = await self.backfill.run(
                correlation_id=record.correlation_id, to_the_end=not self._caught_up
            )
            result.reports_recorded += filled.fills_inserted
            self._caught_up = self._caught_up or filled.complete
            if filled.complete:
                await self.activities(record.correlation_id)
        except BrokerUnreadable as error:
            _log.warning("activities cannot be read", error=str(error), run_id=result.run_id)
            return False
        return filled.complete

    async def _compare_holdings(self, findings: Findings) -> None:
        try:
            ours = await self.holdings()
        except ProjectionBehind as error:  # the figures of a parked table prove nothing
            _log.warning("positions not compared", error=str(error))
            return
        findings.differences += differences(ours, await self.broker.positions())
        findings.unsettled = self.sweep.fill_gap.unsettled
        findings.holdings_compared = True

    async def _fail(self, record: PassRecord, words: str) -> None:
        now = self.clock.now()
        await record.note(lambda gate: recon_gate.fail(gate, run_id=record.run_id, error=words, at=now))

    async def _succeed(
        self, result: PassResult, record: PassRecord, started: datetime, seen: Collection[str]
    ) -> None:
        result.breaks_open = await self._count_breaks()
        equity, breaker = await self._equity(), self.ledger.desk.state(CIRCUIT_BREAKER)
        now = self.clock.now()
        await record.note(
            lambda gate: recon_gate.succeed(
                gate,
                run_id=result.run_id,
                at=now,
                marks={ORDERS: started},
                reports_recorded=result.reports_recorded,
                breaks_open=result.breaks_open,
                orphans_found=result.orphans_found,
                equity=equity,
                peak_since=breaker.reset_at if breaker is not None else None,
                breaks_seen=seen,
            )
        )
        self.metrics.reconciled_at.labels(pod=self.pod).set(now.timestamp())
        result.message = f"{result.reports_recorded} facts recorded, {result.breaks_open} breaks open"

    async def _count_breaks(self) -> int:
        gate, _ = await self.ledger.load(RECON_GATE)
        entries = gate.open_breaks if gate is not None else ()
        for kind in BREAK_KINDS:
            self.metrics.open_breaks.labels(kind=kind).set(sum(entry.kind == kind for entry in entries))
        self.metrics.orphans_open.set(sum(entry.kind == ORPHAN for entry in entries))
        return len(entries)

    async def _equity(self) -> Decimal | None:
        """A side figure: not knowing it does not fail the pass."""
        try:
            return (await self.broker.account()).equity
        except BrokerUnreadable as error:
            _log.warning("equity cannot be read", error=str(error))
            return None
