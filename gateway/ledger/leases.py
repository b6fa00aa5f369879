"""Singletons: a session lock elects, an epoch in the log fences."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import AsyncConnection

from gateway.aggregates.refusals import LedgerUnavailable
from gateway.ledger.catalog_types import StreamKind
from gateway.ledger.connection import UNAVAILABLE, connect
from gateway.ledger.decision import Decision, States
from gateway.ledger.envelope import Cause, Uncommitted
from gateway.ledger.writer import Writer

PREFIX: Final = "lease-"
LOCK_CLASS: Final = 1818584435
"""The first key of a lease's advisory lock; the second is the hash of its name."""

TRY_EVERY: Final = 0.5
TURN_EVERY: Final = 0.05
PROBE_EVERY: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseTaken:
    epoch: int
    holder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseState:
    epoch: int
    holder: str


def evolve(state: LeaseState | None, event: LeaseTaken) -> LeaseState:
    return LeaseState(epoch=event.epoch, holder=event.holder)


LEASES: Final = StreamKind(
    prefix=PREFIX,
    state=LeaseState,
    state_version=1,
    events=((LeaseTaken, "lease.taken", 1),),
    evolve=evolve,
)


class LeaseLost(Exception):
    """Somebody else holds the lease by now: what this holder decided is not recorded."""


def lease_stream(name: str) -> str:
    return PREFIX + name


def fence(states: States, name: str, epoch: int | None) -> None:
    """For the `decide` of whoever works under a lease. Raises LeaseLost for any epoch but the newest."""
    state = states[lease_stream(name)]
    if state is None or state.epoch != epoch:
        raise LeaseLost(name)


class Lease:
    """Held from here on, until `lost` is set. Only the epoch proves it: `fence` every decision."""

    def __init__(self, name: str, epoch: int) -> None:
        self.name: Final = name
        self.epoch: Final = epoch
        self.lost: Final = asyncio.Event()

    @property
    def held(self) -> bool:
        return not self.lost.is_set()


@asynccontextmanager
async def hold_lease(
    conninfo: str, writer: Writer, name: str, holder: str, cause: Cause
) -> AsyncIterator[Lease]:
    """Wait for the lease, hold it, give it back. Raises LedgerUnavailable when it cannot be recorded."""
    connection = await _elected(conninfo, name)
    try:
        lease = Lease(name, await _take(writer, name, holder, cause))
        watch = asyncio.create_task(_watch(connection, lease), name=f"lease-{name}")
        try:
            yield lease
        finally:
            lease.lost.set()
            watch.cancel()
    finally:
        with suppress(psycopg.Error, OSError):
            await connection.close()


@asynccontextmanager
async def hold_turn(conninfo: str, name: str, *, patience: float) -> AsyncIterator[None]:
    """One process at a time, and nothing on record; after `patience` seconds a turn is not waited for.

    It spares work and proves nothing: what must not be done twice has to be decided in the log.
    Raises LedgerUnavailable.
    """
    try:
        connection = await connect(conninfo)
    except UNAVAILABLE as error:
        raise LedgerUnavailable(f"no turn for {name}: {error}") from error
    try:
        with suppress(*UNAVAILABLE):
            async with asyncio.timeout(patience):
                await _locked(connection, name, TURN_EVERY)
        yield
    finally:
        with suppress(psycopg.Error, OSError):
            await connection.close()


async def _elected(conninfo: str, name: str) -> AsyncConnection[Any]:
    while True:
        with suppress(psycopg.OperationalError, OSError):
            connection = await connect(conninfo)
            try:
                await _locked(connection, name, TRY_EVERY)
            except BaseException:
                await connection.close()
                raise
            else:
                return connection
        await asyncio.sleep(TRY_EVERY)


async def _locked(connection: AsyncConnection[Any], name: str, pause: float) -> None:
    while True:
        if await _try_lock(connection, name):
            return
        await asyncio.sleep(pause)


async def _try_lock(connection: AsyncConnection[Any], name: str) -> bool:
    cursor = await connection.execute("select pg_try_advisory_lock(%s, hashtext(%s))", (LOCK_CLASS, name))
    row = await cursor.fetchone()
    return bool(row and row[0])


async def _take(writer: Writer, name: str, holder: str, cause: Cause) -> int:
    stream = lease_stream(name)

    def decide(states: States) -> Decision:
        before: LeaseState | None = states[stream]
        epoch = 1 if before is None else before.epoch + 1
        return Decision(events=(Uncommitted(stream=stream, event=LeaseTaken(epoch=epoch, holder=holder)),))

    change = await writer.change([stream], decide, cause)
    taken = change.events[0].event
    assert isinstance(taken, LeaseTaken)
    return taken.epoch


async def _watch(connection: AsyncConnection[Any], lease: Lease) -> None:
    """The lock lives as long as its session: notice when that ends."""
    try:
        while True:
            await asyncio.sleep(PROBE_EVERY)
            async with asyncio.timeout(PROBE_EVERY):
                await connection.execute("select 1")
    except (psycopg.Error, OSError, TimeoutError):
        lease.lost.set()
