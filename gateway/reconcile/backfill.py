"""FILL activities: the executions themselves, read oldest first and recorded through the one door."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from gateway.aggregates import recon_gate
from gateway.aggregates.vocabulary import SYSTEM, ReportSource
from gateway.commands.record_report import Disposition, RecordReport
from gateway.commands.safety_view import RECON_GATE
from gateway.ledger.decision import Decision, States
from gateway.ledger.envelope import Cause, Uncommitted
from gateway.ledger.ledger import Ledger
from gateway.ports import Broker, Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillRules:
    """`overlap` guards against late listings and clock changes; `first_lookback` applies without a mark."""

    overlap: timedelta
    first_lookback: timedelta
    page_size: int
    max_pages: int


@dataclass(slots=True, kw_only=True)
class BackfillResult:
    fills_seen: int = 0
    fills_inserted: int = 0
    duplicates: int = 0
    unmatched: int = 0
    complete: bool = True
    high_water_mark: datetime | None = None


@dataclass(slots=True, kw_only=True)
class Backfill:
    ledger: Ledger
    broker: Broker
    clock: Clock
    record_report: RecordReport
    rules: BackfillRules
    _to_the_end: bool = True
    """The first round of a process reads every page; later ones stop at the limit and go on next time."""

    async def run(self, *, correlation_id: str, lookback: timedelta | None = None) -> BackfillResult:
        """Raises BrokerUnreadable; then no cursor has moved."""
        page = await self.broker.fills(
            after=await self._window_start(lookback),
            page_size=self.rules.page_size,
            max_pages=None if self._to_the_end else self.rules.max_pages,
        )
        result = BackfillResult(complete=page.complete, high_water_mark=page.last_time)
        for report in page.reports:
            result.fills_seen += 1
            receipt = await self.record_report(report, correlation_id=correlation_id)
            match receipt.disposition:
                case Disposition.APPLIED:
                    result.fills_inserted += 1
                case Disposition.DUPLICATE:
                    result.duplicates += 1
                case _:
                    result.unmatched += 1
        if page.last_time is not None:
            await self._move_cursor(page.last_time, page.last_activity_id, correlation_id)
        if page.complete:
            self._to_the_end = False
        return result

    async def _window_start(self, lookback: timedelta | None) -> datetime:
        if lookback is not None:
            return self.clock.now() - lookback
        gate, _ = await self.ledger.load(RECON_GATE)
        cursor = gate.cursors.get("alpaca_fills") if gate is not None else None
        if cursor is None:
            return self.clock.now() - self.rules.first_lookback
        start: datetime = cursor.time - self.rules.overlap
        return start

    async def _move_cursor(self, time: datetime, activity_id: str | None, correlation_id: str) -> None:
        """To the last activity recorded, never to now, never backwards."""

        def decide(states: States) -> Decision:
            moved = recon_gate.move_cursor(
                states[RECON_GATE], name="alpaca_fills", time=time, activity_id=activity_id
            )
            return Decision(events=[Uncommitted(stream=RECON_GATE, event=event) for event in moved])

        cause = Cause(
            command_id=f"cursor:{uuid4()}",
            actor=SYSTEM,
            correlation_id=correlation_id,
            source=ReportSource.RECONCILIATION.value,
            occurred_at=self.clock.now(),
        )
        await self.ledger.writer.change((RECON_GATE,), decide, cause)
