"""What the rooms need from outside, in our words. The composition root hangs the adapters in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from gateway.aggregates.reports import AccountActivity, BrokerOrder, BrokerPosition, ExecutionReport
from gateway.aggregates.vocabulary import ClientOrderId, OrderId, Side, StrategyId, Symbol, Ticket


class Clock(Protocol):
    def now(self) -> datetime:
        """The present instant, time-zone aware, in UTC."""

    def monotonic(self) -> float:
        """Seconds on a clock that never steps; for waiting, never for facts."""


# --- the broker -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Accepted:
    order: BrokerOrder


@dataclass(frozen=True, slots=True)
class Rejected:
    """The broker's verdict on this order, verbatim; `related_order_id` stands in its way."""

    code: str | None
    message: str
    related_order_id: OrderId | None = None


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The broker already holds an order under this client order id; look it up, never send again."""


@dataclass(frozen=True, slots=True)
class RateLimited:
    retry_after: int


@dataclass(frozen=True, slots=True)
class NotSent:
    """Proved: no byte of this request reached the broker's order entry."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """No proof either way. Never treated as a failure."""

    reason: str


SubmitOutcome = Accepted | Rejected | Duplicate | RateLimited | NotSent | Unknown


@dataclass(frozen=True, slots=True)
class CancelTaken:
    """The broker took the request; the order is canceled only on its later word."""


@dataclass(frozen=True, slots=True)
class CancelRefused:
    """Not cancelable, or not there: the order must be read again."""

    message: str


@dataclass(frozen=True, slots=True)
class CancelUnknown:
    reason: str


CancelOutcome = CancelTaken | CancelRefused | CancelUnknown


@dataclass(frozen=True, slots=True)
class Found:
    order: BrokerOrder


@dataclass(frozen=True, slots=True)
class Absent:
    """A well-formed "not found". Evidence, not yet proof."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """No answer that could be read. Never "absent", never "flat", never "none"."""

    reason: str


Lookup = Found | Absent | Unreadable


class BrokerUnreadable(Exception):
    """A list or figure could not be read to its end. It says nothing about what is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAccount:
    account_number: str
    status: str
    equity: Decimal
    cash: Decimal
    buying_power: Decimal
    blocked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerClock:
    timestamp: datetime
    is_open: bool
    next_open: datetime
    next_close: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FillPage:
    """Fills oldest first. `complete` is False when a page limit cut the reading off."""

    reports: tuple[ExecutionReport, ...]
    last_activity_id: str | None
    last_time: datetime | None
    complete: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """A message of the broker's stream as it came, and when it came, in UTC."""

    raw: bytes
    received_at: datetime


class Broker(Protocol):
    """Every call has a deadline. No call repeats a POST."""

    async def submit(self, client_order_id: ClientOrderId, ticket: Ticket) -> SubmitOutcome: ...
    async def cancel(self, order_id: OrderId) -> CancelOutcome: ...
    async def order_by_client_id(self, client_order_id: ClientOrderId) -> Lookup: ...
    async def order_by_id(self, order_id: OrderId) -> Lookup: ...

    async def open_orders(self) -> tuple[BrokerOrder, ...]:
        """Every open order, all pages. Raises BrokerUnreadable."""

    async def orders_since(self, after: datetime) -> tuple[BrokerOrder, ...]:
        """Every order submitted after an instant, whatever its status, all pages. Raises BrokerUnreadable."""

    async def fills(
        self,
        *,
        after: datetime | None,
        order_id: OrderId | None = None,
        beyond: str | None = None,
        page_size: int = 100,
        max_pages: int | None = None,
    ) -> FillPage:
        """FILL activities, oldest first; `beyond` names the last one of a reading that was cut off.

        Raises BrokerUnreadable.
        """

    async def activities(self, *, after: datetime) -> tuple[AccountActivity, ...]:
        """What happened to the account without a trade, all pages. Raises BrokerUnreadable."""

    async def positions(self) -> tuple[BrokerPosition, ...]:
        """Raises BrokerUnreadable."""

    async def position(self, symbol: Symbol) -> Decimal:
        """Signed shares held now; zero when the broker says there is no position. Raises BrokerUnreadable."""

    async def account(self) -> BrokerAccount:
        """Raises BrokerUnreadable."""

    async def clock(self) -> BrokerClock:
        """Raises BrokerUnreadable."""

    def close(self) -> None:
        """Let go of threads and connections."""


# --- market data ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """`mid` in the account's currency, `at` in UTC. One-sided and crossed quotes are no quotes."""

    mid: Decimal
    at: datetime


class MarketData(Protocol):
    async def quote(self, symbol: Symbol) -> Quote | None:
        """The newest usable quote, or None. Never a guess, never an exception."""

    async def adv(self, symbol: Symbol) -> Decimal | None:
        """Mean daily volume of the last 20 complete days in shares, or None when unknown."""


