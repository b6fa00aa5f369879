"""A slicing desk that plans as the real one does and keeps nothing."""

from __future__ import annotations

from typing import Any

from gateway.aggregates.slice_plan.events import Terms
from gateway.aggregates.slice_plan.state import evolve, plan
from gateway.aggregates.twap import cut
from gateway.aggregates.vocabulary import ClientOrderId, OrdStatus
from gateway.commands.cancel_slices import SlicesCanceled
from gateway.commands.slice_plans import Sliced
from tests.api.doubles import HEAD, NOW


class SlicingDesk:
    async def slice_order(self, terms: Terms, parent_order_id: ClientOrderId | None, **_: Any) -> Sliced:
        made = cut(
            terms.ticket, terms.trade_date, minutes=terms.minutes, interval_seconds=terms.interval_seconds
        )
        created = plan(terms=terms, made=made, at=NOW, parent_order_id=parent_order_id)
        return Sliced(plan=evolve(None, created), orders={}, position=HEAD, existing=False)

    async def cancel_slices(self, parent_order_id: ClientOrderId, **_: Any) -> SlicesCanceled:
        return SlicesCanceled(
            parent_order_id=parent_order_id,
            status=OrdStatus.CANCELED,
            canceled_at=NOW,
            canceled=2,
            cancel_requested=0,
            position=HEAD,
        )
