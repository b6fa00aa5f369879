"""What a seed stands for: who asks for what, and what goes wrong, each at its own second. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

SYMBOLS: Final = ("AAPL", "MSFT", "IBM", "GOOG")
STRATEGIES: Final = ("momentum", "reversion", "carry")
WORK_EVERY_SECONDS: Final = 0.08
FAULT_EVERY_SECONDS: Final = 0.7
ACCIDENT_EVERY_SECONDS: Final = 7.0
WARM_UP_SECONDS: Final = 1.0
TIDE_SECONDS: Final = 5.0
_SHORT: Final = 3.0
"""Seconds any fault lasts at most, so that it is not the only thing that happens."""

_WORK: Final = {
    "submit": 50,
    "retry": 10,
    "contradict": 3,
    "cancel": 20,
    "cancel_all": 2,
    "close": 3,
    "manual": 3,
    "switch": 2,
    "breaker": 1,
    "reconcile": 3,
    "rebuild": 2,
    "foreign": 1,
    "tend": 8,
    "read": 5,
}
_ACCIDENTS: Final = {
    "kill_gateway": 2,
    "sleep_gateway": 2,
    "kill_database": 2,
    "kill_redis": 2,
    "restart_exchange": 1,
}
"""How often each is drawn, of the sum of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something to do `at` seconds after the start."""

    at: float
    name: str
    terms: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Timetables that are drawn from the seed apart, so that one more fault shifts no order.

    `faults` befall messages, `accidents` processes.
    """

    seed: int
    seconds: float
    work: tuple[Step, ...]
    faults: tuple[Step, ...]
    accidents: tuple[Step, ...]


def draw(seed: int, seconds: float, faults: Sequence[Mapping[str, Any]]) -> Plan:
    """`faults` is the exchange's own catalogue: names, parameters with defaults, and choices."""
    return Plan(
        seed=seed,
        seconds=seconds,
        work=_timetable(_chance(seed, "work"), seconds, WORK_EVERY_SECONDS, _work),
        faults=_timetable(_chance(seed, "faults"), seconds, FAULT_EVERY_SECONDS, _dealer(faults)),
        accidents=_timetable(_chance(seed, "accidents"), seconds, ACCIDENT_EVERY_SECONDS, _accident),
    )


def _chance(seed: int, stream: str) -> Random:
    return Random(f"{seed}/{stream}")  # noqa: S311 - nothing secret


def _timetable(
    chance: Random, seconds: float, every: float, step: Callable[[Random, float, int], Step]
) -> tuple[Step, ...]:
    steps: list[Step] = []
    at = WARM_UP_SECONDS + chance.random() * every
    while at < seconds:
        steps.append(step(chance, round(at, 3), len(steps)))
        at += chance.uniform(0.3, 1.7) * every
    return tuple(steps)


def _work(chance: Random, at: float, number: int) -> Step:
    name = _one_of(chance, _WORK)
    terms = {
        "id": f"chaos-{number}",
        "strategy": chance.choice(STRATEGIES),
        "symbol": chance.choice(SYMBOLS),
        "side": _side(chance, at),
        "qty": chance.choice((1, 5, 10, 25, 50, 100)),
        "type": chance.choice(("market", "market", "limit", "limit", "limit", "stop")),
        "time_in_force": chance.choice(("day", "day", "gtc", "ioc")),
        "away": chance.choice((-2, 0, 0, 1, 3, 5)),  # percent off the market, on the passive side
        "pick": chance.random(),
    }
    return Step(at=at, name=name, terms=terms)


def _side(chance: Random, at: float) -> str:
    """Mostly one side for some seconds, then the other: crossing oneself is refused by the broker."""
    tide = int(at / TIDE_SECONDS) % 2
    return ("buy", "sell")[tide if chance.random() < 0.85 else 1 - tide]


def _one_of(chance: Random, weighted: Mapping[str, int]) -> str:
    return chance.choices(list(weighted), list(weighted.values()))[0]


def _accident(chance: Random, at: float, number: int) -> Step:
    name = _one_of(chance, _ACCIDENTS)
    return Step(at=at, name=name, terms={"seconds": round(chance.uniform(0.2, 2.5), 2)})


def _dealer(faults: Sequence[Mapping[str, Any]]) -> Callable[[Random, float, int], Step]:
    """Every fault once before any comes again, so that a long run has seen them all."""
    deck: list[Mapping[str, Any]] = []

    def deal(chance: Random, at: float, number: int) -> Step:
        if not deck:
            deck.extend(chance.sample(list(faults), len(faults)))
        return Step(at=at, name="fault", terms=_armed(chance, deck.pop()))

    return deal


def _armed(chance: Random, fault: Mapping[str, Any]) -> dict[str, Any]:
    """One way to arm a fault: a choice where the catalogue offers one, for some occasions or some seconds."""
    params = {
        name: chance.choice(about["choices"])
        for name, about in fault["parameters"].items()
        if about.get("choices") and chance.random() < 0.7
    }
    return {
        "name": fault["name"],
        "params": {name: value for name, value in params.items() if value is not None},
        "match": _about(chance, str(fault["name"])),
        "after": chance.choice((0, 0, 0, 0, 1)),
        "times": chance.choice((1, 2, 4)),
        "for_s": round(chance.uniform(1.0, _SHORT), 2),
    }


def _about(chance: Random, name: str) -> dict[str, str]:
    """Whom an HTTP fault strikes: mostly the messages that matter most."""
    if not name.startswith("http."):
        return {}
    places: list[dict[str, str]] = [
        {"method": "POST", "path": "/v2/orders"},
        {"method": "DELETE", "path": "/v2/orders/*"},
        {"method": "GET", "path": "/v2/orders*"},
        {"path": "/v2/account/activities*"},
        {"path": "/v2/positions*"},
        {},
    ]
    return chance.choices(places, (6, 2, 4, 2, 2, 1))[0]
