"""Reading: one question, one snapshot, and the ledger position its answer stands for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from psycopg import IsolationLevel
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import Table
from sqlalchemy.sql import ClauseElement

from gateway.aggregates.refusals import ProjectionBehind
from gateway.ledger.connection import UNAVAILABLE, away, conninfo
from gateway.projections import registry, sql, tables
from gateway.projections.catalog import PROJECTIONS
from gateway.projections.connection import Connection

ROLE: Final = "ledger_app"
POOL_SECONDS: Final = 2.0
VERSIONS: Final = {projection.name: projection.version for projection in PROJECTIONS}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The read tables as of one moment: which table answers is read in the same snapshot as its rows."""

    connection: Connection
    entries: Mapping[str, registry.Entry]

    def table(self, template: Table) -> Table:
        """The live table of a projection.

        Raises ProjectionBehind while it is parked, not yet there, or made by another version of its fold.
        """
        entry = self.entries.get(template.name)
        if entry is None or not entry.well:
            why = "it was never built" if entry is None else "it is parked"
        elif entry.version != VERSIONS.get(template.name, entry.version):
            why = "another build made it, and it is being made anew"
        else:
            return tables.physical(template, entry.table_name)
        raise ProjectionBehind(f"{template.name} cannot be read: {why}", projection=template.name)

    def position(self, *templates: Table) -> int:
        """The position up to which every one of these tables has read the log."""
        return min(self.entries[template.name].position for template in templates)

    async def rows(self, statement: ClauseElement) -> list[Any]:
        return await sql.rows(self.connection, statement)


class ReadTables:
    """The pool behind the queries. Its connections can only select."""

    def __init__(self, url: str, *, size: int = 8) -> None:
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            conninfo(url, role=ROLE),
            min_size=1,
            max_size=size,
            open=False,
            timeout=POOL_SECONDS,
            configure=_configure,
            check=AsyncConnectionPool.check_connection,
        )

    async def open(self) -> None:
        await self._pool.open()

    async def close(self) -> None:
        await self._pool.close()

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Snapshot]:
        """Raises LedgerUnavailable where the database does not answer in time."""
        try:
            async with self._pool.connection() as connection, connection.transaction():
                yield Snapshot(connection, await registry.entries(connection))
        except UNAVAILABLE as error:
            raise away(error) from error


async def _configure(connection: Connection) -> None:
    """Repeatable read: the registry row and the rows it points to are seen at the same moment."""
    await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
    await connection.set_read_only(True)
    await connection.execute("set timezone to 'UTC'")
    await connection.commit()
