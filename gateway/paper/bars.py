"""Daily bars: recorded ones when the package that carries them is installed, seeded ones otherwise."""

from __future__ import annotations

import csv
import gzip
import importlib.util
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Final

TICK: Final = Decimal("0.01")
SYMBOLS: Final = ("AAPL", "MSFT", "IBM", "GOOG")
RECORDED_START: Final = date(2008, 9, 2)  # a month that moves; no split lies after it

# The recording is not adjusted, so these jumps are real: two new shares for each old one.
SPLITS: Final = {
    ("AAPL", date(2000, 6, 21)): Decimal(2),
    ("MSFT", date(2003, 2, 18)): Decimal(2),
    ("AAPL", date(2005, 2, 28)): Decimal(2),
}

_HISTORY: Final = 60
_INVENTED_DAYS: Final = 1_000
_INVENTED_START: Final = date(2008, 9, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One day; prices in dollars rounded to the tick, volume in shares."""

    day: date
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Bars of several symbols over the same days, and where the rolling session starts."""

    bars: dict[str, tuple[Bar, ...]]
    start: int
    splits: dict[tuple[str, date], Decimal]
    dividends: dict[tuple[str, date], Decimal] = field(default_factory=dict)

    @property
    def days(self) -> int:
        return len(next(iter(self.bars.values())))


def to_tick(price: Decimal) -> Decimal:
    return price.quantize(TICK, ROUND_HALF_EVEN)


def recorded_file() -> Path | None:
    """The recording inside the sample package, found without importing the package."""
    spec = importlib.util.find_spec("bokeh_sampledata")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "_data" / "stocks.csv.gz"
    return path if path.exists() else None


@lru_cache(maxsize=4)
def read_recording(path: Path, start: date = RECORDED_START) -> Recording:
    """The days on which all four symbols traded, starting the walk at `start`."""
    by_symbol: dict[str, dict[date, Bar]] = {symbol: {} for symbol in SYMBOLS}
    dividends: dict[tuple[str, date], Decimal] = {}
    with gzip.open(path, "rt", newline="") as lines:
        for before, row in pairwise(csv.DictReader(lines)):
            if (symbol := row["Ticker"]) in by_symbol:
                bar = _read_bar(row)
                by_symbol[symbol][bar.day] = bar
                if before["Ticker"] == symbol and (per_share := _dividend(before, row)):
                    dividends[symbol, bar.day] = per_share
    days = sorted(set.intersection(*(set(bars) for bars in by_symbol.values())))
    bars = {symbol: tuple(of[day] for day in days) for symbol, of in by_symbol.items()}
    first = next((i for i, day in enumerate(days) if day >= start), len(days) - 1)
    return Recording(bars=bars, start=max(first, _HISTORY), splits=SPLITS, dividends=dividends)


def _dividend(before: dict[str, str], row: dict[str, str]) -> Decimal:
    """What the adjusted closes imply was paid for each share, to the cent; zero on any other day."""
    close = Decimal(before["Close"])
    kept = Decimal(before["Adj Close"]) / close / (Decimal(row["Adj Close"]) / Decimal(row["Close"]))
    ratio = SPLITS.get((row["Ticker"], date.fromisoformat(row["Date"])), Decimal(1))
    return to_tick(close * (1 - kept * ratio))


def _read_bar(row: dict[str, str]) -> Bar:
    return Bar(
        day=date.fromisoformat(row["Date"]),
        open=to_tick(Decimal(row["Open"])),
        high=to_tick(Decimal(row["High"])),
        low=to_tick(Decimal(row["Low"])),
        close=to_tick(Decimal(row["Close"])),
        volume=int(row["Volume"]),
    )


@lru_cache(maxsize=4)
def invent_recording(seed: int, symbols: tuple[str, ...] = SYMBOLS) -> Recording:
    """A seeded random walk for each symbol, independent of the other symbols."""
    bars = {symbol: tuple(_invented(seed, symbol)) for symbol in symbols}
    return Recording(bars=bars, start=_HISTORY, splits={})


def _invented(seed: int, symbol: str) -> Iterator[Bar]:
    draw = random.Random(f"{seed}/{symbol}/days")
    ticks, day = draw.randrange(4_000, 30_000), _INVENTED_START
    for _ in range(_INVENTED_DAYS):
        reach = max(ticks // 60, 4)
        close = max(ticks + draw.randint(-reach, reach), 500)
        high = max(ticks, close) + draw.randint(0, reach)
        low = min(ticks, close) - draw.randint(0, reach // 2)
        yield Bar(
            day=day,
            open=ticks * TICK,
            high=high * TICK,
            low=low * TICK,
            close=close * TICK,
            volume=draw.randint(1_000_000, 20_000_000),
        )
        ticks, day = close, day + timedelta(days=1 if day.weekday() < 4 else 3)
