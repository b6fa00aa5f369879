"""Who watches a running gateway: the breaker's triggers, the broker's silence, its unconfirmed answers."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from gateway.commands.chase_cancels import ChaseCancels
from gateway.commands.watch_breaker import TripRules, WatchBreaker
from gateway.commands.watch_holding import WatchHolding
from gateway.commands.watch_silence import WatchSilence
from gateway.commands.watch_slowed import WatchSlowed
from gateway.main.composition import Gateway
from gateway.projections.queries.performance import realized_on
from gateway.settings import Settings

WATCHERS: Final = ("breaker_results", "breaker_prices", "breaker_submissions", "cancels", "slowed", "sweep")
RESULTS_EVERY_SECONDS: Final = 1.0
PRICES_AT_MOST_EVERY_SECONDS: Final = 30.0
SLOWED_EVERY_SECONDS: Final = 0.5
SWEEP_EVERY_SECONDS: Final = 15.0


def start_watching(gateway: Gateway) -> None:
    """In DRY_RUN only results are watched: without a broker there is nothing else to look at."""
    watch = _watch(gateway)
    gateway.background.every("breaker_results", RESULTS_EVERY_SECONDS, watch.check_results)
    if gateway.settings.dry_run:
        return
    gateway.outcome.notice_outcome = watch.notice
    gateway.background.keep("breaker_submissions", watch.watch_submissions)
    if stale_after := gateway.settings.circuit_breaker_stale_data_seconds:
        pause = min(stale_after / 4, PRICES_AT_MOST_EVERY_SECONDS)
        gateway.background.every("breaker_prices", pause, watch.check_prices)
    _watch_answers(gateway)
    _watch_facts(gateway)


def _watch_answers(gateway: Gateway) -> None:
    """What the broker has been asked for and has not confirmed."""
    slowed = WatchSlowed(
        ledger=gateway.ledger,
        broker=gateway.broker,
        clock=gateway.clock,
        record_report=gateway.record_report,
    )
    cancels = ChaseCancels(
        ledger=gateway.ledger,
        clock=gateway.clock,
        metrics=gateway.metrics,
        cancel_order=gateway.cancel_order,
    )
    gateway.outcome.notice_slowed = slowed.notice
    gateway.background.every("slowed", SLOWED_EVERY_SECONDS, slowed.run_once)
    gateway.background.every("cancels", gateway.settings.resolver_interval_seconds, cancels.run_once)


def _watch_facts(gateway: Gateway) -> None:
    """What the broker has done and did not tell, or tells otherwise than we have it."""
    silence = WatchSilence(
        ledger=gateway.ledger,
        broker=gateway.broker,
        clock=gateway.clock,
        metrics=gateway.metrics,
        record_report=gateway.record_report,
        stream=lambda: gateway.updates,
    )
    gateway.record_report.notice_polled = silence.notice
    gateway.record_report.notice_held = WatchHolding(
        clock=gateway.clock, compare=gateway.reconciler.wake
    ).notice
    gateway.background.every("sweep", SWEEP_EVERY_SECONDS, silence.sweep)


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
