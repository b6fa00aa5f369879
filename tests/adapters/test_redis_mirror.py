"""The safety mirror against a real server: whole or unavailable, and never older over newer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
import redis

from gateway.adapters.embedded import EmbeddedValkey
from gateway.adapters.redis_link import MirrorTimedOut, RedisLink
from gateway.adapters.redis_safety import RedisSafetyMirror
from gateway.aggregates.vocabulary import ClientOrderId, Side, StrategyId, Symbol
from gateway.ports import (
    MirroredBreaker,
    MirroredQuarantine,
    MirroredRoom,
    MirroredSwitch,
    MirrorReading,
    MirrorUnavailable,
    SafetyState,
)
from tests.kit.covers import covers

AAPL, MSFT, ALPHA = Symbol("AAPL"), Symbol("MSFT"), StrategyId("alpha")
AT = datetime(2026, 11, 20, 15, tzinfo=UTC)
ENGAGED = MirroredSwitch(scope="global", engaged=True, version=3, by="alice", at=AT, reason="storm")
ROOM = MirroredRoom(
    symbol=AAPL, qty=Decimal(100), version=5, leaves={ClientOrderId("a"): (Side.BUY, Decimal(40))}
)
STATE = SafetyState(
    position=20,
    switches=[ENGAGED, MirroredSwitch(scope="symbol:AAPL", engaged=False, version=2)],
    breaker=MirroredBreaker(tripped=True, version=4, reason="MANUAL", at=AT),
    quarantines=[MirroredQuarantine(strategy_id=None, symbol=MSFT, reason="orphan")],
    rooms=[ROOM],
)


@pytest.fixture
async def link(redis_url: str) -> AsyncIterator[RedisLink]:
    link = RedisLink(redis_url, timeout=1.0)
    yield link
    await link.close()


@pytest.fixture
def mirror(link: RedisLink) -> RedisSafetyMirror:
    return RedisSafetyMirror(link, generation="ledger-1")


@pytest.fixture
def server(redis_url: str) -> redis.Redis:
    return redis.Redis.from_url(redis_url)


async def read(mirror: RedisSafetyMirror, symbol: Symbol = AAPL) -> MirrorReading:
    return await mirror.read(strategy_id=ALPHA, symbol=symbol)


async def test_what_is_built_is_read_back(mirror: RedisSafetyMirror) -> None:
    await mirror.rebuild(STATE)
    reading = await read(mirror)
    assert reading.switches == {"global": ENGAGED, "symbol:AAPL": STATE.switches[1]}
    assert reading.breaker == STATE.breaker
    assert reading.quarantine is None
    assert reading.room_known
    assert (await read(mirror, MSFT)).quarantine == STATE.quarantines[0]


async def test_a_fresh_ledger_makes_a_whole_mirror_in_which_every_room_is_empty(
    mirror: RedisSafetyMirror,
) -> None:
    await mirror.rebuild(SafetyState(position=0))
    assert await mirror.ready()
    assert await read(mirror) == MirrorReading(
        switches={}, breaker=MirroredBreaker(tripped=False, version=0), quarantine=None, room_known=True
    )


async def test_a_mirror_never_built_is_unavailable_and_takes_no_news(mirror: RedisSafetyMirror) -> None:
    assert not await mirror.ready()
    with pytest.raises(MirrorUnavailable):
        await read(mirror)
    for publishing in (
        mirror.publish_switch(ENGAGED),
        mirror.publish_breaker(STATE.breaker),
        mirror.publish_quarantine(STATE.quarantines[0], active=True, position=1),
        mirror.publish_room(ROOM),
    ):
        with pytest.raises(MirrorUnavailable):
            await publishing


async def test_a_flushed_mirror_comes_back_engaged(mirror: RedisSafetyMirror, server: redis.Redis) -> None:
    await mirror.rebuild(STATE)
    server.flushdb()
    with pytest.raises(MirrorUnavailable):
        await read(mirror)
    await mirror.rebuild(STATE)
    assert (await read(mirror)).switches["global"].engaged


@pytest.mark.parametrize("key", ["mirror:ready", "kill_switch:state", "circuit_breaker:state"])
async def test_a_lost_part_is_the_loss_of_the_mirror_until_it_is_rebuilt(
    mirror: RedisSafetyMirror, server: redis.Redis, key: str
) -> None:
    await mirror.rebuild(STATE)
    server.delete(key)
    assert not await mirror.ready()
    with pytest.raises(MirrorUnavailable):
        await read(mirror)
    with pytest.raises(MirrorUnavailable):
        await mirror.publish_switch(replace(ENGAGED, version=9))
        await mirror.publish_breaker(replace(STATE.breaker, version=9))
    await mirror.rebuild(STATE)
    assert (await read(mirror)).switches["global"].engaged


@covers("FM:F-047")
async def test_a_lost_room_is_unknown_and_never_taken_for_empty(
    mirror: RedisSafetyMirror, server: redis.Redis
) -> None:
    await mirror.rebuild(STATE)
    server.delete("position_reservation:AAPL")
    assert not (await read(mirror)).room_known
    assert (await read(mirror, MSFT)).room_known


@covers("FM:F-045")
@pytest.mark.parametrize("garbage", [b"\xff\xfe", b"{", b"null", b'{"engaged":"maybe"}', b"", b"[1]"])
@pytest.mark.parametrize(
    ("key", "field"),
    [
        ("kill_switch:state", "global"),
        ("circuit_breaker:state", "state"),
        ("quarantine:*:AAPL", "state"),
        ("position_reservation:AAPL", "long"),
        ("mirror:ready", "generation"),
    ],
)
async def test_garbage_is_unavailable_until_rebuilt(
    mirror: RedisSafetyMirror, server: redis.Redis, key: str, field: str, garbage: bytes
) -> None:
    quarantined = replace(STATE, quarantines=[MirroredQuarantine(strategy_id=None, symbol=AAPL, reason="r")])
    await mirror.rebuild(quarantined)
    server.hset(key, field, garbage)
    with pytest.raises(MirrorUnavailable):
        await read(mirror)
    await mirror.rebuild(quarantined)
    assert (await read(mirror)).switches["global"].engaged


@covers("FM:F-045")
@pytest.mark.parametrize(
    "key",
    [
        "mirror:ready",
        "mirror:rooms",
        "mirror:quarantines",
        "kill_switch:state",
        "circuit_breaker:state",
        "quarantine:*:MSFT",
        "position_reservation:AAPL",
        "position_reservation:AAPL:tokens",
        "position_reservation:AAPL:token:a",
    ],
)
async def test_a_key_of_the_wrong_type_is_mended_by_a_rebuild(
    mirror: RedisSafetyMirror, server: redis.Redis, key: str
) -> None:
    await mirror.rebuild(STATE)
    server.set(key, "nonsense")
    await mirror.rebuild(STATE)
    assert (await read(mirror)).switches["global"] == ENGAGED
    assert (await read(mirror, MSFT)).quarantine == STATE.quarantines[0]
    assert server.hget("position_reservation:AAPL", "long") == b"140000000000"


async def test_older_news_never_overwrites_newer(mirror: RedisSafetyMirror) -> None:
    await mirror.rebuild(STATE)
    await mirror.publish_switch(replace(ENGAGED, version=5, reason="newest"))
    await mirror.publish_switch(replace(ENGAGED, version=4, engaged=False))
    await mirror.publish_breaker(replace(STATE.breaker, version=3, tripped=False))
    await mirror.rebuild(STATE)
    reading = await read(mirror)
    assert reading.switches["global"] == replace(ENGAGED, version=5, reason="newest")
    assert reading.breaker.tripped


async def test_a_rebuild_from_before_an_engagement_does_not_forget_it(mirror: RedisSafetyMirror) -> None:
    await mirror.rebuild(SafetyState(position=1))
    await mirror.publish_switch(replace(ENGAGED, version=1))
    await mirror.rebuild(SafetyState(position=1))
    assert (await read(mirror)).switches["global"].engaged


async def test_publishing_twice_equals_publishing_once(mirror: RedisSafetyMirror) -> None:
    await mirror.rebuild(SafetyState(position=1))
    for _ in range(2):
        await mirror.publish_switch(ENGAGED)
        await mirror.publish_room(ROOM)
    assert (await read(mirror)).switches == {"global": ENGAGED}


async def test_a_quarantine_is_read_for_its_strategy_or_for_all(mirror: RedisSafetyMirror) -> None:
    await mirror.rebuild(SafetyState(position=1))
    of_alpha = MirroredQuarantine(strategy_id=ALPHA, symbol=AAPL, reason="of alpha")
    await mirror.publish_quarantine(of_alpha, active=True, position=2)
    assert (await read(mirror)).quarantine == of_alpha
    assert (await mirror.read(strategy_id=StrategyId("beta"), symbol=AAPL)).quarantine is None


async def test_a_lifted_quarantine_is_not_brought_back_by_older_news(mirror: RedisSafetyMirror) -> None:
    await mirror.rebuild(STATE)
    lifted = STATE.quarantines[0]
    await mirror.publish_quarantine(lifted, active=False, position=30)
    await mirror.publish_quarantine(lifted, active=True, position=25)
    await mirror.rebuild(STATE)
    assert (await read(mirror, MSFT)).quarantine is None


async def test_a_rebuild_drops_a_quarantine_the_ledger_has_lifted(mirror: RedisSafetyMirror) -> None:
    await mirror.rebuild(STATE)
    await mirror.rebuild(replace(STATE, position=40, quarantines=[]))
    assert (await read(mirror, MSFT)).quarantine is None


async def test_the_mirror_of_another_ledger_is_no_mirror(link: RedisLink, mirror: RedisSafetyMirror) -> None:
    other = RedisSafetyMirror(link, generation="ledger-2")
    await other.rebuild(STATE)
    assert not await mirror.ready()
    with pytest.raises(MirrorUnavailable):
        await read(mirror)
    await mirror.rebuild(SafetyState(position=1))
    reading = await read(mirror)
    assert reading.switches == {}
    assert (await read(mirror, MSFT)).quarantine is None


@covers("FM:F-049")
async def test_a_flushed_script_cache_is_filled_again(mirror: RedisSafetyMirror, server: redis.Redis) -> None:
    await mirror.rebuild(STATE)
    server.script_flush()
    await mirror.publish_switch(replace(ENGAGED, version=8))
    assert (await read(mirror)).switches["global"].version == 8


async def test_a_stopped_server_is_unavailable_at_once_and_comes_back(private_valkey: EmbeddedValkey) -> None:
    link = RedisLink(private_valkey.url)
    mirror = RedisSafetyMirror(link, generation="ledger-1")
    await mirror.rebuild(STATE)
    private_valkey.stop()
    for attempt in (read(mirror), mirror.ready(), mirror.rebuild(STATE), mirror.publish_switch(ENGAGED)):
        started = time.monotonic()
        with pytest.raises(MirrorUnavailable):
            await attempt
        assert time.monotonic() - started < 1
    EmbeddedValkey.start(private_valkey.directory)
    assert (await read(mirror)).switches["global"].engaged
    await link.close()


class Slow:
    """A way to Redis that takes `delay` seconds in each direction."""

    def __init__(self, redis_url: str) -> None:
        self.socket, _, self.number = redis_url.removeprefix("unix://").partition("?db=")
        self.delay = 0.0

    @asynccontextmanager
    async def url(self) -> AsyncIterator[str]:
        pumps: set[asyncio.Task[None]] = set()

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            upstream_reader, upstream = await asyncio.open_unix_connection(self.socket)
            pumps.add(asyncio.create_task(self.pump(reader, upstream)))
            pumps.add(asyncio.create_task(self.pump(upstream_reader, writer)))

        server = await asyncio.start_server(relay, "127.0.0.1", 0)
        try:
            yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/{self.number}"
        finally:
            server.close()
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while chunk := await source.read(65536):
                await asyncio.sleep(self.delay)
                sink.write(chunk)
        finally:
            sink.close()
            await sink.wait_closed()


@covers("FM:F-044")
async def test_a_slow_server_is_unavailable_and_its_late_answers_are_nobodys(redis_url: str) -> None:
    slow = Slow(redis_url)
    async with slow.url() as url:
        link = RedisLink(url)
        mirror = RedisSafetyMirror(link, generation="ledger-1")
        await mirror.rebuild(STATE)
        slow.delay = 0.2
        started = time.monotonic()
        answers = await asyncio.gather(*(read(mirror) for _ in range(100)), return_exceptions=True)
        assert time.monotonic() - started < 1
        assert all(isinstance(answer, MirrorUnavailable) for answer in answers)
        assert any(isinstance(answer, MirrorTimedOut) for answer in answers)
        slow.delay = 0.0
        for symbol in (AAPL, MSFT, AAPL):
            assert ((await read(mirror, symbol)).quarantine is not None) == (symbol == MSFT)
        await link.close()


@covers("FM:F-046")
@pytest.mark.parametrize("setting", [("replicaof", "127.0.0.1 1"), ("maxmemory", "1")])
async def test_a_server_that_may_not_write_is_unavailable(
    private_valkey: EmbeddedValkey, setting: tuple[str, str]
) -> None:
    link = RedisLink(private_valkey.url)
    mirror = RedisSafetyMirror(link, generation="ledger-1")
    await mirror.rebuild(STATE)
    with redis.Redis.from_url(private_valkey.url) as server:
        if setting[0] == "replicaof":
            server.replicaof("127.0.0.1", 1)
        else:
            server.config_set(*setting)
    with pytest.raises(MirrorUnavailable):
        await mirror.publish_switch(replace(ENGAGED, version=7))
    await link.close()
