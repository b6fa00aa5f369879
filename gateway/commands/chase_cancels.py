"""Cancels the broker has not confirmed: asked for again, and shown when they take too long."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from gateway.aggregates.order.state import Order
from gateway.aggregates.refusals import LedgerUnavailable
from gateway.aggregates.vocabulary import SYSTEM, ClientOrderId
from gateway.commands.amend import Amend
from gateway.commands.cancel_order import CancelOrder
from gateway.ledger.envelope import Cause
from gateway.ledger.ledger import Ledger
from gateway.ports import Clock
from gateway.telemetry import Metrics, log

_log = log("gateway.cancels")

AGAIN_AFTER: Final = timedelta(seconds=10)
STUCK_AFTER: Final = timedelta(minutes=10)


@dataclass(slots=True, kw_only=True)
class ChaseCancels:
    ledger: Ledger
    clock: Clock
    metrics: Metrics
    cancel_order: CancelOrder
    _asked: dict[ClientOrderId, datetime] = field(default_factory=dict)

    async def run_once(self) -> None:
        """Every cancel still pending. An order without an outcome is the resolver's, which cancels it too."""
        await self.ledger.catch_up()
        live: list[Order] = [order for _, order in self.ledger.desk.live("order-")]
        pending = [order for order in live if order.cancel_pending_since and not order.is_unconfirmed]
        ids = {order.client_order_id for order in pending}
        self._asked = {cid: at for cid, at in self._asked.items() if cid in ids}
        for order in pending:
            try:
                await self._chase(order)
            except LedgerUnavailable as error:  # those behind it must not wait for it
                _log.warning("cancel left for later", client_order_id=order.client_order_id, error=str(error))
        self.metrics.cancels_stuck.set(sum("cancel_stuck" in order.flags for order in pending))

    async def _chase(self, order: Order) -> None:
        now, cid = self.clock.now(), order.client_order_id
        if order.note_stuck_cancel(now, STUCK_AFTER):
            await self._flag(order, now)
        last = self._asked.get(cid) or order.cancel_requested_at or now
        if order.cancel_wanted and now - last >= AGAIN_AFTER:
            self._asked[cid] = now
            await self.cancel_order.notify_broker(order, self.ledger.desk.position, f"cancel:{cid}")

    async def _flag(self, order: Order, now: datetime) -> None:
        """On record, so that everybody sees it; the order stays as the broker left it."""
        amended = await Amend(
            writer=self.ledger.writer,
            client_order_id=order.client_order_id,
            symbol=order.ticket.symbol,
            verb=lambda current: current.note_stuck_cancel(now, STUCK_AFTER) if current is not None else (),
            cause=Cause(
                command_id=f"stuck:{uuid4()}",
                actor=SYSTEM,
                correlation_id=f"cancel:{order.client_order_id}",
                source="system",
                occurred_at=now,
            ),
        )()
        if amended.events:
            _log.error(
                "cancel stuck", client_order_id=order.client_order_id, since=order.cancel_pending_since
            )
