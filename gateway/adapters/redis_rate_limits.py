"""Sliding windows per action and principal: shared through Redis, and kept in memory while Redis is away."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import ceil
from typing import Final
from uuid import uuid4

from gateway.adapters.redis_link import MirrorTimedOut, RedisLink, Script
from gateway.ports import Clock, MirrorUnavailable, RateRule, RateVerdict

_BURST_SECONDS: Final = 1
_EVERYBODY: Final = "*"

Trouble = Callable[[str, bool], None]

# A window per key is a sorted set of attempts by time in microseconds. All windows are looked at before any
# attempt is counted, so a refused one counts nowhere.
# KEYS: the principal's attempts, everybody's. ARGV: a name for this attempt, then seconds and limit of the
# principal's window, of the burst and of everybody's; a limit below 0 is none.
# Returns which window refused (0 for none), what is left in the principal's, and the wait in microseconds.
_CHECK: Final = Script("""
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local windows = {{KEYS[1], ARGV[2], ARGV[3]}, {KEYS[1], ARGV[4], ARGV[5]}, {KEYS[2], ARGV[6], ARGV[7]}}
local left = 0
for number, window in ipairs(windows) do
    local key, width, limit = window[1], tonumber(window[2]) * 1000000, tonumber(window[3])
    local since = string.format('%.0f', now - width)
    if number ~= 2 then redis.call('ZREMRANGEBYSCORE', key, '-inf', since) end
    local taken = redis.call('ZCOUNT', key, '(' .. since, '+inf')
    if number == 1 then left = limit - taken end
    if limit >= 0 and taken >= limit then
        local oldest = limit > 0 and redis.call('ZRANGE', key, -limit, -limit, 'WITHSCORES')[2] or now
        return {number, math.max(left, 0), oldest + width - now}
    end
end
for _, window in ipairs({windows[1], windows[3]}) do
    redis.call('ZADD', window[1], string.format('%.0f', now), ARGV[1])
    redis.call('EXPIRE', window[1], window[2])
end
return {0, left - 1, 0}
""")
# KEYS: the principal's attempts, everybody's. The principal's newest attempt leaves both.
_GIVE_BACK: Final = Script("""
local newest = redis.call('ZPOPMAX', KEYS[1])[1]
if newest then redis.call('ZREM', KEYS[2], newest) end
return 0
""")
_OWN, _BURST, _OVERALL = 1, 2, 3
_REASONS: Final = {
    _OWN: "per_user_limit_exceeded",
    _BURST: "burst_limit_exceeded",
    _OVERALL: "global_limit_exceeded",
}


class RedisRateLimits:
    """RateLimits. `trouble(action, timed_out)` hears of every check that Redis could not answer."""

    def __init__(
        self, link: RedisLink, *, clock: Clock, trouble: Trouble = lambda _action, _timed_out: None
    ) -> None:
        self._link = link
        self._memory = MemoryRateLimits(clock)
        self._trouble = trouble

    async def check(self, action: str, principal: str, rule: RateRule) -> RateVerdict:
        keys = _keys(action, principal)
        windows = [number for _, seconds, limit in _windows(rule) for number in (seconds, limit)]
        try:
            refusal, left, wait = await self._link.run(_CHECK, keys, (uuid4().hex, *windows))
        except MirrorUnavailable as error:
            self._trouble(action, isinstance(error, MirrorTimedOut))
            return await self._memory.check(action, principal, rule)
        return _verdict(refusal, left, wait / 1_000_000)

    async def give_back(self, action: str, principal: str) -> None:
        try:
            await self._link.run(_GIVE_BACK, _keys(action, principal), ())
        except MirrorUnavailable as error:
            self._trouble(action, isinstance(error, MirrorTimedOut))
            await self._memory.give_back(action, principal)


@dataclass(slots=True)
class MemoryRateLimits:
    """The same numbers from the memory of one process."""

    clock: Clock
    _attempts: dict[tuple[str, str], deque[float]] = field(default_factory=dict)

    async def check(self, action: str, principal: str, rule: RateRule) -> RateVerdict:
        now = self.clock.monotonic()
        own, everybody = (self._recent(action, name, now - rule.window) for name in (principal, _EVERYBODY))
        left = max(rule.limit - len(own), 0)
        for number, seconds, limit in _windows(rule):
            attempts = everybody if number == _OVERALL else own
            recent = [at for at in attempts if at > now - seconds]
            if 0 <= limit <= len(recent):
                oldest = recent[-limit] if limit else now
                return _verdict(number, left, oldest + seconds - now)
        own.append(now)
        everybody.append(now)
        return _verdict(0, left - 1, 0)

    async def give_back(self, action: str, principal: str) -> None:
        for name in (principal, _EVERYBODY):
            if attempts := self._attempts.get((action, name)):
                attempts.pop()

    def _recent(self, action: str, principal: str, since: float) -> deque[float]:
        attempts = self._attempts.setdefault((action, principal), deque())
        while attempts and attempts[0] <= since:
            attempts.popleft()
        return attempts


def _keys(action: str, principal: str) -> tuple[str, str]:
    return f"rl:{action}:{principal}", f"rl:{action}:{_EVERYBODY}"


def _windows(rule: RateRule) -> Iterator[tuple[int, int, int]]:
    """Number, seconds and limit of the principal's window, the burst and everybody's window."""
    yield _OWN, rule.window, rule.limit
    yield _BURST, _BURST_SECONDS, -1 if rule.burst is None else rule.burst
    yield _OVERALL, rule.window, -1 if rule.overall is None else rule.overall


def _verdict(refusal: int, left: int, wait: float) -> RateVerdict:
    return RateVerdict(
        allowed=refusal == 0,
        remaining=left,
        reason=_REASONS.get(refusal),
        retry_after=max(ceil(wait), 1) if refusal else 0,
    )
