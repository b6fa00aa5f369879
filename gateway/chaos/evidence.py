"""The four sources every check reads: ledger, read tables, the exchange's record, the callers' record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from gateway.chaos.history import Call

ORDER: Final = "order-"
POSITION: Final = "position-"
POSITION_BREAK: Final = "position_qty"
ORPHAN_BREAK: Final = "orphan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One row of the ledger; `topic` without its version."""

    position: int
    stream: str
    version: int
    topic: str
    data: Mapping[str, Any]
    recorded_at: datetime
    command_id: str

    @property
    def order(self) -> str:
        """The order it belongs to or is about; empty for none."""
        if self.stream.startswith(ORDER):
            return self.stream.removeprefix(ORDER)
        return str(self.data.get("client_order_id", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The read side at the end. Every row is a mapping by column; `proofs` are the gateway's own checks."""

    orders: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By client order id."""
    positions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By symbol."""
    strategy_positions: Sequence[Mapping[str, Any]] = ()
    open_breaks: Sequence[Mapping[str, Any]] = ()
    proofs: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP exchange as the exchange saw it."""

    method: str
    path: str
    body: str
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """The exchange's books: orders and executions as it shows them, signed shares by symbol, and cash."""

    orders: Sequence[Mapping[str, Any]] = ()
    executions: Sequence[Mapping[str, Any]] = ()
    """Live ones only."""
    positions: Mapping[str, Decimal] = field(default_factory=dict)
    cash: Decimal = Decimal(0)
    requests: Sequence[Request] = ()
    starting_cash: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """E, V, B and H. `limit` is the greatest position the gateway may hold of one symbol."""

    events: Sequence[Event] = ()
    tables: Tables = field(default_factory=Tables)
    broker: Broker = field(default_factory=Broker)
    calls: Sequence[Call] = ()
    limit: Decimal = Decimal(1000)

    def of(self, *topics: str) -> list[Event]:
        return [event for event in self.events if event.topic in topics]

    @property
    def broken_symbols(self) -> frozenset[str]:
        """Symbols whose difference from the broker's holding an open break names."""
        breaks = self.tables.open_breaks
        return frozenset(str(row["symbol"]) for row in breaks if row["kind"] == POSITION_BREAK)

    @property
    def broken_orders(self) -> frozenset[str]:
        """Orders whose difference from the broker an open break names."""
        breaks = (row for row in self.tables.open_breaks if row["kind"] != ORPHAN_BREAK)
        return frozenset(str(row["client_order_id"]) for row in breaks if row["client_order_id"])


Check = Callable[[Evidence], list[str]]
"""A violation in words for each place where the invariant does not hold."""
