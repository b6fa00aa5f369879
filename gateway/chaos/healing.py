"""After the faults: everything is put back up, and the desk is given a bounded time to come to rest."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from gateway.chaos.desk import Desk
from gateway.chaos.evidence import ORPHAN_BREAK
from gateway.chaos.work import lift_stops
from gateway.cli.endings import CommandFailed

BOUND_SECONDS: Final = 90.0
CYCLES: Final = 3
_PAUSE_SECONDS: Final = 0.3


class NotHealed(CommandFailed):
    """The desk did not come to rest in time; the message says what it still waits for."""


def heal(desk: Desk, say: Callable[[str], None]) -> None:
    """Raises NotHealed."""
    say("faults are over: everything is put back up")
    desk.witness.count_hits()
    desk.exchange.ask("DELETE", "/_ctl/faults")
    if not desk.stage.gateway_runs:
        desk.stage.start_gateway()
    _until(desk, "the gateway takes requests", lambda: desk.operator.ask("GET", "projections").succeeded)
    lift_stops(desk)
    _until(desk, "the reconciliation gate opens", lambda: _gate_is_open(desk))
    say("every order is brought to an end")
    _until(desk, "no order works any more", lambda: _nothing_works(desk))
    desk.exchange.ask("POST", "/_ctl/quiesce", {"timeout_s": 20})
    say("reconciliation runs until it has nothing to do")
    for _ in range(CYCLES + 1):
        _until(desk, "a reconciliation pass", lambda: _reconciled(desk))
    _until(desk, "the read tables reach the head", lambda: _tables_are_at_the_head(desk))
    _until(desk, "the gateway proves itself", lambda: _proves_itself(desk))


def _until(desk: Desk, what: str, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + BOUND_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise NotHealed(f"{BOUND_SECONDS:g} s after the faults it is still not so that {what}")
        time.sleep(_PAUSE_SECONDS)


def _gate_is_open(desk: Desk) -> bool:
    found = desk.operator.ask("GET", "reconciliation/status")
    return found.succeeded and bool(found.answer["gate"] == "open")


def _nothing_works(desk: Desk) -> bool:
    """Ask for the end of whatever still works; whether nothing does but what a break already names."""
    found = desk.operator.ask("GET", "orders/pending", limit=1000)
    breaks = desk.operator.ask("GET", "reconciliation/breaks")
    if not (found.succeeded and breaks.succeeded):
        return False
    named = {each["client_order_id"] for each in breaks.answer["breaks"] if each["kind"] != ORPHAN_BREAK}
    working = [each for each in found.answer["orders"] if each["client_order_id"] not in named]
    for order in working:
        if order["status"] not in ("pending_cancel", "submitted_unconfirmed"):
            desk.operator.ask("POST", f"orders/{order['client_order_id']}/cancel")
    return not working


def _reconciled(desk: Desk) -> bool:
    found = desk.operator.ask("POST", "reconciliation/run")
    return found.succeeded and bool(found.answer["status"] == "ok")


def _tables_are_at_the_head(desk: Desk) -> bool:
    found = desk.operator.ask("GET", "projections")
    return found.succeeded and all(
        each["state"] == "live" and each["position"] == each["head"] for each in found.answer["projections"]
    )


def _proves_itself(desk: Desk) -> bool:
    """A reservation of a request that died in Redis is let go of once it is old enough."""
    found = desk.operator.ask("GET", "ledger/verify")
    return found.succeeded and bool(found.answer["ok"])
