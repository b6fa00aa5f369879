"""A small domain of its own, to test the engine without the rules of the desk: things are counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Any, Final

import psycopg
from psycopg import sql
from sqlalchemy import BigInteger, Column, MetaData, Numeric, Table, Text

from gateway.aggregates.vocabulary import SYSTEM
from gateway.ledger.catalog_types import Catalog, StreamKind
from gateway.ledger.decision import Decision, States
from gateway.ledger.envelope import Cause, Recorded, Uncommitted
from gateway.ledger.leases import LEASES
from gateway.ledger.ledger import Ledger
from gateway.projections.engine import Projections
from gateway.projections.projection import Key, Projection

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
_command_ids = count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    amount: Decimal
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    total: Decimal = Decimal(0)


def evolve(tally: Tally | None, event: Counted) -> Tally:
    return Tally(total=(tally or Tally()).total + event.amount)


CATALOG = Catalog(
    [
        LEASES,
        StreamKind(
            prefix="tally-",
            state=Tally,
            state_version=1,
            events=((Counted, "tally.counted", 1),),
            evolve=evolve,
        ),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """The row of both tables below: by stream, or by label."""

    of: str
    total: Decimal = Decimal(0)
    events: int = 0
    position: int = 0


def _columns() -> Iterable[Column[Any]]:
    return (
        Column("of", Text, primary_key=True),
        Column("total", Numeric, nullable=False, index=True),
        Column("events", BigInteger, nullable=False),
        Column("position", BigInteger, nullable=False),
    )


def counted(recorded: Recorded) -> Counted:
    assert isinstance(recorded.event, Counted)
    return recorded.event


def fold(row: Sum | None, key: Key, recorded: Recorded) -> Sum:
    before = row or Sum(of=key[0])
    return replace(
        before,
        total=before.total + counted(recorded).amount,
        events=before.events + 1,
        position=recorded.position,
    )


_TABLES = MetaData(schema="read")

TALLIES: Final[Projection[Sum]] = Projection(
    name="tallies",
    version=1,
    listens=("tally.",),
    table=Table("tallies", _TABLES, *_columns()),
    keys=lambda recorded: [(recorded.stream,)],
    fold=fold,
    load=lambda columns: Sum(**columns),
)

LABELS: Final[Projection[Sum]] = Projection(
    name="labels",
    version=1,
    listens=("tally.",),
    table=Table("labels", _TABLES, *_columns()),
    keys=lambda recorded: [(counted(recorded).label,)],
    fold=fold,
    load=lambda columns: Sum(**columns),
)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Ledger]:
    async with Ledger.opened(url, CATALOG, build="test") as ledger:
        yield ledger


async def record(ledger: Ledger, *counts: tuple[str, str], name: str = "a") -> int:
    """Count amounts under labels, all in one append; the position of the last one."""

    def decide(states: States) -> Decision:
        return Decision(
            events=[
                Uncommitted(stream=f"tally-{name}", event=Counted(amount=Decimal(amount), label=label))
                for amount, label in counts
            ]
        )

    cause = Cause(
        command_id=f"count-{next(_command_ids)}-{id(ledger)}",
        actor=SYSTEM,
        correlation_id="test",
        source="system",
        occurred_at=NOON,
    )
    change = await ledger.writer.change([f"tally-{name}"], decide, cause, new=[f"tally-{name}"])
    return change.position


def table(url: str, name: str) -> dict[str, tuple[Decimal, int, int]]:
    """The rows of the live table as the database has them: total, events and position."""
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "select table_name from read.projection where name = %s", (name,)
        ).fetchone()
        assert found is not None
        query = sql.SQL('select "of", total, events, position from {}').format(
            sql.Identifier("read", found[0])
        )
        return {of: tuple(rest) for of, *rest in connection.execute(query)}


def checkpoint(url: str, name: str) -> int:
    with psycopg.connect(url) as connection:
        found = connection.execute("select position from read.projection where name = %s", (name,)).fetchone()
    assert found is not None
    return int(found[0])


@asynccontextmanager
async def following(
    url: str, ledger: Ledger, *projections: Projection[Any], children: Sequence[str] = ()
) -> AsyncIterator[Projections]:
    engine = Projections(
        url=url, log=ledger.log, projections=projections or (TALLIES, LABELS), rebuild_command=children
    )
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


async def until(condition: Callable[[], bool]) -> None:
    """Look again and again. Raises TimeoutError after ten seconds."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)
