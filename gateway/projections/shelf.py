"""One physical read table: its rows in and out. Knows no events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final, Generic, LiteralString, Self

from psycopg import sql
from psycopg.rows import tuple_row
from sqlalchemy import ARRAY
from sqlalchemy.schema import CreateIndex, CreateTable

from gateway.projections import tables
from gateway.projections.connection import Connection
from gateway.projections.projection import Key, Projection, Row
from gateway.projections.sql import ddl

READ_AHEAD: Final = 500


class Shelf(Generic[Row]):
    """Where a projection's rows lie: the physical table `read.<table_name>`."""

    def __init__(self, projection: Projection[Row], table_name: str) -> None:
        self.projection = projection
        self.table_name = table_name
        self._table = tables.physical(projection.table, table_name)
        self._columns = tuple(column.name for column in self._table.columns)
        self._keys = tuple(column.name for column in self._table.primary_key.columns)
        self._lists = any(isinstance(column.type, ARRAY) for column in self._table.columns)
        self._statements = _Statements.of(table_name, self._columns, self._keys)
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
        async with connection.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(self._statements.load, [list(column) for column in zip(*keys, strict=True)])
            found = [self._values(values) for values in await cursor.fetchall()]
        load = self.projection.load
        return {self.key_of(values): load(dict(zip(self._columns, values, strict=True))) for values in found}

    async def store(self, connection: Connection, rows: Iterable[Row]) -> None:
        """Insert the rows, or put them in the place of those with the same key."""
        async with connection.cursor() as cursor:
            await cursor.executemany(self._statements.store, map(self._record, rows))

    async def fill(self, connection: Connection, rows: Iterable[Row]) -> None:
        """Copy rows into the table, which holds none of them yet."""
        async with connection.cursor() as cursor, cursor.copy(self._statements.fill) as copy:
            for row in rows:
                await copy.write_row(self._record(row))

    async def contents(self, connection: Connection) -> AsyncIterator[tuple[Any, ...]]:
        """The values of every row. Needs a transaction around it, and shows what that transaction sees."""
        async with connection.cursor(name=f"contents_of_{self.table_name}") as cursor:
            cursor.itersize = READ_AHEAD
            await cursor.execute(self._statements.contents)
            async for values in cursor:
                yield self._values(values)

    def _record(self, row: Row) -> tuple[Any, ...]:
        """The row as psycopg takes it: a list is an array to it, a tuple a composite."""
        values = self.values_of(row)
        return tuple([list(v) if isinstance(v, tuple) else v for v in values]) if self._lists else values

    def _values(self, record: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple([tuple(v) if isinstance(v, list) else v for v in record]) if self._lists else record


@dataclass(frozen=True, slots=True, kw_only=True)
class _Statements:
    """Said once for each table, because composing them costs more than running them."""

    load: bytes
    store: bytes
    fill: bytes
    contents: bytes

    @classmethod
    def of(cls, table_name: str, columns: Sequence[str], keys: Sequence[str]) -> Self:
        parts = {
            "table": sql.Identifier(tables.SCHEMA, table_name),
            "columns": _listed(map(sql.Identifier, columns)),
            "places": _listed([sql.Placeholder()] * len(columns)),
            "keys": _listed(map(sql.Identifier, keys)),
            "wanted": _listed([sql.SQL("%s::text[]")] * len(keys)),
            "changes": _listed(
                sql.SQL("{0} = excluded.{0}").format(sql.Identifier(c)) for c in columns if c not in keys
            ),
        }

        def said(text: LiteralString) -> bytes:
            return sql.SQL(text).format(**parts).as_bytes()

        return cls(
            load=said("select {columns} from {table} where ({keys}) in (select * from unnest({wanted}))"),
            store=said(
                "insert into {table} ({columns}) values ({places})"
                " on conflict ({keys}) do update set {changes}"
            ),
            fill=said("copy {table} ({columns}) from stdin"),
            contents=said("select {columns} from {table}"),
        )


def _listed(parts: Iterable[sql.Composable]) -> sql.Composed:
    return sql.SQL(", ").join(parts)
