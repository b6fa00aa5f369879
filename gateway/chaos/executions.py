"""The executions that count, told from the ledger's events by arithmetic of our own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final

from gateway.chaos.evidence import ORDER, Event

ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """`name` is what the exchange calls it now: a correction gives it another id. Shares are unsigned."""

    order: str
    name: str
    symbol: str
    side: str
    strategy: str
    qty: Decimal
    price: Decimal
    provisional: bool
    corrected_at: tuple[str, str] = ("", "")

    @property
    def shares(self) -> Decimal:
        return self.qty if self.side == "buy" else -self.qty


@dataclass(slots=True)
class Executions:
    """By order and first id, in the order of booking."""

    booked: dict[tuple[str, str], Execution] = field(default_factory=dict)
    _roots: dict[tuple[str, str], str] = field(default_factory=dict)

    def live(self) -> list[Execution]:
        return [execution for execution in self.booked.values() if execution.qty]

    def hear(self, event: Event) -> None:
        data = event.data
        match event.topic:
            case "order.filled":
                self._fill(event)
            case "order.fill_superseded":
                self._supersede(event.order, data)
            case "order.fill_busted" if not data.get("parked"):
                self._amend(event.order, data, None)
            case "order.fill_corrected" if not data.get("parked"):
                self._amend(event.order, data, (Decimal(data["last_qty"]), Decimal(data["last_px"])))
            case "order.conflict_reported" if data.get("alias_of") and data.get("exec_id"):
                self._roots[event.order, data["exec_id"]] = data["alias_of"]
            case _:
                pass

    def _fill(self, event: Event) -> None:
        data, trade = event.data, event.data["trade"]
        self.booked[event.order, trade["exec_id"]] = Execution(
            order=event.order,
            name=trade["exec_id"],
            symbol=data["symbol"],
            side=data["side"],
            strategy=data["strategy_id"],
            qty=Decimal(trade["last_qty"]),
            price=Decimal(trade["last_px"]),
            provisional=bool(trade.get("provisional")),
        )

    def _supersede(self, order: str, data: Any) -> None:
        before = self.booked[order, data["exec_id"]]
        price = Decimal(data["rest_px"]) if data.get("rest_px") else before.price
        left = max(ZERO, before.qty - Decimal(data["qty"]))
        self.booked[order, data["exec_id"]] = replace(before, qty=left, price=price)

    def _amend(self, order: str, data: Any, terms: tuple[Decimal, Decimal] | None) -> None:
        root = self._root(order, data["ref_exec_id"])
        before = self.booked[order, root]
        name = data.get("exec_id")
        if name:
            self._roots[order, name] = root
        stamp = (data.get("transact_time") or "", name or "")
        if terms is None:
            self.booked[order, root] = replace(before, qty=ZERO, corrected_at=("~", ""))
        elif stamp >= before.corrected_at:
            qty, price = terms
            self.booked[order, root] = replace(
                before, qty=qty, price=price, name=name or before.name, corrected_at=stamp
            )

    def _root(self, order: str, name: str) -> str:
        return self._roots.get((order, name), name)


def executions_of(events: Iterable[Event]) -> Executions:
    told = Executions()
    for event in events:
        if event.stream.startswith(ORDER):
            told.hear(event)
    return told
