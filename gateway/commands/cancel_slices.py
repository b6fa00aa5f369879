"""Cancel a plan: what was not released never will be; its live orders only when asked. No trading gates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from gateway.aggregates.refusals import ParentOrderNotFound
from gateway.aggregates.slice_plan.state import SlicePlan, roll_up
from gateway.aggregates.vocabulary import Actor, ClientOrderId, OrdStatus, order_stream, plan_stream
from gateway.commands.cancel_order import CancelOrder
from gateway.commands.slice_plans import decide_plan, orders_of, plan_in
from gateway.ledger.decision import Decision
from gateway.ledger.envelope import Cause
from gateway.ledger.ledger import Ledger
from gateway.ports import Clock
from gateway.telemetry import Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class SlicesCanceled:
    """`canceled` slices that now never become orders, `cancel_requested` live ones asked to end.

    `status` is the parent's.
    """

    parent_order_id: ClientOrderId
    status: OrdStatus
    canceled_at: datetime | None
    canceled: int
    cancel_requested: int
    position: int


@dataclass(slots=True, kw_only=True)
class CancelSlices:
    ledger: Ledger
    clock: Clock
    metrics: Metrics
    cancel_order: CancelOrder

    async def __call__(
        self,
        parent_order_id: ClientOrderId,
        *,
        by: Actor,
        correlation_id: str,
        cancel_live: bool = False,
        only: int | None = None,
        reason: str | None = None,
    ) -> SlicesCanceled:
        """Raises ParentOrderNotFound. Repeating it changes nothing. `only` names one slice instead of all."""
        stream = plan_stream(parent_order_id)
        known, _ = await self.ledger.load(stream)
        if known is None:
            raise ParentOrderNotFound(f"{parent_order_id} is not the parent of slices")
        at = self.clock.now()
        change = await self.ledger.writer.change(
            (stream, order_stream(parent_order_id)),
            lambda states: _cancel(plan_in(states, parent_order_id), at, reason, only),
            Cause(
                command_id=f"cancel-slices:{uuid4()}",
                actor=by,
                correlation_id=correlation_id,
                source="api",
                occurred_at=at,
            ),
        )
        plan = plan_in(change.states, parent_order_id)
        canceled = sum(one.closed_at == at for one in plan.slices) if change.events else 0
        self.metrics.slices.labels(result="canceled").inc(canceled)
        return SlicesCanceled(
            parent_order_id=parent_order_id,
            status=roll_up(plan, await orders_of(self.ledger, plan)).status,
            canceled_at=plan.canceled_at,
            canceled=canceled,
            cancel_requested=await self._cancel_live(plan, by, correlation_id, reason) if cancel_live else 0,
            position=change.position,
        )

    async def _cancel_live(self, plan: SlicePlan, by: Actor, correlation_id: str, reason: str | None) -> int:
        asked = 0
        for one in plan.working:
            cancellation = await self.cancel_order(
                one.client_order_id, by=by, correlation_id=correlation_id, reason=reason
            )
            asked += not cancellation.already_done
        return asked


def _cancel(plan: SlicePlan, at: datetime, reason: str | None, only: int | None) -> Decision:
    if only is None:
        return decide_plan(plan, plan.cancel(at, reason))
    return decide_plan(plan, plan.refuse(only, OrdStatus.CANCELED, reason or "canceled", at))
