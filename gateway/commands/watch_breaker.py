"""The desk trips its own breaker: on losses, on stale prices, on a broker that keeps failing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from gateway.aggregates.circuit_breaker import CircuitBreaker
from gateway.aggregates.exact import canonical, minus, ratio, times
from gateway.aggregates.recon_gate import ReconGate
from gateway.aggregates.vocabulary import SYSTEM, Symbol
from gateway.commands.controls import Controls
from gateway.commands.outcome import Settled
from gateway.commands.safety_view import CIRCUIT_BREAKER, POSITION, RECON_GATE, symbol_of
from gateway.ledger.ledger import Ledger
from gateway.ports import Broker, BrokerUnreadable, Clock, MarketData
from gateway.telemetry import log

_log = log("gateway.breaker")
_ORDER: Final = "order-"
_SHOWN_PLACES: Final = 6
_NOT_AT_THE_BROKER: Final = ("broker_unavailable", "broker_rate_limited")

Realized = Callable[[date, int | None], Awaitable[Decimal]]
"""What the account realized on a UTC date, by executions booked up to a ledger position (None for all)."""


class Trip(StrEnum):
    DAILY_LOSS_EXCEEDED = "DAILY_LOSS_EXCEEDED"
    MAX_DRAWDOWN = "MAX_DRAWDOWN"
    DATA_STALE = "DATA_STALE"
    BROKER_ERRORS = "BROKER_ERRORS"


@dataclass(frozen=True, slots=True, kw_only=True)
class TripRules:
    """Zero switches a trip off. `max_drawdown` is a fraction, `broker_errors` a count in a row."""

    daily_loss_limit: Decimal
    max_drawdown: Decimal
    stale_after: timedelta
    broker_errors: int


@dataclass(slots=True, kw_only=True)
class WatchBreaker:
    """Tripping a tripped breaker writes nothing, so every process may watch."""

    ledger: Ledger
    broker: Broker
    market_data: MarketData
    clock: Clock
    controls: Controls
    realized: Realized
    rules: TripRules
    _failed: int = 0
    """Submissions in a row that did not reach the broker, or of which nobody knows."""
    _settled: asyncio.Event = field(default_factory=asyncio.Event)
    _fresh_at: datetime | None = None
    """When a price was last known to be fresh, or first looked for."""

    async def check_results(self) -> None:
        """What was lost today, and since the peak."""
        await self._check_daily_loss()
        await self._check_drawdown()

    async def _check_daily_loss(self) -> None:
        limit, today = self.rules.daily_loss_limit, self.clock.now().date()
        if not limit or self._breaker.tripped:
            return
        realized = await self.realized(today, None)
        if realized > limit.copy_negate() or not await self._has_grown(today, realized):
            return
        await self._trip(
            Trip.DAILY_LOSS_EXCEEDED,
            {"date": today.isoformat(), "realized_pl": canonical(realized), "limit": canonical(limit)},
        )

    async def _has_grown(self, today: date, realized: Decimal) -> bool:
        """Whether the loss is more than an operator accepted today by a reset."""
        reset_at = self._breaker.reset_at
        if reset_at is None or reset_at.date() != today:
            return True
        return realized < await self.realized(today, await self.ledger.log.position_at(reset_at))

    async def _check_drawdown(self) -> None:
        """By the broker's equity at the last pass; figures from before a reset say nothing any more."""
        limit, gate, breaker = self.rules.max_drawdown, self._gate, self._breaker
        equity, peak = gate.equity, gate.peak_equity
        if not limit or breaker.tripped or equity is None or peak is None or gate.passed_at is None:
            return
        if breaker.reset_at is not None and gate.passed_at < breaker.reset_at:
            return
        lost = minus(peak, equity)
        if peak <= 0 or lost < times(limit, peak):
            return
        await self._trip(
            Trip.MAX_DRAWDOWN,
            {
                "equity": canonical(equity),
                "peak_equity": canonical(peak),
                "drawdown": canonical(ratio(lost, peak, _SHOWN_PLACES)),
                "limit": canonical(limit),
            },
        )

    async def check_prices(self) -> None:
        """Trip when, with the market open, no price of anything held or live was fresh for too long."""
        now, symbols = self.clock.now(), self._symbols()
        if not symbols or not await self._market_is_open():
            self._fresh_at = None
        elif self._fresh_at is None or await self._any_is_fresh(symbols):
            self._fresh_at = now
        elif now - self._fresh_at >= self.rules.stale_after:
            await self._trip(
                Trip.DATA_STALE,
                {
                    "symbols": symbols,
                    "fresh_until": self._fresh_at.isoformat(),
                    "limit_seconds": str(self.rules.stale_after.total_seconds()),
                },
            )

    def _symbols(self) -> list[Symbol]:
        desk = self.ledger.desk
        held = {symbol_of(stream) for stream, position in desk.live(POSITION) if position.qty}
        return sorted(held | {order.ticket.symbol for _, order in desk.live(_ORDER) if order.is_live})

    async def _market_is_open(self) -> bool:
        try:
            return (await self.broker.clock()).is_open
        except BrokerUnreadable:
            return False

    async def _any_is_fresh(self, symbols: list[Symbol]) -> bool:
        for symbol in symbols:
            quote = await self.market_data.quote(symbol)
            if quote is not None and self.clock.now() - quote.at < self.rules.stale_after:
                return True
        return False

    def notice(self, settled: Settled) -> None:
        """How one submission ended; any word of the broker ends the row."""
        lost = settled.refused in _NOT_AT_THE_BROKER or settled.order.is_unconfirmed
        self._failed = self._failed + 1 if lost else 0
        self._settled.set()

    async def watch_submissions(self) -> None:
        """Trip as soon as too many submissions in a row have failed. Never returns."""
        while True:
            await self._settled.wait()
            self._settled.clear()
            if self._failed >= self.rules.broker_errors > 0:
                failed, self._failed = self._failed, 0
                await self._trip(
                    Trip.BROKER_ERRORS, {"consecutive": failed, "limit": self.rules.broker_errors}
                )

    @property
    def _breaker(self) -> CircuitBreaker:
        return self.ledger.desk.state(CIRCUIT_BREAKER) or CircuitBreaker(tripped=False)

    @property
    def _gate(self) -> ReconGate:
        return self.ledger.desk.state(RECON_GATE) or ReconGate()

    async def _trip(self, reason: Trip, evidence: Mapping[str, Any]) -> None:
        if self._breaker.tripped:
            return
        await self.controls.trip_breaker(
            reason=reason.value, details=evidence, by=SYSTEM, correlation_id=f"watch:{reason.value}"
        )
        _log.error("circuit breaker tripped", reason=reason.value, **evidence)
