"""How many requests the broker takes a minute, and who may use the last ones."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from enum import IntEnum
from math import ceil, inf
from typing import Final

from gateway.ports import Clock

_WINDOW: Final = 60.0
_FIRST_PAUSE: Final = 5.0
_LONGEST_PAUSE: Final = 60.0
_PACE: Final = 1.0


class Urgency(IntEnum):
    """The share of the budget, in percent, that must stay untouched for those more urgent."""

    CANCEL = 0
    SUBMIT = 17
    LOOKUP = 33
    SWEEP = 50


class RateBudget:
    """At most `per_minute` requests in any minute.

    After a refusal only cancels and look-ups go on, one of each a second: cancels reduce risk, look-ups tell
    what became of the refused request.
    """

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._taken: deque[float] = deque()
        self._told = inf
        self._told_until = 0.0
        self._paused_until = 0.0
        self._next_pause = _FIRST_PAUSE
        self._last = {Urgency.CANCEL: -inf, Urgency.LOOKUP: -inf}

    async def take(self, urgency: Urgency, *, within: float) -> bool:
        """Take one request out of the budget, waiting at most `within` seconds for it."""
        until = self._clock.monotonic() + within
        while (wait := self._wait(urgency)) > 0:
            if self._clock.monotonic() + wait > until:
                return False
            await asyncio.sleep(wait)
        now = self._clock.monotonic()
        self._taken.append(now)
        self._told -= 1
        if urgency in self._last:
            self._last[urgency] = now
        return True

    def answered(self, remaining: int | None = None, reset_in: float | None = None) -> None:
        """Take the broker's own count over: others may share the account. `reset_in` is in seconds."""
        self._next_pause = _FIRST_PAUSE
        if remaining is not None:
            self._told = remaining
            self._told_until = self._clock.monotonic() + min(reset_in or _WINDOW, _WINDOW)

    def refused(self, retry_after: float | None) -> None:
        """Pause after a 429; without a hint each pause is twice as long as the one before."""
        pause = retry_after or self._next_pause * random.uniform(0.8, 1.2)  # noqa: S311
        self._next_pause = min(self._next_pause * 2, _LONGEST_PAUSE)
        until = self._clock.monotonic() + min(max(pause, 1.0), _LONGEST_PAUSE)
        self._paused_until = max(self._paused_until, until)

    @property
    def pause(self) -> int:
        """Whole seconds until the present pause is over, at least 1."""
        return max(ceil(self._paused_until - self._clock.monotonic()), 1)

    def _wait(self, urgency: Urgency) -> float:
        """Seconds until a request of this urgency may leave; 0 for now."""
        now = self._clock.monotonic()
        if now < self._paused_until:
            paced = self._last[urgency] + _PACE if urgency in self._last else self._paused_until
            return paced - now
        reserved = self._per_minute * urgency // 100
        if now < self._told_until and self._told <= reserved:
            return self._told_until - now
        while self._taken and self._taken[0] <= now - _WINDOW:
            self._taken.popleft()
        over = len(self._taken) - (self._per_minute - reserved)
        return self._taken[over] + _WINDOW - now if over >= 0 else 0.0
