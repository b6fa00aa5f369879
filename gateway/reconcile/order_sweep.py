"""Every order the broker lists, through the one door; and each of ours that it does not list, asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from gateway.aggregates.differences import ORDER_STATUS
from gateway.aggregates.order.state import Order
from gateway.aggregates.reports import BrokerOrder, status_report
from gateway.aggregates.vocabulary import ClientOrderId, ReportSource, order_stream
from gateway.commands.fill_gap import FillGap
from gateway.commands.record_report import Disposition, RecordReport
from gateway.commands.safety_view import RECON_GATE
from gateway.ledger.ledger import Ledger
from gateway.ports import Broker, BrokerUnreadable, Clock, Found, Lookup, Unreadable
from gateway.reconcile.judge import Findings
from gateway.reconcile.order_diff import (
    is_outweighed,
    merge,
    missing_at_broker,
    not_listed,
    status_difference,
)
from gateway.reconcile.pass_record import PassResult
from gateway.telemetry import Metrics, log

_log = log("gateway.reconcile")
ORDERS: Final = "orders"
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True, kw_only=True)
class OrderSweep:
    ledger: Ledger
    broker: Broker
    clock: Clock
    metrics: Metrics
    record_report: RecordReport
    fill_gap: FillGap
    in_flight: Callable[[], set[ClientOrderId]]
    overlap: timedelta
    max_lookups: int
    pod: str
    _checked: dict[ClientOrderId, datetime] = field(default_factory=dict)

    async def __call__(self, result: PassResult, findings: Findings, correlation_id: str) -> None:
        """Raises BrokerUnreadable and LedgerUnavailable; what was recorded by then stands."""
        merged = await self._listed()
        for held in merged.values():
            await self._take(held, result, findings, correlation_id)
        wanted = await self._not_told(merged)
        for order in wanted[: self.max_lookups]:
            await self._ask(order, result, findings, correlation_id)
        passed_over = {order.client_order_id for order in wanted[self.max_lookups :]}
        findings.unasked_orders |= passed_over | self.in_flight()

    async def _listed(self) -> Mapping[ClientOrderId, BrokerOrder]:
        gate, _ = await self.ledger.load(RECON_GATE)
        mark = gate.marks.get(ORDERS) if gate is not None else None
        recent: Sequence[BrokerOrder] = ()
        if mark is not None:
            recent = await self.broker.orders_since(mark - self.overlap)
        return merge(await self.broker.open_orders(), recent)

    async def _take(
        self, held: BrokerOrder, result: PassResult, findings: Findings, correlation_id: str
    ) -> None:
        """One broker order through the door, with the executions it reveals."""
        report = status_report(held, ReportSource.RECONCILIATION)
        receipt = await self.record_report(report, correlation_id=correlation_id)
        if receipt.client_order_id is None:
            return
        result.orphans_found += receipt.disposition is Disposition.ORPHAN
        added = int(receipt.disposition in (Disposition.APPLIED, Disposition.ORPHAN))
        added += await self._close_gap(receipt.client_order_id, held)
        result.reports_recorded += added
        order: Order | None
        order, _ = await self.ledger.load(order_stream(receipt.client_order_id))
        if order is None:  # a shadow pass did not write it down
            return
        if not added and is_outweighed(order, held):
            self.metrics.conflicts_skipped.labels(pod=self.pod).inc()
        if self.fill_gap.waits_for(order.client_order_id):
            findings.unasked_orders |= {order.client_order_id}
        elif (difference := status_difference(order, held)) is not None:
            findings.differences.append(difference)

    async def _close_gap(self, client_order_id: ClientOrderId, held: BrokerOrder) -> int:
        """Unreadable executions leave the gap for later, and do not fail the pass."""
        try:
            return await self.fill_gap.close(client_order_id, held, self.record_report)
        except BrokerUnreadable as error:
            _log.warning("gap left for later", client_order_id=client_order_id, error=str(error))
            return 0

    async def _not_told(self, merged: Mapping[ClientOrderId, BrokerOrder]) -> list[Order]:
        """Orders no list mentioned: unconfirmed first, then the least recently checked."""
        await self.ledger.catch_up()
        live: dict[ClientOrderId, Order] = {o.client_order_id: o for _, o in self.ledger.desk.live("order-")}
        self._checked = {cid: at for cid, at in self._checked.items() if cid in live}
        wanted = live | await self._disputed()
        missing = [wanted[cid] for cid in not_listed(wanted, merged) if cid not in self.in_flight()]
        return sorted(
            missing, key=lambda o: (not o.is_unconfirmed, self._checked.get(o.client_order_id, _NEVER))
        )

    async def _disputed(self) -> dict[ClientOrderId, Order]:
        """Orders that are over here and were last seen working at the broker."""
        gate, _ = await self.ledger.load(RECON_GATE)
        found: dict[ClientOrderId, Order] = {}
        for entry in gate.open_breaks if gate is not None else ():
            if entry.kind == ORDER_STATUS and entry.client_order_id is not None:
                order, _ = await self.ledger.load(order_stream(entry.client_order_id))
                if order is not None:
                    found[entry.client_order_id] = order
        return found

    async def _ask(self, order: Order, result: PassResult, findings: Findings, correlation_id: str) -> None:
        client_order_id = order.client_order_id
        match await self._find(order):
            case Found(order=held):
                await self._take(held, result, findings, correlation_id)
            case Unreadable(reason=reason):
                raise BrokerUnreadable(f"order {client_order_id} cannot be looked up: {reason}")
            case _ if order.is_live and not order.is_unconfirmed:
                findings.differences.append(missing_at_broker(order))
        self._checked[client_order_id] = self.clock.now()

    async def _find(self, order: Order) -> Lookup:
        """By the broker's id, and where it does not know that, by ours."""
        if order.order_id is not None:
            found = await self.broker.order_by_id(order.order_id)
            if isinstance(found, Found | Unreadable):
                return found
        return await self.broker.order_by_client_id(order.client_order_id)
