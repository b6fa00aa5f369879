"""What an operator asks for by hand, and what is answered: the words the manual controls share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from gateway.aggregates.client_order_id import manual_id
from gateway.aggregates.order.state import Order
from gateway.aggregates.vocabulary import Actor, ClientOrderId, OrdStatus, StrategyId, Symbol, Ticket
from gateway.telemetry import GateLog


class ManualAction(StrEnum):
    """The word that enters the id of an operator's order."""

    CLOSE = "close_position"
    ADJUST = "adjust_position"
    FLATTEN = "flatten_all"
    TRADE = "manual_trade"
    CANCEL = "cancel_all"

    @property
    def strategy_id(self) -> StrategyId:
        """Owns the action's orders where no single strategy holds the symbol."""
        return StrategyId(f"manual_controls_{'trade' if self is ManualAction.TRADE else self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualRequest:
    """Who wants it, since when (UTC) and why. `scope` is what the caller may act on, None for everything."""

    action: ManualAction
    by: Actor
    at: datetime
    reason: str
    correlation_id: str
    log: GateLog
    scope: frozenset[StrategyId] | None = None
    given: ClientOrderId | None = None
    """The id the caller chose; None leaves it to the recipe."""

    def order_id(self, ticket: Ticket) -> ClientOrderId:
        """The same for every repetition of the request, whichever minute it arrives in."""
        return self.given or manual_id(self.action, ticket, self.by.sub, self.at)

    def made(self, order: Order) -> bool:
        """Whether this very request led to the order, when it arrived before."""
        return order.client_order_id == self.order_id(order.ticket)

    def covers(self, strategy_id: StrategyId) -> bool:
        return self.scope is None or strategy_id in self.scope

    def apart(self) -> ManualRequest:
        """The same request with a gate log of its own, for one of several orders it leads to."""
        return replace(self, log=GateLog(list(self.log.entries)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """What a desk-wide action covers: everything, one symbol, or one strategy's part."""

    symbol: Symbol | None = None
    strategy_id: StrategyId | None = None

    def has(self, symbol: Symbol, strategy_id: StrategyId) -> bool:
        return self.symbol in (None, symbol) and self.strategy_id in (None, strategy_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualOutcome:
    """The order a close or an adjust led to, or found; None when there was nothing to do.

    `held` is the signed holding the decision was made on. `answer` is that of a submission.
    """

    symbol: Symbol
    held: Decimal
    order: Order | None
    position: int
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Canceled:
    """An order that was asked to end, or a slice that never becomes one.

    `code` says why the broker has not taken the request yet.
    """

    client_order_id: ClientOrderId
    strategy_id: StrategyId
    status: OrdStatus
    position: int
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flattened:
    """What became of one symbol; `code` says why it is not being closed."""

    symbol: Symbol
    outcome: ManualOutcome | None
    canceled: tuple[Canceled, ...] = ()
    code: str | None = None
