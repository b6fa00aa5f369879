"""Attempts the broker answered with "slow down": by convention not taken, so looked for a while longer."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Final

from gateway.aggregates.order.state import Order
from gateway.aggregates.refusals import LedgerUnavailable
from gateway.aggregates.reports import status_report
from gateway.aggregates.vocabulary import ClientOrderId, ReportSource, order_stream
from gateway.commands.record_report import RecordReport
from gateway.ledger.ledger import Ledger
from gateway.ports import Broker, BrokerUnreadable, Clock, Found
from gateway.telemetry import log

_log = log("gateway.slowed")

LOOK_AT: Final = tuple(accumulate((0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 29.5)))
"""Seconds after the answer; the last look is a minute later."""


@dataclass(slots=True)
class _Watched:
    attempt: int
    since: datetime
    looks: int = 0


@dataclass(slots=True, kw_only=True)
class WatchSlowed:
    """Lost with the process; then the pass at the next start lists what the broker took."""

    ledger: Ledger
    broker: Broker
    clock: Clock
    record_report: RecordReport
    _watched: dict[ClientOrderId, _Watched] = field(default_factory=dict)

    def notice(self, order: Order) -> None:
        """The attempt closed unsent after "slow down"."""
        self._watched[order.client_order_id] = _Watched(order.attempt, self.clock.now())

    async def run_once(self) -> None:
        for client_order_id, watched in list(self._watched.items()):
            if self.clock.now() - watched.since >= timedelta(seconds=LOOK_AT[watched.looks]):
                try:
                    over = await self._look(client_order_id, watched)
                except (LedgerUnavailable, BrokerUnreadable) as error:
                    _log.warning("look left for later", client_order_id=client_order_id, error=str(error))
                    continue
                if over and self._watched.get(client_order_id) is watched:
                    del self._watched[client_order_id]

    async def _look(self, client_order_id: ClientOrderId, watched: _Watched) -> bool:
        """Whether there is nothing more to look for."""
        order, _ = await self.ledger.load(order_stream(client_order_id))
        if order is None or order.attempt != watched.attempt or not order.status.is_closed_unsent:
            return True
        lookup = await self.broker.order_by_client_id(client_order_id)
        if isinstance(lookup, Found):
            _log.error('taken after "slow down"', client_order_id=client_order_id)
            report = status_report(lookup.order, ReportSource.LOOKUP)
            await self.record_report(report, correlation_id=f"slowed:{client_order_id}")
            return True
        watched.looks += 1
        return watched.looks == len(LOOK_AT)
