"""What the broker tells: held in a burst, recorded in few appends, kept aside if unreadable, none missed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from gateway.__main__ import app
from gateway.aggregates.reports import ExecutionReport
from gateway.aggregates.vocabulary import ReportSource, position_stream
from gateway.commands.watch_clock import WatchClock
from gateway.main import watching
from gateway.ports import Frame
from tests.contract.conftest import CreateTestApp
from tests.contract.relay import about, deliver, fill
from tests.contract.steps import fill_at_exchange, holds, metric, resting_order
from tests.kit.covers import covers
from tests.kit.house import House
from tests.kit.slicing import Ahead

BURST = 400


async def fills_of(house: House, client_order_id: str) -> list[Any]:
    events = await house.gateway.ledger.log.read(0, 10_000, stream=f"order-{client_order_id}")
    return [event for event in events if event.name == "order.filled"]


@covers("FC:D-06", "FM:F-098")
async def test_a_burst_of_executions_is_booked_whole_in_order_and_in_few_appends(house: House) -> None:
    """The loop stands still while the exchange trades, so that frames pile up."""
    order = await resting_order(house, qty=BURST)
    for _ in range(BURST):
        fill_at_exchange(house, order, "1", "90")

    async def all_of_them() -> list[Any]:
        found = await fills_of(house, order["client_order_id"])
        return found if len(found) == BURST else []

    filled = await house.until(all_of_them, within=30, what="every execution")
    totals = [event.event.trade.cum_qty for event in filled]
    assert totals == [*range(1, BURST + 1)]
    assert len({event.recorded_at for event in filled}) < BURST / 10
    position, _ = await house.gateway.ledger.load(position_stream("AAPL"))
    assert position.qty == BURST


@covers("FC:B-02", "FC:D-03")
async def test_frames_of_one_append_are_each_judged_on_what_the_one_before_left(house: House) -> None:
    """Repeated, garbled and unknown frames amid good ones."""
    order = await resting_order(house, qty=3)
    said = [
        fill(order, execution_id=f"e-{number}", qty="1", price="90", total=str(number), event="partial_fill")
        for number in (1, 1, 2, 2, 3)
    ]
    frames = [json.dumps({"stream": "trade_updates", "data": data}).encode() for data in said]
    frames.insert(2, b"\xff not even text")
    frames.insert(4, b'{"stream": "trade_updates", "data": {"event": "new", "order": {}}}')
    now = house.gateway.clock.now()
    await house.gateway.receive.frames([Frame(raw, now) for raw in frames])
    shown = await house.order(order["client_order_id"])
    assert (shown["status"], shown["filled_qty"]) == ("filled", "3")
    assert len(await fills_of(house, order["client_order_id"])) == 3
    assert metric(house, "broker_facts_total", source="stream", disposition="unparsed") == 2


@covers("FC:D-03")
async def test_the_age_of_the_newest_fact_can_be_told(house: House) -> None:
    order = await resting_order(house)
    before = house.gateway.clock.now().timestamp()
    await deliver(
        house, fill(order, execution_id="x-1", qty="1", price="90", total="1", event="partial_fill")
    )
    assert before <= metric(house, "last_fact_timestamp", source="webhook") <= before + 5


# --- kept aside ---------------------------------------------------------------------------------------


Interpret = Callable[[bytes, ReportSource], ExecutionReport]


def an_older_build(interpret: Interpret) -> Interpret:
    """One that does not know fills."""

    def older(raw: bytes, source: ReportSource) -> ExecutionReport:
        if b'"fill"' in raw:
            raise ValueError("what is a fill?")
        return interpret(raw, source)

    return older


async def kept_aside(house: House) -> dict[str, Any]:
    """An order whose only fill was not understood."""
    house.exchange.arm("ws.lose", times=-1)
    order = await resting_order(house)
    newer = house.gateway.receive.interpret
    house.gateway.receive.interpret = an_older_build(newer)
    answer = await deliver(house, fill(order, execution_id="x-1", qty="10", price="90", total="10"))
    assert (answer.status_code, answer.json()["disposition"]) == (200, "unparsed")
    assert (await house.order(order["client_order_id"]))["filled_qty"] == "0"
    house.gateway.receive.interpret = newer
    return order


def at_the_command_line(house: House, *arguments: str) -> str:
    url = house.gateway.database
    answer = CliRunner().invoke(app, ["inbox", *arguments], env={"DATABASE_URL": url})
    assert answer.exit_code == 0, answer.output
    return answer.output


@covers("FC:D-15")
async def test_an_operator_sees_what_was_kept_aside_and_has_it_recorded_after_all(house: House) -> None:
    order = await kept_aside(house)

    async def counted() -> bool:
        return metric(house, "dead_letters") == 1

    await house.until(counted, what="one dead letter")
    shown = await asyncio.to_thread(at_the_command_line, house, "list")
    assert "x-1" in shown
    assert "1 messages kept aside" in shown
    assert "1 messages are driven" in await asyncio.to_thread(at_the_command_line, house, "redrive")
    await house.until_status(order["client_order_id"], "filled")
    assert await holds(house, "10")
    assert await house.gateway.ledger.dead_letters.listed() == []


@covers("FC:D-15")
async def test_a_build_that_can_read_it_records_at_its_start_what_an_earlier_one_kept_aside(
    create_test_app: CreateTestApp,
) -> None:
    async with create_test_app() as house:
        order = await kept_aside(house)
    async with create_test_app() as house:
        await house.until_status(order["client_order_id"], "filled")
        assert await holds(house, "10")


@covers("FC:D-15")
async def test_what_could_be_read_but_not_asked_about_at_the_start_is_tried_again(house: House) -> None:
    """Only the broker knows whose fact it is, and it does not answer at first."""
    receive = house.gateway.receive
    theirs = str(uuid4())
    told = {"activity_type": "FILL", "type": "fill", "id": "20261120::x-1", "order_id": theirs}
    trade = {"symbol": "AAPL", "side": "buy", "qty": "10", "price": "90", "cum_qty": "10"}
    newer, receive.interpret = receive.interpret, an_older_build(receive.interpret)
    at = house.gateway.clock.now().isoformat()
    await deliver(house, told | trade | {"transaction_time": at})
    path = f"/v2/orders/{theirs}"
    fault = house.exchange.arm("http.status", match={"path": path}, status=503, body="", times=-1)
    receive.interpret, receive._reread = newer, False  # as at the start of a newer build
    await receive.drive_pending()
    assert not await holds(house, "10")
    house.exchange.ctl("DELETE", f"faults/{fault}")
    await house.until(lambda: holds(house, "10"), what="the fact of an order nobody here knows")


@covers("FC:D-15")
async def test_what_cannot_be_read_stays_aside_however_often_it_is_driven(house: House) -> None:
    await deliver(house, [1, 2, 3])
    letters = house.gateway.ledger.dead_letters
    (letter,) = await letters.listed()
    for _ in range(2):
        assert await letters.redrive([letter.inbox_id, 4711]) == [letter.inbox_id]
        assert await house.gateway.receive.drive_pending() == 0
        assert [message.inbox_id for message in await letters.listed()] == [letter.inbox_id]


# --- silence ------------------------------------------------------------------------------------------


@covers("FC:D-02")
async def test_a_stream_that_answers_pings_and_tells_nothing_is_found_out_and_left(
    create_test_app: CreateTestApp, clock: Ahead, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "SWEEP_EVERY_SECONDS", 0.2)
    async with create_test_app() as house:
        order = await resting_order(house)
        await house.until_status(order["client_order_id"], "new")
        house.exchange.arm("ws.mute", seconds=60, backlog="drop")
        fill_at_exchange(house, order, "10", "90")
        clock.move(30)

        async def reconnected() -> bool:
            updates = house.gateway.updates
            return metric(house, "stream_silences_total") > 0 and updates is not None and updates.connected

        await house.until(reconnected, what="another subscription")
        await house.until_status(order["client_order_id"], "filled")
        assert await holds(house, "10")


@covers("FC:D-02", "FC:D-07")
async def test_a_stream_that_tells_is_left_alone_by_the_sweep(
    create_test_app: CreateTestApp, clock: Ahead, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What polling repeats is no news."""
    monkeypatch.setattr(watching, "SWEEP_EVERY_SECONDS", 0.1)
    async with create_test_app() as house:
        order = await resting_order(house)
        fill_at_exchange(house, order, "4", "90")
        await house.until_status(order["client_order_id"], "partially_filled")
        position = await house.gateway.ledger.log.head()
        clock.move(30)

        async def swept() -> bool:
            asked = house.exchange.ctl("GET", "requests?after=0")
            return sum("status=open" in str(request) for request in asked) > 5

        await house.until(swept, what="some sweeps")
        events = await house.gateway.ledger.log.read(position, 1000)
        assert [event.name for event in events if event.stream.startswith("order-")] == []
        assert metric(house, "stream_silences_total") == 0


