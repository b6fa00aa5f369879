"""One physical read table: its rows in and out. Knows no events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable
from operator import attrgetter
from typing import Any, Final, Generic

from psycopg import sql
from psycopg.rows import tuple_row
from sqlalchemy.schema import CreateIndex, CreateTable

from gateway.projections import tables
from gateway.projections.connection import Connection
from gateway.projections.projection import Key, Projection, Row
from gateway.projections.sql import ddl

READ_AHEAD: Final = 5_000


class Shelf(Generic[Row]):
    """Where a projection's rows lie: the physical table `read.<table_name>`."""

    def __init__(self, projection: Projection[Row], table_name: str) -> None:
        self.projection = projection
        self.table_name = table_name
        self._table = tables.physical(projection.table, table_name)
        self._columns = tuple(column.name for column in self._table.columns)
        self._keys = tuple(column.name for column in self._table.primary_key.columns)
        self.values_of = attrgetter(*self._columns)
        """What a row shows, column by column; equal values mean equal rows."""

    def key_of(self, values: tuple[Any, ...]) -> Key:
        """The key within a row's values; the key columns are the first ones of every table."""
        return values[: len(self._keys)]

    async def create(self, connection: Connection, *, indexed: bool = True) -> None:
        await connection.execute(ddl(CreateTable(self._table)).encode())
        if indexed:
            await self.create_indexes(connection)

    async def create_indexes(self, connection: Connection) -> None:
        for index in sorted(self._table.indexes, key=lambda index: str(index.name)):
            await connection.execute(ddl(CreateIndex(index)).encode())

    async def load(self, connection: Connection, keys: Collection[Key]) -> dict[Key, Row]:
        """Those of the rows that exist."""
        text = sql.SQL("select {} from {} where ({}) in (select * from unnest({}))").format(
            _names(self._columns),
            self._name,
            _names(self._keys),
            sql.SQL(", ").join([sql.SQL("%s::text[]")] * len(self._keys)),
        )
        async with connection.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(text, [list(column) for column in zip(*keys, strict=True)])
            records = [dict(zip(self._columns, _tuples(values), strict=True)) async for values in cursor]
        return {tuple(r[name] for name in self._keys): self.projection.load(r) for r in records}

    async def store(self, connection: Connection, rows: Iterable[Row]) -> None:
        """Insert the rows, or put them in the place of those with the same key."""
        text = sql.SQL("insert into {} ({}) values ({}) on conflict ({}) do update set {}").format(
            self._name,
            _names(self._columns),
            sql.SQL(", ").join([sql.Placeholder()] * len(self._columns)),
            _names(self._keys),
            sql.SQL(", ").join(
                sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name))
                for name in self._columns
                if name not in self._keys
            ),
        )
        async with connection.cursor() as cursor:
            await cursor.executemany(text, map(self._record, rows))

    async def fill(self, connection: Connection, rows: Iterable[Row]) -> None:
        """Copy rows into the table, which holds none of them yet."""
        text = sql.SQL("copy {} ({}) from stdin").format(self._name, _names(self._columns))
        async with connection.cursor() as cursor, cursor.copy(text) as copy:
            for row in rows:
                await copy.write_row(self._record(row))

    async def contents(self, connection: Connection) -> AsyncIterator[tuple[Any, ...]]:
        """The values of every row. Needs a transaction around it, and shows what that transaction sees."""
        text = sql.SQL("select {} from {}").format(_names(self._columns), self._name)
        async with connection.cursor(name=f"contents_of_{self.table_name}") as cursor:
            cursor.itersize = READ_AHEAD
            await cursor.execute(text)
            async for values in cursor:
                yield _tuples(values)

    @property
    def _name(self) -> sql.Identifier:
        return sql.Identifier(tables.SCHEMA, self.table_name)

    def _record(self, row: Row) -> tuple[Any, ...]:
        """The row as psycopg takes it: a list is an array to it, a tuple a composite."""
        return tuple(list(v) if isinstance(v, tuple) else v for v in self.values_of(row))


def _tuples(values: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(tuple(v) if isinstance(v, list) else v for v in values)


def _names(columns: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))
