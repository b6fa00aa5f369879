"""Brackets, one-cancels-other and one-triggers-other: what the fate of one order means for the others."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from gateway.paper.facts import AnyFact, Executed, Moved, Restated
from gateway.paper.kernel import Kernel
from gateway.paper.orders import Order, Side
from gateway.paper.ticket import Ticket

GIVEN_UP = frozenset({"canceled", "expired", "rejected"})


def legs_of(ticket: Ticket) -> list[Ticket]:
    """The exits that come with an order: the profit to take, then the loss to stop."""
    legs: list[Ticket] = []
    if ticket.take_profit is not None:
        legs.append(_leg(ticket, "limit", limit_price=ticket.take_profit))
    if (stop := ticket.stop_loss) is not None:
        kind = "stop" if stop.limit_price is None else "stop_limit"
        legs.append(_leg(ticket, kind, limit_price=stop.limit_price, stop_price=stop.stop_price))
    return legs


def _leg(
    ticket: Ticket, kind: str, *, limit_price: Decimal | None, stop_price: Decimal | None = None
) -> Ticket:
    """A one-cancels-other order is itself an exit, so that its leg stands on its side."""
    opposite: Side = "sell" if ticket.side == "buy" else "buy"
    side = ticket.side if ticket.order_class == "oco" else opposite
    return Ticket(
        symbol=ticket.symbol,
        side=side,
        type=kind,
        time_in_force=ticket.time_in_force,
        qty=ticket.qty,
        limit_price=limit_price,
        stop_price=stop_price,
        position_intent=f"{side}_to_close",
        order_class=ticket.order_class,
    )


class Families:
    """`release` sends an order to the venue that has been held."""

    def __init__(self, kernel: Kernel, release: Callable[[str], None]) -> None:
        self._kernel, self._world, self._release = kernel, kernel.world, release

    def heed(self, fact: AnyFact) -> None:
        match fact:
            case Executed():
                self._traded(self._world.orders[fact.order_id])
            case Moved() if fact.status in GIVEN_UP:
                self._given_up(self._world.orders[fact.order_id])

    def _given_up(self, order: Order) -> None:
        """Nothing follows when a replacement fails that never took the place of the old order."""
        if order.replaces is None or self._world.orders[order.replaces].status == "replaced":
            self._cancel_exits(order)

    def _traded(self, order: Order) -> None:
        if order.is_exit and order.status == "filled":
            self._cancel_exits(order)
        elif order.is_exit:
            self._shrink_exits(order)
        elif order.status == "filled":
            for leg in self._exits_besides(order):
                self._release(leg.id)

    def _exits_besides(self, order: Order) -> list[Order]:
        members = self._world.group(order)
        return [member for member in members if member.is_exit and member.is_live and member.id != order.id]

    def _cancel_exits(self, order: Order) -> None:
        for exit_order in self._exits_besides(order):
            self._kernel.end(exit_order.id, "canceled")

    def _shrink_exits(self, order: Order) -> None:
        """Together the exits never close more than was opened."""
        for exit_order in self._exits_besides(order):
            qty = exit_order.filled_qty + order.leaves
            now = self._kernel.clock.now()
            fact = Restated(at=now, order_id=exit_order.id, qty=qty, reason="SIBLING_TRADED")
            self._kernel.record(fact)
