"""The ledger, opened: one writer, any number of readers, and what they share."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, Final, Self

from gateway.aggregates.refusals import LedgerUnavailable
from gateway.ledger.bell import Bell, listen
from gateway.ledger.cache import Cache, Desk
from gateway.ledger.catalog_types import Catalog
from gateway.ledger.connection import Pool, conninfo, open_pool
from gateway.ledger.dead_letters import DeadLetters
from gateway.ledger.envelope import Cause
from gateway.ledger.inbox import Inbox
from gateway.ledger.leases import Lease, hold_lease, hold_turn
from gateway.ledger.log import Log
from gateway.ledger.snapshots import Snapshots
from gateway.ledger.store import Store
from gateway.ledger.writer import Writer

logger = logging.getLogger(__name__)

APP_ROLE: Final = "ledger_app"
READERS: Final = 8
QUEUE_ROOM: Final = 10_000
KEEP_SNAPSHOTS_EVERY: Final = 1.0


class Ledger:
    """Opened by the composition root; everything else is handed the part it needs.

    `decided_again` is told of each batch that came too late, because another process had written meanwhile.
    """

    def __init__(
        self,
        url: str,
        catalog: Catalog,
        *,
        build: str,
        role: str | None = APP_ROLE,
        decided_again: Callable[[], object] = lambda: None,
    ) -> None:
        self._direct = conninfo(url, role=role, limits=False)
        self._bell = Bell()
        self._pool: Pool = open_pool(conninfo(url, role=role), READERS)
        self._cache = Cache(catalog)
        self._snapshots = Snapshots(self._pool, catalog, self._cache)
        self._closing = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.catalog: Final = catalog
        self.log: Final = Log(self._pool, catalog, self._bell)
        self.inbox: Final = Inbox(self._pool)
        self.dead_letters: Final = DeadLetters(self._pool)
        self.writer: Final = Writer(
            Store(conninfo(url, role=role), catalog),
            self._cache,
            catalog,
            bell=self._bell,
            build=build,
            kept=self._snapshots.notice,
            room=QUEUE_ROOM,
            decided_again=decided_again,
        )

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, url: str, catalog: Catalog, *, build: str, role: str | None = APP_ROLE
    ) -> AsyncIterator[Self]:
        """`async with Ledger.opened(…) as ledger`."""
        ledger = cls(url, catalog, build=build, role=role)
        await ledger.open()
        try:
            yield ledger
        finally:
            await ledger.close()

    @property
    def desk(self) -> Desk:
        """Live streams as of the last batch or `catch_up`; a decision looks at its own `States.desk`."""
        return self._cache

    @property
    def ailments(self) -> Mapping[str, str]:
        """What is the matter with the ledger in this process, by name; each wants an alarm."""
        found = {}
        if poisoned := len(self._cache.poisoned):
            found["ledger:poisoned"] = f"streams nobody can read: {poisoned}; the log names them"
        if not self.writer.is_running:
            found["ledger:writer"] = "the writer has ended"
        return found

    async def open(self) -> None:
        """Restore the desk, fold what came since, begin. Raises LedgerUnavailable."""
        await self._pool.open(wait=False)
        try:
            await self._snapshots.restore_desk()
            await self.writer.start()
        except LedgerUnavailable:  # the pool stays, so that the next attempt may open it
            raise
        except BaseException:
            await self._pool.close()
            raise
        self._tasks = [
            asyncio.create_task(listen(self._direct, self._bell), name="ledger-listener"),
            asyncio.create_task(self._keep_snapshots(), name="ledger-snapshots"),
        ]

    async def close(self) -> None:
        """Finish what is under way, keep the desk for a quick start, let go of the database.

        Also after an `open` that failed.
        """
        self._closing.set()
        if self._tasks:
            listener, snapshots = self._tasks
            listener.cancel()
            await asyncio.gather(listener, snapshots, return_exceptions=True)
        await self.writer.close()
        if self._tasks:
            with suppress(LedgerUnavailable):
                await self._snapshots.keep_due()
                await self._snapshots.keep_desk()
        await self._pool.close()

    async def load(self, stream: str) -> tuple[Any | None, int]:
        """The newest state of one stream and its version. Raises LedgerUnavailable."""
        states = await self.writer.look([stream])
        return states[stream], states.version(stream)

    async def catch_up(self) -> None:
        """Bring the desk up to what every process has written. Raises LedgerUnavailable."""
        await self.writer.look(())

    def lease(self, name: str, holder: str, cause: Cause) -> AbstractAsyncContextManager[Lease]:
        """Wait for a lease and hold it: `async with ledger.lease(…) as lease`."""
        return hold_lease(self._direct, self.writer, name, holder, cause)

    def turn(self, name: str, *, patience: float) -> AbstractAsyncContextManager[None]:
        """Wait for one's turn among all processes: `async with ledger.turn(…)`."""
        return hold_turn(self._direct, name, patience=patience)

    async def _keep_snapshots(self) -> None:
        while not self._closing.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(KEEP_SNAPSHOTS_EVERY):
                    await self._closing.wait()
            try:
                await self._snapshots.keep_due()
            except Exception as error:  # noqa: BLE001 - without snapshots everything is only slower
                logger.warning("ledger.snapshots_late", extra={"error": repr(error)})
