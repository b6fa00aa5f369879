"""The log as it is read: from a position, in order, without a gap."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Final

from gateway.aggregates.refusals import LedgerUnavailable
from gateway.ledger.bell import Bell
from gateway.ledger.catalog_types import Catalog
from gateway.ledger.connection import Pool, reading
from gateway.ledger.envelope import SELECT, Recorded, Row, recorded

log = logging.getLogger(__name__)

POLL_EVERY: Final = 0.5
"""Seconds after which a follower looks even though nobody woke it."""


class Log:
    """Reads of any number at a time; each takes a connection only while it reads."""

    def __init__(self, pool: Pool, catalog: Catalog, bell: Bell) -> None:
        self._pool = pool
        self._decode = catalog.decode
        self._bell = bell

    async def head(self) -> int:
        """The last position, 0 in an empty ledger. Raises LedgerUnavailable, as everything here does."""
        rows = await self._rows("select coalesce(max(position), 0) from ledger.events", ())
        return int(rows[0][0])

    async def read(
        self,
        after: int,
        limit: int | None,
        *,
        stream: str | None = None,
        name: str | None = None,
        beginnings: Sequence[str] | None = None,
        upto: int | None = None,
    ) -> list[Recorded]:
        """The next events after a position. `name` is exact, or a prefix that ends in a dot.

        With `beginnings`, only those whose names begin with one of them.
        """
        conditions: list[str] = ["position > %s"]
        values: list[int | str | list[str]] = [after]
        for condition, value in (
            ("position <= %s", upto),
            ("stream = %s", stream),
            ("starts_with(topic, %s)", name if name is None or name.endswith(".") else f"{name}.v"),
            ("topic ^@ any(%s::text[])", None if beginnings is None else list(beginnings)),
        ):
            if value is not None:
                conditions.append(condition)
                values.append(value)
        rows = await self._rows(
            f"{SELECT} where {' and '.join(conditions)} order by position limit %s",
            (*values, limit),
        )
        return self._recorded(rows)

    async def stream(self, stream: str, *, upto: int | None = None) -> list[Recorded]:
        """Every event of one stream, or those up to a position of the log."""
        return await self.read(0, None, stream=stream, upto=upto)

    async def position_at(self, time: datetime) -> int:
        """The last position recorded at or before a time; never in the middle of an append."""
        rows = await self._rows("select ledger.position_at(%s)", (time,))
        return int(rows[0][0])

    async def order_ref(self, broker_order_id: str) -> str | None:
        """The client order id that goes with the broker's."""
        query = "select client_order_id from ledger.order_ref where broker_order_id = %s"
        rows = await self._rows(query, (broker_order_id,))
        return str(rows[0][0]) if rows else None

    async def scan(
        self,
        after: int = 0,
        *,
        upto: int | None = None,
        batch: int = 10_000,
        stream: str | None = None,
        name: str | None = None,
    ) -> AsyncIterator[list[Recorded]]:
        """Everything there is, in large batches: the fast path of a rebuild. Ends at the head."""
        while events := await self.read(after, batch, upto=upto, stream=stream, name=name):
            yield events
            after = events[-1].position

    async def head_beyond(self, position: int) -> int:
        """The head; where it does not lie beyond a position, after waiting a moment for it to move."""
        ticket = self._bell.ticket
        head = await self.head()
        if head > position:
            return head
        await self._bell.wait(ticket, POLL_EVERY)
        return await self.head()

    async def follow(self, after: int, *, batch: int = 1000) -> AsyncIterator[list[Recorded]]:
        """Everything after a position, for ever; waits at the head and outlives lost connections."""
        while True:
            ticket = self._bell.ticket
            try:
                events = await self.read(after, batch)
            except LedgerUnavailable as error:
                log.warning("ledger.follow_interrupted", extra={"error": str(error)})
                await self._bell.wait(ticket, POLL_EVERY)
                continue
            if events:
                yield events
                after = events[-1].position
            else:
                await self._bell.wait(ticket, POLL_EVERY)

    async def _rows(self, query: str, values: tuple[Any, ...]) -> list[Row]:
        async with reading(self._pool) as cursor:
            await cursor.execute(query, values)
            return await cursor.fetchall()

    def _recorded(self, rows: list[Row]) -> list[Recorded]:
        return [recorded(row, self._decode) for row in rows]
