"""Ways a life may be told: in any order, through any mix of doors, some of it more than once."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any, Final
from uuid import NAMESPACE_OID, uuid5

import msgspec

from tests.proof.lives import SYMBOL, Fact, Life

TRADES: Final = ("fill", "partial_fill")
AMENDMENTS: Final = ("trade_bust", "trade_correct")
EXHAUSTIVE: Final = 5
"""Facts up to which every permutation is tried."""


class Door(StrEnum):
    STREAM = "stream"
    WEBHOOK = "webhook"
    ACTIVITY = "activity"
    LOOKUP = "lookup"
    RECONCILIATION = "reconciliation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """`listed` are the activities the broker shows to a reconciliation at that moment."""

    door: Door
    body: dict[str, Any]
    listed: Sequence[dict[str, Any]] = ()

    def __str__(self) -> str:
        message = self.body.get("data", self.body)
        return f"{message.get('event') or message.get('status') or message.get('type')}/{self.door}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One telling of one life, under names of its own, so that thousands share a ledger."""

    name: str
    seed: int
    symbol: str
    orders: Sequence[dict[str, Any]]
    told: Sequence[Delivery]

    def __str__(self) -> str:
        return f"seed {self.seed} told as {self.name}: " + ", ".join(map(str, self.told))


def plainly(life: Life) -> Case:
    """As it happened, on the stream alone."""
    return _renamed(life, f"plain{life.seed}", [_pushed(fact, Door.STREAM) for fact in life.facts])


def tellings(life: Life, most: int) -> Iterator[Case]:
    """Every permutation of a short life, `most` random ones of a long one; doors and repeats are drawn."""
    chance = Random(f"tellings/{life.seed}")
    for number, facts in enumerate(_orders(life.facts, most, chance)):
        told = [_through_any_door(fact, life, chance) for fact in facts]
        for again in chance.choices(life.facts, k=chance.randint(0, 4)):
            told.insert(chance.randint(0, len(told)), _again(again, life, chance))
        yield _renamed(life, f"t{life.seed}x{number}", told)


def _orders(facts: list[Fact], most: int, chance: Random) -> Iterator[Sequence[Fact]]:
    if len(facts) <= EXHAUSTIVE:
        yield from itertools.permutations(facts)
    else:
        yield from (chance.sample(facts, len(facts)) for _ in range(most))


def _through_any_door(fact: Fact, life: Life, chance: Random) -> Delivery:
    """Through a door that can carry the whole fact."""
    if fact.event in TRADES:
        door = chance.choice((Door.STREAM, Door.WEBHOOK, Door.ACTIVITY))
    elif fact.event in AMENDMENTS:
        door = chance.choice((Door.STREAM, Door.WEBHOOK))
    else:
        door = chance.choice((Door.STREAM, Door.WEBHOOK, Door.LOOKUP, Door.RECONCILIATION))
    return _told(fact, door, life, chance)


def _again(fact: Fact, life: Life, chance: Random) -> Delivery:
    """A repetition, or a sample of the order as it was then, which tells less."""
    doors = [Door.STREAM, Door.WEBHOOK, Door.LOOKUP, Door.RECONCILIATION]
    if fact.event in TRADES:
        doors.append(Door.ACTIVITY)
    return _told(fact, chance.choice(doors), life, chance)


def _told(fact: Fact, door: Door, life: Life, chance: Random) -> Delivery:
    match door:
        case Door.ACTIVITY:
            assert fact.activity is not None
            return Delivery(door=door, body=fact.activity)
        case Door.LOOKUP:
            return Delivery(door=door, body=fact.message["order"])
        case Door.RECONCILIATION:
            order = fact.message["order"]
            own = [row for row in life.activities if row["order_id"] == order["id"]]
            return Delivery(door=door, body=order, listed=[row for row in own if chance.random() < 0.7])
        case _:
            return _pushed(fact, door)


def _pushed(fact: Fact, door: Door) -> Delivery:
    framed = {"stream": "trade_updates", "data": fact.message} if door is Door.STREAM else fact.message
    return Delivery(door=door, body=framed)


def _renamed(life: Life, name: str, told: Sequence[Delivery]) -> Case:
    """The same life under other ids."""
    names = {SYMBOL: f"{SYMBOL}{name}"}
    for order in life.orders:
        names[order["id"]] = str(uuid5(NAMESPACE_OID, f"{order['id']}/{name}"))
        names[order["client_order_id"]] = f"{order['client_order_id']}-{name}"
    return Case(
        name=name,
        seed=life.seed,
        symbol=names[SYMBOL],
        orders=[_with(names, order) for order in life.orders],
        told=[
            Delivery(
                door=each.door,
                body=_with(names, each.body),
                listed=[_with(names, row) for row in each.listed],
            )
            for each in told
        ],
    )


def _with(names: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
    text = msgspec.json.encode(body).decode()
    for old, new in names.items():
        text = text.replace(f'"{old}"', f'"{new}"')
    renamed: dict[str, Any] = msgspec.json.decode(text)
    return renamed
