"""What is done about differences between the ledger and the broker, hung together."""

from __future__ import annotations

from gateway.api.desk import Differences
from gateway.commands.cancel_order import CancelOrder
from gateway.commands.resolve_break import ResolveBreak
from gateway.commands.resolve_orphan import ResolveOrphan
from gateway.ledger.ledger import Ledger
from gateway.ports import Broker, Clock
from gateway.reconcile.backfill import Backfill
from gateway.reconcile.request_backfill import RequestBackfill
from gateway.settings import Settings


def differences(
    settings: Settings,
    clock: Clock,
    *,
    ledger: Ledger,
    broker: Broker,
    cancel_order: CancelOrder,
    backfill: Backfill,
) -> Differences:
    orphans = ResolveOrphan(ledger=ledger, clock=clock, cancel_order=cancel_order)
    return Differences(
        orphans=orphans,
        breaks=ResolveBreak(ledger=ledger, broker=broker, clock=clock, resolve_orphan=orphans),
        backfill=RequestBackfill(
            ledger=ledger,
            clock=clock,
            backfill=backfill,
            dry_run=settings.dry_run,
            enabled=settings.alpaca_fills_backfill_enabled,
        ),
    )
