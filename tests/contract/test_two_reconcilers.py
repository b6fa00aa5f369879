"""Two gateways on one ledger reconcile at once: no fact twice, no break twice, one pass at a time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gateway.aggregates.vocabulary import SYSTEM
from gateway.reconcile.pass_record import PassRecord, PassSuperseded
from tests.contract.conftest import CreateTestApp
from tests.contract.steps import fill_at_exchange, holds, reconcile, resting_order
from tests.kit.covers import covers
from tests.kit.house import House

LOST = {"event": "*fill"}


async def passes(house: House) -> list[tuple[str, str]]:
    """What the passes said of themselves, in the order of the log: the event and whose it was."""
    told = await house.gateway.ledger.log.read(0, 1000, name="reconciliation.")
    runs = [(event.name.removeprefix("reconciliation."), event.event) for event in told]
    return [(name, event.run_id) for name, event in runs if name in ("attempted", "passed", "failed")]  # type: ignore[attr-defined]


async def events(house: House, name: str) -> list[Any]:
    return [event.event for event in await house.gateway.ledger.log.read(0, 1000, name=name)]


@covers("FC:E-08", "FM:F-114", "INV-30")
async def test_fills_that_arrive_while_two_gateways_pass_are_booked_once(
    create_test_app: CreateTestApp,
) -> None:
    """Whether the stream, one pass or the other pass is first."""
    async with create_test_app() as one, create_test_app(standby=True) as other:
        order = await resting_order(one, qty=40)
        await one.until_status(order["client_order_id"], "new")
        one.exchange.arm("ws.lose", match=LOST, times=20)

        async def fill() -> None:
            for _ in range(40):
                await asyncio.to_thread(fill_at_exchange, one, order, "1", "90")

        async def go_on_passing(house: House) -> None:
            for _ in range(6):
                await reconcile(house)

        await asyncio.gather(fill(), go_on_passing(one), go_on_passing(other))
        await reconcile(other)
        await one.until_status(order["client_order_id"], "filled")
        booked = Counter(event.trade.exec_id for event in await events(one, "order.filled"))
        real = [exec_id for exec_id in booked if not exec_id.startswith("syn:")]
        assert (len(real), set(booked.values())) == (40, {1})
        assert await holds(other, "40")
        assert await events(one, "break.opened") == []


@covers("FC:E-08", "FM:F-114")
async def test_the_same_difference_found_by_two_gateways_is_one_break(
    create_test_app: CreateTestApp,
) -> None:
    async with create_test_app() as one, create_test_app(standby=True) as other:
        holding = {"AAPL": {"qty": "50", "price": "120"}}
        one.exchange.ctl("POST", "account", {"positions": holding})
        for _ in range(3):
            await asyncio.gather(reconcile(one), reconcile(other))
        (opened,) = await events(one, "break.opened")
        assert (opened.kind, opened.broker_value) == ("position_qty", "50")
        assert len(await events(one, "position.quarantined")) == 1


async def test_passes_of_two_gateways_never_overlap(create_test_app: CreateTestApp) -> None:
    async with create_test_app() as one, create_test_app(standby=True) as other:
        for _ in range(3):
            await asyncio.gather(reconcile(one), reconcile(other))
        told = await passes(one)
        begun, ended = told[::2], told[1::2]
        assert [run_id for _, run_id in begun] == [run_id for _, run_id in ended]
        assert {name for name, _ in begun} == {"attempted"}


@covers("FM:F-114", "INV-22", "FM:F-150")
async def test_a_pass_that_was_overtaken_records_nothing_more(house: House) -> None:
    """The process that slept through its turn wakes up with what it had seen."""
    ledger, clock = house.gateway.ledger, house.gateway.clock

    def record(run_id: str) -> PassRecord:
        return PassRecord(ledger=ledger, clock=clock, run_id=run_id, by=SYSTEM, correlation_id=run_id)

    asleep, awake = record("asleep"), record("awake")
    await asleep.begin()
    await awake.begin()
    before = await ledger.log.head()
    with pytest.raises(PassSuperseded):
        await asleep.note(lambda gate: ())
    assert await ledger.log.head() == before
    await awake.note(lambda gate: ())


async def test_a_turn_that_never_comes_is_not_waited_for_for_ever(house: House) -> None:
    async with house.gateway.ledger.turn("taken", patience=1), asyncio.timeout(5):
        async with house.gateway.ledger.turn("taken", patience=0.2):
            pass
        async with house.gateway.ledger.turn("free", patience=1):
            pass


@covers("FC:D-06")
async def test_the_reader_of_the_stream_closes_its_gap_though_another_gateway_does_the_rounds(
    create_test_app: CreateTestApp,
) -> None:
    """The two leases may be held apart."""
    async with create_test_app() as one, create_test_app(standby=True) as other:
        await one.gateway.background.stop("reconciliation")
        await one.until(_leads(other, "reconciliation"))
        one.gateway.background.keep("reconciliation", one.lifecycle._reconcile)
        await one.until_gate_opens()
        order = await resting_order(one, qty=4)
        await one.until_status(order["client_order_id"], "new")
        one.exchange.arm("ws.lose", match=LOST, times=20)
        await asyncio.to_thread(fill_at_exchange, one, order, "4", "90")
        one.exchange.ctl("POST", "connections/all/drop", {"code": 1006})
        await one.until_status(order["client_order_id"], "filled")
        assert one.gateway.leading & {"reconciliation", "trade-updates"} == {"trade-updates"}


def _leads(house: House, lease: str) -> Callable[[], Awaitable[bool]]:
    async def does() -> bool:
        return lease in house.gateway.leading

    return does
