"""Threads of their own for calls that block, so that one kind of call never starves another."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, Protocol, TypeVar


class Closable(Protocol):
    def close(self) -> None: ...


C = TypeVar("C", bound=Closable)
T = TypeVar("T")


class LaneFull(Exception):
    """Every thread of the lane is busy, or cannot connect; the work was not begun."""


class Lane(Generic[C]):
    """A bounded number of threads, each with a client of its own."""

    def __init__(self, name: str, *, threads: int, connect: Callable[[], C]) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._free = asyncio.Semaphore(threads)
        self._connect = connect
        self._own = threading.local()
        self._clients: list[C] = []

    async def run(
        self,
        work: Callable[[C], T],
        *,
        patience: float,
        deadline: float,
        late: Callable[[T], None] | None = None,
    ) -> T:
        """Do blocking work: `patience` seconds to begin, `deadline` seconds for all of it.

        Raises LaneFull when nothing was begun, and TimeoutError while the work may still be going on; its
        result then goes to `late`. So it does when the caller is cancelled.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + deadline
        try:
            await asyncio.wait_for(self._free.acquire(), patience)
        except TimeoutError:
            raise LaneFull from None
        future = loop.run_in_executor(self._threads, self._do, work)
        future.add_done_callback(lambda _: self._free.release())
        try:
            await asyncio.wait({future}, timeout=until - loop.time())
        finally:
            if not future.done():
                future.add_done_callback(lambda done: _hand_over(done, late))
        if not future.done():
            raise TimeoutError
        return future.result()

    def close(self) -> None:
        """Give the threads up without waiting; every call they are in is bounded by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for client in self._clients:
            client.close()

    def _do(self, work: Callable[[C], T]) -> T:
        client: C | None = getattr(self._own, "client", None)
        if client is None:
            try:
                client = self._own.client = self._connect()
            except Exception as error:
                raise LaneFull from error
            self._clients.append(client)
        return work(client)


def _hand_over(done: asyncio.Future[T], late: Callable[[T], None] | None) -> None:
    if not done.cancelled() and done.exception() is None and late is not None:
        late(done.result())
