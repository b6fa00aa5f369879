"""Faults that a test arms: what goes wrong, to whom, after how many times and how often."""

from __future__ import annotations

import itertools
import random
import time
from fnmatch import fnmatchcase
from typing import Literal

import msgspec

from gateway.paper.catalogue import CATALOGUE, Kind
from gateway.paper.errors import invalid, not_found

Poison = Literal["not_json", "truncated", "array", "null", "no_order", "no_timestamp", "empty_execution_id"]

_numbers = itertools.count(1)  # never twice in one process, whatever worlds come and go


class Params(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every parameter of every fault; each reads its own, and the catalogue has its default.

    Seconds are wall time for HTTP and sockets, virtual time for orders, executions and reads.
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
    framing: Literal["length", "chunked"] = "length"
    scope: Literal["*", "id", "cid", "list"] = "*"
    events_first: bool = True
    gap_ms: int = 0
    until: Literal["cleared", "next_open"] = "cleared"
    fail: int = 1
    delay_s: float = 0
    jitter_s: float = 0
    reason: str | None = None
    then_fill: bool = False
    qty: str | int | None = None
    price: str | None = None
    bps: int = 0
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
    mode: str = ""
    policy: Literal["refuse_new", "kick_old"] = "refuse_new"
    reap_s: float = 90
    kind: Poison = "not_json"
    event: str = "novelty"
    fields: dict[str, object] = {}
    symbol: str = "*"
    side: Literal["ask", "bid"] = "ask"
    remove: tuple[str, ...] = ()
    add: dict[str, object] = {}
    enums: dict[str, str] = {}


class Asked(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How a fault is armed."""

    name: str
    params: dict[str, object] = {}
    match: dict[str, str] = {}
    after: int = 0
    times: int | None = None
    probability: float = 1.0
    for_s: float | None = None


class Fault(msgspec.Struct, kw_only=True):
    id: str
    name: str
    params: Params
    match: dict[str, str]
    after: int
    times: int
    """How often it strikes; -1 until disarmed."""
    probability: float
    for_s: float | None
    armed_at: float
    seen: int = 0
    hits: int = 0

    def is_over(self, monotonic: float) -> bool:
        used_up = 0 <= self.times <= self.hits
        return used_up or (self.for_s is not None and monotonic > self.armed_at + self.for_s)


class Faults:
    """The armed faults, in arming order. They end with the process; what they have done does not."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(f"{seed}/faults")
        self._armed: dict[str, Fault] = {}

    def arm(self, specification: bytes) -> Fault:
        """Raises a 422 refusal when the name is unknown or a parameter does not fit."""
        try:
            asked = msgspec.json.decode(specification, type=Asked)
            if (kind := CATALOGUE.get(asked.name)) is None:
                raise invalid(f"unknown fault {asked.name}")
            params = _params(kind, asked.params)
        except msgspec.MsgspecError as error:
            raise invalid(str(error)) from None
        fault = Fault(
            id=f"fault-{next(_numbers)}",
            name=asked.name,
            params=params,
            match=asked.match,
            after=asked.after + params.after_events,
            times=_times(kind, params) if asked.times is None else asked.times,
            probability=asked.probability,
            for_s=_duration(kind, params) if asked.for_s is None else asked.for_s,
            armed_at=time.monotonic(),
        )
        self._armed[fault.id] = fault
        return fault

    def find(self, fault_id: str) -> Fault:
        if (fault := self._armed.get(fault_id)) is None:
            raise not_found(f"no fault {fault_id}")
        return fault

    def disarm(self, fault_id: str) -> None:
        del self._armed[self.find(fault_id).id]

    def clear(self) -> None:
        self._armed.clear()

    def all(self) -> list[Fault]:
        return list(self._armed.values())

    def has(self, name: str) -> bool:
        """Whether such a fault may strike."""
        return any(f.name == name and not f.is_over(time.monotonic()) for f in self._armed.values())

    def take(self, name: str, /, **about: str) -> Params | None:
        """The parameters of the first armed fault of that name that strikes now, counted as a hit."""
        fault = self.strike(name, **about)
        return fault.params if fault else None

    def strike(self, name: str, /, **about: str) -> Fault | None:
        for fault in self._armed.values():
            if fault.name == name and not fault.is_over(time.monotonic()) and _matches(fault, about):
                fault.seen += 1
                if fault.seen > fault.after and self.draw.random() < fault.probability:
                    fault.hits += 1
                    return fault
        return None


def _params(kind: Kind, given: dict[str, object]) -> Params:
    """What is not given is as the catalogue has it."""
    for name, value in given.items():
        if name not in kind.parameters:
            raise invalid(f"{kind.name} has no parameter {name}")
        choices = kind.choices(name)
        if choices and value not in choices:
            raise invalid(f"{kind.name} takes no {name} {value}")
    return msgspec.convert({name: kind.default(name) for name in kind.parameters} | given, Params)


def _duration(kind: Kind, params: Params) -> float | None:
    return params.seconds or None if kind.name == "read.activities_gap" else None


def _times(kind: Kind, params: Params) -> int:
    if kind.lasting or (kind.name == "read.activities_gap" and params.seconds):
        return -1
    return params.n if kind.name == "ws.lose" else 1


def _matches(fault: Fault, about: dict[str, str]) -> bool:
    # A status in words narrows an order fault to that status; a number is an HTTP status to answer.
    wanted = fault.params.status
    if isinstance(wanted, str) and "status" in about and about["status"] != wanted:
        return False
    if "phase" in about and about["phase"] != fault.params.phase:
        return False
    if not fnmatchcase(about.get("symbol", ""), fault.params.symbol):
        return False
    return all(fnmatchcase(about.get(key, ""), pattern) for key, pattern in fault.match.items())
