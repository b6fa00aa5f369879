"""The one way to Redis: a bounded wait, never a repeated command, and one exception for every trouble."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from hashlib import sha1
from typing import Any, Final, TypeVar, cast

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from gateway.ports import MirrorUnavailable

T = TypeVar("T")

_TROUBLE: Final = (RedisError, OSError, ValueError, asyncio.IncompleteReadError)


class MirrorTimedOut(MirrorUnavailable):
    """Redis did not answer in time."""


class Script:
    """A Lua script. What it does happens whole or not at all."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.sha = sha1(source.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class _Call:
    words: tuple[str | int, ...]
    answer: asyncio.Future[Any]

    def settle(self, answer: Any) -> None:
        if self.answer.done():
            return
        if isinstance(answer, Exception):
            self.answer.set_exception(answer)
        else:
            self.answer.set_result(answer)


class RedisLink:
    """One database, spoken to in turns: what waits when a turn begins is sent and answered together.

    A turn of many commands costs the client little more than a turn of one. Every method raises
    MirrorUnavailable, and within a second.
    """

    def __init__(self, url: str, *, timeout: float = 0.15) -> None:
        self._redis = Redis.from_url(
            url,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 0),
            driver_info=None,
            protocol=2,
        )
        self._timeout = timeout
        self._waiting: list[_Call] = []
        self._turns: asyncio.Task[None] | None = None

    async def close(self) -> None:
        if self._turns is not None:
            await self._turns
        await self._redis.aclose()

    async def ping(self) -> None:
        await self.command("PING")

    async def command(self, *words: str | int) -> Any:
        return await self._within(lambda: self._ask(words))

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[str | int]) -> Any:
        """Run a script by its name; a server that forgot it is given it once more."""

        async def attempt() -> Any:
            try:
                return await self._ask(("EVALSHA", script.sha, len(keys), *keys, *args))
            except NoScriptError:  # nothing was run
                return await self._ask(("EVAL", script.source, len(keys), *keys, *args))

        return await self._within(attempt)

    async def _within(self, work: Callable[[], Awaitable[T]]) -> T:
        """Bound waiting, connecting, sending and reading together, and give every trouble one name."""
        try:
            async with asyncio.timeout(3 * self._timeout):
                return await work()
        except TimeoutError as error:
            raise MirrorTimedOut("Redis does not answer in time") from error
        except _TROUBLE as error:
            kind = MirrorTimedOut if "Timeout" in type(error).__name__ else MirrorUnavailable
            raise kind(f"Redis: {type(error).__name__}: {error}") from error

    async def _ask(self, words: tuple[str | int, ...]) -> Any:
        call = _Call(words, asyncio.get_running_loop().create_future())
        self._waiting.append(call)
        if self._turns is None or self._turns.done():
            self._turns = asyncio.create_task(self._take_turns(), name="redis-turns")
        return await call.answer

    async def _take_turns(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            calls = [
                call for call in waiting if not call.answer.done()
            ]  # the others gave up: never send them
            try:
                answers = await self._send([call.words for call in calls])
            except (*_TROUBLE, TimeoutError) as error:
                answers = [error] * len(calls)
            for call, answer in zip(calls, answers, strict=True):
                call.settle(answer)

    async def _send(self, commands: Sequence[tuple[str | int, ...]]) -> list[Any]:
        """One round trip; a command the server refuses is answered with its error."""
        async with self._redis.pipeline(transaction=False) as turn:
            for words in commands:
                turn.execute_command(*words)
            return await turn.execute(raise_on_error=False)


def text(value: Any) -> str | None:
    """What Redis holds as text; None when it holds nothing. Raises MirrorUnavailable for garbage."""
    if value is None:
        return None
    try:
        return cast("bytes", value).decode()
    except (UnicodeDecodeError, AttributeError):
        raise MirrorUnavailable("Redis holds what nobody here wrote") from None
