"""Prices that move: each daily bar is walked through its open, high, low and close."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from typing import Final

from gateway.paper.bars import TICK, Bar, Recording, to_tick

STEPS: Final = 390  # one for each minute of a regular session
STEP_SECONDS: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One step of one symbol: the print and the quote around it; sizes in shares."""

    symbol: str
    price: Decimal
    size: int
    bid: Decimal
    ask: Decimal
    bid_size: int
    ask_size: int


@lru_cache(maxsize=64)
def walk(bar: Bar, seed: int, symbol: str) -> tuple[Decimal, ...]:
    """A path that starts at the open, ends at the close, and touches high and low but never leaves them."""
    draw = random.Random(f"{seed}/{symbol}/{bar.day}/walk")
    first, second = sorted(draw.sample(range(STEPS // 10, STEPS - STEPS // 10), 2))
    # The extreme nearer to the open comes first, as it does on most days.
    high_first = bar.high - bar.open <= bar.open - bar.low
    extremes = (bar.high, bar.low) if high_first else (bar.low, bar.high)
    anchors = [(0, bar.open), (first, extremes[0]), (second, extremes[1]), (STEPS - 1, bar.close)]
    path: list[int] = []
    low, high = int(bar.low / TICK), int(bar.high / TICK)
    jitter = max((high - low) // 40, 1)
    for (begin, start), (end, stop) in pairwise(anchors):
        straight = _straight(int(start / TICK), int(stop / TICK), end - begin)
        path += [min(max(point + draw.randint(-jitter, jitter), low), high) for point in straight]
        path[begin] = int(start / TICK)
    return tuple(ticks * TICK for ticks in [*path, int(bar.close / TICK)])


def _straight(start: int, stop: int, steps: int) -> list[int]:
    """Ticks on the line from `start` to `stop`, `stop` excluded."""
    return [start + (stop - start) * step // steps for step in range(steps)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the rolling session stands: which lap over the recording, which bar, which step."""

    lap: int
    bar: int
    step: int


class Feed:
    """Maps instants to prices. `speed` is virtual seconds of trading per second of the clock."""

    def __init__(self, recording: Recording, *, seed: int, speed: int, epoch: datetime) -> None:
        self.recording = recording
        self.symbols = tuple(recording.bars)
        self._seed, self._speed, self._epoch = seed, speed, epoch

    def place(self, now: datetime) -> Place:
        bar, step = divmod(self._steps(now), STEPS)
        lap, offset = divmod(bar, self.recording.days - self.recording.start)
        return Place(lap=lap, bar=self.recording.start + offset, step=step)

    def next_step(self, now: datetime) -> datetime:
        microseconds = (self._steps(now) + 1) * STEP_SECONDS * 1_000_000
        return self._epoch + timedelta(microseconds=-(-microseconds // self._speed))

    def tick(self, symbol: str, place: Place) -> Tick:
        bar = self.recording.bars[symbol][place.bar]
        price = walk(bar, self._seed, symbol)[place.step]
        draw = random.Random(f"{self._seed}/{symbol}/{bar.day}/{place.step}")
        return Tick(
            symbol=symbol,
            price=price,
            size=draw.randint(1, 20) * 10,
            bid=price - TICK,
            ask=price + TICK,
            bid_size=draw.randint(1, 10) * 100,
            ask_size=draw.randint(1, 10) * 100,
        )

    def today(self, symbol: str, place: Place) -> Bar:
        """The current day so far."""
        bar = self.recording.bars[symbol][place.bar]
        seen = walk(bar, self._seed, symbol)[: place.step + 1]
        return Bar(
            day=bar.day,
            open=bar.open,
            high=max(seen),
            low=min(seen),
            close=seen[-1],
            volume=bar.volume * len(seen) // STEPS,
        )

    def history(self, symbol: str, place: Place, count: int) -> tuple[Bar, ...]:
        """Up to `count` complete days before the current one, oldest first."""
        return self.recording.bars[symbol][max(place.bar - count, 0) : place.bar]

    def adjusted(self, symbol: str, history: tuple[Bar, ...], place: Place) -> tuple[Bar, ...]:
        """The same days as if every later split had always been."""
        now = self.recording.bars[symbol][place.bar].day
        splits = [(day, ratio) for (of, day), ratio in self.recording.splits.items() if of == symbol]
        return tuple(_divided(bar, [r for day, r in splits if bar.day < day <= now]) for bar in history)

    def splits_passed(self, place: Place) -> list[tuple[str, date, Decimal]]:
        """Splits between the start of this lap and now, the current day's included."""
        return self._passed(self.recording.splits, place)

    def dividends_passed(self, place: Place) -> list[tuple[str, date, Decimal]]:
        """The same for cash dividends, in dollars for each share."""
        return self._passed(self.recording.dividends, place)

    def _passed(
        self, actions: dict[tuple[str, date], Decimal], place: Place
    ) -> list[tuple[str, date, Decimal]]:
        passed: list[tuple[str, date, Decimal]] = []
        for (symbol, day), amount in actions.items():
            bars = self.recording.bars[symbol]
            if bars[self.recording.start].day < day <= bars[place.bar].day:
                passed.append((symbol, day, amount))
        return passed

    def _steps(self, now: datetime) -> int:
        elapsed = (now - self._epoch) // timedelta(microseconds=1)
        return max(elapsed, 0) * self._speed // (STEP_SECONDS * 1_000_000)


def _divided(bar: Bar, ratios: list[Decimal]) -> Bar:
    ratio = math.prod(ratios, start=Decimal(1))
    return replace(
        bar,
        open=to_tick(bar.open / ratio),
        high=to_tick(bar.high / ratio),
        low=to_tick(bar.low / ratio),
        close=to_tick(bar.close / ratio),
        volume=int(bar.volume * ratio),
    )
