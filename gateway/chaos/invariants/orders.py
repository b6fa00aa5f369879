"""Orders: one at the broker for each id, its intent first, and no claim that is not so."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from gateway.chaos.evidence import Evidence, Request
from gateway.chaos.history import Call

_SUBMIT: Final = ("POST", "/v2/orders")
_INTENTS: Final = ("order.submitted", "order.resubmitted")
_ORDERS: Final = "orders"
_CONFLICT: Final = 409
_REJECTED: Final = "rejected"
_FAILURES: Final = frozenset({"failed", "not_accepted", "blocked_kill_switch", "blocked_circuit_breaker"})
_LOUD: Final = frozenset({"unexpected_at_broker", "ticket_mismatch", "orphan"})
_SURE: Final = frozenset(
    {
        "broker_unavailable",
        "broker_rate_limited",
        "broker_rejected",
        "kill_switch_engaged",
        "circuit_breaker_tripped",
    }
)
"""Refusals that say: this order is not at the broker."""


def no_double_submit(evidence: Evidence) -> list[str]:
    """INV-01: one order at the broker for each client order id, and one POST for each attempt."""
    there = Counter(str(order["client_order_id"]) for order in evidence.broker.orders)
    doubled = [f"{name} is {count} orders at the exchange" for name, count in there.items() if count > 1]
    attempts = Counter(event.order for event in evidence.of(*_INTENTS))
    posts = Counter(name for name, _ in _posts(evidence))
    return doubled + [
        f"{name} was posted {count} times in {attempts[name]} attempts"
        for name, count in posts.items()
        if name in attempts and count > attempts[name]
    ]


def no_unrecorded_order(evidence: Evidence) -> list[str]:
    """INV-02: the intent is committed before the exchange receives the first byte."""
    intended: dict[str, datetime] = {}
    for event in evidence.of("order.submitted"):
        intended.setdefault(event.order, event.recorded_at)
    return [
        f"{name} was posted at {request.received_at}, intended at {intended.get(name, 'no time')}"
        for name, request in _posts(evidence)
        if name not in intended or intended[name] > request.received_at
    ]


def doubt_stays_visible(evidence: Evidence) -> list[str]:
    """INV-29: no order that exists at the exchange is shown or was answered as one that does not."""
    there = {str(order["client_order_id"]): str(order["status"]) for order in evidence.broker.orders}
    return [*_shown_as_failed(evidence, there), *_answered_as_failed(evidence, there)]


def _shown_as_failed(evidence: Evidence, there: Mapping[str, str]) -> Iterator[str]:
    for name, status in there.items():
        row = evidence.tables.orders.get(name)
        if row is None:
            yield f"{name} is {status} at the exchange and unknown here"
        elif row["status"] in _FAILURES and not _is_flagged(row):
            yield f"{name} is {status} at the exchange and {row['status']} here"


def _answered_as_failed(evidence: Evidence, there: Mapping[str, str]) -> Iterator[str]:
    """A refusal may be true of one attempt only: orders with several, or a better answer, are left out."""
    attempts = Counter(event.order for event in evidence.of(*_INTENTS))
    taken = {name for name, call in _submissions(evidence) if call.succeeded}
    for name, call in _submissions(evidence):
        exists = there.get(name, _REJECTED) != _REJECTED
        if exists and call.code in _SURE and attempts[name] <= 1 and name not in taken:
            row = evidence.tables.orders.get(name)
            if row is None or not _is_flagged(row):
                yield f"{name} was answered {call.code} and is {there[name]} at the exchange"


def _is_flagged(row: Mapping[str, Any]) -> bool:
    """Whether the table says aloud that the broker holds something unexpected."""
    return bool(_LOUD & set(row["flags"]))


def idempotent_reply(evidence: Evidence) -> list[str]:
    """INV-18: the same id and ticket is one order for ever; another ticket under the id is a conflict."""
    violations = []
    first: dict[str, Any] = {}
    known: dict[str, set[str]] = defaultdict(set)
    for name, call in _submissions(evidence):
        if not call.succeeded:
            continue
        if call.body != first.setdefault(name, call.body):
            violations.append(f"{name} was answered {call.status} for two different tickets")
        if call.answer["client_order_id"] != name:
            violations.append(f"{name} was answered with {call.answer['client_order_id']}")
        known[name] |= {call.answer["broker_order_id"]} - {None}
    violations += [f"{name} was two orders: {sorted(ids)}" for name, ids in known.items() if len(ids) > 1]
    births = Counter(event.order for event in evidence.of("order.submitted"))
    return violations + [f"{name} was born {count} times" for name, count in births.items() if count > 1]


def _posts(evidence: Evidence) -> list[tuple[str, Request]]:
    """The submissions the exchange received, with the order each names."""
    return [
        (str(json.loads(request.body)["client_order_id"]), request)
        for request in evidence.broker.requests
        if (request.method, request.path) == _SUBMIT and request.body.startswith("{")
    ]


def _submissions(evidence: Evidence) -> list[tuple[str, Call]]:
    """The callers' own submissions that name their order."""
    return [
        (str(call.body["client_order_id"]), call)
        for call in evidence.calls
        if (call.method, call.path) == ("POST", _ORDERS) and call.status != _CONFLICT
    ]
