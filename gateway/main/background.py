"""Tasks that must not die: each is restarted with back-off, counted, and shown by name."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from gateway.telemetry import Metrics, log

_log = log("gateway.background")
FIRST_PAUSE_SECONDS: Final = 0.2
LONGEST_PAUSE_SECONDS: Final = 30.0
STOP_AGAIN_SECONDS: Final = 0.5


@dataclass(slots=True)
class Standing:
    """`state` is running, stopped or crashed; a crashed task is waiting for its restart."""

    state: str
    since: datetime
    message: str | None = None


@dataclass(slots=True)
class Background:
    now: Callable[[], datetime]
    metrics: Metrics
    standings: dict[str, Standing] = field(default_factory=dict)
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def keep(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work` for ever; whatever it raises or whenever it ends, it starts again."""
        self._tasks[name] = asyncio.create_task(self._supervise(name, work), name=name)

    def every(self, name: str, seconds: float, work: Callable[[], Awaitable[object]]) -> None:
        """Run `work` each `seconds` after the last run ended."""

        async def rounds() -> None:
            while True:
                await work()
                await asyncio.sleep(seconds)

        self.keep(name, rounds)

    async def stop(self, *names: str) -> None:
        """Cancel and await the named tasks, or all of them."""
        stopping = {self._tasks.pop(name) for name in (names or tuple(self._tasks)) if name in self._tasks}
        while stopping:
            for task in stopping:
                task.cancel()  # again: a timeout that ends in the same moment swallows a cancellation
            _, stopping = await asyncio.wait(stopping, timeout=STOP_AGAIN_SECONDS)

    def is_up(self, name: str) -> bool:
        standing = self.standings.get(name)
        return standing is not None and standing.state == "running"

    async def _supervise(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        pause = FIRST_PAUSE_SECONDS
        try:
            while True:
                self._set(name, "running")
                begun = self.now()
                try:
                    await work()
                    message = "ended"
                except Exception as error:  # noqa: BLE001 - the loop must survive whatever one round raises
                    message = type(error).__name__
                    _log.exception("background task crashed", task=name)
                self._set(name, "crashed", message)
                if (self.now() - begun).total_seconds() > LONGEST_PAUSE_SECONDS:
                    pause = FIRST_PAUSE_SECONDS
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        finally:
            self._set(name, "stopped")

    def _set(self, name: str, state: str, message: str | None = None) -> None:
        self.standings[name] = Standing(state, self.now(), message)
        _log.info("background task", task=name, outcome=state)
        self.metrics.task_up.labels(task=name).set(1 if state == "running" else 0)
