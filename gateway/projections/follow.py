"""Following: batches of new events, rows and checkpoint in one transaction, each event exactly once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import Any, Final

from psycopg import errors

from gateway.aggregates.refusals import LedgerUnavailable
from gateway.ledger.bell import Bell, listen
from gateway.ledger.connection import UNAVAILABLE, conninfo
from gateway.ledger.envelope import Recorded
from gateway.ledger.log import Log
from gateway.projections import registry
from gateway.projections.connection import ROLE, Connection, connected
from gateway.projections.folding import Folding, touched
from gateway.projections.projection import Projection
from gateway.projections.shelf import Shelf

BATCH: Final = 250
"""Events taken at once: few enough that catching up never holds the event loop for long."""
BREATH_SECONDS: Final = 0.004
"""Pause between batches at the head of the log: what is appended meanwhile is folded in one transaction."""
IDLE_SECONDS: Final = 1.0
"""How long to wait for news at most, so that parked projections and new tables are looked at again."""
RETRY_SECONDS: Final = (0.5, 30.0)
"""First and longest pause before a parked projection or a lost connection is tried again."""
AWAY: Final = (LedgerUnavailable, *UNAVAILABLE)
"""The database does not answer: nobody's fault here, so nothing is parked."""
HELD_UP: Final = (errors.LockNotAvailable, errors.QueryCanceled)
"""It does answer; something keeps us from one table, and must not keep the others."""

logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Member:
    """One followed projection: where its live table stands, and what is the matter with it."""

    projection: Projection[Any]
    shelf: Shelf[Any] | None = None
    position: int = 0
    error: str | None = None
    failures: int = 0
    retry_at: float = 0.0

    @property
    def name(self) -> str:
        return self.projection.name

    def stand_at(self, entry: registry.Entry) -> bool:
        """Take over what the registry says; whether there is a table here to carry on."""
        self.position = entry.position
        if entry.well:
            self.recover()
        if entry.version != self.projection.version:
            self.shelf = None
        elif self.shelf is None or self.shelf.table_name != entry.table_name:
            self.shelf = Shelf(self.projection, entry.table_name)
        return self.shelf is not None

    async def fold(self, connection: Connection, batch: Sequence[Recorded]) -> None:
        """Fold a batch into the rows it touches."""
        keys = touched(self.projection, batch)
        if self.shelf is not None and keys:
            folding = Folding([self.projection])
            folding.rows[self.name].update(await self.shelf.load(connection, keys))
            folding.take(batch)
            await self.shelf.store(connection, folding.rows[self.name].values())

    def recover(self) -> None:
        self.error, self.failures, self.retry_at = None, 0, 0.0


