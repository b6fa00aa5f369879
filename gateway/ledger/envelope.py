"""What stands around an event: who asked, why, when, and where it stands in the ledger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from msgspec import Struct

from gateway.aggregates.refusals import LedgerUnavailable
from gateway.aggregates.vocabulary import Actor, ActorKind

SELECT: Final = (
    "select position, stream, version, topic, body, recorded_at, occurred_at, actor, actor_kind, "
    "on_behalf_of, auth_method, address, command_id, command_index, correlation_id, "
    "causation_position, source, lease_epoch, build from ledger.events"
)
"""Every column, in the order of the table, of which `recorded` makes an event."""

Row = tuple[Any, ...]

EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Where Postgres begins to count."""


class StreamPoisoned(LedgerUnavailable):
    """A stream holds an event that cannot be read, so nothing can be decided on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Who asked and why: everything in the envelope that a command knows before it is decided."""

    command_id: str
    actor: Actor
    correlation_id: str
    source: str
    occurred_at: datetime
    causation_position: int | None = None
    lease_epoch: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncommitted:
    """An event a decision wants recorded; it occurred at its cause's time unless it says otherwise."""

    stream: str
    event: object
    occurred_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecodable:
    """Stands in for an event this build cannot read."""

    topic: str
    reason: str


class Recorded(Struct, frozen=True, gc=False):
    """An event as it stands in the ledger; `body` is the stored JSON, byte for byte.

    A msgspec struct rather than a dataclass: a rebuild makes millions, at a fifth of the price.
    """

    position: int
    stream: str
    version: int
    name: str
    schema_version: int
    recorded_at: datetime
    occurred_at: datetime
    actor: Actor
    command_id: str
    command_index: int
    correlation_id: str
    causation_position: int | None
    source: str
    lease_epoch: int | None
    build: str
    event: object
    body: bytes


def split_topic(topic: str) -> tuple[str, int]:
    """`order.filled.v1` is version 1 of `order.filled`."""
    name, _, version = topic.rpartition(".v")
    return (name, int(version)) if name and version.isdecimal() else (topic, 0)


def recorded(row: Row, decode: Callable[[str, bytes], object]) -> Recorded:
    """One row of `SELECT` as fetched by this room's binary cursors, decoded."""
    topic, body = row[3], row[4]
    name, schema_version = known_topic(topic)
    return Recorded(
        row[0],
        row[1],
        row[2],
        name,
        schema_version,
        instant(row[5]),
        instant(row[6]),
        actor_of(row[7], row[8], row[9], row[10], row[11]),
        row[12],
        row[13],
        row[14],
        row[15],
        row[16],
        row[17],
        row[18],
        decode(topic, body),
        body,
    )


@lru_cache(maxsize=4096)
def instant(microseconds: bytes) -> datetime:
    """A timestamptz in Postgres' binary format. The rows of one append share theirs, hence the cache."""
    return EPOCH + timedelta(microseconds=int.from_bytes(microseconds, "big", signed=True))


known_topic = lru_cache(maxsize=1024)(split_topic)


@lru_cache(maxsize=4096)
def actor_of(
    sub: str, kind: str, on_behalf_of: str | None, auth_method: str | None, address: str | None
) -> Actor:
    return Actor(
        sub=sub, kind=ActorKind(kind), on_behalf_of=on_behalf_of, auth_method=auth_method, address=address
    )
