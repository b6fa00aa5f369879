"""Rate limits and nonces: shared through Redis, and the same numbers without it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
import redis

from gateway.adapters.redis_link import RedisLink
from gateway.adapters.redis_nonces import RedisNonces
from gateway.adapters.redis_rate_limits import MemoryRateLimits, RedisRateLimits
from gateway.adapters.system_clock import SystemClock
from gateway.ports import MirrorUnavailable, RateLimits, RateRule, RateVerdict
from tests.kit.covers import covers

NOWHERE = "redis://127.0.0.1:1/0"


@dataclass
class HandClock:
    seconds: float = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
async def link(redis_url: str) -> AsyncIterator[RedisLink]:
    link = RedisLink(redis_url, timeout=1.0)
    yield link
    await link.close()


@pytest.fixture(params=["redis", "memory"])
def limits(request: pytest.FixtureRequest, link: RedisLink) -> RateLimits:
    if request.param == "memory":
        return MemoryRateLimits(SystemClock())
    return RedisRateLimits(link, clock=SystemClock())


async def test_attempts_are_let_through_up_to_the_limit(limits: RateLimits) -> None:
    rule = RateRule(limit=3, window=60)
    verdicts = [await limits.check("orders", "alice", rule) for _ in range(4)]
    assert [verdict.allowed for verdict in verdicts] == [True, True, True, False]
    assert [verdict.remaining for verdict in verdicts] == [2, 1, 0, 0]
    assert verdicts[-1].reason == "per_user_limit_exceeded"
    assert 55 <= verdicts[-1].retry_after <= 60


async def test_principals_and_actions_are_counted_apart(limits: RateLimits) -> None:
    rule = RateRule(limit=1, window=60)
    assert (await limits.check("orders", "alice", rule)).allowed
    assert (await limits.check("orders", "bob", rule)).allowed
    assert (await limits.check("cancels", "alice", rule)).allowed
    assert not (await limits.check("orders", "alice", rule)).allowed


@covers("SEC:S-39")
async def test_a_burst_is_refused_and_may_go_on_a_second_later(limits: RateLimits) -> None:
    rule = RateRule(limit=100, window=60, burst=2)
    verdicts = [await limits.check("orders", "alice", rule) for _ in range(3)]
    assert verdicts[2] == RateVerdict(
        allowed=False, remaining=98, reason="burst_limit_exceeded", retry_after=1
    )
    await asyncio.sleep(1.05)
    assert (await limits.check("orders", "alice", rule)).allowed


@covers("SEC:S-39")
async def test_the_whole_service_has_a_limit_too(limits: RateLimits) -> None:
    rule = RateRule(limit=2, window=60, overall=3)
    for principal in ("alice", "bob", "carol"):
        assert (await limits.check("orders", principal, rule)).allowed
    assert (await limits.check("orders", "dave", rule)).reason == "global_limit_exceeded"


async def test_refused_attempts_do_not_count(limits: RateLimits) -> None:
    rule = RateRule(limit=1, window=1)
    assert (await limits.check("orders", "alice", rule)).allowed
    for _ in range(5):
        assert not (await limits.check("orders", "alice", rule)).allowed
        await asyncio.sleep(0.15)
    await asyncio.sleep(0.4)
    assert (await limits.check("orders", "alice", rule)).allowed


async def test_an_attempt_given_back_was_none(limits: RateLimits) -> None:
    rule = RateRule(limit=1, window=60, overall=2)
    await limits.give_back("flatten", "alice")  # nothing to give back yet
    for _ in range(3):
        assert (await limits.check("flatten", "alice", rule)).allowed
        await limits.give_back("flatten", "alice")
    assert (await limits.check("flatten", "bob", rule)).allowed
    assert (await limits.check("flatten", "alice", rule)).allowed
    assert (await limits.check("flatten", "alice", rule)).reason == "per_user_limit_exceeded"


async def test_concurrent_attempts_never_exceed_the_limit(limits: RateLimits) -> None:
    rule = RateRule(limit=40, window=60)
    verdicts = await asyncio.gather(*(limits.check("orders", "alice", rule) for _ in range(45)))
    assert sum(verdict.allowed for verdict in verdicts) == 40


async def test_a_window_slides_instead_of_starting_anew() -> None:
    clock = HandClock()
    limits, rule = MemoryRateLimits(clock), RateRule(limit=2, window=60)
    for at, allowed in ((0.0, True), (50.0, True), (59.0, False), (61.0, True), (62.0, False), (111.0, True)):
        clock.seconds = at
        assert (await limits.check("orders", "alice", rule)).allowed is allowed, at


@covers("SEC:S-39")
async def test_without_redis_the_process_counts_from_its_own_memory() -> None:
    troubles: list[tuple[str, bool]] = []
    link = RedisLink(NOWHERE)
    limits = RedisRateLimits(link, clock=SystemClock(), trouble=lambda *trouble: troubles.append(trouble))
    rule = RateRule(limit=2, window=60)
    verdicts = [await limits.check("orders", "alice", rule) for _ in range(3)]
    assert [verdict.allowed for verdict in verdicts] == [True, True, False]
    assert troubles == [("orders", False)] * 3
    await link.close()


async def test_the_counters_leave_redis_by_themselves(link: RedisLink, redis_url: str) -> None:
    await RedisRateLimits(link, clock=SystemClock()).check("orders", "alice", RateRule(limit=1, window=60))
    with redis.Redis.from_url(redis_url) as server:
        assert {key: server.ttl(key) for key in server.scan_iter()} == {
            b"rl:orders:alice": 60,
            b"rl:orders:*": 60,
        }


async def test_a_nonce_can_be_claimed_once_per_service(link: RedisLink, redis_url: str) -> None:
    nonces = RedisNonces(link)
    claims = await asyncio.gather(*(nonces.claim("signal", "n-1", 300) for _ in range(10)))
    assert sorted(claims) == [False] * 9 + [True]
    assert await nonces.claim("other", "n-1", 300)
    with redis.Redis.from_url(redis_url) as server:
        assert 295 <= server.ttl("internal_nonce:signal:n-1") <= 300


async def test_without_redis_no_nonce_is_new() -> None:
    link = RedisLink(NOWHERE)
    with pytest.raises(MirrorUnavailable):
        await RedisNonces(link).claim("signal", "n-1", 300)
    await link.close()
