"""Questions about orders nobody here sent."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from gateway.aggregates.order.state import Order
from gateway.projections.orders import load
from gateway.projections.snapshot import Snapshot
from gateway.projections.tables import BREAKS as BREAKS_TABLE
from gateway.projections.tables import ORDERS as ORDERS_TABLE


async def orphans(
    snapshot: Snapshot, *, status: str | None = None, symbol: str | None = None
) -> Sequence[Order]:
    """Every orphan ever found, the newest first. Each opened a break, and there are few of those."""
    table, breaks = snapshot.table(ORDERS_TABLE), snapshot.table(BREAKS_TABLE)
    found = select(breaks.c.client_order_id).where(breaks.c.kind == "orphan")
    wanted = (
        select(table.c.state, table.c.updated_at, table.c.position)
        .where(table.c.client_order_id.in_(found))
        .order_by(table.c.created_at.desc(), table.c.client_order_id)
    )
    rows = await snapshot.rows(wanted if symbol is None else wanted.where(table.c.symbol == symbol))
    orders = (load(row._asdict()).order for row in rows)
    return [order for order in orders if status in (None, order.orphan_status)]
