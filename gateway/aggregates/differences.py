"""Where the ledger and the broker do not agree, in words both sides can be held to."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from gateway.aggregates.exact import canonical, minus
from gateway.aggregates.vocabulary import ClientOrderId, OrderId, Symbol

POSITION_QTY: Final = "position_qty"
ORDER_STATUS: Final = "order_status"
ORDER_MISSING: Final = "order_missing"
FILL_GAP: Final = "fill_gap"
ORPHAN: Final = "orphan"
ACTIVITY_UNMATCHED: Final = "activity_unmatched"
BREAK_KINDS: Final = (
    POSITION_QTY,
    ORDER_STATUS,
    ORDER_MISSING,
    FILL_GAP,
    ORPHAN,
    ACTIVITY_UNMATCHED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing, and the value each side states for it; holdings are signed shares."""

    kind: str
    ledger_value: str
    broker_value: str
    symbol: Symbol | None = None
    client_order_id: ClientOrderId | None = None
    order_id: OrderId | None = None

    @property
    def subject(self) -> str:
        """What the two do not agree about, whatever they say of it."""
        return f"{self.kind}:{self.client_order_id or self.order_id or self.symbol}"

    @property
    def gap(self) -> str:
        """How far apart they are: trading moves both figures of a holding, and leaves this as it is."""
        if self.kind == POSITION_QTY:
            return canonical(minus(Decimal(self.broker_value), Decimal(self.ledger_value)))
        return f"{self.ledger_value} / {self.broker_value}"
