"""Messages nobody could record: kept aside in the inbox, and driven again when somebody says so."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from gateway.ledger.connection import Pool, reading
from gateway.ledger.inbox import Message, message

UNPARSED: Final = "unparsed"
"""Said of a message that was kept aside."""
AGAIN: Final = "redrive"
"""Said of a message that is to be recorded after all."""

_SAID_LAST: Final = """
      from ledger.inbox_result r
     where r.disposition = %(disposition)s
       and not exists (select from ledger.inbox_result later
                        where later.inbox_id = r.inbox_id and later.attempt > r.attempt)
"""
_MESSAGES: Final = f"""
    select i.inbox_id, i.source, i.received_at, i.headers, i.raw from ledger.inbox i
     where i.inbox_id > %(after)s and i.inbox_id in (select r.inbox_id {_SAID_LAST})
     order by i.inbox_id limit %(limit)s
"""  # noqa: S608 - put together from constants
_COUNT: Final = f"select count(*) {_SAID_LAST}"
_ASK: Final = f"""
    insert into ledger.inbox_result (inbox_id, attempt, disposition)
    select r.inbox_id, r.attempt + 1, %(again)s {_SAID_LAST}
       and (%(ids)s::bigint[] is null or r.inbox_id = any (%(ids)s))
    on conflict do nothing
    returning inbox_id
"""


class DeadLetters:
    """Insert-only, as the inbox is. Everything here raises LedgerUnavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def listed(self, *, after: int = 0, limit: int = 100) -> list[Message]:
        """Those kept aside, oldest first."""
        return await self._messages(UNPARSED, after, limit)

    async def asked_for(self, *, limit: int = 100) -> list[Message]:
        """Those to be recorded after all, oldest first."""
        return await self._messages(AGAIN, 0, limit)

    async def count(self) -> int:
        async with reading(self._pool) as cursor:
            await cursor.execute(_COUNT, {"disposition": UNPARSED})
            row = await cursor.fetchone()
        return int(row[0]) if row is not None else 0

    async def redrive(self, ids: Collection[int] | None = None) -> list[int]:
        """Ask for these, or for all, to be recorded after all; gives those that were kept aside."""
        values = {"disposition": UNPARSED, "again": AGAIN, "ids": None if ids is None else list(ids)}
        async with reading(self._pool) as cursor:
            await cursor.execute(_ASK, values)
            return sorted(int(row[0]) for row in await cursor.fetchall())

    async def _messages(self, disposition: str, after: int, limit: int) -> list[Message]:
        values = {"disposition": disposition, "after": after, "limit": limit}
        async with reading(self._pool) as cursor:
            await cursor.execute(_MESSAGES, values)
            return [message(row) for row in await cursor.fetchall()]
