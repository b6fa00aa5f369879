"""A broker's message: first kept as it came, then interpreted, then recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.aggregates.reports import ExecutionReport
from gateway.aggregates.vocabulary import ReportSource
from gateway.commands.record_report import Disposition, Receipt, RecordReport
from gateway.ledger.ledger import Ledger
from gateway.ports import Clock
from gateway.telemetry import Metrics, log

_log = log("gateway.inbox")

Interpret = Callable[[bytes, ReportSource], ExecutionReport]
"""Raises ValueError when the payload names no fact."""


@dataclass(slots=True, kw_only=True)
class Receive:
    ledger: Ledger
    clock: Clock
    metrics: Metrics
    interpret: Interpret
    record_report: RecordReport

    async def __call__(self, source: ReportSource, raw: bytes, correlation_id: str) -> Receipt:
        """Keep the payload, then record what it says. Raises LedgerUnavailable; then nothing is promised."""
        inbox_id = await self.ledger.inbox.keep(source.value, raw, self.clock.now())
        return await self.drive(inbox_id, source, raw, correlation_id)

    async def drive(self, inbox_id: int, source: ReportSource, raw: bytes, correlation_id: str) -> Receipt:
        """Interpret a kept payload; may be repeated, also after a crash between keeping and recording."""
        try:
            report = self.interpret(raw, source)
        except ValueError as error:
            await self.ledger.inbox.settle(inbox_id, Disposition.UNPARSED)
            self.metrics.broker_facts.labels(
                source=source.value, disposition=Disposition.UNPARSED.value
            ).inc()
            _log.warning(
                "payload kept, not understood", source=source.value, inbox_id=inbox_id, error=str(error)
            )
            return Receipt(disposition=Disposition.UNPARSED)
        return await self.record_report(report, correlation_id=correlation_id, inbox_id=inbox_id)

    async def drive_pending(self) -> int:
        """Record what a crash left kept but uninterpreted. Returns how many."""
        pending = await self.ledger.inbox.pending()
        for message in pending:
            await self.drive(
                message.inbox_id, ReportSource(message.source), message.raw, f"inbox:{message.inbox_id}"
            )
        return len(pending)
