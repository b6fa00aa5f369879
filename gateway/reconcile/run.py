"""One pass: fetch what the broker says, compare, and close the gap through the one door for facts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import uuid4

from gateway.aggregates import recon_gate
from gateway.aggregates.order.state import Order
from gateway.aggregates.position.events import PositionQuarantined
from gateway.aggregates.position.state import quarantine
from gateway.aggregates.recon_gate import BREAK_KINDS, BreakOpened
from gateway.aggregates.refusals import ProjectionBehind
from gateway.aggregates.reports import BrokerOrder, status_report
from gateway.aggregates.vocabulary import SYSTEM, Actor, ClientOrderId, ReportSource, Symbol, position_stream
from gateway.commands.fill_gap import FillGap
from gateway.commands.record_report import Disposition, RecordReport
from gateway.commands.safety_view import CIRCUIT_BREAKER, RECON_GATE
from gateway.ledger.decision import Decision, States
from gateway.ledger.envelope import Cause, Uncommitted
from gateway.ledger.ledger import Ledger
from gateway.ports import Broker, BrokerUnreadable, Clock, Found, Lookup, Unreadable
from gateway.reconcile.backfill import Backfill
from gateway.reconcile.order_diff import merge, not_listed
from gateway.reconcile.position_diff import Difference, Suspect, differences, second_look
from gateway.telemetry import Metrics, log

_log = log("gateway.reconcile")
ORDERS: Final = "orders"

Holdings = Callable[[], Awaitable[Mapping[Symbol, Decimal]]]
"""Signed shares per symbol as the read tables have them, once they have reached the head."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileRules:
    overlap: timedelta
    tolerance: timedelta
    max_lookups: int
    backfill: bool
    pod: str


