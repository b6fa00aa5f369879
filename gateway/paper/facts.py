"""Everything that can happen here, as it stands in the journal."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Literal

import msgspec

from gateway.paper.assets import ListingTerms
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


class Trailed(Fact, frozen=True):
    """The best price a trailing stop has seen, and where that puts the stop."""

    order_id: str
    hwm: Decimal
    stop_price: Decimal


class Executed(Fact, frozen=True):
    execution_id: str
    order_id: str
    qty: Decimal
    price: Decimal
    against: Against
    in_burst: bool = False
    """One of several in the same millisecond."""


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
    """The broker changed the terms of an order; a price of None stays as it was."""

    order_id: str
    qty: Decimal
    reason: str
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None


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


class Listed(Fact, frozen=True):
    """A symbol is listed on other terms."""

    symbol: str
    terms: ListingTerms


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


class Dividend(Fact, frozen=True):
    """Dollars paid for each share; what each account got is posted."""

    symbol: str
    per_share: Decimal
    mark: str
    """Names the occasion, so that it is paid once."""


class DayClosed(Fact, frozen=True):
    """The fees of this day in New York, and of every day before it, are billed."""

    day: date


class Posted(Fact, frozen=True):
    """An activity that is no trade. It moves the cash of the account by `net_amount`, and nothing else."""

    account: str
    id: str
    kind: str
    """Alpaca's activity type: `SPLIT`, `DIV`, `FEE`, `CSD`, `CSW`, `JNLS`."""
    day: date
    """The day it is for; `at` is when it was posted."""
    group: str
    """What was posted on one occasion shares it."""
    description: str
    sub_kind: str | None = None
    net_amount: Decimal = Decimal(0)
    symbol: str | None = None
    qty: Decimal | None = None
    price: Decimal | None = None
    per_share: Decimal | None = None


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
    | Trailed
    | Executed
    | Undone
    | Corrected
    | Restated
    | Quoted
    | Halted
    | Listed
    | Funded
    | Endowed
    | Split
    | Dividend
    | DayClosed
    | Posted
    | ClockSet
    | Fed
    | Ruled
)
