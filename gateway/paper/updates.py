"""What the stream tells about a fact."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.paper.facts import AnyFact, Corrected, Executed, Moved, Restated, Undone
from gateway.paper.notation import plain, stamp
from gateway.paper.orders import Order, order_json
from gateway.paper.world import World

_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """One `trade_updates` message and what faults and logs match it by."""

    event: str
    order: Order
    message: dict[str, object]

    @property
    def about(self) -> dict[str, str]:
        return {"event": self.event, **about(self.order)}


def about(order: Order) -> dict[str, str]:
    return {
        "account": order.account,
        "symbol": order.symbol,
        "cid": order.client_order_id,
        "order_id": order.id,
    }


def ulid(moment: datetime, number: int) -> str:
    """Sorts by time, then by number."""
    value = (int(moment.timestamp() * 1000) << 80) | number
    return "".join(_CROCKFORD[(value >> shift) & 31] for shift in range(125, -1, -5))


def update_of(world: World, fact: AnyFact, now: datetime) -> Update | None:
    """The message about a fact that has just been applied; None when it concerns nobody."""
    told = _told(world, fact)
    if told is None:
        return None
    event, order, fields = told
    message = {
        "event": event,
        "event_id": ulid(now, world.facts),
        "at": stamp(now),
        "timestamp": stamp(fact.at),
        **fields,
        "order": order_json(order),
    }
    return Update(event=event, order=order, message=message)


def _told(world: World, fact: AnyFact) -> tuple[str, Order, dict[str, object]] | None:
    match fact:
        case Moved(quiet=False):
            fields = {"execution_id": fact.execution_id, "reason": fact.reason}
            present: dict[str, object] = {name: v for name, v in fields.items() if v is not None}
            return fact.event, world.orders[fact.order_id], present
        case Executed():
            return _traded(world, fact)
        case Undone() | Corrected():
            return _revised(world, fact)
        case Restated():
            return "restated", world.orders[fact.order_id], {"reason": fact.reason}
        case _:
            return None


def _traded(world: World, fact: Executed) -> tuple[str, Order, dict[str, object]]:
    order = world.orders[fact.order_id]
    event = "fill" if order.filled_qty >= order.qty else "partial_fill"
    fields: dict[str, object] = {
        "execution_id": fact.execution_id,
        "price": plain(fact.price),
        "qty": plain(fact.qty),
        "position_qty": _position_qty(world, order),
    }
    return event, order, fields


def _revised(world: World, fact: Undone | Corrected) -> tuple[str, Order, dict[str, object]]:
    old = world.executions[fact.previous]
    order = world.orders[old.order_id]
    if isinstance(fact, Corrected):
        event, price, qty = "trade_correct", fact.price, fact.qty
    else:
        event, price, qty = "trade_bust", old.price, -old.qty if fact.negative_qty else old.qty
    fields: dict[str, object] = {
        "execution_id": fact.execution_id,
        "previous_execution_id": fact.previous,
        "price": plain(price),
        "qty": plain(qty),
        "position_qty": _position_qty(world, order),
        "reason": event.upper(),
    }
    return event, order, fields


def _position_qty(world: World, order: Order) -> str:
    return plain(world.account(order.account).position(order.symbol).qty)
