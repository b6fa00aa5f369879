"""Rebuilding: fold the whole log in memory, copy it into a side table, catch up, prove it equal, swap."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg import sql

from gateway.ledger.envelope import Recorded
from gateway.ledger.log import Log
from gateway.projections import registry, tables
from gateway.projections.comparison import Comparison, compare
from gateway.projections.connection import Connection, connected
from gateway.projections.folding import Folding, touched
from gateway.projections.projection import Projection
from gateway.projections.shelf import Shelf

GULP: Final = 10_000
"""Events read at once while the log is far ahead."""

URL_VARIABLE: Final = "PROJECTIONS_DATABASE_URL"
"""Where a child process finds the database."""

Progress = Callable[[int, int], None]
"""Called with the position folded so far and the head of the log."""


class RebuildRefused(Exception):
    """The table that answers is a newer build's, and an older build must not take its place."""


class RebuildUnproven(Exception):
    """The side table does not equal the fold of the log; the old table stays."""


@dataclass(slots=True)
class _Rebuild:
    """One run over the log for some projections, on one connection that holds their rebuild locks."""

    connection: Connection
    log: Log
    projections: Sequence[Projection[Any]]
    progress: Progress
    folding: Folding
    shelves: dict[str, Shelf[Any]]
    generations: dict[str, int]
    position: int = 0

    async def run(self) -> list[Comparison]:
        await self._fold_to_head()
        for name, shelf in self.shelves.items():
            await shelf.create(self.connection, indexed=False)
            await shelf.fill(self.connection, self.folding.rows[name].values())
            await shelf.create_indexes(self.connection)
        await self._catch_up()
        proofs = await self._prove()
        await self._catch_up()
        await self._swap()
        return proofs

    async def _fold_to_head(self) -> None:
        head = await self.log.head()
        heard = sorted({beginning for projection in self.projections for beginning in projection.listens})
        while self.position < head:
            batch = await self.log.read(self.position, GULP, upto=head, beginnings=heard)
            self.folding.take(batch)
            self.position = batch[-1].position if len(batch) == GULP else head
            self.progress(self.position, head)

    async def _catch_up(self) -> None:
        """Bring the side tables to the head of the log, as it is when the last batch comes back empty."""
        while batch := await self.log.read(self.position, GULP):
            await self._extend(batch)

    async def _extend(self, batch: Sequence[Recorded]) -> None:
        self.folding.take(batch)
        for projection in self.projections:
            rows = self.folding.rows[projection.name]
            changed = [rows[key] for key in touched(projection, batch)]
            await self.shelves[projection.name].store(self.connection, changed)
        self.position = batch[-1].position
        self.progress(self.position, self.position)

    async def _prove(self) -> list[Comparison]:
        """Read every side table back and hold it against the fold. Raises RebuildUnproven."""
        async with self.connection.transaction():
            proofs = [
                await compare(self.connection, shelf, self.folding.rows[name], self.position)
                for name, shelf in self.shelves.items()
            ]
        for proof in proofs:
            if not proof.equal:
                raise RebuildUnproven(f"{proof.table_name} differs from the log at {proof.position}: {proof}")
        return proofs

    async def _swap(self) -> None:
        """Let the side tables answer. Followers wait at the registry: nothing is lost or counted twice."""
        async with self.connection.transaction():
            await registry.entries(self.connection, list(self.shelves), lock=True)
            head = await self.log.head()
            while batch := await self.log.read(self.position, GULP, upto=head):
                await self._extend(batch)
            for projection in self.projections:
                await registry.swap(
                    self.connection,
                    registry.Entry(
                        name=projection.name,
                        version=projection.version,
                        generation=self.generations[projection.name],
                        table_name=self.shelves[projection.name].table_name,
                        position=self.position,
                    ),
                )


def table_name(projection: Projection[Any], generation: int) -> str:
    return f"{projection.name}_v{projection.version}_{generation}"


async def open_tables(connection: Connection, projections: Collection[Projection[Any]]) -> None:
    """Give every projection that was never kept an empty table, at position 0."""
    for projection in sorted(projections, key=lambda projection: projection.name):
        entry = registry.Entry(
            name=projection.name,
            version=projection.version,
            generation=1,
            table_name=table_name(projection, 1),
            position=0,
        )
        async with connection.transaction():
            if await registry.enter(connection, entry):
                await Shelf(projection, entry.table_name).create(connection)


async def rebuild(
    url: str, log: Log, projections: Collection[Projection[Any]], progress: Progress = lambda *_: None
) -> list[Comparison]:
    """Rebuild read tables while the old ones go on answering; what is returned is the proof of each.

    Raises RebuildInProgress when one of them is being rebuilt already, in whatever process, and
    RebuildRefused.
    """
    names = sorted(projection.name for projection in projections)
    async with connected(url, hurried=False) as connection:
        for name in names:
            await registry.claim_rebuild(connection, name)
        await open_tables(connection, projections)
        standing = await registry.entries(connection, names)
        for projection in projections:
            if standing[projection.name].version > projection.version:
                raise RebuildRefused(f"{projection.name} was made by a newer build")
        generations = {name: standing[name].generation + 1 for name in names}
        for entry in standing.values():
            await _sweep(connection, entry)
        run = _Rebuild(
            connection=connection,
            log=log,
            projections=list(projections),
            progress=progress,
            folding=Folding(projections),
            shelves={p.name: Shelf(p, table_name(p, generations[p.name])) for p in projections},
            generations=generations,
        )
        return await run.run()


async def _sweep(connection: Connection, entry: registry.Entry) -> None:
    """Drop what earlier rebuilds left: the table swapped out last time, or one never finished.

    The table before the last swap is kept until now, so that whoever read the registry just before the
    swap still finds it.
    """
    cursor = await connection.execute(
        "select tablename from pg_tables where schemaname = %s and tablename ~ %s and tablename <> %s",
        (tables.SCHEMA, rf"^{entry.name}_v\d+_\d+$", entry.table_name),
    )
    for (leftover,) in await cursor.fetchall():
        await connection.execute(
            sql.SQL("drop table if exists {}").format(sql.Identifier(tables.SCHEMA, leftover))
        )
