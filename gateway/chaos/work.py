"""What strategies and operators ask for: one function for each name in a plan."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any, Final

from gateway.chaos.desk import Desk
from gateway.chaos.plan import SYMBOLS, Step

_CENT: Final = Decimal("0.01")
_REASON: Final = "the chaos run asks for it"
_REBUILD_SECONDS: Final = 60

Terms = Mapping[str, Any]


def submit(desk: Desk, terms: Terms) -> None:
    caller = desk.strategies[terms["strategy"]]
    ticket = _ticket(desk, terms)
    desk.submitted[terms["id"]] = (caller, ticket)
    caller.ask("POST", "orders", ticket)


def retry(desk: Desk, terms: Terms) -> None:
    """The same ticket again: the order that is there, or another attempt of one that never was."""
    if chosen := _pick(desk, terms):
        caller, ticket = desk.submitted[chosen]
        caller.ask("POST", "orders", ticket)


def contradict(desk: Desk, terms: Terms) -> None:
    """Another ticket under an id that is taken."""
    if chosen := _pick(desk, terms):
        caller, ticket = desk.submitted[chosen]
        caller.ask("POST", "orders", {**ticket, "qty": int(ticket["qty"]) + 1})


def cancel(desk: Desk, terms: Terms) -> None:
    if chosen := _pick(desk, terms):
        caller, _ = desk.submitted[chosen]
        caller.ask("POST", f"orders/{chosen}/cancel")


def cancel_all(desk: Desk, terms: Terms) -> None:
    desk.operator.ask("POST", "orders/cancel-all", {**_by_hand(), "symbol": terms["symbol"]})


def close(desk: Desk, terms: Terms) -> None:
    desk.operator.ask("POST", f"positions/{terms['symbol']}/close", _by_hand())


def manual(desk: Desk, terms: Terms) -> None:
    body = {**_by_hand(), "symbol": terms["symbol"], "side": terms["side"], "qty": terms["qty"]}
    desk.operator.ask("POST", "manual/orders", {**body, "strategy_id": terms["strategy"]})


def switch(desk: Desk, terms: Terms) -> None:
    """Engage the kill switch, for everybody or one symbol, and let go again after a while."""
    scope = {"scope": "symbol", "target": terms["symbol"]} if terms["pick"] < 0.5 else {"scope": "global"}
    name = {"operator": desk.operator.name}
    desk.operator.ask("POST", "kill-switch/engage", {**scope, **name, "reason": _REASON})
    time.sleep(terms["pick"])
    desk.operator.ask("POST", "kill-switch/disengage", {**scope, **name})


def breaker(desk: Desk, terms: Terms) -> None:
    desk.operator.ask("POST", "circuit-breaker/trip", {"reason": _REASON})
    desk.operator.ask("POST", "circuit-breaker/reset", {"reason": _REASON})


def reconcile(desk: Desk, terms: Terms) -> None:
    desk.operator.ask("POST", "reconciliation/run")


def rebuild(desk: Desk, terms: Terms) -> None:
    """In a process of its own, as an operator would; it may be in the middle when the database dies."""
    name = "orders" if terms["pick"] < 0.5 else "positions"
    command = [sys.executable, "-m", "gateway", "rebuild", name]
    child = subprocess.Popen(
        command, env=desk.stage.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        child.wait(_REBUILD_SECONDS)
    except subprocess.TimeoutExpired:
        desk.counts["rebuild (ended unfinished)"] += 1
    finally:
        child.kill()
        child.wait()


def foreign(desk: Desk, terms: Terms) -> None:
    """An order placed in the broker's own app."""
    desk.exchange.try_to(
        "POST",
        "/_ctl/foreign_order",
        {
            "symbol": terms["symbol"],
            "side": "buy",
            "qty": "3",
            "type": "market",
            "time_in_force": "day",
            "client_order_id": f"app-{terms['id']}",
        },
    )


def tend(desk: Desk, terms: Terms) -> None:
    """An operator finds an owner for orders nobody knows, and lets trading go on where it was stopped."""
    lift_stops(desk)
    if (found := desk.operator.ask("GET", "orphans", status="untracked")).succeeded:
        for orphan in found.answer["orphans"]:
            body = {"reason": _REASON, "strategy_id": terms["strategy"]}
            desk.operator.ask("POST", f"orphans/{orphan['broker_order_id']}/adopt", body)
    if (found := desk.operator.ask("GET", "quarantine")).succeeded:
        for symbol in {entry["symbol"] for entry in found.answer["quarantined"]}:
            body = {"reason": _REASON, "force": terms["pick"] < 0.5}
            desk.operator.ask("POST", f"quarantine/{symbol}/release", body)


def lift_stops(desk: Desk) -> None:
    """Disengage and reset what is engaged and tripped, whoever left it so."""
    scopes: list[dict[str, Any]] = [{"scope": "global"}]
    scopes += [{"scope": "symbol", "target": symbol} for symbol in SYMBOLS]
    for scope in scopes:
        found = desk.operator.ask("GET", "kill-switch/status", **scope)
        if found.succeeded and found.answer["state"] == "ENGAGED":
            desk.operator.ask("POST", "kill-switch/disengage", {**scope, "operator": desk.operator.name})
    found = desk.operator.ask("GET", "circuit-breaker/status")
    if found.succeeded and found.answer["state"] == "TRIPPED":
        desk.operator.ask("POST", "circuit-breaker/reset", {"reason": _REASON})


def read(desk: Desk, terms: Terms) -> None:
    if terms["pick"] < 0.5:
        desk.operator.ask("GET", "positions")
    elif chosen := _pick(desk, terms):
        desk.operator.ask("GET", f"orders/{chosen}")


WORK: Final[Mapping[str, Callable[[Desk, Terms], None]]] = {
    work.__name__: work
    for work in (
        submit,
        retry,
        contradict,
        cancel,
        cancel_all,
        close,
        manual,
        switch,
        breaker,
        reconcile,
        rebuild,
        foreign,
        tend,
        read,
    )
}


def do(desk: Desk, step: Step) -> None:
    WORK[step.name](desk, step.terms)


def _ticket(desk: Desk, terms: Terms) -> dict[str, Any]:
    bid, ask = desk.quote(terms["symbol"])
    away = Decimal(terms["away"])
    buys = terms["side"] == "buy"
    near = bid if buys else ask
    passive = near * (100 - away if buys else 100 + away) / 100
    ticket = {
        "client_order_id": terms["id"],
        "strategy_id": terms["strategy"],
        "symbol": terms["symbol"],
        "side": terms["side"],
        "qty": terms["qty"],
        "order_type": terms["type"],
        "time_in_force": "day" if terms["type"] == "stop" else terms["time_in_force"],
    }
    if terms["type"] == "limit":
        ticket["limit_price"] = str(passive.quantize(_CENT, ROUND_DOWN))
    elif terms["type"] == "stop":
        beyond = near * (Decimal("1.002") if buys else Decimal("0.998"))
        ticket["stop_price"] = str(beyond.quantize(_CENT, ROUND_DOWN))
    return ticket


def _pick(desk: Desk, terms: Terms) -> str | None:
    """One of the newest orders, by the step's own chance."""
    names = list(desk.submitted)[-30:]
    return names[int(terms["pick"] * len(names))] if names else None


def _by_hand() -> dict[str, str]:
    return {"reason": _REASON, "requested_by": "olivia", "requested_at": datetime.now(UTC).isoformat()}
