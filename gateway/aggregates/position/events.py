"""What can happen to one symbol's position. `qty` is signed in a holding, positive in a trade."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from gateway.aggregates.cost_basis import Book
from gateway.aggregates.vocabulary import ClientOrderId, ExecId, OrderId, Side, StrategyId


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionReserved:
    """Room for `qty` shares that may still execute."""

    client_order_id: ClientOrderId
    side: Side
    qty: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionReleased:
    """`qty` leaves of this order can no longer execute."""

    client_order_id: ClientOrderId
    side: Side
    qty: Decimal
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionFilled:
    """An execution moved the position. Realized amounts are stored and read back, never recomputed.

    `taken` shares came out of the order's reservation. `account` and `strategy` are the two books after it.
    """

    client_order_id: ClientOrderId
    exec_id: ExecId
    strategy_id: StrategyId
    side: Side
    qty: Decimal
    px: Decimal
    transact_time: datetime
    provisional: bool
    taken: Decimal
    account_realized: Decimal
    strategy_realized: Decimal
    account: Book
    strategy: Book


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyDifference:
    """How a restatement changes one UTC date's realized P&L of one strategy; account and strategy books."""

    date: date
    strategy_id: StrategyId
    account_realized: Decimal
    strategy_realized: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionRestated:
    """New realized amounts of a later execution, because an earlier one was undone or changed."""

    exec_id: ExecId
    client_order_id: ClientOrderId
    account_realized: Decimal
    strategy_realized: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Restatement:
    """The symbol refolded: account book before and after, strategy books after, differences by day."""

    before: Book
    after: Book
    strategies: tuple[tuple[StrategyId, Book], ...]
    daily: tuple[DailyDifference, ...]
    executions: tuple[ExecutionRestated, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionBusted:
    """An execution was undone. `reserved` shares went back into the order's reservation."""

    client_order_id: ClientOrderId
    exec_id: ExecId
    side: Side
    reserved: Decimal
    restatement: Restatement


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionCorrected:
    """An execution now counts as `qty` at `px`. `reserved` is the signed change of the reservation."""

    client_order_id: ClientOrderId
    exec_id: ExecId
    side: Side
    qty: Decimal
    px: Decimal
    reserved: Decimal
    restatement: Restatement


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionAdjusted:
    """An operator's delta of quantity and cost, with a reason; realized zero, booked under `external`."""

    qty: Decimal
    cost: Decimal
    reason: str
    account: Book
    strategy: Book


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionSplit:
    """`new` shares for every `old` that were held at the instant `at`; cost stays. The account got `added`.

    Without an instant it splits what had been booked by then.
    """

    activity_id: str
    at: datetime | None
    old: Decimal
    new: Decimal
    added: Decimal
    account: Book
    strategies: tuple[tuple[StrategyId, Book], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionQuarantined:
    """`strategy_id` None quarantines the symbol for everybody."""

    strategy_id: StrategyId | None
    reason: str
    at: datetime
    kind: str
    order_id: OrderId | None = None
    break_id: str | None = None
    orphan_notional: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineLifted:
    """An operator lets trading in the symbol go on."""

    strategy_id: StrategyId | None
    reason: str
    at: datetime
    forced: bool = False


PositionEvent = (
    PositionReserved
    | PositionReleased
    | PositionFilled
    | PositionBusted
    | PositionCorrected
    | PositionAdjusted
    | PositionSplit
    | PositionQuarantined
    | QuarantineLifted
)
