"""A broker's message: first kept as it came, then interpreted, then recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from gateway.aggregates.refusals import BrokerUnavailable, LedgerUnavailable
from gateway.aggregates.reports import ExecutionReport
from gateway.aggregates.vocabulary import ReportSource
from gateway.commands.record_report import Disposition, Receipt, RecordReport
from gateway.ledger.envelope import StreamPoisoned
from gateway.ledger.inbox import Message
from gateway.ledger.ledger import Ledger
from gateway.ports import BrokerUnreadable, Clock
from gateway.telemetry import Metrics, log

_log = log("gateway.inbox")
UNDER_WAY: Final = timedelta(seconds=5)
"""A message this young is being recorded by whoever received it."""

Interpret = Callable[[bytes, ReportSource], ExecutionReport]
"""Raises ValueError when the payload names no fact."""


@dataclass(slots=True, kw_only=True)
class Receive:
    ledger: Ledger
    clock: Clock
    metrics: Metrics
    interpret: Interpret
    record_report: RecordReport
    _settled_up_to: int = 0
    """Every message up to this one has a result, so nobody looks at them again."""

    async def __call__(self, source: ReportSource, raw: bytes, correlation_id: str) -> Receipt:
        """Keep the payload, then record what it says.

        Raises LedgerUnavailable, and BrokerUnavailable when only the broker could say whose fact it is; then
        nothing is promised, and what was kept is driven again.
        """
        inbox_id = await self.ledger.inbox.keep(source.value, raw, self.clock.now())
        try:
            return await self.drive(inbox_id, source, raw, correlation_id)
        except BrokerUnreadable as error:
            raise BrokerUnavailable(str(error), retry_after=1) from error

    async def drive(self, inbox_id: int, source: ReportSource, raw: bytes, correlation_id: str) -> Receipt:
        """Interpret a kept payload; may be repeated, also after a crash between keeping and recording."""
        try:
            report = self.interpret(raw, source)
        except ValueError as error:
            _log.warning(
                "payload kept, not understood", source=source.value, inbox_id=inbox_id, error=str(error)
            )
            return await self._dead_letter(inbox_id, source)
        try:
            return await self.record_report(report, correlation_id=correlation_id, inbox_id=inbox_id)
        except (LedgerUnavailable, BrokerUnreadable):
            raise
        except Exception:  # noqa: BLE001 - what nobody can record is kept aside; it would fail every time
            _log.exception("fact cannot be recorded", source=source.value, inbox_id=inbox_id)
            return await self._dead_letter(inbox_id, source)

    async def _dead_letter(self, inbox_id: int, source: ReportSource) -> Receipt:
        await self.ledger.inbox.settle(inbox_id, Disposition.UNPARSED)
        self.metrics.broker_facts.labels(source=source.value, disposition=Disposition.UNPARSED.value).inc()
        return Receipt(disposition=Disposition.UNPARSED)

    async def drive_pending(self) -> int:
        """Record what a crash left kept but unrecorded, each message by itself. Returns how many remain."""
        remaining = 0
        for message in await self.ledger.inbox.pending(after=self._settled_up_to):
            if self.clock.now() - message.received_at < UNDER_WAY or not await self._driven(message):
                remaining += 1
            if not remaining:
                self._settled_up_to = message.inbox_id
        return remaining

    async def _driven(self, message: Message) -> bool:
        try:
            await self.drive(
                message.inbox_id, ReportSource(message.source), message.raw, f"inbox:{message.inbox_id}"
            )
        except (BrokerUnreadable, StreamPoisoned) as error:  # it alone has to wait, not those behind it
            _log.warning("message waits", inbox_id=message.inbox_id, error=str(error))
            return False
        return True
