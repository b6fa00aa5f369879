"""What the ledger and the broker do not agree on: orphans and breaks."""

from __future__ import annotations

from typing import Literal

from gateway.api.json_types import DecimalText, LongReason, Quantity, StrategyIn, Timestamp
from gateway.api.schemas.common import LONGEST_STORED_REASON, RequestBody, ResponseBody

OrphanStatus = Literal["untracked", "adopted", "ignored", "cancel_requested", "closed"]
BreakKind = Literal[
    "position_qty", "order_status", "order_missing", "fill_gap", "orphan", "activity_unmatched"
]


class ReasonBody(RequestBody):
    reason: LongReason

    @property
    def stored_reason(self) -> str:
        return self.reason[:LONGEST_STORED_REASON]


class AdoptBody(ReasonBody):
    strategy_id: StrategyIn


class OrphanEntry(ResponseBody):
    broker_order_id: str
    client_order_id: str | None
    symbol: str
    strategy_id: str
    side: str
    qty: Quantity
    filled_qty: DecimalText
    estimated_notional: DecimalText
    broker_status: str | None
    status: OrphanStatus
    detected_at: Timestamp
    resolved_at: Timestamp | None
    resolved_by: str | None


class OrphanList(ResponseBody):
    orphans: list[OrphanEntry]
    total: int


class ResolveBreakBody(ReasonBody):
    action: Literal["accept_broker", "ignore"]


class BreakEntry(ResponseBody):
    break_id: str
    kind: BreakKind
    symbol: str | None
    client_order_id: str | None
    broker_order_id: str | None
    ledger_value: str
    broker_value: str
    first_seen: Timestamp
    last_seen: Timestamp
    age_seconds: float
    status: Literal["open", "resolved"]
    resolution: str | None
    resolved_by: str | None


class BreakList(ResponseBody):
    breaks: list[BreakEntry]
    total: int
