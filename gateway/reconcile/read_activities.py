"""Splits, dividends, fees and transfers: read on from the mark, and recorded by occasion."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from gateway.aggregates.activities import SPLIT
from gateway.aggregates.reports import AccountActivity
from gateway.commands.record_activity import RecordActivity
from gateway.ports import Broker
from gateway.reconcile.cursors import Cursors

ACTIVITIES: Final = "alpaca_activities"
CANCELED: Final = "canceled"


@dataclass(slots=True, kw_only=True)
class ReadActivities:
    """`overlap` guards against late listings; `first_lookback` applies without a mark."""

    broker: Broker
    cursors: Cursors
    record_activity: RecordActivity
    overlap: timedelta
    first_lookback: timedelta

    async def __call__(self, correlation_id: str) -> int:
        """Returns how many were new. Raises BrokerUnreadable; then no cursor has moved."""
        mark = await self.cursors.at(ACTIVITIES)
        after = self.cursors.clock.now() - self.first_lookback if mark is None else mark.time - self.overlap
        found = [a for a in await self.broker.activities(after=after) if a.status != CANCELED]
        new = 0
        for occasion in _occasions(found):
            new += await self.record_activity(occasion, correlation_id=correlation_id)
        if found:
            last = max(found, key=lambda activity: activity.at)
            await self.cursors.move(ACTIVITIES, last.at, last.activity_id, correlation_id)
        return new


def _occasions(found: Iterable[AccountActivity]) -> list[list[AccountActivity]]:
    """What belongs together, in the order of the first of each."""
    groups: dict[str, list[AccountActivity]] = {}
    for activity in sorted(found, key=lambda activity: activity.at):
        groups.setdefault(_occasion(activity), []).append(activity)
    return list(groups.values())


def _occasion(activity: AccountActivity) -> str:
    """The old shares of a split go out and the new ones come in: half of it is no ratio."""
    if activity.group_id is None and activity.kind == SPLIT:
        return f"{SPLIT}:{activity.symbol}:{activity.day}"
    return activity.group_id or activity.activity_id
