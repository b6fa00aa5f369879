"""A reconciliation pass hung together: the real one, and the one that writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from gateway.aggregates.vocabulary import ClientOrderId
from gateway.commands.fill_gap import FillGap
from gateway.commands.record_activity import RecordActivity
from gateway.commands.record_report import RecordReport
from gateway.ledger.ledger import Ledger
from gateway.ports import Broker, Clock
from gateway.reconcile.backfill import Backfill, BackfillRules
from gateway.reconcile.cursors import Cursors
from gateway.reconcile.judge import Judge
from gateway.reconcile.order_sweep import OrderSweep
from gateway.reconcile.read_activities import ReadActivities
from gateway.reconcile.run import Holdings, Pass
from gateway.settings import Settings
from gateway.telemetry import Metrics

ACTIVITY_OVERLAP: Final = timedelta(hours=25)
"""New York's clock goes back an hour once a year, and activities are listed by it."""


def reconciliation_pass(
    settings: Settings,
    clock: Clock,
    *,
    ledger: Ledger,
    broker: Broker,
    metrics: Metrics,
    record_report: RecordReport,
    fill_gap: FillGap,
    holdings: Holdings,
    in_flight: Callable[[], set[ClientOrderId]],
) -> Pass:
    cursors = Cursors(ledger, clock)
    return Pass(
        ledger=ledger,
        broker=broker,
        clock=clock,
        metrics=metrics,
        sweep=OrderSweep(
            ledger=ledger,
            broker=broker,
            clock=clock,
            metrics=metrics,
            record_report=record_report,
            fill_gap=fill_gap,
            in_flight=in_flight,
            overlap=timedelta(seconds=settings.reconciliation_overlap_seconds),
            max_lookups=settings.reconciliation_max_lookups,
            pod=settings.pod_name,
        ),
        backfill=Backfill(
            ledger=ledger,
            broker=broker,
            clock=clock,
            cursors=cursors,
            record_report=record_report,
            rules=_backfill_rules(settings),
        ),
        activities=_activities(settings, broker, cursors),
        judge=Judge(
            metrics=metrics,
            tolerance=timedelta(seconds=settings.reconciliation_break_tolerance_seconds),
            pod=settings.pod_name,
        ),
        holdings=holdings,
        reads_activities=settings.alpaca_fills_backfill_enabled,
        pod=settings.pod_name,
    )


def _activities(settings: Settings, broker: Broker, cursors: Cursors) -> ReadActivities:
    return ReadActivities(
        broker=broker,
        cursors=cursors,
        record_activity=RecordActivity(ledger=cursors.ledger),
        overlap=ACTIVITY_OVERLAP,
        first_lookback=timedelta(hours=settings.alpaca_fills_backfill_initial_lookback_hours),
    )


def _backfill_rules(settings: Settings) -> BackfillRules:
    return BackfillRules(
        overlap=ACTIVITY_OVERLAP,
        first_lookback=timedelta(hours=settings.alpaca_fills_backfill_initial_lookback_hours),
        page_size=settings.alpaca_fills_backfill_page_size,
        max_pages=settings.alpaca_fills_backfill_max_pages,
    )
