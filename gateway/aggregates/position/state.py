"""One symbol, account-wide: what is held, what is reserved, and who may not trade it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final, assert_never

from gateway.aggregates import cost_basis
from gateway.aggregates.copying import changed
from gateway.aggregates.cost_basis import FLAT, Book
from gateway.aggregates.exact import canonical, minus, plus, total
from gateway.aggregates.position.events import (
    PositionAdjusted,
    PositionBusted,
    PositionCorrected,
    PositionEvent,
    PositionFilled,
    PositionQuarantined,
    PositionReleased,
    PositionReserved,
    PositionSplit,
    QuarantineLifted,
    Restatement,
)
from gateway.aggregates.refusals import PositionLimitExceeded, QuarantineNotActive
from gateway.aggregates.vocabulary import (
    EXTERNAL,
    ZERO,
    ClientOrderId,
    OrderId,
    Side,
    StrategyId,
    Symbol,
)

Events = tuple[PositionEvent, ...]

EVERYBODY: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """Why nobody, or one strategy, may take new risk in the symbol. `since` is UTC."""

    strategy_id: StrategyId | None
    reason: str
    kind: str
    since: datetime
    order_id: OrderId | None = None
    break_id: str | None = None
    orphan_notional: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The account's book and one book per strategy; `reserved` has the leaves of each live order."""

    account: Book = FLAT
    strategies: Mapping[StrategyId, Book] = field(default_factory=dict)
    reserved: Mapping[ClientOrderId, tuple[Side, Decimal]] = field(default_factory=dict)
    quarantines: Mapping[str, Quarantine] = field(default_factory=dict)
    """By strategy id, or `*` for everybody."""

    @property
    def qty(self) -> Decimal:
        return self.account.qty

    @property
    def reserved_buy(self) -> Decimal:
        return total(qty for side, qty in self.reserved.values() if side is Side.BUY)

    @property
    def reserved_sell(self) -> Decimal:
        return total(qty for side, qty in self.reserved.values() if side is Side.SELL)

    def reserved_for(self, client_order_id: ClientOrderId) -> Decimal:
        return self.reserved.get(client_order_id, (Side.BUY, ZERO))[1]

    def book_of(self, strategy_id: StrategyId) -> Book:
        return self.strategies.get(strategy_id, FLAT)

    def quarantine_for(self, strategy_id: StrategyId) -> Quarantine | None:
        """What keeps a strategy out of the symbol, if anything does."""
        return self.quarantines.get(EVERYBODY) or self.quarantines.get(strategy_id)


def reserve(
    position: Position | None,
    *,
    symbol: Symbol,
    client_order_id: ClientOrderId,
    side: Side,
    qty: Decimal,
    limit: Decimal,
) -> Events:
    """Take room for a new order, worst case on its own side; () when the order has its room already.

    Raises PositionLimitExceeded. A resting order on the other side never makes room, and a reducing
    order passes although the position is beyond the limit.
    """
    held = position or Position()
    if client_order_id in held.reserved:
        return ()
    would_be = exposure(held, side, qty)
    if would_be > limit:
        raise PositionLimitExceeded(
            f"Position limit exceeded: {canonical(would_be)} > {canonical(limit)}",
            symbol=symbol,
            max_position_size=int(limit),
            would_be=would_be,
        )
    return (PositionReserved(client_order_id=client_order_id, side=side, qty=qty),)


def quarantine(
    position: Position | None,
    *,
    symbol: Symbol,
    strategy_id: StrategyId | None,
    reason: str,
    kind: str,
    at: datetime,
    order_id: OrderId | None = None,
    break_id: str | None = None,
    orphan_notional: Decimal | None = None,
) -> Events:
    """Keep a strategy, or everybody (None), out of the symbol; once for each cause."""
    known = position.quarantines.get(strategy_id or EVERYBODY) if position else None
    if known and (known.kind, known.order_id, known.break_id) == (kind, order_id, break_id):
        return ()
    return (
        PositionQuarantined(
            strategy_id=strategy_id,
            reason=reason,
            at=at,
            kind=kind,
            order_id=order_id,
            break_id=break_id,
            orphan_notional=orphan_notional,
        ),
    )


