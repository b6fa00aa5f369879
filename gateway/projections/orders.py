"""Every order as it stands: the aggregate itself, with what people ask for in columns beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, cast

import msgspec

from gateway.aggregates.order.events import OrderEvent
from gateway.aggregates.order.state import Order, evolve
from gateway.aggregates.vocabulary import OrdStatus, OrdType, Side, TimeInForce
from gateway.ledger.envelope import Recorded
from gateway.projections.projection import Key, Projection
from gateway.projections.tables import ORDERS as TABLE

_encode: Final = msgspec.json.Encoder(order="deterministic").encode
_decode: Final = msgspec.json.Decoder(Order).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow:
    """An order folded by the aggregate's own `evolve`, so that this table has no second opinion.

    `updated_at` is when its last event was recorded, `position` where.
    """

    order: Order
    updated_at: datetime
    position: int

    @property
    def client_order_id(self) -> str:
        return self.order.client_order_id

    @property
    def strategy_id(self) -> str:
        return self.order.strategy_id

    @property
    def symbol(self) -> str:
        return self.order.ticket.symbol

    @property
    def side(self) -> Side:
        return self.order.ticket.side

    @property
    def qty(self) -> Decimal:
        return self.order.ticket.qty

    @property
    def ord_type(self) -> OrdType:
        return self.order.ticket.ord_type

    @property
    def limit_px(self) -> Decimal | None:
        return self.order.ticket.limit_px

    @property
    def stop_px(self) -> Decimal | None:
        return self.order.ticket.stop_px

    @property
    def time_in_force(self) -> TimeInForce:
        return self.order.ticket.time_in_force

    @property
    def status(self) -> OrdStatus:
        return self.order.status

    @property
    def order_id(self) -> str | None:
        return self.order.order_id

    @property
    def broker_status(self) -> str | None:
        return self.order.broker_status

    @property
    def error_message(self) -> str | None:
        return self.order.error_message

    @property
    def attempt(self) -> int:
        return self.order.attempt

    @property
    def created_at(self) -> datetime:
        return self.order.created_at

    @property
    def submitted_at(self) -> datetime | None:
        return self.order.submitted_at

    @property
    def cancel_requested_at(self) -> datetime | None:
        return self.order.cancel_requested_at

    @property
    def filled_at(self) -> datetime | None:
        return self.order.filled_at

    @property
    def cum_qty(self) -> Decimal:
        return self.order.cum_qty

    @property
    def avg_px(self) -> Decimal | None:
        return self.order.avg_px

    @property
    def leaves_qty(self) -> Decimal:
        return self.order.leaves_qty

    @property
    def is_live(self) -> bool:
        return self.order.is_live

    @property
    def parent_order_id(self) -> str | None:
        return self.order.parent_order_id

    @property
    def slice_num(self) -> int | None:
        return self.order.slice_num

    @property
    def flags(self) -> tuple[str, ...]:
        return tuple(sorted(self.order.flags))

    @property
    def state(self) -> bytes:
        """The aggregate, from which the next event goes on."""
        return _encode(self.order)


def keys(recorded: Recorded) -> Iterable[Key]:
    """Refused orders are named `order.refused`, but stand on the audit stream: they never became orders."""
    if not recorded.stream.startswith("order-"):
        return ()
    return ((recorded.stream.removeprefix("order-"),),)


def fold(row: OrderRow | None, key: Key, recorded: Recorded) -> OrderRow:
    order = evolve(row.order if row else None, cast(OrderEvent, recorded.event))
    return OrderRow(order=order, updated_at=recorded.recorded_at, position=recorded.position)


def load(columns: Mapping[str, Any]) -> OrderRow:
    """Raises msgspec.ValidationError for a state of another shape."""
    return OrderRow(
        order=_decode(columns["state"]), updated_at=columns["updated_at"], position=columns["position"]
    )


ORDERS: Final[Projection[OrderRow]] = Projection(
    name="orders",
    version=2,
    listens=("order.",),
    table=TABLE,
    keys=keys,
    fold=fold,
    load=load,
)