@dataclass(slots=True)
class Follower:
    """Keeps the live tables of its projections at the head of the log.

    Any number of followers may run against one database: the checkpoint is locked and read in the
    transaction that moves it, so whoever comes second finds the work done. A projection whose fold or table
    fails is parked with its error and tried again later; the others go on without it.
    """

    url: str
    log: Log
    projections: Collection[Projection[Any]]
    batch: int = BATCH
    interruptions: int = field(default=0, init=False)
    members: dict[str, Member] = field(init=False)
    _bell: Bell = field(default_factory=Bell, init=False)
    _progress: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def __post_init__(self) -> None:
        self.members = {p.name: Member(projection=p) for p in self.projections}

    async def run(self) -> None:
        """Follow until cancelled, through lost connections and failing projections."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(listen(conninfo(self.url, role=ROLE, limits=False), self._bell))
            tasks.create_task(self._follow())

    async def _follow(self) -> None:
        pause = RETRY_SECONDS[0]
        while True:
            try:
                async with connected(self.url) as connection:
                    await self._place(connection)
                    pause = RETRY_SECONDS[0]
                    while True:
                        await self._round(connection)
            except Exception as error:  # noqa: BLE001 - following must outlive whatever interrupts it
                self.interruptions += 1
                logger.warning("projections.interrupted", extra={"error": str(error), "pause": pause})
                await asyncio.sleep(pause)
                pause = min(pause * 2, RETRY_SECONDS[1])

    async def wait_for(self, position: int, names: Collection[str]) -> None:
        """Return once these projections have read this position. Waits for ever."""
        while any(self.members[name].position < position for name in names):
            await self._progress.wait()

    async def _place(self, connection: Connection) -> None:
        """Read where the live tables stand; those of another version wait for their rebuild."""
        standing = await registry.entries(connection, list(self.members))
        for name, entry in standing.items():
            self.members[name].stand_at(entry)
        self._announce()

    async def _round(self, connection: Connection) -> None:
        """One batch for each group of projections that stand at the same position, or a wait for news."""
        ticket = self._bell.ticket
        groups = self._groups()
        next_up = dict(pairwise(position for position, _ in groups))
        batch: Sequence[Recorded] = ()
        for position, group in groups:
            batch = await self.log.read(position, self.batch, upto=next_up.get(position))
            if batch:
                await self._advance(connection, group, batch)
        if 0 < len(batch) < self.batch:
            await asyncio.sleep(BREATH_SECONDS)
        if len(groups) <= 1 and not batch:
            await self._bell.wait(ticket, IDLE_SECONDS if groups else RETRY_SECONDS[0])
            await self._look_around(connection)

    def _groups(self) -> list[tuple[int, list[Member]]]:
        now = asyncio.get_running_loop().time()
        ready = [m for m in self.members.values() if m.shelf is not None and m.retry_at <= now]
        ready.sort(key=lambda member: member.position)
        return [(at, list(group)) for at, group in groupby(ready, key=lambda member: member.position)]

    async def _look_around(self, connection: Connection) -> None:
        """See whether a table that is parked or being rebuilt can be carried on."""
        if any(m.shelf is None or m.error for m in self.members.values()):
            await self._place(connection)

    async def _advance(
        self, connection: Connection, group: Sequence[Member], batch: Sequence[Recorded]
    ) -> None:
        """Apply a batch; where it fails, narrow it down to one projection and one event, and park that."""
        try:
            await self._apply(connection, group, batch)
        except AWAY as error:
            if not isinstance(error, HELD_UP):
                raise
            await self._narrow(connection, group, batch, error)
        except Exception as error:  # noqa: BLE001 - whatever a fold raises stops its projection, not the others
            await self._narrow(connection, group, batch, error)

    async def _narrow(
        self, connection: Connection, group: Sequence[Member], batch: Sequence[Recorded], error: Exception
    ) -> None:
        if len(group) > 1:
            for member in group:
                await self._advance(connection, [member], batch)
        elif len(batch) > 1 and not isinstance(error, HELD_UP):
            middle = len(batch) // 2
            await self._advance(connection, group, batch[:middle])
            if group[0].position == batch[middle].position - 1:
                await self._advance(connection, group, batch[middle:])
        else:
            await self._park(connection, group[0], batch[0], error)

    async def _apply(
        self, connection: Connection, group: Sequence[Member], batch: Sequence[Recorded]
    ) -> None:
        first, last = batch[0].position, batch[-1].position
        async with connection.pipeline(), connection.transaction():
            standing = await registry.entries(connection, [m.name for m in group], lock=True)
            current = [m for m in group if m.stand_at(standing[m.name]) and m.position == first - 1]
            for member in current:
                await member.fold(connection, batch)
            await registry.advance(connection, [m.name for m in current], last)
        for member in current:
            member.position = last
            member.recover()
        self._announce()

    async def _park(
        self, connection: Connection, member: Member, recorded: Recorded, error: Exception
    ) -> None:
        """Leave a projection where it is, and say why; it is tried again after a growing pause."""
        member.error = f"{recorded.name} at position {recorded.position}: {type(error).__name__}: {error}"
        pause = min(RETRY_SECONDS[0] * 2**member.failures, RETRY_SECONDS[1])
        member.failures += 1
        member.retry_at = asyncio.get_running_loop().time() + pause
        logger.error("projections.parked", extra={"projection": member.name, "error": member.error})
        if member.shelf is not None:
            await registry.park(connection, member.name, member.shelf.table_name, member.error)

    def _announce(self) -> None:
        self._progress.set()
        self._progress = asyncio.Event()
