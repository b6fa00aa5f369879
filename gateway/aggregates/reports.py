"""What a broker says, in our words. Every door turns its payload into one of these."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from gateway.aggregates.vocabulary import (
    ClientOrderId,
    ExecId,
    OrderId,
    OrdStatus,
    OrdType,
    ReportSource,
    Side,
    Symbol,
    TimeInForce,
)


class ReportKind(StrEnum):
    """What the report is about (FIX ExecType, as far as the desk tells them apart)."""

    STATUS = "status"
    """A state of the order: new, accepted, canceled, expired, rejected, replaced, pending ..."""
    TRADE = "trade"
    BUST = "bust"
    CORRECT = "correct"
    CANCEL_REJECTED = "cancel_rejected"
    REPLACE_REJECTED = "replace_rejected"
    UNKNOWN = "unknown"
    """An event name nobody has seen; kept and counted, without effect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerOrder:
    """An order as the broker holds it now. Quantities in shares, times in UTC.

    `qty` is None for notional orders. `ord_type` is None when the source tells only what changed, as relays
    do; then nothing but symbol and side can be compared with a ticket. `status` is None when the broker's
    word is outside our table; `broker_status` is always the word itself.
    """

    order_id: OrderId
    client_order_id: ClientOrderId
    symbol: Symbol
    side: Side
    ord_type: OrdType | None
    time_in_force: TimeInForce | None
    broker_status: str
    status: OrdStatus | None
    qty: Decimal | None
    filled_qty: Decimal
    filled_avg_px: Decimal | None
    limit_px: Decimal | None = None
    stop_px: Decimal | None = None
    notional: Decimal | None = None
    updated_at: datetime | None = None
    submitted_at: datetime | None = None
    filled_at: datetime | None = None
    replaces: OrderId | None = None
    replaced_by: OrderId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionReport:
    """One fact about one order, whatever door it came through.

    `last_qty` and `last_px` belong to this execution alone; `cum_qty` is the broker's running total after
    it. `transact_time` is the broker's, never ours. `order` is the broker's copy of the order when the
    source carries one; an activity does not, and then `order_id` is the only key.
    """

    kind: ReportKind
    source: ReportSource
    event: str
    order_id: OrderId | None
    client_order_id: ClientOrderId | None
    transact_time: datetime | None
    exec_id: ExecId | None = None
    ref_exec_id: ExecId | None = None
    """The execution a bust or a correction names (FIX 19)."""
    last_qty: Decimal | None = None
    last_px: Decimal | None = None
    cum_qty: Decimal | None = None
    position_qty: Decimal | None = None
    symbol: Symbol | None = None
    side: Side | None = None
    reason: str | None = None
    event_id: str | None = None
    order: BrokerOrder | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerPosition:
    """`qty` is signed: negative is short. `avg_entry_px` is the broker's own figure."""

    symbol: Symbol
    qty: Decimal
    avg_entry_px: Decimal
    current_px: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountActivity:
    """What happened to the account without a trade: a split, a dividend, a fee, a transfer.

    `at` is when the account's books changed, in UTC; `day` the broker's own date. `qty` is signed shares,
    `net_amount` signed money in the account's currency. `group_id` holds together what is one occasion.
    """

    activity_id: str
    kind: str
    sub_kind: str | None
    at: datetime
    day: date | None
    symbol: Symbol | None
    qty: Decimal | None
    price: Decimal | None
    per_share: Decimal | None
    net_amount: Decimal | None
    status: str | None
    group_id: str | None
    description: str | None


def status_report(held: BrokerOrder, source: ReportSource) -> ExecutionReport:
    """The broker's copy of an order as a report. It adds no quantity; it can reveal a missing one."""
    return ExecutionReport(
        kind=ReportKind.STATUS,
        source=source,
        event=held.broker_status,
        order_id=held.order_id,
        client_order_id=held.client_order_id,
        transact_time=held.updated_at,
        cum_qty=held.filled_qty,
        symbol=held.symbol,
        side=held.side,
        order=held,
    )
