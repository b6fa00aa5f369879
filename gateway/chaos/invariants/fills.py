"""Executions: none lost, none twice, and an order's filled quantity is nothing but their sum."""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal

from gateway.chaos.evidence import ORDER, Evidence
from gateway.chaos.executions import executions_of


def no_lost_fill(evidence: Evidence) -> list[str]:
    """INV-03: what the exchange executed is what counts here, with its size and its price."""
    ids = {str(order["id"]): str(order["client_order_id"]) for order in evidence.broker.orders}
    theirs = Counter(
        (ids[str(each["order_id"])], Decimal(each["qty"]), Decimal(each["price"]))
        for each in evidence.broker.executions
    )
    live = executions_of(evidence.events).live()
    ours = Counter((each.order, each.qty, each.price) for each in live if not each.provisional)
    symbols = {str(order["client_order_id"]): str(order["symbol"]) for order in evidence.broker.orders}
    symbols |= {each.order: each.symbol for each in live}
    lost = [
        f"{_told(key)} at the exchange is not booked"
        for key in (theirs - ours).elements()
        if not _is_named(evidence, key[0], symbols)
    ]
    made_up = [
        f"{_told(key)} is booked and not at the exchange"
        for key in (ours - theirs).elements()
        if not _is_named(evidence, key[0], symbols)
    ]
    inferred = [
        f"{each.order}: {each.qty} @ {each.price} is still only inferred"
        for each in live
        if each.provisional and not _is_named(evidence, each.order, symbols)
    ]
    return lost + made_up + inferred


def booked_once(evidence: Evidence) -> list[str]:
    """INV-04: one booking for each execution; a bust or a correction names one that is booked or parked."""
    booked = Counter(
        (event.order, str(event.data["trade"]["exec_id"])) for event in evidence.of("order.filled")
    )
    twice = [
        f"{name} of {order} is booked {count} times" for (order, name), count in booked.items() if count > 1
    ]
    known: dict[str, set[str]] = defaultdict(set)
    adrift = []
    for event in evidence.events:
        if event.topic == "order.filled":
            known[event.order].add(str(event.data["trade"]["exec_id"]))
        elif event.topic in ("order.fill_busted", "order.fill_corrected"):
            if event.data["ref_exec_id"] not in known[event.order] and not event.data.get("parked"):
                adrift.append(
                    f"position {event.position} amends {event.data['ref_exec_id']}, which is not booked"
                )
            known[event.order].add(str(event.data.get("exec_id")))
        elif event.topic == "order.conflict_reported":
            known[event.order].add(str(event.data.get("exec_id")))
    return twice + adrift


def filled_is_their_sum(evidence: Evidence) -> list[str]:
    """INV-05: `filled` is Σ executions that count, never clamped; more than ordered is flagged."""
    total: dict[str, Decimal] = defaultdict(Decimal)
    for execution in executions_of(evidence.events).live():
        total[execution.order] += execution.qty
    violations = []
    for name, row in evidence.tables.orders.items():
        if row["cum_qty"] != total[name]:
            violations.append(f"{name} shows {row['cum_qty']} filled, its executions are {total[name]}")
        over = total[name] > row["qty"] and "orphan" not in row["flags"]
        if over and ("overfilled" not in row["flags"] or row["leaves_qty"]):
            violations.append(f"{name} has {total[name]} of {row['qty']} and is not flagged")
    streams = {event.order for event in evidence.events if event.stream.startswith(ORDER)}
    return violations + [f"{name} is in no table" for name in sorted(streams - evidence.tables.orders.keys())]


def _told(key: tuple[str, Decimal, Decimal]) -> str:
    order, qty, price = key
    return f"{order}: {qty} @ {price}"


def _is_named(evidence: Evidence, order: str, symbols: dict[str, str]) -> bool:
    return order in evidence.broken_orders or symbols.get(order) in evidence.broken_symbols