# --- the Redis mirror -------------------------------------------------------------------------------


class MirrorUnavailable(Exception):
    """Redis cannot be read, or what it holds is missing, unreadable or too old."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MirroredSwitch:
    """One kill-switch scope: `global`, `strategy:{id}` or `symbol:{SYMBOL}`; `version` of its stream."""

    scope: str
    engaged: bool
    version: int
    by: str | None = None
    at: datetime | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MirroredBreaker:
    tripped: bool
    version: int
    reason: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MirroredQuarantine:
    strategy_id: StrategyId | None
    symbol: Symbol
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MirroredRoom:
    """A symbol's holding and its live orders' leaves, as the ledger has them at `version` of its stream."""

    symbol: Symbol
    qty: Decimal
    version: int
    leaves: Mapping[ClientOrderId, tuple[Side, Decimal]] = field(default_factory=dict)
    recorded: frozenset[ClientOrderId] = frozenset()
    """Orders the ledger is known to have recorded by then; without leaves, their tokens are done with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyState:
    """The whole safety state at one ledger position; what the mirror is built from."""

    position: int
    switches: Sequence[MirroredSwitch] = ()
    breaker: MirroredBreaker = MirroredBreaker(tripped=False, version=0)
    quarantines: Sequence[MirroredQuarantine] = ()
    rooms: Sequence[MirroredRoom] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorReading:
    """What one round trip to Redis says about one strategy and one symbol."""

    switches: Mapping[str, MirroredSwitch]
    """The scopes asked for that were ever touched; an untouched scope is absent."""
    breaker: MirroredBreaker
    quarantine: MirroredQuarantine | None
    room_known: bool
    """Whether the symbol's room (holding and leaves) is in the mirror."""


class SafetyMirror(Protocol):
    """The fast, disposable copy of the safety state. Every method may raise MirrorUnavailable."""

    async def read(self, *, strategy_id: StrategyId, symbol: Symbol) -> MirrorReading:
        """Raises MirrorUnavailable when Redis is away, the mirror was never built, or a value is garbage."""

    async def rebuild(self, state: SafetyState) -> None:
        """Write everything anew, in one script; older state never overwrites newer."""

    async def publish_switch(self, switch: MirroredSwitch) -> None: ...
    async def publish_breaker(self, breaker: MirroredBreaker) -> None: ...
    async def publish_quarantine(
        self, quarantine: MirroredQuarantine, *, active: bool, position: int
    ) -> None: ...
    async def publish_room(self, room: MirroredRoom) -> None:
        """Set holding and leaves of one symbol as of `room.version`; tokens still in flight are kept."""

    async def symbols(self) -> frozenset[Symbol]:
        """Every symbol whose room the mirror shows."""

    async def ready(self) -> bool:
        """Whether a full build is present. Raises MirrorUnavailable when Redis is away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """`granted` with room taken (or found) under the order's token; else what the exposure would be."""

    granted: bool
    fresh: bool
    """False when the token was there already and nothing was taken."""
    would_be: Decimal


class Reservations(Protocol):
    """Fast atomic room per symbol; idempotent by client order id. Raises MirrorUnavailable."""

    async def reserve(
        self, client_order_id: ClientOrderId, *, symbol: Symbol, side: Side, qty: Decimal, limit: Decimal
    ) -> Reservation: ...

    async def give_back(self, client_order_id: ClientOrderId, symbol: Symbol) -> None:
        """Drop a token this request took and the ledger never recorded."""

    async def difference(self, rooms: Sequence[MirroredRoom], *, older_than_seconds: float) -> Decimal:
        """Shares by which the room differs from these; changes nothing."""

    async def drift(self, rooms: Sequence[MirroredRoom], *, older_than_seconds: float) -> Decimal:
        """Shares by which the mirror differs from the ledger, corrected on the way; healthy is zero."""


# --- short-lived counters ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RateRule:
    """`limit` per principal in `window` seconds, `burst` in any one second, `overall` for everybody."""

    limit: int
    window: int
    burst: int | None = None
    overall: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RateVerdict:
    """`reason` is per_user_, burst_ or global_limit_exceeded; None when allowed."""

    allowed: bool
    remaining: int
    reason: str | None = None
    retry_after: int = 0


class RateLimits(Protocol):
    async def check(self, action: str, principal: str, rule: RateRule) -> RateVerdict:
        """Count one attempt. Never raises: without Redis the process counts from its own memory."""

    async def give_back(self, action: str, principal: str) -> None:
        """Uncount the principal's last attempt. Never raises."""


class Nonces(Protocol):
    async def claim(self, service: str, nonce: str, ttl_seconds: int) -> bool:
        """Whether this nonce is used for the first time. Raises MirrorUnavailable."""