@covers("FC:B-23")
async def test_a_holding_that_differs_after_a_fill_is_compared_at_once(house: House) -> None:
    gate = house.gateway.reconciler
    order = await resting_order(house)
    before = (await gate.status()).last_run_at
    told = fill(order, execution_id="x-1", qty="1", price="90", total="1", event="partial_fill")
    await deliver(house, told | {"position_qty": "777"})

    async def compared() -> bool:
        ran = (await gate.status()).last_run_at
        return before is not None and ran is not None and ran > before

    await house.until(compared, what="a pass")


# --- time and words -----------------------------------------------------------------------------------


@covers("FC:D-11")
@pytest.mark.parametrize("seconds", [-0.5, 0.0, 0.5])
async def test_the_brokers_clock_is_held_against_ours(house: House, seconds: float) -> None:
    """What lies within the time of the call itself is no skew."""

    class Skewed:
        def now(self) -> Any:
            return house.gateway.clock.now() - timedelta(seconds=seconds)

        def monotonic(self) -> float:
            return house.gateway.clock.monotonic()

    gateway = house.gateway
    watch = WatchClock(broker=gateway.broker, clock=Skewed(), metrics=gateway.metrics)
    await watch()
    shown = metric(house, "broker_clock_skew_seconds")
    assert abs(shown - seconds) < 0.25
    assert (abs(shown) >= 0.05) is (seconds != 0)


@covers("FC:B-24")
async def test_an_event_nobody_has_seen_keeps_the_brokers_word_and_changes_no_status(house: House) -> None:
    order = await resting_order(house)
    await house.until_status(order["client_order_id"], "new")
    held = {"status": "quantum_held", "type": "limit", "time_in_force": "day", "limit_price": "90"}
    at = house.gateway.clock.now().isoformat()
    body = {"event": "teleported", "timestamp": at, "order": about(order, filled_qty="0", **held)}
    answer = await deliver(house, body)
    assert answer.json()["disposition"] == "unknown_event"
    shown = await house.order(order["client_order_id"])
    assert (shown["status"], shown["broker_status"]) == ("new", "quantum_held")
    assert metric(house, "unknown_broker_events_total", source="webhook") == 1