@dataclass(slots=True, kw_only=True)
class PassResult:
    """What one pass did. `status` is ok, failed or skipped."""

    run_id: str
    status: str = "ok"
    message: str = ""
    reports_recorded: int = 0
    orphans_found: int = 0
    breaks_open: int = 0
    shadow_reports: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Pass:
    """The parts of a pass; the same code runs in shadow over a writer that commits nothing."""

    ledger: Ledger
    broker: Broker
    clock: Clock
    metrics: Metrics
    record_report: RecordReport
    fill_gap: FillGap
    backfill: Backfill
    holdings: Holdings
    rules: ReconcileRules
    in_flight: Callable[[], set[ClientOrderId]]
    suspects: dict[Symbol, Suspect] = field(default_factory=dict)
    _checked: dict[ClientOrderId, datetime] = field(default_factory=dict)
    _caught_up: bool = False
    """The first backfill of a process reads every page; later ones stop at the limit and go on next time."""

    async def run(self, *, by: Actor = SYSTEM, correlation_id: str | None = None) -> PassResult:
        """Raises BrokerUnreadable after recording the failure, and LedgerUnavailable."""
        result = PassResult(run_id=str(uuid4()))
        cause = self._cause(by, correlation_id or f"reconcile:{result.run_id}")
        started = self.clock.now()
        await self._note(cause, lambda gate: recon_gate.attempt(gate, run_id=result.run_id, at=started))
        try:
            await self._compare(result, cause, started)
        except BrokerUnreadable as error:
            words = str(error)
            await self._note(
                cause,
                lambda gate: recon_gate.fail(gate, run_id=result.run_id, error=words, at=self.clock.now()),
            )
            raise
        result.breaks_open = await self._count_breaks()
        equity, breaker = await self._equity(), self.ledger.desk.state(CIRCUIT_BREAKER)
        await self._note(
            cause,
            lambda gate: recon_gate.succeed(
                gate,
                run_id=result.run_id,
                at=self.clock.now(),
                marks={ORDERS: started},
                reports_recorded=result.reports_recorded,
                breaks_open=result.breaks_open,
                orphans_found=result.orphans_found,
                equity=equity,
                peak_since=breaker.reset_at if breaker is not None else None,
            ),
        )
        self.metrics.reconciled_at.labels(pod=self.rules.pod).set(self.clock.now().timestamp())
        result.message = f"{result.reports_recorded} facts recorded, {result.breaks_open} breaks open"
        return result

    async def _compare(self, result: PassResult, cause: Cause, started: datetime) -> None:
        merged = await self._listed()
        for held in merged.values():
            await self._take(held, result, cause)
        for held in await self._look_up(merged):
            await self._take(held, result, cause)
        complete = True
        if self.rules.backfill:
            complete = await self._backfill(result, cause)
        if complete:
            await self._compare_positions(cause, result)

    async def _listed(self) -> dict[ClientOrderId, BrokerOrder]:
        gate, _ = await self.ledger.load(RECON_GATE)
        mark = gate.marks.get(ORDERS) if gate is not None else None
        recent: Sequence[BrokerOrder] = ()
        if mark is not None:
            recent = await self.broker.orders_since(mark - self.rules.overlap)
        return merge(await self.broker.open_orders(), recent)

    async def _take(self, held: BrokerOrder, result: PassResult, cause: Cause) -> None:
        """One broker order through the door."""
        report = status_report(held, ReportSource.RECONCILIATION)
        receipt = await self.record_report(report, correlation_id=cause.correlation_id)
        if receipt.disposition is Disposition.ORPHAN:
            result.orphans_found += 1
        added = receipt.disposition in (Disposition.APPLIED, Disposition.ORPHAN)
        result.reports_recorded += added
        assert receipt.client_order_id is not None
        result.reports_recorded += await self.fill_gap.close(
            receipt.client_order_id, held, self.record_report
        )
        pod = self.rules.pod
        (self.metrics.mismatches if added else self.metrics.conflicts_skipped).labels(pod=pod).inc()

    async def _look_up(self, merged: Mapping[ClientOrderId, BrokerOrder]) -> list[BrokerOrder]:
        """Live orders no list mentioned: unconfirmed first, then the least recently checked."""
        await self.ledger.catch_up()
        live: dict[ClientOrderId, Order] = {o.client_order_id: o for _, o in self.ledger.desk.live("order-")}
        missing = [cid for cid in not_listed(live, merged) if cid not in self.in_flight()]
        never = datetime.min.replace(tzinfo=self.clock.now().tzinfo)
        missing.sort(key=lambda cid: (not live[cid].is_unconfirmed, self._checked.get(cid, never)))
        found = []
        for client_order_id in missing[: self.rules.max_lookups]:
            match await self._find(live[client_order_id]):
                case Found(order=held):
                    found.append(held)
                case Unreadable(reason=reason):
                    raise BrokerUnreadable(f"order {client_order_id} cannot be looked up: {reason}")
            self._checked[client_order_id] = self.clock.now()
        self._checked = {cid: at for cid, at in self._checked.items() if cid in live}
        return found

    async def _find(self, order: Order) -> Lookup:
        if order.order_id is not None:
            return await self.broker.order_by_id(order.order_id)
        return await self.broker.order_by_client_id(order.client_order_id)

    async def _backfill(self, result: PassResult, cause: Cause) -> bool:
        """Whether every fill was read; a failure is reported and does not fail the pass."""
        try:
            filled = await self.backfill.run(
                correlation_id=cause.correlation_id, to_the_end=not self._caught_up
            )
        except BrokerUnreadable as error:
            _log.warning("fills cannot be read", error=str(error), run_id=result.run_id)
            return False
        result.reports_recorded += filled.fills_inserted
        self._caught_up = self._caught_up or filled.complete
        return filled.complete

    async def _compare_positions(self, cause: Cause, result: PassResult) -> None:
        try:
            ours = await self.holdings()
        except ProjectionBehind as error:  # the figures of a parked table prove nothing
            _log.warning("positions not compared", error=str(error))
            return
        found = differences(ours, await self.broker.positions())
        now = self.clock.now()
        verdicts = second_look(self.suspects, found, now=now, tolerance=self.rules.tolerance)
        self.suspects = verdicts.suspects
        for difference in verdicts.confirmed:
            await self._open_break(difference, cause, now)
        await self._close_agreed({difference.symbol for difference in found}, cause, now)

    async def _open_break(self, difference: Difference, cause: Cause, now: datetime) -> None:
        stream = position_stream(difference.symbol)

        def decide(states: States) -> Decision:
            opened = recon_gate.open_break(
                states[RECON_GATE],
                kind="position_qty",
                symbol=difference.symbol,
                client_order_id=None,
                order_id=None,
                ledger_value=str(difference.ledger),
                broker_value=str(difference.broker),
                at=now,
            )
            quarantined = quarantine(
                states[stream],
                symbol=difference.symbol,
                strategy_id=None,
                reason="position_mismatch",
                kind="position_qty",
                at=now,
                break_id=next((event.break_id for event in opened if isinstance(event, BreakOpened)), None),
            )
            return Decision(
                events=[
                    *(Uncommitted(stream=RECON_GATE, event=event) for event in opened),
                    *(Uncommitted(stream=stream, event=event) for event in (quarantined if opened else ())),
                ]
            )

        change = await self.ledger.writer.change((RECON_GATE, stream), decide, self._again(cause))
        symbol = self.metrics.symbol(difference.symbol)
        new = sum(isinstance(recorded.event, PositionQuarantined) for recorded in change.events)
        self.metrics.symbols_quarantined.labels(pod=self.rules.pod, symbol=symbol).inc(new)

    async def _close_agreed(self, differing: set[Symbol], cause: Cause, now: datetime) -> None:
        gate, _ = await self.ledger.load(RECON_GATE)
        agreed = [
            entry.break_id
            for entry in (gate.open_breaks if gate is not None else ())
            if entry.kind == "position_qty" and entry.symbol not in differing
        ]
        for break_id in agreed:
            await self._close(break_id, cause, now)

    async def _close(self, break_id: str, cause: Cause, now: datetime) -> None:
        await self._note(self._again(cause), lambda gate: recon_gate.close_break(gate, break_id, at=now))

    async def _count_breaks(self) -> int:
        gate, _ = await self.ledger.load(RECON_GATE)
        entries = gate.open_breaks if gate is not None else ()
        for kind in BREAK_KINDS:
            self.metrics.open_breaks.labels(kind=kind).set(sum(entry.kind == kind for entry in entries))
        self.metrics.orphans_open.set(sum(entry.kind == "orphan" for entry in entries))
        return len(entries)

    async def _equity(self) -> Decimal | None:
        """A side figure: not knowing it does not fail the pass."""
        try:
            return (await self.broker.account()).equity
        except BrokerUnreadable as error:
            _log.warning("equity cannot be read", error=str(error))
            return None

    async def _note(self, cause: Cause, verb: Callable[[Any], Sequence[Any]]) -> None:
        """Record on the reconciliation gate's own stream."""

        def decide(states: States) -> Decision:
            return Decision(
                events=[Uncommitted(stream=RECON_GATE, event=event) for event in verb(states[RECON_GATE])]
            )

        await self.ledger.writer.change((RECON_GATE,), decide, self._again(cause))

    def _cause(self, by: Actor, correlation_id: str) -> Cause:
        return Cause(
            command_id=f"reconcile:{uuid4()}",
            actor=by,
            correlation_id=correlation_id,
            source=ReportSource.RECONCILIATION.value,
            occurred_at=self.clock.now(),
        )

    def _again(self, cause: Cause) -> Cause:
        return self._cause(cause.actor, cause.correlation_id)
