"""What a ledger holds of a story, in the words of its file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Final, TypeVar

from gateway.aggregates.cost_basis import signed_cost
from gateway.aggregates.exact import canonical
from gateway.aggregates.order.events import FillBusted, FillCorrected
from gateway.aggregates.order.state import Order
from gateway.aggregates.position.events import (
    PositionBusted,
    PositionCorrected,
    PositionEvent,
    PositionFilled,
    PositionReleased,
)
from gateway.aggregates.position.state import Position, evolve
from gateway.aggregates.vocabulary import ClientOrderId, StrategyId, Symbol, order_stream, position_stream
from gateway.commands.safety_view import RECON_GATE
from gateway.ledger.ledger import Ledger

K = TypeVar("K")


@dataclass(slots=True, kw_only=True)
class Books:
    """`names` are the orders of the story by the client order ids they have here."""

    ledger: Ledger
    symbol: Symbol
    first_day: date
    names: dict[str, ClientOrderId] = field(default_factory=dict)
    executions: dict[str, str] = field(default_factory=dict)
    """The story's names of executions, by their ids here."""

    async def order(self, name: str) -> Order | None:
        order, _ = await self.ledger.load(order_stream(self.names[name]))
        return order

    async def position(self) -> Position:
        position, _ = await self.ledger.load(position_stream(self.symbol))
        return position or Position()

    async def shows(self) -> dict[str, str]:
        """Every order with its status and (cum/leaves), and the symbol's three numbers."""
        orders = {name: await self.order(name) for name in self.names}
        position = await self.position()
        return {name: _shown(order) for name, order in orders.items() if order is not None} | {
            "reserved": canonical(position.reserved_buy + position.reserved_sell),
            "position": canonical(position.qty),
            "realized": canonical(position.account.realized),
        }

    async def money(self) -> Decimal:
        """What the trades brought: realized and not, whatever the order of booking."""
        account = (await self.position()).account
        return account.realized - signed_cost(account)

    async def written(self) -> list[Any]:
        """The events of the story's orders and of its symbol, in their order."""
        streams = [position_stream(self.symbol), *map(order_stream, self.names.values())]
        found = [event for s in streams for event in await self.ledger.log.read(0, 10_000, stream=s)]
        return sorted(found, key=lambda recorded: recorded.position)

    async def orders(self) -> dict[str, Order]:
        found = {name: await self.order(name) for name in self.names}
        return {name: order for name, order in found.items() if order is not None}

    async def flags(self) -> dict[str, list[str]]:
        return {name: sorted(order.flags) for name, order in (await self.orders()).items() if order.flags}

    async def average(self) -> dict[str, str]:
        orders = (await self.orders()).items()
        return {name: canonical(order.avg_px) for name, order in orders if order.avg_px is not None}

    async def replaced_by(self) -> dict[str, str]:
        orders = await self.orders()
        by_id = {order.order_id: name for name, order in orders.items()}
        return {n: by_id[o.replaced_by] for n, o in orders.items() if o.replaced_by in by_id}

    async def broker_status(self) -> dict[str, str | None]:
        return {name: order.broker_status for name, order in (await self.orders()).items()}

    async def quarantined(self) -> bool:
        return bool((await self.position()).quarantines)

    async def breaks(self) -> list[str]:
        gate, _ = await self.ledger.load(RECON_GATE)
        return sorted(entry.kind for entry in gate.open_breaks if entry.symbol == self.symbol)

    async def books(self) -> dict[str, str]:
        strategies = (await self.position()).strategies
        return {str(name): canonical(book.qty) for name, book in strategies.items() if book.qty}

    async def cost(self) -> str:
        return canonical((await self.position()).account.cost)

    async def recorded(self) -> Counter[str]:
        """How many events of each name."""
        return Counter(recorded.name for recorded in await self.written())

    async def released(self) -> list[str]:
        events = [recorded.event for recorded in await self.written()]
        return [canonical(event.qty) for event in events if isinstance(event, PositionReleased)]

    async def reasons(self) -> list[str]:
        """The broker's words beside its reports about the orders."""
        about = [each.event for each in await self.written() if each.stream.startswith("order-")]
        reasons = [getattr(event, "reason", None) for event in about]
        return [reason for reason in reasons if reason]

    async def chain(self) -> list[str]:
        """Which execution each correction and each bust names."""
        events = [recorded.event for recorded in await self.written()]
        in_force = [e for e in events if isinstance(e, FillBusted | FillCorrected) and not e.parked]
        return [self.executions[event.ref_exec_id] for event in in_force]

    async def lowest(self) -> str:
        """The least that was ever held."""
        held = [Decimal(0)]
        position: Position | None = None
        for recorded in await self.written():
            if isinstance(recorded.event, PositionEvent):
                position = evolve(position, recorded.event)
                held.append(position.qty)
        return canonical(min(held))

    async def daily(self) -> dict[int, str]:
        """Realized P&L by the day of the execution, all later words about it included."""
        moved = [each for recorded in await self.written() for each in _realized(recorded.event)]
        days = {(day - self.first_day).days + 1: amount for day, amount in _sums(moved).items()}
        return {number: canonical(amount) for number, amount in days.items() if amount}

    async def strategy_daily(self) -> dict[str, str]:
        """Realized P&L by strategy, all later words about its executions included."""
        moved = [each for recorded in await self.written() for each in _by_strategy(recorded.event)]
        return {str(name): canonical(amount) for name, amount in _sums(moved).items() if amount}

    async def realized_at(self, ledger_position: int) -> str:
        """What had been realized as of a place in the ledger."""
        position = Position()
        for recorded in await self.written():
            if isinstance(recorded.event, PositionEvent) and recorded.position <= ledger_position:
                position = evolve(position, recorded.event)
        return canonical(position.account.realized)


ENDS: Final = {
    "average": Books.average,
    "books": Books.books,
    "breaks": Books.breaks,
    "broker_status": Books.broker_status,
    "chain": Books.chain,
    "cost": Books.cost,
    "daily": Books.daily,
    "flags": Books.flags,
    "lowest": Books.lowest,
    "quarantined": Books.quarantined,
    "reasons": Books.reasons,
    "recorded": Books.recorded,
    "released": Books.released,
    "replaced_by": Books.replaced_by,
    "strategy_daily": Books.strategy_daily,
}
"""What a story may ask of the books besides the numbers every step shows."""


def _shown(order: Order) -> str:
    return f"{order.status} ({canonical(order.cum_qty)}/{canonical(order.leaves_qty)})"


def _by_strategy(event: Any) -> list[tuple[StrategyId, Decimal]]:
    if isinstance(event, PositionFilled):
        return [(event.strategy_id, event.strategy_realized)]
    if isinstance(event, PositionBusted | PositionCorrected):
        return [(entry.strategy_id, entry.strategy_realized) for entry in event.restatement.daily]
    return []


def _realized(event: Any) -> list[tuple[date, Decimal]]:
    if isinstance(event, PositionFilled):
        return [(event.transact_time.date(), event.account_realized)]
    if isinstance(event, PositionBusted | PositionCorrected):
        return [(entry.date, entry.account_realized) for entry in event.restatement.daily]
    return []


def _sums(moved: Iterable[tuple[K, Decimal]]) -> dict[K, Decimal]:
    sums: dict[K, Decimal] = {}
    for key, amount in moved:
        sums[key] = sums.get(key, Decimal(0)) + amount
    return sums
