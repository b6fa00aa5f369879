"""What the routes may ask about slicing plans."""

from __future__ import annotations

from typing import Protocol

from gateway.aggregates.slice_plan.events import Terms
from gateway.aggregates.vocabulary import Actor, ClientOrderId
from gateway.commands.cancel_slices import SlicesCanceled
from gateway.commands.slice_plans import Sliced
from gateway.telemetry import GateLog


class SliceOrder(Protocol):
    async def __call__(
        self,
        terms: Terms,
        parent_order_id: ClientOrderId | None,
        *,
        by: Actor,
        correlation_id: str,
        log: GateLog,
    ) -> Sliced:
        """Raises a Refusal."""


class CancelSlices(Protocol):
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
        """Raises ParentOrderNotFound."""
