"""Questions about the differences between the ledger and the broker."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from gateway.projections.breaks import OPEN, BreakRow
from gateway.projections.snapshot import Snapshot
from gateway.projections.tables import BREAKS as BREAKS_TABLE


async def breaks(
    snapshot: Snapshot, *, status: str | None = OPEN, symbol: str | None = None, kind: str | None = None
) -> Sequence[BreakRow]:
    """Breaks with this status (None for all), the longest standing first."""
    table = snapshot.table(BREAKS_TABLE)
    wanted = [
        column == value
        for column, value in ((table.c.status, status), (table.c.symbol, symbol), (table.c.kind, kind))
        if value is not None
    ]
    found = await snapshot.rows(select(table).where(*wanted).order_by(table.c.first_seen, table.c.break_id))
    return [BreakRow(**row._asdict()) for row in found]


async def break_by_id(snapshot: Snapshot, break_id: str) -> BreakRow | None:
    table = snapshot.table(BREAKS_TABLE)
    found = await snapshot.rows(select(table).where(table.c.break_id == break_id))
    return BreakRow(**found[0]._asdict()) if found else None
