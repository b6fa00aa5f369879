"""Faults that a test arms: what goes wrong, to whom, after how many times and how often."""

from __future__ import annotations

import itertools
import random
import time
from fnmatch import fnmatchcase
from typing import Final, Literal

import msgspec

from gateway.paper.errors import invalid, not_found

FAULTS: Final = frozenset(
    {
        "http.status",
        "http.status_after",
        "http.hang",
        "http.reset",
        "http.close",
        "http.body",
        "http.redirect",
        "http.latency",
        "http.rate_limit",
        "http.auth",
        "order.lookup_lag",
        "order.ack_delay",
        "order.async_reject",
        "order.stuck",
        "order.late_accept",
        "order.cancel_reject",
        "order.fill_on_cancel",
        "order.fill_after_terminal",
        "order.cancel_204_filled",
        "order.silent_cancel",
        "fill.partial",
        "fill.bust",
        "fill.correct",
        "fill.over",
        "fill.id_mismatch",
        "read.list_gap",
        "read.activities_gap",
        "http.drip",
        "ws.freeze",
        "ws.replay",
        "ws.position_lie",
        "ws.drop",
        "ws.mute",
        "ws.lose",
        "ws.duplicate",
        "ws.reorder",
        "ws.delay",
        "ws.malformed",
        "ws.unknown_event",
        "ws.upgrade",
        "ws.auth",
    }
)


UNTIL_DISARMED: Final = frozenset({"http.auth", "http.rate_limit"})


Poison = Literal["not_json", "truncated", "array", "null", "no_order", "no_timestamp", "empty_execution_id"]

_numbers = itertools.count(1)  # never twice in one process, whatever worlds come and go


class Params(msgspec.Struct, frozen=True, kw_only=True):
    """Every parameter of every fault; each reads its own.

    Seconds are wall time for HTTP and sockets, virtual time for orders and executions.
    """

    status: int | str | None = None
    body: object = None
    content_type: str = "application/json"
    headers: dict[str, str] | Literal["none", "alpaca", "retry_after"] = {}
    phase: Literal["before", "after", "mid_body"] = "before"
    seconds: float = 0
    ms: int = 0
    jitter_ms: int = 0
    limit: int = 0
    window_s: float = 60
    location: str = "/"
    scope: Literal["*", "id", "cid", "list"] = "*"
    delay_s: float = 0
    reason: str | None = None
    then_fill: bool = False
    qty: str | int | None = None
    price: str | None = None
    slices: int = 2
    every_s: float = 0
    negative_qty: bool = False
    code: int = 1006
    after_events: int = 0
    backlog: Literal["drop", "hold"] = "drop"
    n: int = 1
    copies: int = 1
    new_event_id: bool = False
    bytes: int = 1
    last: int = 1
    delta: int = 1
    window: int = 2
    mode: Literal["reverse", "new_after_fill", "hang", "unauthorized", "event_first"] = "reverse"
    kind: Poison = "not_json"
    event: str = "novelty"
    fields: dict[str, object] = {}


class Fault(msgspec.Struct, kw_only=True):
    name: str
    params: Params = Params()
    match: dict[str, str] = {}
    after: int = 0
    times: int | None = None
    """How often it strikes; -1 until disarmed. None is the default of its kind."""
    probability: float = 1.0
    for_s: float | None = None
    id: str = ""
    seen: int = 0
    hits: int = 0
    armed_at: float = 0

    def is_over(self, monotonic: float) -> bool:
        used_up = self.times is not None and 0 <= self.times <= self.hits
        return used_up or (self.for_s is not None and monotonic > self.armed_at + self.for_s)


class Faults:
    """The armed faults, in arming order."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(f"{seed}/faults")
        self._armed: dict[str, Fault] = {}

    def arm(self, specification: bytes) -> Fault:
        """Raises a 422 refusal when the name is unknown or a parameter does not fit."""
        try:
            fault = msgspec.json.decode(specification, type=Fault)
        except msgspec.MsgspecError as error:
            raise invalid(str(error)) from None
        if fault.name not in FAULTS:
            raise invalid(f"unknown fault {fault.name}")
        fault.id, fault.armed_at = f"fault-{next(_numbers)}", time.monotonic()
        fault.after += fault.params.after_events
        if fault.times is None:
            fault.times = -1 if fault.name in UNTIL_DISARMED else 1
        self._armed[fault.id] = fault
        return fault

    def disarm(self, fault_id: str) -> None:
        if self._armed.pop(fault_id, None) is None:
            raise not_found(f"no fault {fault_id}")

    def clear(self) -> None:
        self._armed.clear()

    def all(self) -> list[Fault]:
        return list(self._armed.values())

    def take(self, name: str, /, **about: str) -> Params | None:
        """The parameters of the first armed fault of that name that strikes now, counted as a hit."""
        fault = self.strike(name, **about)
        return fault.params if fault else None

    def strike(self, name: str, /, **about: str) -> Fault | None:
        for fault in self._armed.values():
            if fault.name == name and not fault.is_over(time.monotonic()) and _matches(fault, about):
                fault.seen += 1
                if fault.seen > fault.after and self._draw.random() < fault.probability:
                    fault.hits += 1
                    return fault
        return None


def _matches(fault: Fault, about: dict[str, str]) -> bool:
    # A status in words narrows an order fault to that status; a number is an HTTP status to answer.
    wanted = fault.params.status
    if isinstance(wanted, str) and "status" in about and about["status"] != wanted:
        return False
    if "phase" in about and about["phase"] != fault.params.phase:
        return False
    return all(fnmatchcase(about.get(key, ""), pattern) for key, pattern in fault.match.items())
