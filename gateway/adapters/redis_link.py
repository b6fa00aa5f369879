"""The one way to Redis: a bounded wait, never a repeated command, and one exception for every trouble."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha1
from typing import Any, Final, TypeVar, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from gateway.ports import MirrorUnavailable

T = TypeVar("T")

_CONNECTIONS: Final = 16
_TROUBLE: Final = (RedisError, OSError, ValueError, asyncio.IncompleteReadError)


class MirrorTimedOut(MirrorUnavailable):
    """Redis did not answer in time."""


class Script:
    """A Lua script. What it does happens whole or not at all."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.sha = sha1(source.encode(), usedforsecurity=False).hexdigest()


class RedisLink:
    """A pool of connections to one database. Every method raises MirrorUnavailable, and within a second."""

    def __init__(self, url: str, *, timeout: float = 0.15) -> None:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=2 * timeout,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 0),
            driver_info=None,
            protocol=2,
        )
        self._redis = Redis.from_pool(pool)
        self._timeout = timeout

    async def close(self) -> None:
        await self._redis.aclose()

    async def ping(self) -> None:
        await self._within(self._redis.ping)

    async def command(self, *words: str | int) -> Any:
        return await self._within(
            lambda: self._redis.execute_command(*words)  # type: ignore[no-untyped-call]
        )

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[str | int]) -> Any:
        """Run a script by its name; a server that forgot it is given it once more."""

        async def attempt() -> Any:
            try:
                return await self._redis.evalsha(script.sha, len(keys), *keys, *args)
            except NoScriptError:  # nothing was run
                return await self._redis.eval(script.source, len(keys), *keys, *args)

        return await self._within(attempt)

    async def _within(self, work: Callable[[], Awaitable[T]]) -> T:
        """Bound connecting, sending and reading together, and give every trouble one name."""
        try:
            async with asyncio.timeout(3 * self._timeout):
                return await work()
        except TimeoutError as error:
            raise MirrorTimedOut("Redis does not answer in time") from error
        except _TROUBLE as error:
            kind = MirrorTimedOut if "Timeout" in type(error).__name__ else MirrorUnavailable
            raise kind(f"Redis: {type(error).__name__}: {error}") from error


def text(value: Any) -> str | None:
    """What Redis holds as text; None when it holds nothing. Raises MirrorUnavailable for garbage."""
    if value is None:
        return None
    try:
        return cast("bytes", value).decode()
    except (UnicodeDecodeError, AttributeError):
        raise MirrorUnavailable("Redis holds what nobody here wrote") from None
