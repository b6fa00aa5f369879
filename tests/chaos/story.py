"""A small story in which everything holds, to be spoilt in one place by each test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from gateway.chaos.evidence import Broker, Event, Evidence, Request, Tables
from gateway.chaos.history import Call

D = Decimal
START = datetime(2026, 11, 20, 15, tzinfo=UTC)
TICKET = {"symbol": "AAPL", "side": "buy", "qty": "10", "strategy_id": "alpha"}
TRADE = {"exec_id": "e1", "last_qty": "10", "last_px": "5"}
BOOK = {"qty": "10", "cost": "50", "realized": "0"}


def event(position: int, stream: str, version: int, topic: str, **data: Any) -> Event:
    return Event(
        position=position,
        stream=stream,
        version=version,
        topic=topic,
        data=data,
        recorded_at=START + timedelta(seconds=position),
        command_id=f"command-{position if topic != 'position.reserved' else position - 1}",
    )


def intent(position: int, name: str, version: int = 1, **ticket: Any) -> Event:
    about = {"client_order_id": name, "ticket": TICKET | ticket}
    return event(position, f"order-{name}", version, "order.submitted", **about)


def filled(position: int, name: str, version: int, **trade: Any) -> Event:
    facts = {"symbol": "AAPL", "side": "buy", "strategy_id": "alpha", "trade": TRADE | trade}
    return event(position, f"order-{name}", version, "order.filled", **facts)


def call(path: str, body: Any, status: int, answer: Any, at: float = 0.0) -> Call:
    return Call(
        principal="alice",
        method="POST",
        path=path,
        body=body,
        began=at,
        ended=at + 0.1,
        status=status,
        answer=answer,
    )


def submission(name: str, status: int = 200, at: float = 0.0, **answer: Any) -> Call:
    told = {"client_order_id": name, "broker_order_id": f"b-{name}"} | answer
    return call("orders", {"client_order_id": name, "qty": 10}, status, told, at)


def post(name: str, second: int = 3) -> Request:
    return Request(
        method="POST",
        path="/v2/orders",
        body=msgspec.json.encode({"client_order_id": name}).decode(),
        received_at=START + timedelta(seconds=second),
    )


def row(name: str, **changes: Any) -> dict[str, Any]:
    shown = {"symbol": "AAPL", "qty": D(10), "cum_qty": D(10), "leaves_qty": D(0), "is_live": False}
    return {"client_order_id": name, "status": "filled", "flags": [], **shown, **changes}


def holding(**changes: Any) -> dict[str, Any]:
    return {"symbol": "AAPL", "qty": D(10), "cost": D(50), "realized": D(0), **changes}


def broker_order(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"b-{name}",
        "client_order_id": name,
        "symbol": "AAPL",
        "side": "buy",
        "status": "filled",
        **changes,
    }


def execution(**changes: Any) -> dict[str, Any]:
    return {
        "id": "e1",
        "order_id": "b-one",
        "symbol": "AAPL",
        "side": "buy",
        "qty": "10",
        "price": "5",
    } | changes


EVENTS = (
    intent(1, "one"),
    event(2, "position-AAPL", 1, "position.reserved", client_order_id="one", side="buy", qty="10"),
    filled(3, "one", 2),
    event(
        4,
        "position-AAPL",
        2,
        "position.filled",
        client_order_id="one",
        side="buy",
        taken="10",
        account=BOOK,
    ),
    event(5, "recon-gate", 1, "reconciliation.attempted", run_id="run-1"),
    event(6, "recon-gate", 2, "reconciliation.passed", run_id="run-1"),
)

SOUND = Evidence(
    events=EVENTS,
    tables=Tables(
        orders={"one": row("one")},
        positions={"AAPL": holding()},
        strategy_positions=[holding(strategy_id="alpha")],
        proofs=[{"name": "orders", "ok": True, "failures": []}],
    ),
    broker=Broker(
        orders=[broker_order("one")],
        executions=[execution()],
        positions={"AAPL": D(10)},
        cash=D(950),
        requests=[post("one")],
        starting_cash=D(1000),
    ),
    calls=[submission("one")],
)


def told(*events: Event) -> Evidence:
    """The story with more events, at their own positions."""
    return replace(SOUND, events=(*EVENTS, *events))


def tables(**changes: Any) -> Evidence:
    return replace(SOUND, tables=replace(SOUND.tables, **changes))


def broker(**changes: Any) -> Evidence:
    return replace(SOUND, broker=replace(SOUND.broker, **changes))


def calls(*more: Call) -> Evidence:
    return replace(SOUND, calls=[*SOUND.calls, *more])


def open_break(**changes: Any) -> Mapping[str, Any]:
    return {"kind": "position_qty", "symbol": "AAPL", "client_order_id": None, **changes}
