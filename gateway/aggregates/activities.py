"""What the broker did to the account without a trade, kept as it was told, once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Final

from gateway.aggregates.exact import plus, total
from gateway.aggregates.reports import AccountActivity
from gateway.aggregates.splits import SplitTerms

SPLIT: Final = "SPLIT"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityRecorded(AccountActivity):
    """An activity of the account. Money that comes or goes this way is no part of P&L."""


def record(known: ActivityRecorded | None, activity: AccountActivity) -> tuple[ActivityRecorded, ...]:
    if known is not None:
        return ()
    return (ActivityRecorded(**{field.name: getattr(activity, field.name) for field in fields(activity)}),)


def evolve(known: ActivityRecorded | None, event: ActivityRecorded) -> ActivityRecorded:
    return event


def split_terms(occasion: Sequence[AccountActivity], held: Decimal) -> SplitTerms | None:
    """The ratio of a split, from what it did to the shares `held` before it; None for anything else.

    It is told as the old shares out and the new ones in, or as what was added to the old ones. Where the new
    ones are held already, somebody has accepted the broker's holding before the split was listed.
    """
    moved = [activity.qty for activity in occasion if activity.qty]
    if not held or not moved or any(activity.kind != SPLIT for activity in occasion):
        return None
    out = [qty for qty in moved if len(moved) > 1 and qty * held < 0]
    old = total(out).copy_negate() if out else held
    new = plus(old, total(moved))
    if new * old <= 0 or new == old or (out and new == held):
        return None
    first = occasion[0]
    return SplitTerms(activity_id=first.activity_id, at=first.at, old=abs(old), new=abs(new))
