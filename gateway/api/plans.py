"""Parents and slices as order details: what the slices' orders say, and the plan where there is no order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from gateway.aggregates.exact import minus, ratio, times, total
from gateway.aggregates.order.state import Order
from gateway.aggregates.refusals import OrderNotFound, ParentOrderNotFound
from gateway.aggregates.slice_plan.state import Slice, SlicePlan, roll_up
from gateway.aggregates.vocabulary import ZERO, Actor, ClientOrderId, OrdStatus, plan_stream
from gateway.api.deps import House
from gateway.api.roles import Principal
from gateway.api.schemas.orders import CancelOrderResponse, OrderDetail
from gateway.api.scope import require_order
from gateway.commands.cancel_slices import SlicesCanceled
from gateway.commands.slice_plans import unsent_slice
from gateway.projections.orders import OrderRow
from gateway.projections.queries.orders import get_order_as_of
from gateway.projections.queries.slices import plan_as_of, slices_of

PRICE_DIGITS = 6


async def require_parent(house: House, order_id: str, caller: Principal) -> Order:
    """Raises ParentOrderNotFound, whether the order is unknown or not the caller's."""
    try:
        return await require_order(house, order_id, caller)
    except OrderNotFound as error:
        raise ParentOrderNotFound("there is no such order in the caller's scope") from error


async def plan_of(house: House, order_id: str) -> SlicePlan | None:
    """Raises LedgerUnavailable."""
    plan: SlicePlan | None
    plan, _ = await house.ledger.load(plan_stream(order_id))
    return plan


async def slice_details(house: House, plan: SlicePlan) -> list[OrderDetail]:
    """Every slice; those released since the table was last written are waited for."""
    rows = await _rows(house, plan)
    if any(one.released_at is not None and one.slice_num not in rows for one in plan.slices):
        await house.projections.wait_for(house.ledger.desk.position, ("orders",), house.read_wait_seconds)
        rows = await _rows(house, plan)
    position = house.ledger.desk.position
    return [
        row_detail(rows[one.slice_num]) if one.slice_num in rows else _unsent(plan, one, position)
        for one in plan.slices
    ]


async def _rows(house: House, plan: SlicePlan) -> dict[int, OrderRow]:
    async with house.read.snapshot() as snapshot:
        return (await slices_of(snapshot, [plan.parent_order_id]))[plan.parent_order_id]


async def details(house: House, rows: Sequence[OrderRow]) -> list[OrderDetail]:
    """Orders as they are shown; a parent shows what its slices make of it."""
    parents = [row.client_order_id for row in rows if row.order.is_parent]
    if not parents:
        return [row_detail(row) for row in rows]
    async with house.read.snapshot() as snapshot:
        slices = await slices_of(snapshot, parents)
    plans = {parent: await plan_of(house, parent) for parent in parents}
    return [
        parent_detail(row, plan, slices[row.client_order_id])
        if (plan := plans.get(row.client_order_id)) is not None
        else row_detail(row)
        for row in rows
    ]


async def detail(house: House, row: OrderRow, upto: int | None = None) -> OrderDetail:
    """One order as it is shown now, or as it was known when the log ended at `upto`."""
    if upto is None or not row.order.is_parent:
        return (await details(house, [row]))[0]
    log = house.ledger.log
    plan = plan_as_of(await log.stream(plan_stream(row.client_order_id), upto=upto))
    known = {
        one.slice_num: await get_order_as_of(log, one.client_order_id, upto)
        for one in plan.slices
        if one.released_at is not None
    }
    return parent_detail(row, plan, {number: one for number, one in known.items() if one is not None})


def row_detail(row: OrderRow) -> OrderDetail:
    return OrderDetail.of(row.order, row.updated_at, row.position)


def parent_detail(row: OrderRow, plan: SlicePlan, slices: Mapping[int, OrderRow]) -> OrderDetail:
    """The parent's own row, with the sums of its slices."""
    orders = {number: one.order for number, one in slices.items()}
    rolled = roll_up(plan, orders)
    released = [one.released_at for one in plan.slices if one.released_at is not None]
    return row_detail(row).model_copy(
        update={
            "status": rolled.status,
            "error_message": rolled.summary if rolled.status is OrdStatus.FAILED else None,
            "updated_at": max((row.updated_at, *(one.updated_at for one in slices.values()))),
            "submitted_at": min(released, default=None),
            "cancel_requested_at": plan.canceled_at,
            "filled_at": _last_fill(orders) if rolled.status is OrdStatus.FILLED else None,
            "filled_qty": rolled.cum_qty,
            "filled_avg_price": _average(orders),
            "leaves_qty": ZERO
            if rolled.status.is_terminal
            else max(ZERO, minus(plan.ticket.qty, rolled.cum_qty)),
            "total_slices": len(plan.slices),
            "ledger_position": max((row.position, *(one.position for one in slices.values()))),
        }
    )


