"""One order: its terms, its state, and how Alpaca writes it down."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

import msgspec

from gateway.paper.assets import asset_id
from gateway.paper.notation import plain, plain_or_none, stamp, stamp_or_none

Side = Literal["buy", "sell"]
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
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
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

    @property
    def sign(self) -> int:
        return 1 if self.side == "buy" else -1

    @property
    def is_opening(self) -> bool:
        return self.position_intent.endswith("_open")

    @property
    def is_stop(self) -> bool:
        return self.type in {"stop", "stop_limit"}

    @property
    def working_limit(self) -> Decimal | None:
        """The price it may trade at in the book now; None takes any price."""
        return self.limit_price if self.limit_price is not None else self.protection

    @property
    def is_working(self) -> bool:
        """Whether it takes part in matching."""
        routed = self.status in {"new", "partially_filled", "pending_cancel", "pending_replace"}
        return routed and (self.elected or not self.is_stop)

    @property
    def filled_avg_price(self) -> Decimal | None:
        if not self.filled_qty:
            return None
        return (self.filled_value / self.filled_qty).quantize(Decimal("1e-8"))


def order_json(order: Order) -> dict[str, object]:
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
        "notional": None,
        "qty": plain(order.qty),
        "filled_qty": plain(order.filled_qty),
        "filled_avg_price": plain_or_none(order.filled_avg_price),
        "order_class": "",
        "order_type": order.type,
        "type": order.type,
        "side": order.side,
        "time_in_force": order.time_in_force,
        "limit_price": plain_or_none(order.limit_price),
        "stop_price": plain_or_none(order.stop_price),
        "status": order.status,
        "extended_hours": order.extended_hours,
        "legs": None,
        "trail_percent": None,
        "trail_price": None,
        "hwm": None,
        "position_intent": order.position_intent,
        "ratio_qty": None,
        "subtag": None,
        "source": None,
    }
