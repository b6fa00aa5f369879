"""The timetables of a plan, carried out side by side until they end or somebody has had enough."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from gateway.chaos.desk import Desk
from gateway.chaos.plan import Plan, Step
from gateway.chaos.trouble import cause
from gateway.chaos.work import do

CALLERS: Final = 6
_TICK_SECONDS: Final = 0.2

Carry = Callable[[Desk, Step], None]


@dataclass(slots=True)
class Drive:
    desk: Desk
    plan: Plan
    _over: threading.Event = field(default_factory=threading.Event)
    _began: float = 0.0

    def run(self, progress: Callable[[float], None]) -> None:
        """Carry the plan out; `progress` hears the seconds gone. Raises what a step could not survive."""
        self._began = time.monotonic()
        with (
            ThreadPoolExecutor(CALLERS, "callers") as callers,
            ThreadPoolExecutor(3, "timetables") as timetables,
        ):
            try:
                running = [
                    timetables.submit(self._keep, self.plan.faults, cause, None),
                    timetables.submit(self._keep, self.plan.accidents, cause, None),
                    timetables.submit(self._keep, self.plan.work, do, callers),
                ]
                self._watch(running, progress)
            finally:
                self._over.set()
                callers.shutdown(cancel_futures=True)
        for each in running:
            each.result()

    def _watch(self, running: list[Future[None]], progress: Callable[[float], None]) -> None:
        while not all(each.done() for each in running):
            time.sleep(_TICK_SECONDS)
            progress(time.monotonic() - self._began)
            if any(each.done() and each.exception() for each in running):
                return

    def _keep(self, timetable: Sequence[Step], carry: Carry, callers: ThreadPoolExecutor | None) -> None:
        """Each step at its second, or as soon after it as may be; `callers` need not wait for each other."""
        pending: list[Future[None]] = []
        for step in timetable:
            if self._over.wait(max(0.0, self._began + step.at - time.monotonic())):
                break
            if callers is None:
                carry(self.desk, step)
            else:
                pending.append(callers.submit(carry, self.desk, step))
        for each in pending:
            if not each.cancelled():
                each.result()
