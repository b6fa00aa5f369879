"""What the outside world sent, kept as it came before anybody reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from gateway.ledger.connection import Pool, reading
from gateway.ledger.envelope import Row, instant

KEEP: Final = """
    insert into ledger.inbox (source, received_at, headers, raw) values (%s, %s, %s, %s) returning inbox_id
"""
KEEP_ALL: Final = """
    insert into ledger.inbox (source, received_at, headers, raw)
    select %s, arrived.received_at, '{}', arrived.raw
      from unnest(%s::timestamptz[], %s::bytea[]) with ordinality as arrived (received_at, raw, place)
     order by arrived.place
    returning inbox_id
"""
SETTLE: Final = """
    insert into ledger.inbox_result (inbox_id, attempt, disposition, position)
    select %(inbox_id)s, 1 + count(*), %(disposition)s, %(position)s
      from ledger.inbox_result where inbox_id = %(inbox_id)s
    on conflict do nothing
"""
PENDING: Final = """
    select i.inbox_id, i.source, i.received_at, i.headers, i.raw from ledger.inbox i
     where i.inbox_id > %(after)s
       and not exists (select from ledger.inbox_result r where r.inbox_id = i.inbox_id)
     order by i.inbox_id limit %(limit)s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message as received."""

    inbox_id: int
    source: str
    received_at: datetime
    headers: Mapping[str, str]
    raw: bytes


class Inbox:
    """Insert-only: messages, and beside each what became of it. Everything here raises LedgerUnavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def keep(
        self, source: str, raw: bytes, received_at: datetime, headers: Mapping[str, str] | None = None
    ) -> int:
        """Make a message durable; its id goes into the `Decision` that settles it."""
        async with reading(self._pool) as cursor:
            encoded = msgspec.json.encode(dict(headers or {})).decode()
            await cursor.execute(KEEP, (source, received_at, encoded, raw))
            row = await cursor.fetchone()
        assert row is not None, "an insert that returns its id returned none"
        return int(row[0])

    async def keep_all(self, source: str, arrived: Sequence[tuple[bytes, datetime]]) -> list[int]:
        """Make messages durable at once, or none of them; their ids are in the order they came."""
        times, raws = [at for _, at in arrived], [raw for raw, _ in arrived]
        async with reading(self._pool) as cursor:
            await cursor.execute(KEEP_ALL, (source, times, raws))
            return sorted(int(row[0]) for row in await cursor.fetchall())

    async def settle(self, inbox_id: int, disposition: str, position: int | None = None) -> None:
        """Say what became of a message that led to no event."""
        values = {"inbox_id": inbox_id, "disposition": disposition, "position": position}
        async with reading(self._pool) as cursor:
            await cursor.execute(SETTLE, values)

    async def pending(self, *, after: int = 0, limit: int = 100) -> list[Message]:
        """Messages nobody has settled yet, oldest first."""
        async with reading(self._pool) as cursor:
            await cursor.execute(PENDING, {"after": after, "limit": limit})
            rows = await cursor.fetchall()
        return [message(row) for row in rows]


def message(row: Row) -> Message:
    """A message from its columns."""
    return Message(
        inbox_id=row[0],
        source=row[1],
        received_at=instant(row[2]),
        headers=msgspec.json.decode(row[3], type=dict[str, str]),
        raw=row[4],
    )
