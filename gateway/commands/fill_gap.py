"""Executions the broker counts and we have not booked: fetched, and only then inferred."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import uuid4

from gateway.aggregates.order.state import Order
from gateway.aggregates.refusals import LedgerUnavailable
from gateway.aggregates.reports import BrokerOrder
from gateway.aggregates.vocabulary import (
    BROKER,
    ZERO,
    ClientOrderId,
    ReportSource,
    Symbol,
    order_stream,
)
from gateway.commands.amend import Amend
from gateway.commands.record_report import RecordReport
from gateway.ledger.envelope import Cause
from gateway.ledger.ledger import Ledger
from gateway.ports import Broker, BrokerUnreadable, Clock
from gateway.telemetry import log

_log = log("gateway.gaps")


@dataclass(frozen=True, slots=True)
class _Gap:
    held: BrokerOrder
    since: datetime


@dataclass(slots=True, kw_only=True)
class FillGap:
    """Remembers the gaps it is told of; `run_once` closes those that have settled."""

    ledger: Ledger
    broker: Broker
    clock: Clock
    settle_window: timedelta
    _gaps: dict[ClientOrderId, _Gap] = field(default_factory=dict)

    def notice(self, order: Order, held: BrokerOrder) -> None:
        """The broker's total is above what is booked; nothing is inferred before the window is over."""
        known = self._gaps.get(order.client_order_id)
        since = known.since if known is not None else self.clock.now()
        self._gaps[order.client_order_id] = _Gap(held, since)

    def waits_for(self, client_order_id: ClientOrderId) -> bool:
        """Whether executions of this order may still be on their way."""
        return client_order_id in self._gaps

    @property
    def unsettled(self) -> frozenset[Symbol]:
        """Symbols of which the broker counts more than we have booked, for a reason that may be time."""
        return frozenset(gap.held.symbol for gap in self._gaps.values())

    async def run_once(self, record_report: RecordReport) -> None:
        for client_order_id, gap in list(self._gaps.items()):
            if self.clock.now() - gap.since >= self.settle_window:
                try:
                    await self.close(client_order_id, gap.held, record_report)
                except (BrokerUnreadable, LedgerUnavailable) as error:
                    _log.warning("gap left for later", client_order_id=client_order_id, error=str(error))

    async def close(
        self, client_order_id: ClientOrderId, held: BrokerOrder, record_report: RecordReport
    ) -> int:
        """Book what is missing, inferring only what the window has let settle. Returns how many facts.

        Raises BrokerUnreadable; then the gap stands.
        """
        added = 0
        if await self._missing(client_order_id, held) > 0:
            page = await self.broker.fills(after=None, order_id=held.order_id)
            for report in page.reports:
                receipt = await record_report(report, correlation_id=f"gap:{client_order_id}")
                added += receipt.disposition == "applied"
            if await self._missing(client_order_id, held) > 0:
                if not page.complete or self._is_young(client_order_id, held):
                    self._gaps.setdefault(client_order_id, _Gap(held, self.clock.now()))
                    return added
                added += await self._infer(client_order_id, held)
        self._gaps.pop(client_order_id, None)
        return added

    def _is_young(self, client_order_id: ClientOrderId, held: BrokerOrder) -> bool:
        """Whether the executions may still be on their way to us."""
        gap = self._gaps.get(client_order_id)
        known_since = gap.since if gap is not None else held.filled_at or held.updated_at or self.clock.now()
        return self.clock.now() - known_since < self.settle_window

    async def _missing(self, client_order_id: ClientOrderId, held: BrokerOrder) -> Decimal:
        order, _ = await self.ledger.load(order_stream(client_order_id))
        return ZERO if order is None else order.missing_qty(held.filled_qty)

    async def _infer(self, client_order_id: ClientOrderId, held: BrokerOrder) -> int:
        """One provisional execution for the difference; the real one supersedes it when it comes."""
        at = held.filled_at or held.updated_at or self.clock.now()
        amended = await Amend(
            writer=self.ledger.writer,
            client_order_id=client_order_id,
            symbol=held.symbol,
            verb=lambda order: (
                order.infer(held.filled_qty, held.filled_avg_px, at, ReportSource.RECONCILIATION)
                if order is not None
                else ()
            ),
            cause=Cause(
                command_id=f"infer:{uuid4()}",
                actor=BROKER,
                correlation_id=f"gap:{client_order_id}",
                source=ReportSource.RECONCILIATION.value,
                occurred_at=at,
            ),
        )()
        _log.warning("execution inferred", client_order_id=client_order_id, cum_qty=str(held.filled_qty))
        return len(amended.events)
