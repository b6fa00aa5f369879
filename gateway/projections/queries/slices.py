"""Questions about slicing plans and the orders their slices became."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import select

from gateway.aggregates.slice_plan.state import SlicePlan, evolve
from gateway.ledger.envelope import Recorded
from gateway.projections.orders import OrderRow, load
from gateway.projections.snapshot import Snapshot
from gateway.projections.tables import ORDERS as ORDERS_TABLE

SliceRows = dict[str, dict[int, OrderRow]]
"""By parent and slice number."""


def plan_as_of(history: Iterable[Recorded]) -> SlicePlan:
    """A plan folded from the beginning of its stream."""
    plan: SlicePlan | None = None
    for recorded in history:
        event: Any = recorded.event
        plan = evolve(plan, event)
    assert plan is not None, "a parent and its plan are recorded together"
    return plan


async def slices_of(snapshot: Snapshot, parents: Collection[str]) -> SliceRows:
    """The orders that the slices of these parents became."""
    found: SliceRows = {parent: {} for parent in parents}
    if not found:
        return found
    table = snapshot.table(ORDERS_TABLE)
    rows = await snapshot.rows(
        select(table.c.state, table.c.updated_at, table.c.position).where(
            table.c.parent_order_id.in_(list(found)), table.c.slice_num.is_not(None)
        )
    )
    for row in rows:
        slice_row = load(row._asdict())
        assert slice_row.parent_order_id is not None and slice_row.slice_num is not None
        found[slice_row.parent_order_id][slice_row.slice_num] = slice_row
    return found
