"""The words every room shares, named as FIX names them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final, NewType

ClientOrderId = NewType("ClientOrderId", str)
OrderId = NewType("OrderId", str)
"""The broker's id of an order (FIX 37)."""
ExecId = NewType("ExecId", str)
StrategyId = NewType("StrategyId", str)
Symbol = NewType("Symbol", str)

ZERO: Final = Decimal(0)
EXTERNAL: Final = StrategyId("external")
"""The strategy that owns what nobody here ordered: orphans and adjustments."""


class ActorKind(StrEnum):
    USER = "user"
    SERVICE = "service"
    SYSTEM = "system"
    BROKER = "broker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who did it. Authenticated people and services, the house itself, or the broker."""

    sub: str
    kind: ActorKind
    on_behalf_of: str | None = None
    auth_method: str | None = None
    address: str | None = None


SYSTEM: Final = Actor(sub="gateway", kind=ActorKind.SYSTEM)
BROKER: Final = Actor(sub="broker", kind=ActorKind.BROKER)


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> Side:
        return Side.SELL if self is Side.BUY else Side.BUY


class OrdType(StrEnum):
    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TRAILING_STOP = "trailing_stop"
    OTHER = "other"
    """A type only the broker knows; such an order can be observed, never submitted."""


class TimeInForce(StrEnum):
    DAY = "day"
    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
    OPG = "opg"
    CLS = "cls"
    OTHER = "other"


class OrdStatus(StrEnum):
    """What the desk shows for an order. Ranks and meanings: docs/glossary.md."""

    PENDING_NEW = "pending_new"
    SUBMITTED = "submitted"
    SUBMITTED_UNCONFIRMED = "submitted_unconfirmed"
    NEW = "new"
    ACCEPTED = "accepted"
    PARTIALLY_FILLED = "partially_filled"
    PENDING_CANCEL = "pending_cancel"
    PENDING_REPLACE = "pending_replace"
    STOPPED = "stopped"
    SUSPENDED = "suspended"
    CALCULATED = "calculated"
    DONE_FOR_DAY = "done_for_day"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    REPLACED = "replaced"
    FAILED = "failed"
    NOT_ACCEPTED = "not_accepted"
    BLOCKED_KILL_SWITCH = "blocked_kill_switch"
    BLOCKED_CIRCUIT_BREAKER = "blocked_circuit_breaker"
    DRY_RUN = "dry_run"
    FILLED = "filled"

    @property
    def rank(self) -> int:
        return _RANK[self]

    @property
    def is_terminal(self) -> bool:
        return self.rank >= 4

    @property
    def is_closed_unsent(self) -> bool:
        """Ended without ever having been at the broker; such an order may be tried again."""
        return self in CLOSED_UNSENT

    @property
    def is_broker_terminal(self) -> bool:
        return self in BROKER_TERMINAL


CLOSED_UNSENT: Final = frozenset(
    {
        OrdStatus.FAILED,
        OrdStatus.NOT_ACCEPTED,
        OrdStatus.BLOCKED_KILL_SWITCH,
        OrdStatus.BLOCKED_CIRCUIT_BREAKER,
    }
)
BROKER_TERMINAL: Final = frozenset(
    {OrdStatus.CANCELED, OrdStatus.EXPIRED, OrdStatus.REJECTED, OrdStatus.REPLACED, OrdStatus.FILLED}
)
_RANK: Final = {
    status: rank
    for rank, statuses in {
        1: [OrdStatus.PENDING_NEW],
        2: [OrdStatus.SUBMITTED, OrdStatus.SUBMITTED_UNCONFIRMED, OrdStatus.NEW, OrdStatus.ACCEPTED],
        3: [
            OrdStatus.PARTIALLY_FILLED,
            OrdStatus.PENDING_CANCEL,
            OrdStatus.PENDING_REPLACE,
            OrdStatus.STOPPED,
            OrdStatus.SUSPENDED,
            OrdStatus.CALCULATED,
            OrdStatus.DONE_FOR_DAY,
        ],
        4: [
            OrdStatus.CANCELED,
            OrdStatus.EXPIRED,
            OrdStatus.REJECTED,
            OrdStatus.REPLACED,
            OrdStatus.DRY_RUN,
            *CLOSED_UNSENT,
        ],
        5: [OrdStatus.FILLED],
    }.items()
    for status in statuses
}


class ReportSource(StrEnum):
    """Where a broker fact came from. The order is the tie-break: earlier wins."""

    MANUAL = "manual"
    RECONCILIATION = "reconciliation"
    ACTIVITY = "activity"
    LOOKUP = "lookup"
    REPLY = "reply"
    STREAM = "stream"
    WEBHOOK = "webhook"

    @property
    def priority(self) -> int:
        """1 beats 2 beats 3; only ever the last tie-break."""
        return {ReportSource.MANUAL: 1, ReportSource.STREAM: 3, ReportSource.WEBHOOK: 3}.get(self, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What was asked for. `qty` is in shares; prices are in the account's currency."""

    symbol: Symbol
    side: Side
    qty: Decimal
    ord_type: OrdType
    time_in_force: TimeInForce
    strategy_id: StrategyId
    limit_px: Decimal | None = None
    stop_px: Decimal | None = None

    def differences(self, other: Ticket) -> tuple[str, ...]:
        """Names of the fields in which two tickets are not the same order."""
        return tuple(
            name
            for name in (
                "symbol",
                "side",
                "qty",
                "ord_type",
                "limit_px",
                "stop_px",
                "time_in_force",
                "strategy_id",
            )
            if getattr(self, name) != getattr(other, name)
        )


def order_stream(client_order_id: str) -> str:
    return f"order-{client_order_id}"


def position_stream(symbol: str) -> str:
    return f"position-{symbol}"


def activity_stream(activity_id: str) -> str:
    return f"activity-{activity_id}"


def plan_stream(parent_order_id: str) -> str:
    return f"slice-plan-{parent_order_id}"
