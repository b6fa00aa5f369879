"""What can happen to a plan and to its slices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256

from gateway.aggregates.exact import canonical
from gateway.aggregates.vocabulary import ZERO, ClientOrderId, OrdStatus, Ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What was asked for. `ticket.qty` is the total; `interval_seconds` is the asked interval."""

    ticket: Ticket
    trade_date: date
    minutes: int
    interval_seconds: int

    def differences(self, other: Terms) -> tuple[str, ...]:
        """Names of the fields in which two requests are not the same plan."""
        own = ("trade_date", "minutes", "interval_seconds")
        differing = (name for name in own if getattr(self, name) != getattr(other, name))
        return (*self.ticket.differences(other.ticket), *differing)

    @property
    def fingerprint(self) -> str:
        """Equal for equal terms, whatever the market's volume makes of them."""
        ticket = self.ticket
        prices = (None if px is None else canonical(px) for px in (ticket.limit_px, ticket.stop_px))
        words = (
            ticket.symbol,
            ticket.side,
            canonical(ticket.qty),
            *prices,
            ticket.ord_type,
            ticket.time_in_force,
            ticket.strategy_id,
            self.minutes,
            self.interval_seconds,
            self.trade_date,
        )
        return sha256("|".join(map(str, words)).encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSlice:
    """`slice_num` counts from 0; `due` is UTC."""

    slice_num: int
    client_order_id: ClientOrderId
    qty: Decimal
    due: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SlicePlanRequested:
    """These terms have been answered with this plan; a repetition is answered with it too."""

    parent_order_id: ClientOrderId


@dataclass(frozen=True, slots=True, kw_only=True)
class SlicePlanCreated:
    """The whole plan. `interval_seconds` is the effective one; `adv` and `max_slice_qty` are in shares."""

    parent_order_id: ClientOrderId
    terms: Terms
    interval_seconds: int
    slices: tuple[PlannedSlice, ...]
    at: datetime
    adv: Decimal | None = None
    max_slice_qty: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SlicePlanCanceled:
    """Every slice not released by then is closed."""

    at: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceReleased:
    """The slice is an order from here on. `late` when it was due longer ago than is forgiven."""

    slice_num: int
    at: datetime
    late: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SlicePostponed:
    """The market was closed when it was due."""

    slice_num: int
    due: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceClosed:
    """Nothing more will come of the slice. Without a release, `reason` says why there was none."""

    slice_num: int
    status: OrdStatus
    at: datetime
    cum_qty: Decimal = ZERO
    reason: str | None = None


SlicePlanEvent = SlicePlanCreated | SlicePlanCanceled | SliceReleased | SlicePostponed | SliceClosed
