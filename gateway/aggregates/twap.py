"""Cutting one parent quantity into timed slices."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Final

from gateway.aggregates.exact import canonical
from gateway.aggregates.refusals import SlicingPlanInvalid
from gateway.aggregates.vocabulary import Ticket

MOST_SLICES: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Sizes in shares, in the order of release; slice i is due `i * interval_seconds` after acceptance."""

    interval_seconds: int
    sizes: tuple[int, ...]


def slice_count(minutes: int, interval_seconds: int) -> int:
    """How many slices the asked interval makes of a duration."""
    return max(1, _ceiling(minutes * 60, interval_seconds))


def cut(
    ticket: Ticket, trade_date: date, *, minutes: int, interval_seconds: int, max_slice_qty: int | None = None
) -> Cut:
    """Cut `ticket.qty`. A volume cap makes more slices at a shorter interval.

    Raises SlicingPlanInvalid when the capped slices would be less than a second apart, or too many.
    """
    qty, count = int(ticket.qty), slice_count(minutes, interval_seconds)
    capped = _ceiling(qty, max_slice_qty) if max_slice_qty is not None else 0
    if capped > count:
        count, interval_seconds = capped, minutes * 60 // (capped - 1)
    if interval_seconds < 1 or count > MOST_SLICES:
        raise SlicingPlanInvalid(
            f"slices of at most {max_slice_qty} shares make {count} of them in {minutes} minutes;"
            f" at most {MOST_SLICES}, at least a second apart, can be released",
            symbol=ticket.symbol,
            slices=count,
            max_slice_qty=max_slice_qty,
        )
    seed = f"{ticket.symbol}_{ticket.side}_{canonical(ticket.qty)}_{minutes}_{interval_seconds}_{trade_date}"
    return Cut(interval_seconds=interval_seconds, sizes=_sizes(qty, count, seed))


def _sizes(qty: int, count: int, seed: str) -> tuple[int, ...]:
    """Equal parts; the remainder goes one share each to slices drawn by the seed, so a repetition agrees."""
    base, rest = divmod(qty, count)
    draw = random.Random(int.from_bytes(sha256(seed.encode()).digest()[:4], "big"))  # noqa: S311 - repeatable
    larger = set(draw.sample(range(count), rest))
    return tuple(base + (number in larger) for number in range(count))


def _ceiling(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)
