"""How each projection is doing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gateway.projections import registry
from gateway.projections.connection import Connection
from gateway.projections.projection import Projection


class Condition(StrEnum):
    LIVE = "live"
    REBUILDING = "rebuilding"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """`position` of the table and `head` of the log; `lag_seconds` is the age of the first one unread."""

    name: str
    version: int
    state: Condition
    position: int
    head: int
    lag_seconds: float
    last_error: str | None

    @property
    def lag_events(self) -> int:
        return self.head - self.position


async def standings(
    connection: Connection, projections: Iterable[Projection[Any]], *, running: bool
) -> list[Standing]:
    """`running` tells whether this process follows the log at all."""
    by_name = {projection.name: projection for projection in projections}
    rebuilding = await registry.rebuilding(connection, list(by_name))
    cursor = await connection.execute("select coalesce(max(position), 0) from ledger.events")
    (head,) = await cursor.fetchone() or (0,)
    entries = await registry.entries(connection, list(by_name))
    return [
        Standing(
            name=entry.name,
            version=entry.version,
            state=(
                Condition.REBUILDING
                if entry.name in rebuilding
                else _condition(entry, followed=running and entry.version == by_name[entry.name].version)
            ),
            position=entry.position,
            head=max(head, entry.position),
            lag_seconds=await _age(connection, entry.position + 1),
            last_error=entry.last_error,
        )
        for entry in entries.values()
    ]


def _condition(entry: registry.Entry, *, followed: bool) -> Condition:
    if not entry.well:
        return Condition.FAILED
    return Condition.LIVE if followed else Condition.STOPPED


async def _age(connection: Connection, position: int) -> float:
    """Seconds since this event was recorded; zero when there is no such event."""
    cursor = await connection.execute(
        "select extract(epoch from clock_timestamp() - recorded_at)::float8"
        " from ledger.events where position = %s",
        (position,),
    )
    found = await cursor.fetchone()
    return max(0.0, float(found[0])) if found else 0.0
