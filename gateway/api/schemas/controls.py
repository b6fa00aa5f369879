"""Kill switch, circuit breaker, quarantine and size limits."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from gateway.aggregates.vocabulary import StrategyId, Symbol
from gateway.api.json_types import (
    AS_INTEGER,
    MOST_SHARES,
    Amount,
    DecimalText,
    Flag,
    Fraction,
    LongReason,
    Name,
    ShortText,
    SymbolIn,
    Text,
    Timestamp,
    is_strategy_id,
    symbol_from_text,
)
from gateway.api.schemas.common import RequestBody, ResponseBody
from gateway.api.schemas.manual import CancelResult, FlattenResult
from gateway.commands.by_hand import Extent

Mirror = Literal["in_sync", "pending", "unreachable"]
ScopeKind = Literal["global", "strategy", "symbol"]
Details = dict[str, Any]


def scope_text(kind: ScopeKind, target: str | None) -> str:
    """`global`, `strategy:{id}` or `symbol:{SYMBOL}`. Raises ValueError."""
    if kind == "global":
        if target is not None:
            raise ValueError("a global switch has no target")
        return kind
    if not target:
        raise ValueError(f"a {kind} switch needs a target")
    if kind == "symbol":
        return f"symbol:{symbol_from_text(target)}"
    if not is_strategy_id(target):
        raise ValueError("target is not a strategy id")
    return f"strategy:{target}"


class SwitchScope(RequestBody):
    scope: ScopeKind = "global"
    target: str | None = None

    @model_validator(mode="after")
    def _target_fits_the_scope(self) -> SwitchScope:
        scope_text(self.scope, self.target)
        return self

    @property
    def text(self) -> str:
        return scope_text(self.scope, self.target)


class EngageBody(SwitchScope):
    reason: ShortText
    operator: Name
    details: Details | None = None
    cancel_open_orders: Flag = False
    flatten: Flag = False
    id_token: str | None = Field(None, max_length=8192, description="Required when `flatten` is set.")

    @property
    def extent(self) -> Extent:
        """What the flags cover: exactly the scope."""
        kind, _, target = self.text.partition(":")
        return Extent(
            symbol=Symbol(target) if kind == "symbol" else None,
            strategy_id=StrategyId(target) if kind == "strategy" else None,
        )


class DisengageBody(SwitchScope):
    operator: Name
    notes: Annotated[Text, Field(max_length=512)] | None = None


class KillSwitchStatus(ResponseBody):
    state: Literal["ACTIVE", "ENGAGED"]
    scope: ScopeKind
    target: str | None
    engaged_at: Timestamp | None
    engaged_by: str | None
    engagement_reason: str | None
    on_behalf_of: str | None
    disengaged_at: Timestamp | None
    disengaged_by: str | None
    engagement_count_today: int
    ledger_position: int
    mirror: Mirror
    engagement_details: Details | None
    disengagement_notes: str | None
    cancel_results: list[CancelResult] | None
    flatten_results: list[FlattenResult] | None
    scopes: list[str] | None = Field(description="Other scopes engaged now; on the status answer.")


class TripBody(RequestBody):
    reason: ShortText
    details: Details | None = None


class ResetBody(RequestBody):
    reason: ShortText


class CircuitBreakerStatus(ResponseBody):
    state: Literal["OPEN", "TRIPPED", "QUIET_PERIOD"]
    enabled: bool
    tripped_at: Timestamp | None
    trip_reason: str | None
    trip_details: Details | None
    reset_at: Timestamp | None
    reset_by: str | None
    quiet_period_ends_at: Timestamp | None
    trip_count_today: int
    ledger_position: int
    mirror: Mirror


class ReleaseBody(RequestBody):
    reason: LongReason
    force: Flag = False


class QuarantineCause(ResponseBody):
    kind: str
    broker_order_id: str | None
    break_id: str | None


class QuarantineEntry(ResponseBody):
    symbol: str
    strategy_id: str = Field(description="`*` stands for every strategy.")
    reason: str
    since: Timestamp
    cause: QuarantineCause
    orphan_notional: DecimalText | None
    released_at: Timestamp | None
    released_by: str | None


class QuarantineList(ResponseBody):
    quarantined: list[QuarantineEntry]
    total: int


class ThresholdsIn(RequestBody):
    """None, and in defaults an absent field too, switches a check off."""

    max_notional: Amount | None = None
    max_qty: Annotated[int, Field(gt=0, le=MOST_SHARES), AS_INTEGER] | None = None
    max_adv_pct: Fraction | None = None

    @property
    def given(self) -> dict[str, Decimal | None]:
        """The fields that are present, explicit nulls included."""
        values = {name: getattr(self, name) for name in self.model_fields_set}
        return {name: None if value is None else Decimal(value) for name, value in values.items()}


class ThresholdsBody(RequestBody):
    default_thresholds: ThresholdsIn | None = None
    symbol_overrides: dict[SymbolIn, ThresholdsIn | None] = Field({}, max_length=1000)

    @model_validator(mode="after")
    def _says_something(self) -> ThresholdsBody:
        if self.default_thresholds is None and not self.symbol_overrides:
            raise ValueError("default_thresholds or symbol_overrides is needed")
        return self


class FatFingerThresholds(ResponseBody):
    """None switches a check off."""

    max_notional: DecimalText | None
    max_qty: int | None
    max_adv_pct: DecimalText | None


class FatFingerThresholdsResponse(ResponseBody):
    default_thresholds: FatFingerThresholds
    symbol_overrides: dict[str, FatFingerThresholds]
    updated_at: Timestamp
    updated_by: str | None
