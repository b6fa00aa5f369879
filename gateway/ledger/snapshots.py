"""States kept so that nobody folds from the beginning: a cache, which may be thrown away at any time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from gateway.ledger.cache import Cache, Entry
from gateway.ledger.catalog_types import Catalog
from gateway.ledger.connection import Pool, reading

DESK: Final = "desk"
DESK_EVERY: Final = 25_000
"""Positions after which the desk is kept again; about how many events a start may have to fold."""

SAVE: Final = """
    insert into ledger.snapshots (stream, state_version, version, state) values (%s, %s, %s, %s)
    on conflict do nothing
"""
NEWEST_DESK: Final = """
    select version, state from ledger.snapshots
     where stream = %s and state_version = %s order by version desc limit 1
"""


class _Pinned(msgspec.Struct, array_like=True):
    stream: str
    version: int
    state: msgspec.Raw


class Snapshots:
    """Notices which states are worth keeping, and keeps them outside the writer's way."""

    def __init__(self, pool: Pool, catalog: Catalog, cache: Cache) -> None:
        self._pool = pool
        self._catalog = catalog
        self._cache = cache
        self._due: dict[str, Entry] = {}
        self._next: dict[str, int] = {}
        self._desk_position = 0
        self._desk_version = " ".join(f"{kind.prefix}{kind.state_version}" for kind in catalog.kinds)

    def notice(self, changed: Iterable[tuple[str, Entry]]) -> None:
        """Called by the writer for what it has just recorded; only remembers."""
        for stream, entry in changed:
            every = self._catalog.kind_of(stream).snapshot_every
            if entry.version >= self._next.get(stream, every):
                self._next[stream] = entry.version + every
                self._due[stream] = entry

    async def keep_due(self) -> None:
        """Save what is due. Raises LedgerUnavailable; what was due stays so."""
        due, rows = dict(self._due), []
        for stream, entry in due.items():
            state_version = str(self._catalog.kind_of(stream).state_version)
            rows.append((stream, state_version, entry.version, self._catalog.encode_state(entry.state)))
        await self._save(rows)
        for stream, entry in due.items():
            if self._due.get(stream) is entry:
                del self._due[stream]
        if self._cache.position >= self._desk_position + DESK_EVERY:
            await self.keep_desk()

    async def keep_desk(self) -> None:
        """Save all live streams as of the position the cache stands at."""
        position = self._cache.position
        if position == self._desk_position or self._cache.dormant or self._cache.poisoned:
            return
        pinned = [
            _Pinned(stream, entry.version, msgspec.Raw(self._catalog.encode_state(entry.state)))
            for stream, entry in self._cache.live_entries()
        ]
        await self._save([(DESK, self._desk_version, position, msgspec.json.encode(pinned))])
        self._desk_position = position

    async def restore_desk(self) -> None:
        """Put the newest kept desk into the cache, if there is one of this shape."""
        async with reading(self._pool) as cursor:
            await cursor.execute(NEWEST_DESK, (DESK, self._desk_version))
            row = await cursor.fetchone()
        if row is None:
            return
        position, body = row
        try:
            entries = [
                (p.stream, Entry(p.version, self._decode(p)))
                for p in msgspec.json.decode(body, type=list[_Pinned])
            ]
        except (msgspec.MsgspecError, LookupError):
            return
        for stream, entry in entries:
            self._cache.put(stream, entry)
        self._cache.position = self._desk_position = position

    def _decode(self, pinned: _Pinned) -> object:
        return self._catalog.decode_state(self._catalog.kind_of(pinned.stream), bytes(pinned.state))

    async def _save(self, rows: list[tuple[str, str, int, bytes]]) -> None:
        if rows:
            async with reading(self._pool) as cursor:
                await cursor.executemany(SAVE, rows)