def lift_quarantine(
    position: Position | None,
    strategy_id: StrategyId | str | None,
    *,
    reason: str,
    at: datetime,
    forced: bool = False,
) -> Events:
    """Let trading go on; `*` and None both name everybody. Raises QuarantineNotActive."""
    name = strategy_id or EVERYBODY
    if position is None or name not in position.quarantines:
        raise QuarantineNotActive(f"nothing is quarantined for {name}", strategy_id=name)
    lifted = None if name == EVERYBODY else StrategyId(name)
    return (QuarantineLifted(strategy_id=lifted, reason=reason, at=at, forced=forced),)


def adjust(position: Position | None, *, qty: Decimal, cost: Decimal, reason: str) -> Events:
    """A delta of signed shares and of signed cost, booked under `external`; realizes nothing."""
    held = position or Position()
    if not (qty or cost):
        return ()
    return (
        PositionAdjusted(
            qty=qty,
            cost=cost,
            reason=reason,
            account=cost_basis.adjust(held.account, qty, cost),
            strategy=cost_basis.adjust(held.book_of(EXTERNAL), qty, cost),
        ),
    )


def accept_broker(position: Position | None, *, qty: Decimal, avg_px: Decimal, reason: str) -> Events:
    """The broker's holding becomes ours: what it has more at its average price, what it has less at ours."""
    held = position or Position()
    change = minus(qty, held.qty)
    side = Side.BUY if change > 0 else Side.SELL
    after, _ = cost_basis.apply(held.account, side, change.copy_abs(), avg_px)
    cost = minus(cost_basis.signed_cost(after), cost_basis.signed_cost(held.account))
    return adjust(held, qty=change, cost=cost, reason=reason)


def exposure(position: Position, side: Side, qty: Decimal) -> Decimal:
    """The worst case on one side if `qty` more rests there: positive is towards that side's limit."""
    if side is Side.BUY:
        return plus(plus(position.qty, position.reserved_buy), qty)
    return minus(plus(position.reserved_sell, qty), position.qty)


def evolve(position: Position | None, event: PositionEvent) -> Position:
    """Apply one recorded event. Total; an empty stream is a flat position."""
    now = position or Position()
    match event:
        case PositionReserved():
            return _reserve(now, event.client_order_id, event.side, event.qty)
        case PositionReleased():
            return _reserve(now, event.client_order_id, event.side, event.qty.copy_negate())
        case PositionFilled():
            held = changed(
                now,
                account=event.account,
                strategies={**now.strategies, event.strategy_id: event.strategy},
            )
            return _reserve(held, event.client_order_id, event.side, event.taken.copy_negate())
        case PositionBusted() | PositionCorrected():
            restated = _restate(now, event.restatement)
            return _reserve(restated, event.client_order_id, event.side, event.reserved)
        case PositionAdjusted():
            strategies = {**now.strategies, EXTERNAL: event.strategy}
            return changed(now, account=event.account, strategies=strategies)
        case PositionSplit():
            return changed(now, account=event.account, strategies=dict(event.strategies))
        case PositionQuarantined():
            return changed(now, quarantines=_quarantined(now.quarantines, event))
        case QuarantineLifted():
            lifted = event.strategy_id or EVERYBODY
            left = {name: q for name, q in now.quarantines.items() if name != lifted}
            return changed(now, quarantines=left)
        case _:
            assert_never(event)


def _reserve(position: Position, client_order_id: ClientOrderId, side: Side, change: Decimal) -> Position:
    if not change:
        return position
    reserved = dict(position.reserved)
    qty = plus(position.reserved_for(client_order_id), change)
    if qty > 0:
        reserved[client_order_id] = (side, qty)
    else:
        reserved.pop(client_order_id, None)
    return changed(position, reserved=reserved)


def _restate(position: Position, restatement: Restatement) -> Position:
    strategies = {**position.strategies, **dict(restatement.strategies)}
    return changed(position, account=restatement.after, strategies=strategies)


def _quarantined(kept: Mapping[str, Quarantine], event: PositionQuarantined) -> Mapping[str, Quarantine]:
    """The newest cause is shown, the time is that of the first."""
    name = event.strategy_id or EVERYBODY
    quarantine = Quarantine(
        strategy_id=event.strategy_id,
        reason=event.reason,
        kind=event.kind,
        since=kept[name].since if name in kept else event.at,
        order_id=event.order_id,
        break_id=event.break_id,
        orphan_notional=event.orphan_notional,
    )
    return {**kept, name: quarantine}
