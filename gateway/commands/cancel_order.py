"""Ask the broker to cancel. No trading gate stands in the way; only the broker's word makes it canceled."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4

from gateway.aggregates.order.state import Order
from gateway.aggregates.refusals import OrderNotFound
from gateway.aggregates.reports import BrokerOrder, status_report
from gateway.aggregates.vocabulary import Actor, ClientOrderId, OrderId, ReportSource, order_stream
from gateway.commands.amend import Amend
from gateway.commands.record_report import RecordReport
from gateway.ledger.envelope import Cause
from gateway.ledger.ledger import Ledger
from gateway.ports import Broker, CancelRefused, CancelTaken, Clock, Found


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """The order at `position`; `broker_notified` when the broker took the request."""

    order: Order
    position: int
    broker_notified: bool = False
    already_done: bool = False


@dataclass(slots=True, kw_only=True)
class CancelOrder:
    ledger: Ledger
    broker: Broker
    clock: Clock
    record_report: RecordReport

    async def __call__(
        self, client_order_id: ClientOrderId, *, by: Actor, correlation_id: str, reason: str | None = None
    ) -> Cancellation:
        """Raises OrderNotFound and LedgerUnavailable. An unreachable broker is retried in the background."""
        order, _ = await self.ledger.load(order_stream(client_order_id))
        if order is None:
            raise OrderNotFound(f"no order {client_order_id}")
        if order.status.is_terminal:
            return Cancellation(order=order, position=self.ledger.desk.position, already_done=True)
        at = self.clock.now()
        amended = await Amend(
            writer=self.ledger.writer,
            client_order_id=client_order_id,
            symbol=order.ticket.symbol,
            verb=lambda current: current.request_cancel(at, reason) if current is not None else (),
            cause=Cause(
                command_id=f"cancel:{uuid4()}",
                actor=by,
                correlation_id=correlation_id,
                source="api",
                occurred_at=at,
            ),
        )()
        assert amended.after is not None
        if amended.after.status.is_terminal:
            return Cancellation(order=amended.after, position=amended.position, already_done=True)
        return await self.notify_broker(amended.after, amended.position, correlation_id)

    async def notify_broker(self, order: Order, position: int, correlation_id: str) -> Cancellation:
        """Send one DELETE, looking the broker's id up first where it is not known yet."""
        order_id = order.order_id or await self._find(order, correlation_id)
        if order_id is None:
            return Cancellation(order=order, position=position)
        outcome = await self.broker.cancel(order_id)
        match outcome:
            case CancelTaken():
                return Cancellation(order=order, position=position, broker_notified=True)
            case CancelRefused():
                return await self._read_again(order, order_id, position, correlation_id)
            case _:
                return Cancellation(order=order, position=position)

    async def _find(self, order: Order, correlation_id: str) -> OrderId | None:
        lookup = await self.broker.order_by_client_id(order.client_order_id)
        if not isinstance(lookup, Found) or order.same_ticket_at_broker(lookup.order):
            return None
        await self._record(lookup.order, correlation_id)
        return lookup.order.order_id

    async def _read_again(
        self, order: Order, order_id: OrderId, position: int, correlation_id: str
    ) -> Cancellation:
        """A refused cancel means the order moved on: take the broker's state of it."""
        lookup = await self.broker.order_by_id(order_id)
        if isinstance(lookup, Found):
            position = await self._record(lookup.order, correlation_id) or position
        now, _ = await self.ledger.load(order_stream(order.client_order_id))
        return Cancellation(
            order=now or order,
            position=position,
            broker_notified=True,
            already_done=now is not None and now.status.is_terminal,
        )

    async def _record(self, held: BrokerOrder, correlation_id: str) -> int | None:
        receipt = await self.record_report(
            status_report(held, ReportSource.LOOKUP), correlation_id=correlation_id
        )
        return receipt.position
