"""A row of the list as its file tells it: steps, and what the desk shows after each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import yaml

FOLDER: Final = Path(__file__).parent
FEEDS: Final = ("a", "b", "c")
_STORY: Final = {"row", "variant", "feed", "because", "orders", "steps", "ends"}
_NAMING: Final = {"fill", "bust", "correct", "arm", "disarm", "price", "split", "reconcile", "relay"}
_STEP: Final = {"us", "broker", "staged", "exchange", "day", "at", "shows", "records", "answers"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing we do (`us`) or the broker says; `order` is whom it concerns and `more` what else it says.

    `at` is the broker's minute and `day` its day, which is another's than the arrival's when a fact is late.
    `staged` is armed at the exchange before it; `exchange` takes the place of what is usually forced there.
    """

    number: int
    day: int
    at: int
    verb: str
    order: str
    more: Mapping[str, Any]
    ours: bool = False
    staged: tuple[Step, ...] = ()
    exchange: tuple[Step, ...] | None = None
    shows: Mapping[str, Any] | None = None
    records: int | None = None
    answers: str | None = None

    def number_of(self, name: str, default: str = "0") -> Decimal:
        return Decimal(self.more.get(name, default))


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One way a row is told. `orders` has the terms that are not the usual ones."""

    id: str
    variant: str
    feed: tuple[str, ...]
    orders: Mapping[str, Mapping[str, str]]
    steps: tuple[Step, ...]
    ends: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.id}-{self.variant}" if self.variant else self.id

    @property
    def last_shown(self) -> Mapping[str, Any]:
        return next(step.shows for step in reversed(self.steps) if step.shows is not None)

    @property
    def moves_clocks(self) -> bool:
        """Whether the gateway cannot be used for another story afterwards."""
        verbs = {each.verb for step in self.steps for each in (step, *(step.exchange or ()))}
        return not verbs.isdisjoint({"prove_absent", "next_day"})

    def terms(self, order: str) -> dict[str, str]:
        """What an order asks for: buy 100, limit, day, unless its story says otherwise."""
        asked: dict[str, str] = {"side": "buy", "qty": "100", "tif": "day"} | self.orders.get(order, {})
        asked.setdefault("px", "110" if asked["side"] == "sell" else "90")
        return asked


def read(row: str) -> list[Story]:
    """Every telling of a row. Raises ValueError for a word the vocabulary does not have."""
    documents = yaml.safe_load_all((FOLDER / f"{row}.yaml").read_text(encoding="utf-8"))
    return [_story(row, document) for document in documents]


def _story(row: str, told: dict[str, Any]) -> Story:
    _known(row, told, _STORY)
    feed = tuple(told.get("feed", FEEDS))
    if (feed != FEEDS) != ("because" in told):
        raise ValueError(f"{row}: a feed is left out for a reason, and for no other")
    day = 1
    steps = []
    for number, raw in enumerate(told["steps"], start=1):
        _known(row, raw, _STEP)
        day = raw.get("day", day)
        steps.append(_step(number, day, raw))
    return Story(
        id=row,
        variant=told.get("variant", ""),
        feed=feed,
        orders=told.get("orders", {}),
        steps=tuple(steps),
        ends=told.get("ends", {}),
    )


def _step(number: int, day: int, raw: dict[str, Any]) -> Step:
    said = _said(raw["us" if "us" in raw else "broker"])
    place = {"number": number, "day": day, "at": raw.get("at", number)}
    staged, exchange = raw.get("staged", ()), raw.get("exchange")
    return Step(
        **place,
        **said,
        ours="us" in raw,
        staged=tuple(Step(**place, **_said(each)) for each in staged),
        exchange=None if exchange is None else tuple(Step(**place, **_said(each)) for each in exchange),
        shows=raw.get("shows"),
        records=raw.get("records"),
        answers=raw.get("answers"),
    )


def _said(said: str | dict[str, Any]) -> dict[str, Any]:
    """A word and whom it concerns: `{canceled: x}`; or what, and then whom: `{fill: e1, order: y}`."""
    more = {said: "x"} if isinstance(said, str) else dict(said)
    verb = next(iter(more))
    name = more.pop(verb)
    if verb in _NAMING:
        more |= {"name": name}
        name = more.pop("order", "x")
    return {"verb": verb, "order": name, "more": more}


def _known(row: str, told: dict[str, Any], words: set[str]) -> None:
    if unknown := set(told) - words:
        raise ValueError(f"{row}: {unknown} means nothing")
