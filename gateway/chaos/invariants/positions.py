"""Positions: the sum of their trades, to the cent, and never more than the limit lets an intent ask for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from gateway.chaos.evidence import POSITION, Event, Evidence
from gateway.chaos.executions import Execution, executions_of

ZERO: Final = Decimal(0)
_INTENTS: Final = ("order.submitted", "order.resubmitted")
_BY_HAND: Final = ("position.adjusted", "position.split")


def sum_of_trades(evidence: Evidence) -> list[str]:
    """INV-06: Σ signed executions = the position = the exchange's, and Σ strategies = the account."""
    changed_by_hand = {event.stream.removeprefix(POSITION) for event in evidence.of(*_BY_HAND)}
    traded: dict[str, Decimal] = defaultdict(Decimal)
    for execution in executions_of(evidence.events).live():
        traded[execution.symbol] += execution.shares
    by_strategy: dict[str, Decimal] = defaultdict(Decimal)
    for row in evidence.tables.strategy_positions:
        by_strategy[str(row["symbol"])] += row["qty"]
    violations = []
    for symbol in sorted(traded.keys() | evidence.tables.positions.keys() | evidence.broker.positions.keys()):
        shown = evidence.tables.positions.get(symbol, {}).get("qty", ZERO)
        theirs = evidence.broker.positions.get(symbol, ZERO)
        if shown != traded[symbol] and symbol not in changed_by_hand:
            violations.append(f"{symbol} shows {shown}, its executions are {traded[symbol]}")
        if shown != by_strategy[symbol]:
            violations.append(f"{symbol} shows {shown}, its strategies hold {by_strategy[symbol]}")
        if shown != theirs and symbol not in evidence.broken_symbols:
            violations.append(f"{symbol} shows {shown}, the exchange holds {theirs}, and no break says so")
    return violations


def cash_identity(evidence: Evidence) -> list[str]:
    """INV-07: realized − open cost = proceeds − payments, for every book; and so much cash moved there."""
    live = executions_of(evidence.events).live()
    changed_by_hand = {event.stream.removeprefix(POSITION) for event in evidence.of(*_BY_HAND)}
    violations = [
        *_differing(
            "account", _spent(live, lambda each: each.symbol), _books(evidence.tables.positions.values())
        ),
        *_differing(
            "strategy",
            _spent(live, lambda each: (each.strategy, each.symbol)),
            _books(evidence.tables.strategy_positions, strategy=True),
        ),
    ]
    violations = [words for words in violations if not any(symbol in words for symbol in changed_by_hand)]
    broker = evidence.broker
    there = sum((_signed(each) * Decimal(each["price"]) for each in broker.executions), ZERO)
    if broker.starting_cash - broker.cash != there:
        violations.append(
            f"the exchange's cash moved by {broker.starting_cash - broker.cash}, its trades by {there}"
        )
    symbols = {str(each["symbol"]) for each in broker.executions} | {each.symbol for each in live}
    for symbol in sorted(symbols - evidence.broken_symbols):
        ours = sum((each.shares * each.price for each in live if each.symbol == symbol), ZERO)
        theirs = sum(
            (
                _signed(each) * Decimal(each["price"])
                for each in broker.executions
                if each["symbol"] == symbol
            ),
            ZERO,
        )
        if ours != theirs:
            violations.append(f"{symbol} cost {ours} here and {theirs} at the exchange")
    return violations


def within_the_limit(evidence: Evidence) -> list[str]:
    """INV-20: an intent fits the limit in the worst case; what is reserved is what may still execute."""
    violations, rooms = [], defaultdict[str, Room](Room)
    intents = {event.command_id for event in evidence.of(*_INTENTS)}
    for event in evidence.events:
        if not event.stream.startswith(POSITION):
            continue
        room = rooms[event.stream.removeprefix(POSITION)]
        room.hear(event)
        asked = event.topic == "position.reserved" and event.command_id in intents
        if asked and room.excess(evidence.limit, str(event.data["side"])):
            violations.append(f"position {event.position} reserves beyond the limit: {room}")
    for name, row in evidence.tables.orders.items():
        reserved = rooms[str(row["symbol"])].reserved.get(name, ("", ZERO))[1]
        leaves = row["leaves_qty"] if row["is_live"] else ZERO
        if reserved != leaves:
            violations.append(f"{name} reserves {reserved} and may execute {leaves}")
    return violations


@dataclass(slots=True)
class Room:
    """One symbol's shares and reservations, told from its events."""

    qty: Decimal = ZERO
    reserved: dict[str, tuple[str, Decimal]] = field(default_factory=dict)

    def hear(self, event: Event) -> None:
        data = event.data
        match event.topic:
            case "position.reserved":
                self._reserve(data, Decimal(data["qty"]))
            case "position.released":
                self._reserve(data, -Decimal(data["qty"]))
            case "position.filled":
                self._reserve(data, -Decimal(data["taken"]))
                self.qty = Decimal(data["account"]["qty"])
            case "position.busted" | "position.corrected":
                self._reserve(data, Decimal(data["reserved"]))
                self.qty = Decimal(data["restatement"]["after"]["qty"])
            case "position.adjusted" | "position.split":
                self.qty = Decimal(data["account"]["qty"])
            case _:
                pass

    def _reserve(self, data: Mapping[str, Any], qty: Decimal) -> None:
        side, before = self.reserved.get(data["client_order_id"], (str(data["side"]), ZERO))
        self.reserved[data["client_order_id"]] = (side, before + qty)

    def excess(self, limit: Decimal, side: str) -> bool:
        """Whether everything reserved on that side would take the position beyond the limit."""
        waiting = sum((qty for way, qty in self.reserved.values() if way == side), ZERO)
        return (self.qty + waiting > limit) if side == "buy" else (self.qty - waiting < -limit)


def _spent(live: Iterable[Execution], key: Any) -> dict[Any, Decimal]:
    spent: dict[Any, Decimal] = defaultdict(Decimal)
    for execution in live:
        spent[key(execution)] += execution.shares * execution.price
    return spent


def _books(rows: Iterable[Mapping[str, Any]], *, strategy: bool = False) -> dict[Any, Decimal]:
    """What each book says its trades cost: the signed cost of what is open, less what is realized."""
    return {
        (row["strategy_id"], row["symbol"]) if strategy else row["symbol"]: (
            (row["cost"] if row["qty"] > 0 else -row["cost"]) - row["realized"]
        )
        for row in rows
    }


def _differing(kind: str, traded: Mapping[Any, Decimal], booked: Mapping[Any, Decimal]) -> list[str]:
    return [
        f"{kind} {key}: its trades cost {traded.get(key, ZERO)}, its book says {booked.get(key, ZERO)}"
        for key in sorted(traded.keys() | booked.keys())
        if traded.get(key, ZERO) != booked.get(key, ZERO)
    ]


def _signed(execution: Mapping[str, Any]) -> Decimal:
    qty = Decimal(execution["qty"])
    return qty if execution["side"] == "buy" else -qty
