"""A stream that answers pings and tells nothing: found out by asking the broker itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from gateway.aggregates.order.state import Order
from gateway.aggregates.reports import BrokerOrder, ExecutionReport, status_report
from gateway.aggregates.vocabulary import ClientOrderId, ReportSource
from gateway.commands.record_report import RecordReport
from gateway.ledger.ledger import Ledger
from gateway.ports import Broker, BrokerUnreadable, Clock, Found
from gateway.telemetry import Metrics, log

_log = log("gateway.stream")

TOLD_WITHIN: Final = timedelta(seconds=5)
"""What the stream has not told by then it will not tell."""


class Stream(Protocol):
    """The reader of trade updates. Times in UTC, None while there is none."""

    @property
    def listening_since(self) -> datetime | None: ...
    @property
    def last_frame_at(self) -> datetime | None: ...
    def force_reconnect(self) -> None: ...


@dataclass(slots=True, kw_only=True)
class WatchSilence:
    ledger: Ledger
    broker: Broker
    clock: Clock
    metrics: Metrics
    record_report: RecordReport
    stream: Callable[[], Stream | None]

    def notice(self, report: ExecutionReport) -> None:
        """Polling has told something new; should the stream have told it long ago, subscribe again."""
        stream, happened = self.stream(), report.transact_time
        if stream is None or stream.listening_since is None or happened is None:
            return
        heard_until = max(stream.listening_since, stream.last_frame_at or stream.listening_since)
        if heard_until < happened < self.clock.now() - TOLD_WITHIN:
            _log.error("stream silent", order_id=report.order_id, missed=report.event)
            self.metrics.stream_silences.inc()
            stream.force_reconnect()

    async def sweep(self) -> None:
        """Compare live orders with the broker's list while the stream is quiet; what differs is recorded."""
        stream = self.stream()
        if stream is None or stream.listening_since is None or not self._is_quiet(stream.last_frame_at):
            return
        live: dict[ClientOrderId, Order] = {
            order.client_order_id: order for _, order in self.ledger.desk.live("order-") if order.order_id
        }
        if not live:
            return
        try:
            for held in await self._held(live):
                report = status_report(held, ReportSource.LOOKUP)
                order = live[held.client_order_id]
                if order.report(report) or order.missing_qty(held.filled_qty):
                    await self.record_report(report, correlation_id="sweep")
        except BrokerUnreadable as error:
            _log.info("sweep cut short", error=str(error))

    async def _held(self, live: dict[ClientOrderId, Order]) -> list[BrokerOrder]:
        """The broker's copy of each live order: from its list, and one by one where that has none."""
        listed = {held.client_order_id: held for held in await self.broker.open_orders()}
        found = [listed[cid] for cid in live if cid in listed]
        for order in live.values():
            if order.client_order_id not in listed and order.order_id is not None:
                lookup = await self.broker.order_by_id(order.order_id)
                found += [lookup.order] if isinstance(lookup, Found) else []
        return [held for held in found if held.client_order_id in live]

    def _is_quiet(self, last_frame_at: datetime | None) -> bool:
        return last_frame_at is None or self.clock.now() - last_frame_at > TOLD_WITHIN
