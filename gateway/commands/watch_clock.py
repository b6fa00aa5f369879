"""The broker's clock beside ours. Order never depends on either; people reading times do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gateway.ports import Broker, Clock
from gateway.telemetry import Metrics, log

_log = log("gateway.clock")

TOLERATED_SECONDS: Final = 0.05


@dataclass(slots=True, kw_only=True)
class WatchClock:
    broker: Broker
    clock: Clock
    metrics: Metrics
    _off: bool = False

    async def __call__(self) -> None:
        """Ask the broker for the time. Raises BrokerUnreadable.

        Its answer was written at some moment between our asking and our hearing it, which is all that can be
        known: only what lies outside counts as skew.
        """
        asked = self.clock.now()
        theirs = (await self.broker.clock()).timestamp
        heard = self.clock.now()
        skew = min(0.0, (theirs - asked).total_seconds()) + max(0.0, (theirs - heard).total_seconds())
        self.metrics.clock_skew.set(skew)
        off = abs(skew) >= TOLERATED_SECONDS
        if off and not self._off:
            _log.error("clocks differ", skew_seconds=skew)
        self._off = off