def unsent_detail(house: House, client_order_id: str, caller: Principal) -> OrderDetail | None:
    """A slice of an open plan that is no order, if that is what the id names and the caller may see it."""
    found = unsent_slice(house.ledger.desk, client_order_id)
    if found is None or not caller.sees(found[0].ticket.strategy_id):
        return None
    return _unsent(*found, house.ledger.desk.position)


async def cancel_planned(
    house: House, order_id: str, caller: Principal, *, by: Actor, correlation_id: str, reason: str | None
) -> CancelOrderResponse | None:
    """Cancel a parent, or a slice that waits, in its plan; None for an order, which the broker must end.

    Raises OrderNotFound.
    """
    try:
        order = await require_order(house, order_id, caller)
    except OrderNotFound:
        unsent = unsent_detail(house, order_id, caller)
        if unsent is None:
            raise
        return await _cancel_unsent(house, unsent, by=by, correlation_id=correlation_id, reason=reason)
    if not order.is_parent:
        return None
    slices = await house.cancel_slices(
        order.client_order_id, by=by, correlation_id=correlation_id, reason=reason
    )
    return _canceled_parent(order, slices)


async def _cancel_unsent(
    house: House, shown: OrderDetail, *, by: Actor, correlation_id: str, reason: str | None
) -> CancelOrderResponse | None:
    """Close one slice before its release; None when it has become an order meanwhile."""
    assert shown.parent_order_id is not None, "only slices are shown without an order"
    canceled = await house.cancel_slices(
        ClientOrderId(shown.parent_order_id),
        by=by,
        correlation_id=correlation_id,
        only=shown.slice_num,
        reason=reason,
    )
    if shown.status == OrdStatus.PENDING_NEW and not canceled.canceled:
        return None
    done = not canceled.canceled
    now = house.clock.now()
    return CancelOrderResponse(
        client_order_id=shown.client_order_id,
        order_id=shown.client_order_id,
        status=shown.status if done else OrdStatus.CANCELED,
        message="Order already in terminal state" if done else "Slice canceled before its release",
        cancel_requested_at=None if done else now,
        cancelled_at=None if done else now,
        broker_notified=False,
        ledger_position=canceled.position,
    )


def _canceled_parent(parent: Order, slices: SlicesCanceled) -> CancelOrderResponse:
    """Canceling a parent closes the slices that were not released; its live orders go on."""
    over = slices.status.is_terminal
    words = f"{slices.canceled} slices canceled before their release"
    return CancelOrderResponse(
        client_order_id=parent.client_order_id,
        order_id=parent.client_order_id,
        status=slices.status,
        message=words if slices.canceled or not over else "Order already in terminal state",
        cancel_requested_at=slices.canceled_at,
        cancelled_at=slices.canceled_at if slices.status is OrdStatus.CANCELED else None,
        broker_notified=False,
        ledger_position=slices.position,
    )


def _last_fill(orders: Mapping[int, Order]) -> object:
    return max((order.fills.last_time for order in orders.values() if order.fills.last_time), default=None)


def _average(orders: Mapping[int, Order]) -> Decimal | None:
    executions = [one for order in orders.values() for one in order.executions.values() if one.qty]
    qty = total(one.qty for one in executions)
    return ratio(total(times(one.qty, one.px) for one in executions), qty, PRICE_DIGITS) if qty else None


def _unsent(plan: SlicePlan, one: Slice, position: int) -> OrderDetail:
    """A slice that waits, or that ended without becoming an order."""
    ticket = plan.slice_ticket(one)
    planned = Order(
        client_order_id=one.client_order_id,
        ticket=ticket,
        strategy_id=ticket.strategy_id,
        created_at=plan.at,
        attempted_at=plan.at,
        phase=one.status or OrdStatus.PENDING_NEW,
        error_message=one.reason,
        parent_order_id=plan.parent_order_id,
        slice_num=one.slice_num,
        total_slices=len(plan.slices),
        scheduled_time=one.due,
        cancel_requested_at=plan.canceled_at if one.status is OrdStatus.CANCELED else None,
    )
    return OrderDetail.of(planned, one.closed_at or plan.at, position)
