"""The projections of one gateway process: followed, waited for, reported on, rebuilt in a child process."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from gateway.aggregates.refusals import ProjectionBehind, RebuildInProgress
from gateway.ledger.log import Log
from gateway.projections import registry
from gateway.projections.connection import connected
from gateway.projections.follow import AWAY, RETRY_SECONDS, Follower
from gateway.projections.projection import Projection
from gateway.projections.rebuild import URL_VARIABLE, open_tables
from gateway.projections.standing import Standing, standings

FAR_BEHIND: Final = 100_000
"""Events behind the head at the start from which on a rebuild is quicker, and kinder to the event loop."""
REBUILD_COMMAND: Final = (sys.executable, "-m", "gateway.projections")

logger = logging.getLogger(__name__)


class Projections:
    """Every read table of this house, kept at the head of the log for as long as the process lives."""

    def __init__(
        self,
        *,
        url: str,
        log: Log,
        projections: Collection[Projection[Any]],
        rebuild_command: Sequence[str] = REBUILD_COMMAND,
    ) -> None:
        self._url = url
        self._projections = {projection.name: projection for projection in projections}
        self._rebuild_command = tuple(rebuild_command)
        self._follower = Follower(url=url, log=log, projections=projections)
        self._tasks: list[asyncio.Task[None]] = []
        self._rebuilds: set[asyncio.Task[bool]] = set()

    async def start(self) -> None:
        """Create what is missing, follow, and rebuild what an older fold made or what is far behind.

        Raises LedgerUnavailable.
        """
        async with connected(self._url) as connection:
            await open_tables(connection, self._projections.values())
        self._tasks = [
            asyncio.create_task(self._follower.run(), name="projections"),
            asyncio.create_task(self._renew(), name="projection-renewal"),
        ]

    async def stop(self) -> None:
        """Stop between two events. A rebuild that is under way is given up; the old table goes on."""
        tasks: list[asyncio.Task[Any]] = [*self._tasks, *self._rebuilds]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks = []

    @property
    def running(self) -> bool:
        return bool(self._tasks) and not self._tasks[0].done()

    @property
    def failures(self) -> Mapping[str, str]:
        """The parked projections and why; health is degraded while there are any."""
        return {m.name: m.error for m in self._follower.members.values() if m.error is not None}

    @property
    def interruptions(self) -> int:
        """How often following was broken off and taken up again; a lost connection counts too."""
        return self._follower.interruptions

    @property
    def positions(self) -> Mapping[str, int]:
        """Where each live table stands, as far as this process knows."""
        return {m.name: m.position for m in self._follower.members.values()}

    async def wait_for(
        self,
        position: int,
        names: Collection[str] | None = None,
        timeout: float = 2.0,  # noqa: ASYNC109 - part of the question: how stale may the answer be
    ) -> None:
        """Return once these projections (all of them by default) have read `position`.

        Raises ProjectionBehind after `timeout` seconds, or at once for a projection that is parked.
        """
        wanted = tuple(self._projections if names is None else names)
        with suppress(TimeoutError):
            if not self.failures.keys() & wanted:
                async with asyncio.timeout(timeout):
                    return await self._follower.wait_for(position, wanted)
        reached = min(self.positions[name] for name in wanted)
        raise ProjectionBehind(
            f"read up to position {reached}, not yet {position}", position=reached, wanted=position
        )

    async def status(self) -> list[Standing]:
        """Every projection as `GET /projections` shows it."""
        async with connected(self._url) as connection:
            return await standings(connection, self._projections.values(), running=self.running)

    async def rebuild(self, name: str) -> None:
        """Start a rebuild in a child process. Raises RebuildInProgress, KeyError for no such name."""
        wanted = [self._projections[name].name]
        async with connected(self._url) as connection:
            if await registry.rebuilding(connection, wanted) or self._is_rebuilding(name):
                raise RebuildInProgress(f"{name} is being rebuilt", projection=name)
            self._start_rebuild(wanted)

    def _is_rebuilding(self, name: str) -> bool:
        return any(name in task.get_name().split() for task in self._rebuilds)

    def _start_rebuild(self, names: Sequence[str]) -> asyncio.Task[bool]:
        task = asyncio.create_task(self._run_child(names), name=" ".join(names))
        self._rebuilds.add(task)
        task.add_done_callback(self._rebuilds.discard)
        return task

    async def _run_child(self, names: Sequence[str]) -> bool:
        """Whether the rebuild went through; why it did not stays beside the old table, for all to see."""
        child = await asyncio.create_subprocess_exec(
            *self._rebuild_command,
            *names,
            env={**os.environ, URL_VARIABLE: self._url},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            _, said = await child.communicate()
        except asyncio.CancelledError:
            child.terminate()
            await child.wait()
            raise
        if child.returncode:
            why = said.decode(errors="replace").strip()
            logger.error("projections.rebuild_failed", extra={"projections": list(names), "error": why})
            with suppress(*AWAY):
                async with connected(self._url) as connection:
                    last_line = why.rpartition("\n")[2] or f"ended with {child.returncode}"
                    await registry.remark(connection, names, f"the rebuild failed: {last_line}")
        return not child.returncode

    async def _renew(self) -> None:
        """Rebuild in a child process what following cannot bring up to date soon, until nothing is left."""
        pause = RETRY_SECONDS[0]
        while True:
            with suppress(*AWAY):
                stale = await self._stale()
                if not stale:
                    return
                if await self._start_rebuild(stale):
                    continue
            await asyncio.sleep(pause)
            pause = min(pause * 2, RETRY_SECONDS[1])

    async def _stale(self) -> list[str]:
        async with connected(self._url) as connection:
            standing = await standings(connection, self._projections.values(), running=False)
        return [
            s.name
            for s in standing
            if s.version < self._projections[s.name].version or s.lag_events > FAR_BEHIND
        ]
