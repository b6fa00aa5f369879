"""Everything that can happen here, as it stands in the journal."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

from gateway.paper.orders import Order
from gateway.paper.rules import Rules

Source = Literal["recorded", "synthetic", "manual"]
Against = Literal["quote", "order", "print", "forced"]


class Fact(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    at: datetime


class Opened(Fact, frozen=True):
    """The first line of every journal: a world begins."""

    seed: int
    cash: Decimal


class Accepted(Fact, frozen=True):
    order: Order


class Moved(Fact, frozen=True):
    """An order changed its state without trading."""

    order_id: str
    event: str
    status: str
    reason: str | None = None
    execution_id: str | None = None
    replaced_by: str | None = None
    quiet: bool = False
    """True keeps it off the stream."""


class Elected(Fact, frozen=True):
    """The market reached a stop, or a market order got its collar."""

    order_id: str
    protection: Decimal | None = None


class Executed(Fact, frozen=True):
    execution_id: str
    order_id: str
    qty: Decimal
    price: Decimal
    against: Against


class Undone(Fact, frozen=True):
    """A trade bust."""

    execution_id: str
    previous: str
    negative_qty: bool = False


class Corrected(Fact, frozen=True):
    execution_id: str
    previous: str
    qty: Decimal
    price: Decimal


class Restated(Fact, frozen=True):
    """The broker changed the quantity of an order."""

    order_id: str
    qty: Decimal
    reason: str


class Quoted(Fact, frozen=True):
    """A quote set by hand; the feed's own quotes are not journaled."""

    symbol: str
    bid: Decimal
    ask: Decimal
    bid_size: Decimal
    ask_size: Decimal
    last: Decimal
    quoted_at: datetime | None = None
    """None is a standing quote: as old as the moment it is asked for."""


class Halted(Fact, frozen=True):
    symbol: str
    on: bool


class Funded(Fact, frozen=True):
    account: str
    cash: Decimal


class Endowed(Fact, frozen=True):
    """A position put into an account by hand."""

    account: str
    symbol: str
    qty: Decimal
    price: Decimal


class Split(Fact, frozen=True):
    symbol: str
    ratio: Decimal
    mark: str
    """Names the occasion, so that it is applied once."""


class Fed(Fact, frozen=True):
    """A feed takes over and starts its recording; `speed` is seconds of trading per second of the clock."""

    source: Source
    speed: int


class Ruled(Fact, frozen=True):
    rules: Rules


class ClockSet(Fact, frozen=True):
    mode: Literal["real", "scaled", "manual"]
    now: datetime
    speed: int = 1


AnyFact = (
    Opened
    | Accepted
    | Moved
    | Elected
    | Executed
    | Undone
    | Corrected
    | Restated
    | Quoted
    | Halted
    | Funded
    | Endowed
    | Split
    | ClockSet
    | Fed
    | Ruled
)
