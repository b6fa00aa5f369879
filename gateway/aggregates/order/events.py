"""What can happen to an order. Past tense, immutable, readable for ever."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from gateway.aggregates.reports import BrokerOrder
from gateway.aggregates.vocabulary import (
    ClientOrderId,
    ExecId,
    OrderId,
    OrdStatus,
    ReportSource,
    Side,
    StrategyId,
    Symbol,
    Ticket,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GateVerdict:
    """One step of the walk that let an order through: `pass` or `skip`, with a word why."""

    gate: str
    verdict: str
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """One execution. `last_qty` > 0 in shares; `transact_time` is the broker's, in UTC.

    `provisional` marks an execution inferred from a running total, to be replaced by the real one.
    """

    exec_id: ExecId
    last_qty: Decimal
    last_px: Decimal
    transact_time: datetime
    cum_qty: Decimal | None = None
    provisional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSubmitted:
    """The intent. Durable before the broker sees a byte."""

    client_order_id: ClientOrderId
    ticket: Ticket
    at: datetime
    gates: tuple[GateVerdict, ...] = ()
    reason: str | None = None
    """Why, for a manual order."""
    parent_order_id: ClientOrderId | None = None
    slice_num: int | None = None
    total_slices: int | None = None
    scheduled_time: datetime | None = None
    """When the slice was due, in UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPlanned:
    """The parent of slices. It is never sent; its slices are, each as an order of its own."""

    client_order_id: ClientOrderId
    ticket: Ticket
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanClosed:
    """Every slice of the parent is over. `reason` counts how, when they did not end alike."""

    status: OrdStatus
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderResubmitted:
    """A new attempt of an order that closed without having been at the broker."""

    attempt: int
    at: datetime
    gates: tuple[GateVerdict, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAccepted:
    """The broker has it. `adopted` when a look-up found it rather than the reply to our POST."""

    order_id: OrderId
    broker_status: str
    status: OrdStatus | None
    transact_time: datetime | None
    source: ReportSource
    adopted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRejected:
    """The broker refused, at once or after accepting. `code` and `reason` are its words."""

    code: str | None
    reason: str
    transact_time: datetime | None
    source: ReportSource
    related_order_id: OrderId | None = None
    """The order at the broker that stands in its way, where it names one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderNotSent:
    """Proved: no byte of this attempt reached the broker. `code` is the refusal's code."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderOutcomeUnknown:
    """The broker may or may not have it. The room stays reserved until that is proved."""

    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderNotAccepted:
    """Proved absent at the broker. `evidence` says how."""

    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderBlocked:
    """The last look refused after the intent was durable; the broker was not called."""

    status: OrdStatus
    """`blocked_kill_switch` or `blocked_circuit_breaker`."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDryRun:
    """Recorded and checked; never sent, by configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFilled:
    """One execution, booked once. The same append books it to the position."""

    symbol: Symbol
    side: Side
    strategy_id: StrategyId
    trade: Trade
    source: ReportSource


@dataclass(frozen=True, slots=True, kw_only=True)
class FillSuperseded:
    """A real execution takes the place of `qty` shares of the provisional execution `exec_id`."""

    exec_id: ExecId
    by_exec_id: ExecId
    qty: Decimal
    rest_px: Decimal | None = None
    """What the shares left must have cost for the order's average to stay the broker's; None: as before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FillBusted:
    """The broker undid the execution `ref_exec_id`. `parked` while we do not know that execution yet."""

    exec_id: ExecId | None
    ref_exec_id: ExecId
    transact_time: datetime | None
    source: ReportSource
    parked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FillCorrected:
    """The broker restated the execution `ref_exec_id`; later links of a chain name the first or the last."""

    exec_id: ExecId | None
    ref_exec_id: ExecId
    last_qty: Decimal
    last_px: Decimal
    transact_time: datetime | None
    source: ReportSource
    parked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequested:
    """We want it to end. Only the broker's word makes it so."""

    at: datetime
    reason: str | None = None
    by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelStuck:
    """The broker has not confirmed a cancel pending `since`. Somebody must look; no timer ends the order."""

    since: datetime
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRejected:
    """The broker keeps the order working; it is as it was before the request."""

    reason: str
    transact_time: datetime | None
    source: ReportSource


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCanceled:
    """The broker's word that the rest will not execute."""

    transact_time: datetime | None
    source: ReportSource
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderExpired:
    """Its time in force ran out at the broker."""

    transact_time: datetime | None
    source: ReportSource


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReplaced:
    """The broker works another order in its place; executions still book to the order they name."""

    replaced_by: OrderId | None
    transact_time: datetime | None
    source: ReportSource


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReported:
    """A word of the broker that does not end the order: an open status, `filled`, or one outside our table.

    `filled` here is only a word; quantities come from executions.
    """

    broker_status: str
    status: OrdStatus | None
    transact_time: datetime | None
    source: ReportSource
    order_id: OrderId | None = None
    reason: str | None = None
    differences: tuple[str, ...] = ()
    """Fields in which the broker's copy is not the order we sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictReported:
    """A report that contradicts what is booked. The first booking stands until the broker corrects it."""

    reason: str
    exec_id: ExecId | None = None
    source: ReportSource
    alias_of: ExecId | None = None
    """The booked execution that `exec_id` is another name of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderOrphaned:
    """An order at the broker that nobody here sent. Its executions are booked under `external`."""

    client_order_id: ClientOrderId
    ticket: Ticket
    order: BrokerOrder | None
    estimated_notional: Decimal
    source: ReportSource
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAdopted:
    """From now on the orphan's executions belong to `strategy_id`."""

    strategy_id: StrategyId
    reason: str
    at: datetime | None = None
    by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderIgnored:
    """An orphan that nobody owns; its executions are still booked under `external`."""

    reason: str
    at: datetime | None = None
    by: str | None = None


OrderEvent = (
    OrderSubmitted
    | OrderPlanned
    | PlanClosed
    | OrderResubmitted
    | OrderAccepted
    | OrderRejected
    | OrderNotSent
    | OrderOutcomeUnknown
    | OrderNotAccepted
    | OrderBlocked
    | OrderDryRun
    | OrderFilled
    | FillSuperseded
    | FillBusted
    | FillCorrected
    | CancelRequested
    | CancelStuck
    | CancelRejected
    | OrderCanceled
    | OrderExpired
    | OrderReplaced
    | StatusReported
    | ConflictReported
    | OrderOrphaned
    | OrderAdopted
    | OrderIgnored
)
