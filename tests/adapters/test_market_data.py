"""Prices and volumes: usable or absent, never a guess."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import redis

from gateway.adapters.market_data import AlpacaMarketData, DataSettings, EmbeddedMarketData, RedisMarketData
from gateway.adapters.redis_link import RedisLink
from gateway.aggregates.vocabulary import Symbol
from gateway.ports import Quote
from tests.adapters.wire import Asked, Behaviour, Wire, answer, hang_up, message, say_nothing, wire

AAPL = Symbol("AAPL")
NOW = datetime(2026, 11, 20, 20, tzinfo=UTC)


@dataclass
class HandClock:
    at: datetime = field(default=NOW)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()


@asynccontextmanager
async def serving(
    behaves: Behaviour, clock: HandClock, **more: Any
) -> AsyncIterator[tuple[AlpacaMarketData, Wire]]:
    async with wire(behaves) as served:
        settings = DataSettings(
            key="k", secret="s", base_url=served.url, read_timeout=0.3, deadline=0.5, **more
        )
        source = AlpacaMarketData(settings, clock=clock)
        yield source, served
        source.close()


def quote(**changes: Any) -> Behaviour:
    raw = {"t": "2026-11-20T19:59:50.123456789Z", "bp": 99.99, "bs": 1, "ap": 100.02, "as": 2, **changes}
    return answer(200, {"quotes": {"AAPL": raw}})


def bar(day: datetime, volume: Any = 1000) -> dict[str, Any]:
    return {"t": day.isoformat().replace("+00:00", "Z"), "o": 1, "h": 1, "l": 1, "c": 1, "v": volume}


def daily(count: int, *, last: datetime = datetime(2026, 11, 20, 5, tzinfo=UTC)) -> list[dict[str, Any]]:
    """Bars of consecutive days up to `last`, each with a volume of its own; the first is the oldest."""
    return [bar(last - timedelta(days=back), 1000 + back) for back in reversed(range(count))]


async def test_the_mid_is_exact() -> None:
    async with serving(quote(), HandClock(), feed="iex") as (source, served):
        assert await source.quote(AAPL) == Quote(
            mid=Decimal("100.005"), at=datetime(2026, 11, 20, 19, 59, 50, 123456, tzinfo=UTC)
        )
    assert served.asked[0].path == "/v2/stocks/quotes/latest"
    assert served.asked[0].query == {"symbols": "AAPL", "feed": "iex"}


@pytest.mark.parametrize(
    "behaves",
    [
        pytest.param(quote(ap=0), id="no ask"),
        pytest.param(quote(bp=0), id="no bid"),
        pytest.param(quote(bp=100.03), id="crossed"),
        pytest.param(quote(t="2026-11-20T19:59:29Z"), id="31 seconds old"),
        pytest.param(quote(t=None), id="no time"),
        pytest.param(quote(ap="dear"), id="no number"),
        pytest.param(answer(200, {"quotes": {"MSFT": {}}}), id="another symbol"),
        pytest.param(answer(200, {"quotes": None}), id="no quotes"),
        pytest.param(answer(200, []), id="a list"),
        pytest.param(answer(200, b"<html>"), id="html"),
        pytest.param(answer(403, {"message": "subscription does not permit"}), id="not subscribed"),
        pytest.param(answer(500), id="500"),
        pytest.param(hang_up, id="dropped"),
        pytest.param(say_nothing, id="silent"),
    ],
)
async def test_a_quote_that_cannot_be_used_is_no_quote(behaves: Behaviour) -> None:
    async with serving(behaves, HandClock()) as (source, served):
        assert await source.quote(AAPL) is None
        assert len(served.asked) == 1


async def test_the_volume_is_the_whole_mean_of_the_last_20_complete_days() -> None:
    async with serving(answer(200, {"bars": {"AAPL": daily(25)}}), HandClock()) as (source, served):
        expected = sum(1000 + back for back in range(1, 21)) // 20
        assert await source.adv(AAPL) == expected
    assert served.asked[0].query["timeframe"] == "1Day"
    assert served.asked[0].query["symbols"] == "AAPL"


async def test_fewer_days_are_averaged_as_they_are_and_none_is_unknown() -> None:
    async with serving(answer(200, {"bars": {"AAPL": daily(4)}}), HandClock()) as (source, _):
        assert await source.adv(AAPL) == (1001 + 1002 + 1003) // 3
    async with serving(answer(200, {"bars": {"AAPL": daily(1)}}), HandClock()) as (source, _):
        assert await source.adv(AAPL) is None
    async with serving(answer(200, {"bars": {}}), HandClock()) as (source, _):
        assert await source.adv(AAPL) is None


async def test_a_volume_is_asked_once_a_day_and_an_old_one_serves_for_three() -> None:
    clock = HandClock()
    replies = iter([message(200, {"bars": {"AAPL": daily(4)}}), message(500), message(500)])

    async def behave(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(next(replies))

    async with serving(behave, clock) as (source, served):
        assert await source.adv(AAPL) == 1002
        for hours, asked, volume in ((23, 1, 1002), (48, 2, 1002), (72, 3, None)):
            clock.at = NOW + timedelta(hours=hours)
            assert await source.adv(AAPL) == volume, hours
            assert len(served.asked) == asked, hours


async def test_the_embedded_source_always_has_an_answer() -> None:
    source = EmbeddedMarketData(HandClock())
    price = await source.quote(AAPL)
    assert price is not None
    assert price.at == NOW
    assert (await source.adv(AAPL) or 0) > 0


@pytest.mark.parametrize(
    ("stored", "mid"),
    [
        ({"mid": "100.005", "timestamp": "2026-11-20T19:59:50Z"}, Decimal("100.005")),
        ({"mid": 100.005, "timestamp": "2026-11-20T19:59:50Z"}, Decimal("100.005")),
        ({"mid": "100", "timestamp": "2026-11-20T19:00:00Z"}, None),
        ({"mid": "100", "timestamp": "2026-11-20T20:00:06Z"}, None),
        ({"mid": "0", "timestamp": "2026-11-20T19:59:50Z"}, None),
        ({"mid": "dear", "timestamp": "2026-11-20T19:59:50Z"}, None),
        ({"mid": "100"}, None),
        ([], None),
    ],
)
async def test_a_price_in_redis_is_used_when_it_is_young_and_readable(
    redis_url: str, stored: Any, mid: Decimal | None
) -> None:
    link = RedisLink(redis_url, timeout=1.0)
    source = RedisMarketData(link, clock=HandClock(), volumes=EmbeddedMarketData(HandClock()))
    assert await source.quote(AAPL) is None
    with redis.Redis.from_url(redis_url) as server:
        server.set("price:AAPL", json.dumps(stored))
    found = await source.quote(AAPL)
    assert (found and found.mid) == mid
    assert await source.adv(AAPL) == await EmbeddedMarketData(HandClock()).adv(AAPL)
    await link.close()


async def test_without_redis_there_is_no_price() -> None:
    link = RedisLink("redis://127.0.0.1:1/0")
    source = RedisMarketData(link, clock=HandClock(), volumes=EmbeddedMarketData(HandClock()))
    assert await source.quote(AAPL) is None
    await link.close()
