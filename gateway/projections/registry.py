"""Which table answers for each projection, up to which position it has read, and whether it is well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from psycopg.rows import class_row

from gateway.aggregates.refusals import RebuildInProgress
from gateway.projections.connection import Connection

LIVE: Final = "live"
FAILED: Final = "failed"
_REBUILD_LOCK: Final = 0x52454144
"""First half of the advisory lock of a rebuild; the second is the hash of the projection's name."""

_ENTRIES: Final = (
    b"select name, version, generation, table_name, position, state, last_error"
    b" from read.projection where coalesce(name = any(%s), true) order by name"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A projection's row in `read.projection`. `position` is the last one its live table has read."""

    name: str
    version: int
    generation: int
    table_name: str
    position: int
    state: str = LIVE
    last_error: str | None = None

    @property
    def well(self) -> bool:
        return self.state == LIVE


async def entries(
    connection: Connection, names: Sequence[str] | None = None, *, lock: bool = False
) -> Mapping[str, Entry]:
    """The rows of these projections, or of all. With `lock`, nobody else moves them in this transaction."""
    async with connection.cursor(row_factory=class_row(Entry)) as cursor:
        await cursor.execute(
            _ENTRIES + (b" for update" if lock else b""), (None if names is None else list(names),)
        )
        return {entry.name: entry async for entry in cursor}


async def enter(connection: Connection, entry: Entry) -> bool:
    """Write a projection's first row; False when another process was quicker."""
    cursor = await connection.execute(
        "insert into read.projection (name, version, generation, table_name, position, state)"
        " values (%s, %s, %s, %s, %s, %s) on conflict (name) do nothing",
        (entry.name, entry.version, entry.generation, entry.table_name, entry.position, entry.state),
    )
    return cursor.rowcount == 1


async def advance(connection: Connection, names: Sequence[str], position: int) -> None:
    """Move the checkpoints. Belongs into the transaction that writes the rows."""
    await connection.execute(
        "update read.projection set position = %s, updated_at = clock_timestamp(),"
        " last_error = case when state = %s then last_error end, state = %s where name = any(%s)",
        (position, LIVE, LIVE, list(names)),
    )


async def park(connection: Connection, name: str, table_name: str, error: str) -> None:
    """Take a table out of service, unless another has taken its place."""
    await connection.execute(
        "update read.projection set state = %s, last_error = %s, updated_at = clock_timestamp()"
        " where name = %s and table_name = %s",
        (FAILED, error, name, table_name),
    )


async def remark(connection: Connection, names: Sequence[str], error: str) -> None:
    """Leave word of a rebuild that failed; the old table goes on answering."""
    await connection.execute(
        "update read.projection set last_error = %s where name = any(%s)", (error, list(names))
    )


async def swap(connection: Connection, entry: Entry) -> None:
    """From this commit on, the entry's table is the one that answers."""
    await connection.execute(
        "update read.projection set version = %s, generation = %s, table_name = %s, position = %s,"
        " state = %s, last_error = null, updated_at = clock_timestamp() where name = %s",
        (entry.version, entry.generation, entry.table_name, entry.position, LIVE, entry.name),
    )


async def claim_rebuild(connection: Connection, name: str) -> None:
    """Keep others from rebuilding this projection for as long as the connection lives.

    Raises RebuildInProgress when somebody else does already.
    """
    cursor = await connection.execute("select pg_try_advisory_lock(%s, hashtext(%s))", (_REBUILD_LOCK, name))
    (granted,) = await cursor.fetchone() or (False,)
    if not granted:
        raise RebuildInProgress(f"{name} is being rebuilt", projection=name)


async def rebuilding(connection: Connection, names: Sequence[str]) -> frozenset[str]:
    """Those of the projections that somebody, in whatever process, rebuilds at this moment."""
    cursor = await connection.execute(
        "select name from unnest(%s::text[]) as name join pg_locks on locktype = 'advisory' and granted"
        " and classid = %s and objid = hashtext(name)::oid and objsubid = 2"
        " and database = (select oid from pg_database where datname = current_database())",
        (list(names), _REBUILD_LOCK),
    )
    return frozenset([name async for (name,) in cursor])
