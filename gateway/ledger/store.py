"""The writer's one connection and what it says over it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
import psycopg
from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus

from gateway.ledger.cache import ABSENT, Entry, advance
from gateway.ledger.catalog_types import Catalog
from gateway.ledger.connection import HARMLESS, UNAVAILABLE, connect
from gateway.ledger.decision import Batch
from gateway.ledger.envelope import SELECT, Recorded, Row, instant, recorded

WRITER_LOCK: Final = 119182731994482
"""`ledger` in ASCII; the same number stands in `ledger.append`."""

PAGE: Final = 5000

ANSWER_WITHIN: Final = 6.0
"""Seconds: longer than the server's own limit on statements, for a server that does not even say no."""

APPEND: Final = "select inserted, (event).* from ledger.append(%s, %s, %s, %s, %s)"
SINCE: Final = SELECT + " where position > %s order by position limit %s"
OF_STREAM: Final = SELECT + " where stream = %s and version > %s order by version"
OF_COMMANDS: Final = SELECT + " where command_id = any(%s) order by position"
SNAPSHOTS: Final = """
    select wanted.stream, newest.version, newest.state
      from unnest(%s::text[], %s::text[]) as wanted (stream, state_version)
     cross join lateral (select s.version, s.state from ledger.snapshots s
        where s.stream = wanted.stream and s.state_version = wanted.state_version
        order by s.version desc limit 1) as newest
"""
TAILS: Final = """
    select e.stream, e.version, e.topic, e.body
      from unnest(%s::text[], %s::bigint[]) as wanted (stream, version)
      join ledger.events e on e.stream = wanted.stream and e.version > wanted.version
     order by e.position
"""


@dataclass(frozen=True, slots=True)
class Appended:
    """Either inserted, at one instant (None when there was nothing to insert), or what was missed."""

    inserted: bool
    recorded_at: datetime | None
    missed: list[Row]


class Store:
    """One async connection, opened when needed and thrown away when in doubt."""

    def __init__(self, conninfo: str, catalog: Catalog) -> None:
        self._conninfo = conninfo
        self._catalog = catalog
        self._connection: AsyncConnection[Row] | None = None
        self._encode = msgspec.json.Encoder().encode

    async def open(self) -> None:
        if self._connection is None or self._connection.broken:
            await self.close()
            self._connection = await connect(self._conninfo)

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error, OSError):
                await connection.close()

    async def append(self, batch: Batch) -> Appended:
        """Compare and append; an append of nothing still says what was missed."""
        rows = batch.rows
        parameters = (
            batch.head,
            self._encode(rows).decode() if rows else None,
            batch.assumed_absent,
            self._encode(batch.refs).decode() if batch.refs else None,
            self._encode(batch.results).decode() if batch.results else None,
        )
        answer = await self._fetch(APPEND, parameters)
        if not answer:
            return Appended(inserted=True, recorded_at=None, missed=[])
        if answer[0][0]:
            return Appended(inserted=True, recorded_at=instant(answer[0][6]), missed=[])
        return Appended(inserted=False, recorded_at=None, missed=[row[1:] for row in answer])

    async def hold_lock(self) -> None:
        """Begin, and keep every other writer out until `commit`."""
        await self._say(f"begin; select pg_advisory_xact_lock({WRITER_LOCK})")

    async def commit(self) -> None:
        await self._say("commit")

    async def recover(self, error: Exception) -> None:
        """Roll back what is open, or throw away a connection that may be what is wrong."""
        connection = self._connection
        if connection is None or not isinstance(error, HARMLESS):
            await self.close()
        elif connection.info.transaction_status is not TransactionStatus.IDLE:
            try:
                await self._say("rollback")
            except UNAVAILABLE:
                await self.close()

    async def since(self, position: int) -> list[Row]:
        return await self._fetch(SINCE, (position, PAGE))

    async def of_commands(self, command_ids: Collection[str]) -> list[Row]:
        return await self._fetch(OF_COMMANDS, (list(command_ids),))

    async def history(self, stream: str, after: int = 0) -> tuple[Recorded, ...]:
        rows = await self._fetch(OF_STREAM, (stream, after))
        return tuple(recorded(row, self._catalog.decode) for row in rows)

    async def load(self, streams: Collection[str]) -> Mapping[str, Entry]:
        """States from their newest snapshot and the events since; ABSENT for streams without events."""
        entries = dict.fromkeys(streams, ABSENT)
        kinds = [self._catalog.kind_of(stream) for stream in entries]
        wanted = [str(kind.state_version) for kind in kinds]
        for stream, version, state in await self._fetch(SNAPSHOTS, (list(entries), wanted)):
            with suppress(msgspec.MsgspecError):
                kind = self._catalog.kind_of(stream)
                entries[stream] = Entry(version, self._catalog.decode_state(kind, state))
        versions = [entry.version for entry in entries.values()]
        for stream, version, topic, body in await self._fetch(TAILS, (list(entries), versions)):
            kind = self._catalog.kind_of(stream)
            entries[stream] = advance(kind, entries[stream], self._catalog.decode(topic, body), version)
        return entries

    async def _fetch(self, query: str, parameters: tuple[Any, ...]) -> list[Row]:
        async with asyncio.timeout(ANSWER_WITHIN), self._open_connection().cursor(binary=True) as cursor:
            await cursor.execute(query, parameters, prepare=True)
            return await cursor.fetchall()

    async def _say(self, statement: str) -> None:
        async with asyncio.timeout(ANSWER_WITHIN):
            await self._open_connection().execute(statement, prepare=False)

    def _open_connection(self) -> AsyncConnection[Row]:
        if self._connection is None:
            raise psycopg.OperationalError("the writer has no connection")
        return self._connection
