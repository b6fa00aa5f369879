"""The breaker's own watch, hung into a gateway and started."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from gateway.commands.watch_breaker import TripRules, WatchBreaker
from gateway.main.composition import Gateway
from gateway.projections.queries.performance import realized_on
from gateway.settings import Settings

WATCHERS: Final = ("breaker_results", "breaker_prices", "breaker_submissions")
RESULTS_EVERY_SECONDS: Final = 1.0
PRICES_AT_MOST_EVERY_SECONDS: Final = 30.0


def start_watching(gateway: Gateway) -> None:
    """In DRY_RUN only results are watched: without a broker there is nothing else to look at."""
    settings, background = gateway.settings, gateway.background
    watch = _watch(gateway)
    background.every("breaker_results", RESULTS_EVERY_SECONDS, watch.check_results)
    if settings.dry_run:
        return
    gateway.outcome.notice_outcome = watch.notice
    background.keep("breaker_submissions", watch.watch_submissions)
    if stale_after := settings.circuit_breaker_stale_data_seconds:
        pause = min(stale_after / 4, PRICES_AT_MOST_EVERY_SECONDS)
        background.every("breaker_prices", pause, watch.check_prices)


def _watch(gateway: Gateway) -> WatchBreaker:
    async def realized(day: date, upto: int | None) -> Decimal:
        async with gateway.read.snapshot() as snapshot:
            return await realized_on(snapshot, day, upto=upto)

    return WatchBreaker(
        ledger=gateway.ledger,
        broker=gateway.broker,
        market_data=gateway.market_data,
        clock=gateway.clock,
        controls=gateway.controls,
        realized=realized,
        rules=_rules(gateway.settings),
    )


def _rules(settings: Settings) -> TripRules:
    return TripRules(
        daily_loss_limit=settings.risk_daily_loss_limit,
        max_drawdown=settings.risk_max_drawdown_pct,
        stale_after=timedelta(seconds=settings.circuit_breaker_stale_data_seconds),
        broker_errors=settings.circuit_breaker_broker_errors,
    )
