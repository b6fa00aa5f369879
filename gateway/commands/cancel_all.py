"""Cancel what an extent has on the way: one request and one answer per order, no trading gates."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.aggregates.order.state import Order
from gateway.aggregates.refusals import BrokerUnavailable, Refusal
from gateway.aggregates.slice_plan.state import SlicePlan
from gateway.aggregates.vocabulary import OrdStatus, plan_stream
from gateway.commands.by_hand import Canceled, Extent, ManualRequest
from gateway.commands.cancel_order import CancelOrder
from gateway.commands.cancel_slices import CancelSlices
from gateway.commands.stakes import waiting_plans
from gateway.ledger.ledger import Ledger


@dataclass(slots=True, kw_only=True)
class CancelAll:
    """Never raises a Refusal for an order: what the broker did not take stays recorded and is repeated."""

    ledger: Ledger
    cancel_order: CancelOrder
    cancel_slices: CancelSlices

    async def orders(self, orders: Sequence[Order], request: ManualRequest) -> list[Canceled]:
        return await asyncio.gather(*(self._order(order, request) for order in orders))

    async def slices(self, extent: Extent, request: ManualRequest) -> list[Canceled]:
        """The slices that now never become orders. Raises LedgerUnavailable."""
        plans = waiting_plans(self.ledger.desk, extent)
        return [one for plan in plans for one in await self._plan(plan, request)]

    async def _order(self, order: Order, request: ManualRequest) -> Canceled:
        status, position = order.status, 0
        try:
            cancellation = await self.cancel_order(
                order.client_order_id,
                by=request.by,
                correlation_id=request.correlation_id,
                reason=request.reason,
            )
        except Refusal as refusal:
            code: str | None = refusal.code
        else:
            status, position = cancellation.order.status, cancellation.position
            taken = cancellation.broker_notified or cancellation.already_done
            code = None if taken else BrokerUnavailable.code
        return Canceled(
            client_order_id=order.client_order_id,
            strategy_id=order.strategy_id,
            status=status,
            position=position,
            code=code,
        )

    async def _plan(self, plan: SlicePlan, request: ManualRequest) -> list[Canceled]:
        ended = await self.cancel_slices(
            plan.parent_order_id,
            by=request.by,
            correlation_id=request.correlation_id,
            reason=request.reason,
        )
        now: SlicePlan | None
        now, _ = await self.ledger.load(plan_stream(plan.parent_order_id))
        waited = {one.client_order_id for one in plan.waiting}
        return [
            Canceled(
                client_order_id=one.client_order_id,
                strategy_id=plan.ticket.strategy_id,
                status=OrdStatus.CANCELED,
                position=ended.position,
            )
            for one in (now or plan).slices
            if one.client_order_id in waited and one.status is OrdStatus.CANCELED
        ]
