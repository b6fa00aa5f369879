"""The broker's holding after a fill beside ours: a free check, and a pass where they differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from gateway.aggregates.vocabulary import Symbol
from gateway.ports import Clock
from gateway.telemetry import log

_log = log("gateway.facts")

ONCE_IN: Final = timedelta(minutes=1)
"""A difference that stays is a break by then; it needs no pass for every fill."""


@dataclass(slots=True, kw_only=True)
class WatchHolding:
    clock: Clock
    compare: Callable[[], None]
    """Asks for a reconciliation pass."""
    _seen: dict[Symbol, datetime] = field(default_factory=dict)

    def notice(self, symbol: Symbol, ours: Decimal, theirs: Decimal) -> None:
        """Facts on their way by two doors differ for a moment; the pass has its own second look."""
        now, seen = self.clock.now(), self._seen.get(symbol)
        if ours == theirs or (seen is not None and now - seen < ONCE_IN):
            return
        self._seen[symbol] = now
        _log.warning("holdings differ after a fill", symbol=symbol, ours=str(ours), theirs=str(theirs))
        self.compare()
