"""One order as a broker has it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from gateway.adapters.alpaca_reports import STATUSES
from gateway.aggregates.reports import BrokerOrder
from gateway.aggregates.vocabulary import ClientOrderId, OrderId, OrdType, Side, Symbol, TimeInForce

START: Final = datetime(2026, 11, 17, 15, 0, tzinfo=UTC)
ENDED: Final = ("canceled", "expired", "rejected", "replaced")
Terms = tuple[Decimal, Decimal]
"""Size and price."""


@dataclass(slots=True, kw_only=True)
class Held:
    """One order as the broker has it, and what its copies were after each step."""

    order_id: OrderId
    client_order_id: ClientOrderId
    symbol: Symbol
    side: Side
    qty: Decimal
    limit_px: Decimal
    tif: TimeInForce
    status: str = "new"
    before_pending: str = "new"
    replaces: OrderId | None = None
    replaced_by: OrderId | None = None
    updated_at: datetime = START
    trades: dict[str, Terms] = field(default_factory=dict)
    roots: dict[str, str] = field(default_factory=dict)
    """Which execution a correction is about."""
    copies: dict[int, BrokerOrder] = field(default_factory=dict)

    @property
    def filled(self) -> Decimal:
        return sum((qty for qty, _ in self.trades.values()), Decimal(0))

    @property
    def avg_px(self) -> Decimal | None:
        value = sum((qty * px for qty, px in self.trades.values()), Decimal(0))
        return round(value / self.filled, 6) if self.filled else None

    def book(self, verb: str, name: str, of: str | None, terms: Terms) -> None:
        root = self.roots.get(of or name, of or name)
        self.roots[name] = root
        self.trades.pop("reply", None)
        if verb == "bust":
            self.trades.pop(root, None)
        elif of is None or root in self.trades:
            self.trades[root] = terms

    def moved(self, status: str) -> None:
        if status.startswith("pending_"):
            self.before_pending = self.status
        self.status = status

    def traded(self) -> None:
        """What an execution makes of the status: an end and a pending request outlive it."""
        if self.filled >= self.qty and self.status not in ENDED:
            self.status = "filled"
        elif self.status.startswith("pending_"):
            self.before_pending = "partially_filled"
        elif self.status not in (*ENDED, "filled"):
            self.status = "partially_filled"

    def copy(self) -> BrokerOrder:
        return BrokerOrder(
            order_id=self.order_id,
            client_order_id=self.client_order_id,
            symbol=self.symbol,
            side=self.side,
            ord_type=OrdType.LIMIT,
            time_in_force=self.tif,
            broker_status=self.status,
            status=STATUSES.get(self.status),
            qty=self.qty,
            filled_qty=self.filled,
            filled_avg_px=self.avg_px,
            limit_px=self.limit_px,
            updated_at=self.updated_at,
            replaces=self.replaces,
            replaced_by=self.replaced_by,
        )
