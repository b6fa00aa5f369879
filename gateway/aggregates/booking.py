"""The position side of what happened to an order, so that both land in one append."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.aggregates import cost_basis
from gateway.aggregates.exact import minus
from gateway.aggregates.order.events import (
    FillBusted,
    FillCorrected,
    FillSuperseded,
    OrderEvent,
    OrderFilled,
    OrderResubmitted,
    OrderSubmitted,
)
from gateway.aggregates.order.fills import Execution
from gateway.aggregates.order.state import Order
from gateway.aggregates.order.state import evolve as evolve_order
from gateway.aggregates.position.events import (
    PositionBusted,
    PositionCorrected,
    PositionEvent,
    PositionFilled,
    PositionReleased,
    PositionReserved,
)
from gateway.aggregates.position.state import Position
from gateway.aggregates.position.state import evolve as evolve_position
from gateway.aggregates.restatement import restate
from gateway.aggregates.vocabulary import ZERO

Events = tuple[PositionEvent, ...]


def needs_history(events: Sequence[OrderEvent]) -> bool:
    """Whether booking these events folds the symbol anew, from the whole of its stream."""
    return any(
        isinstance(event, FillSuperseded)
        or (isinstance(event, FillBusted | FillCorrected) and not event.parked)
        for event in events
    )


def book(
    before: Order | None,
    events: Sequence[OrderEvent],
    position: Position | None,
    history: Sequence[PositionEvent] = (),
) -> Events:
    """What an order's events do to its symbol: executions booked, and its room equal to its leaves.

    `history` is the whole position stream when `needs_history`, else it may be empty. The room of a new
    attempt is not taken here but by `reserve`, which knows the limit; every other growth of the leaves is
    the broker's doing and is reserved whatever the limit.
    """
    order = before
    held = position or Position()
    booked: list[PositionEvent] = []
    for event in events:
        after = evolve_order(order, event)
        for moved in _moves(order, after, event, held, [*history, *booked]):
            booked.append(moved)
            held = evolve_position(held, moved)
        order = after
    if order is None:
        return ()
    intent = any(isinstance(event, OrderSubmitted | OrderResubmitted) for event in events)
    return (*booked, *_settled(order, held, intent=intent))


def _moves(
    before: Order | None,
    after: Order,
    event: OrderEvent,
    held: Position,
    history: Sequence[PositionEvent],
) -> Events:
    match event:
        case OrderFilled():
            return (_filled(after, event, held),)
        case FillSuperseded():
            return _restated(before, after, after.fills.executions[event.exec_id], held, history)
        case FillBusted() | FillCorrected() if not event.parked:
            execution = after.fills.root(event.ref_exec_id)
            return _restated(before, after, execution, held, history) if execution else ()
        case _:
            return ()


def _filled(order: Order, event: OrderFilled, held: Position) -> PositionFilled:
    trade = event.trade
    account, by_account = cost_basis.apply(held.account, event.side, trade.last_qty, trade.last_px)
    mine = held.book_of(event.strategy_id)
    strategy, by_strategy = cost_basis.apply(mine, event.side, trade.last_qty, trade.last_px)
    return PositionFilled(
        client_order_id=order.client_order_id,
        exec_id=trade.exec_id,
        strategy_id=event.strategy_id,
        side=event.side,
        qty=trade.last_qty,
        px=trade.last_px,
        transact_time=trade.transact_time,
        provisional=trade.provisional,
        taken=min(held.reserved_for(order.client_order_id), trade.last_qty),
        account_realized=by_account,
        strategy_realized=by_strategy,
        account=account,
        strategy=strategy,
    )


def _restated(
    before: Order | None,
    after: Order,
    now: Execution,
    held: Position,
    history: Sequence[PositionEvent],
) -> Events:
    """The symbol folded anew, unless the execution counts as it did."""
    was = before.fills.executions[now.exec_id] if before else now
    if (was.qty, was.px) == (now.qty, now.px):
        return ()
    restatement = restate(history, (after.client_order_id, now.exec_id), now.qty, now.px)
    reserved = minus(after.leaves_qty, held.reserved_for(after.client_order_id))
    if now.busted:
        return (
            PositionBusted(
                client_order_id=after.client_order_id,
                exec_id=now.exec_id,
                side=after.ticket.side,
                reserved=reserved,
                restatement=restatement,
            ),
        )
    return (
        PositionCorrected(
            client_order_id=after.client_order_id,
            exec_id=now.exec_id,
            side=after.ticket.side,
            qty=now.qty,
            px=now.px,
            reserved=reserved,
            restatement=restatement,
        ),
    )


def _settled(order: Order, held: Position, *, intent: bool) -> Events:
    """The reservation brought to the order's leaves."""
    excess = minus(held.reserved_for(order.client_order_id), order.leaves_qty)
    if excess > ZERO:
        return (
            PositionReleased(
                client_order_id=order.client_order_id,
                side=order.ticket.side,
                qty=excess,
                reason=order.status.value,
            ),
        )
    if excess < ZERO and not intent:
        return (
            PositionReserved(
                client_order_id=order.client_order_id,
                side=order.ticket.side,
                qty=excess.copy_negate(),
            ),
        )
    return ()
