"""What Redis does not know yet, or no longer, is not taken for calm: the ledger knows better, and refuses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest

from gateway.aggregates.position.state import quarantine
from gateway.aggregates.refusals import Quarantined
from gateway.aggregates.vocabulary import (
    SYSTEM,
    ClientOrderId,
    OrdType,
    Side,
    StrategyId,
    Symbol,
    Ticket,
    TimeInForce,
    position_stream,
)
from gateway.commands.gates import REDUCE, SUBMIT, Gate, Verdict, Walk
from gateway.ledger.decision import Decision, States
from gateway.ledger.envelope import Cause, Uncommitted
from gateway.ports import MirroredBreaker, MirrorReading, Reservation, SafetyMirror
from gateway.telemetry import GateLog
from tests.contract.steps import traded
from tests.kit.house import House

AAPL = Symbol("AAPL")


@dataclass(frozen=True)
class Outdated:
    """The real mirror, but for these parts of what is read from it."""

    mirror: SafetyMirror
    parts: dict[str, Any]

    async def read(self, *, strategy_id: StrategyId, symbol: Symbol) -> MirrorReading:
        return replace(await self.mirror.read(strategy_id=strategy_id, symbol=symbol), **self.parts)


def outdated(house: House, **parts: Any) -> list[str]:
    """From now on orders are judged on this; gives why the mirror is asked for anew."""
    asked: list[str] = []
    around = house.gateway.submit_order.around
    house.gateway.submit_order.around = replace(
        around, mirror=Outdated(around.mirror, parts), request_mirror_rebuild=asked.append
    )
    return asked


async def put_in_quarantine(house: House) -> None:
    now, stream = house.gateway.clock.now(), position_stream(AAPL)
    why: dict[str, Any] = {"strategy_id": None, "reason": "a test says so", "kind": "test", "at": now}

    def decide(states: States) -> Decision:
        found = quarantine(states[stream], symbol=AAPL, **why)
        return Decision(events=[Uncommitted(stream=stream, event=event) for event in found])

    cause = Cause(
        command_id="test:quarantine", actor=SYSTEM, correlation_id="t", source="test", occurred_at=now
    )
    await house.gateway.ledger.writer.change({stream}, decide, cause)


async def refused(house: House, code: str) -> None:
    """And nothing of it reaches the ledger or the broker."""
    answer = await house.submit(client_order_id="held-back")
    assert (answer.status_code, answer.json()["code"]) == (503, code)
    assert (await house.client.get("/api/v1/orders/held-back")).status_code == 404
    assert house.posts() == 0


async def test_an_engaged_switch_that_redis_has_not_heard_of_still_stops_orders(house: House) -> None:
    await house.engage_kill_switch()
    asked = outdated(house, switches={})
    await refused(house, "kill_switch_unavailable")
    assert asked == ["kill_switch_behind"]


async def test_a_tripped_breaker_that_redis_has_not_heard_of_still_stops_orders(house: House) -> None:
    await house.trip_circuit_breaker()
    asked = outdated(house, breaker=MirroredBreaker(tripped=False, version=0))
    await refused(house, "circuit_breaker_unavailable")
    assert asked == ["circuit_breaker_behind"]


async def test_a_symbol_whose_room_redis_does_not_know_has_none(house: House) -> None:
    asked = outdated(house, room_known=False)
    await refused(house, "position_reservation_unavailable")
    assert asked == ["room_missing"]


async def test_a_quarantine_that_redis_has_not_heard_of_still_stops_orders(house: House) -> None:
    await put_in_quarantine(house)
    asked = outdated(house, quarantine=None)
    await refused(house, "quarantine_unavailable")
    assert asked == ["quarantine_behind"]


def order_by_hand(side: Side, *gates: Gate) -> dict[str, Any]:
    terms = Ticket(
        symbol=AAPL,
        side=side,
        qty=Decimal(10),
        ord_type=OrdType.MARKET,
        time_in_force=TimeInForce.DAY,
        strategy_id=StrategyId("default"),
    )
    return {
        "ticket": terms,
        "client_order_id": ClientOrderId("by-hand"),
        "by": SYSTEM,
        "correlation_id": "t",
        "gates": gates,
    }


async def test_a_quarantine_that_comes_after_the_gates_is_seen_when_the_intent_is_recorded(
    house: House,
) -> None:
    async def meanwhile(walk: Walk) -> Verdict:
        await put_in_quarantine(house)
        return Verdict.PASS

    log = GateLog()
    with pytest.raises(Quarantined):
        await house.gateway.submit_order(**order_by_hand(Side.BUY, *SUBMIT, meanwhile), log=log)
    assert log.sequence[-3:] == ["fat_finger:pass", "meanwhile:pass", "quarantine:block"]
    assert (await house.client.get("/api/v1/orders/by-hand")).status_code == 404
    assert house.posts() == 0


async def test_a_way_out_whose_caller_has_not_looked_looks_at_the_broker_itself(house: House) -> None:
    await traded(house, "buy", "10", "100", name="held")
    sold = await house.gateway.submit_order(**order_by_hand(Side.SELL, *REDUCE), log=GateLog())
    assert sold.order.ticket.qty == 10
    await house.until_status("by-hand", "filled")


class Full:
    """Reservations of a symbol whose room is taken."""

    async def reserve(self, client_order_id: ClientOrderId, **_: Any) -> Reservation:
        return Reservation(granted=False, fresh=False, would_be=Decimal(1200))


async def test_a_retry_is_answered_where_another_order_has_no_room(house: House) -> None:
    order = {"qty": 600, "client_order_id": "first"}
    assert (await house.submit(**order)).status_code == 200
    around = house.gateway.submit_order.around
    house.gateway.submit_order.around = replace(around, reservations=Full())
    again = await house.submit(**order)
    assert (again.status_code, again.json()["client_order_id"]) == (200, "first")
    other = await house.submit(**{**order, "client_order_id": "second"})
    assert (other.status_code, other.json()["code"]) == (422, "position_limit_exceeded")
    assert house.posts() == 1
