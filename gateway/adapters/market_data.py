"""Prices and volumes: from Alpaca, from Redis, or made up for a dry run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from gateway.adapters.alpaca_client import Limits, Stocks
from gateway.adapters.alpaca_json import read_json
from gateway.adapters.alpaca_reports import Unparsable, read_number, read_time
from gateway.adapters.lanes import Lane, LaneFull
from gateway.adapters.redis_link import RedisLink
from gateway.aggregates.vocabulary import Symbol
from gateway.ports import Clock, MarketData, MirrorUnavailable, Quote

Observe = Callable[[str, str], None]

_log = logging.getLogger(__name__)

_BARS: Final = 20
_BAR: Final = timedelta(days=1)
_HISTORY: Final = timedelta(days=45)  # 20 trading days and the longest holidays
_FRESH: Final = timedelta(hours=24)
_STALE: Final = timedelta(hours=72)
_AHEAD: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class _Volume:
    shares: Decimal
    at: datetime


class EmbeddedMarketData:
    """MarketData that always has an answer, the same for every symbol; for dry runs only."""

    def __init__(
        self, clock: Clock, *, price: Decimal = Decimal(100), volume: Decimal = Decimal(10**7)
    ) -> None:
        self._clock, self._price, self._volume = clock, price, volume

    async def quote(self, symbol: Symbol) -> Quote | None:
        return Quote(mid=self._price, at=self._clock.now())

    async def adv(self, symbol: Symbol) -> Decimal | None:
        return self._volume


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSettings:
    """Where and how to reach the market data. Times in seconds; an older quote than `max_age` is none."""

    key: str = field(repr=False)
    secret: str = field(repr=False)
    base_url: str
    feed: str | None = None
    max_age: float = 30.0
    connect_timeout: float = 1.0
    read_timeout: float = 2.0
    deadline: float = 3.0
    threads: int = 4


class AlpacaMarketData:
    """MarketData from Alpaca, with threads and a budget of its own."""

    def __init__(
        self,
        settings: DataSettings,
        *,
        clock: Clock,
        observe: Observe = lambda _operation, _status: None,
    ) -> None:
        self._clock = clock
        self._observe = observe
        self._feed = {"feed": settings.feed} if settings.feed else {}
        self._max_age = timedelta(seconds=settings.max_age)
        self._deadline = settings.deadline
        self._volumes: dict[Symbol, _Volume] = {}
        limits = Limits(connect=settings.connect_timeout, read=settings.read_timeout)
        self._lane = Lane(
            "market-data",
            threads=settings.threads,
            connect=lambda: Stocks(settings.key, settings.secret, settings.base_url, limits),
        )

    def close(self) -> None:
        """Give up the threads and their connections without waiting."""
        self._lane.close()

    async def quote(self, symbol: Symbol) -> Quote | None:
        body = await self._get("quote", "/stocks/quotes/latest", {"symbols": symbol})
        return usable(_member(_member(body, "quotes"), symbol), self._clock.now(), self._max_age)

    async def adv(self, symbol: Symbol) -> Decimal | None:
        """Refreshed once a day; after a failed refresh the old figure serves for two days more."""
        known, now = self._volumes.get(symbol), self._clock.now()
        if known is not None and now - known.at < _FRESH:
            return known.shares
        shares = await self._mean_volume(symbol, now)
        if shares is not None:
            self._volumes[symbol] = _Volume(shares, now)
            return shares
        return known.shares if known is not None and now - known.at < _STALE else None

    async def _mean_volume(self, symbol: Symbol, now: datetime) -> Decimal | None:
        start = (now - _HISTORY).date().isoformat()
        query = {"symbols": symbol, "timeframe": "1Day", "start": start, "limit": "1000", "adjustment": "raw"}
        body = await self._get("bars", "/stocks/bars", query)
        bars = _member(_member(body, "bars"), symbol)
        return mean_volume(bars, now) if isinstance(bars, list) else None

    async def _get(self, operation: str, path: str, query: Mapping[str, str]) -> Any:
        """The body of an answer, or None for whatever went wrong."""
        try:
            reply = await self._lane.run(
                lambda client: client.call("GET", path, {**query, **self._feed}),
                patience=self._deadline / 2,
                deadline=self._deadline,
            )
        except (LaneFull, TimeoutError):
            self._observe(operation, "timeout")
            return None
        except Exception as error:  # noqa: BLE001 - no price is an answer, and it is a safe one
            self._observe(operation, "error")
            _log.warning("market data: %s", type(error).__name__)
            return None
        self._observe(operation, "success" if reply.ok else "error")
        return reply.json() if reply.ok else None


class RedisMarketData:
    """Quotes another process writes to `price:{SYMBOL}` as `{"mid", "timestamp"}`; volumes from elsewhere."""

    def __init__(self, link: RedisLink, *, clock: Clock, volumes: MarketData, max_age: float = 30.0) -> None:
        self._link = link
        self._clock = clock
        self._volumes = volumes
        self._max_age = timedelta(seconds=max_age)

    async def quote(self, symbol: Symbol) -> Quote | None:
        try:
            price = read_json(await self._link.command("GET", f"price:{symbol}") or b"")
            mid, at = read_number(price, "mid"), read_time(price.get("timestamp"))
        except (MirrorUnavailable, Unparsable, AttributeError):
            return None
        if mid is None or mid <= 0 or at is None or not _is_young(at, self._clock.now(), self._max_age):
            return None
        return Quote(mid=mid, at=at)

    async def adv(self, symbol: Symbol) -> Decimal | None:
        return await self._volumes.adv(symbol)


def usable(raw: Any, now: datetime, max_age: timedelta) -> Quote | None:
    """A two-sided, uncrossed quote that is young enough, or None."""
    if not isinstance(raw, dict):
        return None
    try:
        bid, ask, at = read_number(raw, "bp"), read_number(raw, "ap"), read_time(raw.get("t"))
    except Unparsable:
        return None
    if bid is None or ask is None or at is None or not _is_young(at, now, max_age) or not 0 < bid <= ask:
        return None
    return Quote(mid=(bid + ask) / 2, at=at)


def _is_young(at: datetime, now: datetime, max_age: timedelta) -> bool:
    """Neither old nor from a future our clock knows nothing of, in which it would never grow old."""
    return now - max_age <= at <= now + _AHEAD


def mean_volume(bars: list[Any], now: datetime) -> Decimal | None:
    """Whole shares a day over the last 20 bars that are complete; None when there is none.

    A daily bar is stamped with the midnight its day began, so it is complete a day later.
    """
    volumes: list[Decimal] = []
    for bar in bars:
        try:
            began, volume = read_time(bar.get("t")), read_number(bar, "v")
        except (Unparsable, AttributeError):
            return None
        if began is not None and volume is not None and began + _BAR <= now:
            volumes.append(volume)
    recent = volumes[-_BARS:]
    return sum(recent, start=Decimal(0)) // len(recent) if recent else None


def _member(body: Any, name: str) -> Any:
    return body.get(name) if isinstance(body, dict) else None
