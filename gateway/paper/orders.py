"""One order: its terms, its state, and how Alpaca writes it down."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from typing import Final, Literal

import msgspec

from gateway.paper.assets import asset_id
from gateway.paper.notation import plain, plain_or_none, stamp, stamp_or_none

Side = Literal["buy", "sell"]
OrderClass = Literal["", "bracket", "oco", "oto"]
ZERO: Final = Decimal(0)
TERMINAL: Final = frozenset({"filled", "canceled", "expired", "rejected", "replaced"})

# The time stamp that goes with a status.
STAMPED: Final = {
    "filled": "filled_at",
    "canceled": "canceled_at",
    "expired": "expired_at",
    "rejected": "failed_at",
    "replaced": "replaced_at",
}


class Order(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Terms never change after acceptance, except by a restatement of the broker."""

    id: str
    account: str
    client_order_id: str
    symbol: str
    side: Side
    type: str
    time_in_force: str
    qty: Decimal
    """Of an order for a sum of money: what it has bought, and what the rest would buy at the latest price."""
    notional: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    hwm: Decimal | None = None
    """The best price since a trailing stop was activated: the highest for a sell, the lowest for a buy."""
    order_class: OrderClass = ""
    group: str | None = None
    """The first parent of the orders that belong together."""
    is_leg: bool = False
    extended_hours: bool = False
    position_intent: str
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    rank: int
    """Time priority: the smaller is the older."""

    status: str = "pending_new"
    status_before: str = "new"
    """What a refused cancel or replace falls back to."""
    elected: bool = False
    """A stop that the market has reached."""
    protection: Decimal | None = None
    """The worst price a market order or an elected stop may reach."""
    filled_qty: Decimal = ZERO
    filled_value: Decimal = ZERO
    filled_at: datetime | None = None
    canceled_at: datetime | None = None
    expired_at: datetime | None = None
    failed_at: datetime | None = None
    replaced_at: datetime | None = None
    replaces: str | None = None
    replaced_by: str | None = None

    @property
    def is_live(self) -> bool:
        return self.status not in TERMINAL

    @property
    def leaves(self) -> Decimal:
        return max(self.qty - self.filled_qty, ZERO) if self.is_live else ZERO

    def leaves_at(self, price: Decimal) -> Decimal:
        """Shares it would still take at that price."""
        if self.notional is None or not self.is_live:
            return self.leaves
        return shares_for(self.notional - self.filled_value, price)

    @property
    def sign(self) -> int:
        return 1 if self.side == "buy" else -1

    @property
    def is_opening(self) -> bool:
        return self.position_intent.endswith("_open")

    @property
    def is_stop(self) -> bool:
        return self.type in {"stop", "stop_limit", "trailing_stop"}

    @property
    def is_auction(self) -> bool:
        return self.time_in_force in {"opg", "cls"}

    @property
    def is_exit(self) -> bool:
        """Whether it is one of the orders of a group that close what the group has opened."""
        return self.is_leg or self.order_class == "oco"

    @property
    def working_limit(self) -> Decimal | None:
        """The price it may trade at in the book now; None takes any price."""
        return self.limit_price if self.limit_price is not None else self.protection

    @property
    def is_working(self) -> bool:
        """Whether it takes part in matching."""
        routed = self.status in {"new", "partially_filled", "pending_cancel", "pending_replace"}
        return routed and not self.is_auction and (self.elected or not self.is_stop)

    @property
    def filled_avg_price(self) -> Decimal | None:
        if not self.filled_qty:
            return None
        return (self.filled_value / self.filled_qty).quantize(Decimal("1e-8"))


def shares_for(money: Decimal, price: Decimal) -> Decimal:
    """What a sum buys, to a billionth of a share."""
    return max((money / price).quantize(Decimal("1e-9"), ROUND_DOWN), ZERO)


def stop_behind(
    side: Side, best: Decimal, trail_price: Decimal | None, trail_percent: Decimal | None
) -> Decimal:
    """Where a trailing stop stands when the best price was `best`: a buy above it, a sell below it."""
    distance = trail_price or best * (trail_percent or ZERO) / 100
    step = Decimal("0.01") if best >= 1 else Decimal("0.0001")
    stop_price = best + distance if side == "buy" else best - distance
    return max(stop_price.quantize(step, ROUND_HALF_EVEN), step)


def order_json(order: Order, legs: Sequence[Order] = ()) -> dict[str, object]:
    """All keys of Alpaca's order object, always."""
    return {
        "id": order.id,
        "client_order_id": order.client_order_id,
        "created_at": stamp(order.created_at),
        "updated_at": stamp(order.updated_at),
        "submitted_at": stamp(order.created_at),
        "filled_at": stamp_or_none(order.filled_at),
        "expired_at": stamp_or_none(order.expired_at),
        "expires_at": stamp(order.expires_at),
        "canceled_at": stamp_or_none(order.canceled_at),
        "failed_at": stamp_or_none(order.failed_at),
        "replaced_at": stamp_or_none(order.replaced_at),
        "replaced_by": order.replaced_by,
        "replaces": order.replaces,
        "asset_id": asset_id(order.symbol),
        "symbol": order.symbol,
        "asset_class": "us_equity",
        "notional": plain_or_none(order.notional),
        "qty": plain(order.qty) if order.notional is None else None,
        "filled_qty": plain(order.filled_qty),
        "filled_avg_price": plain_or_none(order.filled_avg_price),
        "order_class": order.order_class,
        "order_type": order.type,
        "type": order.type,
        "side": order.side,
        "time_in_force": order.time_in_force,
        "limit_price": plain_or_none(order.limit_price),
        "stop_price": plain_or_none(order.stop_price),
        "status": order.status,
        "extended_hours": order.extended_hours,
        "legs": [order_json(leg) for leg in legs] or None,
        "trail_percent": plain_or_none(order.trail_percent),
        "trail_price": plain_or_none(order.trail_price),
        "hwm": plain_or_none(order.hwm),
        "position_intent": order.position_intent,
        "ratio_qty": None,
        "subtag": None,
        "source": None,
    }
