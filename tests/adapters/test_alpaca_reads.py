"""Lists, fills and positions: read to their end, or not read at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from gateway.aggregates.vocabulary import OrderId, Symbol
from gateway.ports import BrokerUnreadable
from tests.adapters.said import activity, order, without
from tests.adapters.talking import HTML, error, talking
from tests.adapters.wire import Asked, Behaviour, answer, hang_up, message, say_nothing
from tests.kit.covers import covers


def pages(key: Callable[[dict[str, str]], str | None], *, of: list[list[dict[str, Any]]]) -> Behaviour:
    """Serve one page after the other; `key` gives what the request goes on from."""
    served = iter(of)

    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
        key(asked.query)
        writer.write(message(200, next(served)))

    return behave


@covers("FC:D-08", "FM:F-111")
async def test_open_orders_are_read_to_the_last_page_and_counted_once() -> None:
    first = [order(id=f"o-{n}", submitted_at="2026-11-20T15:00:00.577215743Z") for n in range(500)]
    second = [first[-1], order(id="o-500", submitted_at="2026-11-20T15:00:01Z")]
    bounds: list[str | None] = []
    async with talking(pages(lambda q: bounds.append(q.get("after")), of=[first, second])) as (
        broker,
        served,
    ):
        found = await broker.open_orders()
    assert [held.order_id for held in found] == [f"o-{n}" for n in range(501)]
    assert bounds == [None, "2026-11-20T15:00:00.576215Z"], "pages overlap by a millisecond"
    assert {asked.query["status"] for asked in served.asked} == {"open"}


@covers("FC:D-09")
@pytest.mark.parametrize(
    "behaves",
    [
        answer(200, [order(), order(side="sideways")]),
        answer(200, [order(), without(order(), "id")]),
        answer(200, {"message": "fine"}),
        answer(200, HTML),
        answer(500),
        answer(301),
        hang_up,
        say_nothing,
        answer(200, [order(id=f"o-{n}") for n in range(500)]),
    ],
)
async def test_a_list_that_cannot_be_read_to_its_end_is_never_a_shorter_list(behaves: Behaviour) -> None:
    async with talking(behaves) as (broker, _):
        with pytest.raises(BrokerUnreadable):
            await broker.open_orders()


async def test_orders_since_an_instant_ask_for_every_status() -> None:
    async with talking(answer(200, [order(status="canceled")])) as (broker, served):
        found = await broker.orders_since(datetime(2026, 11, 20, 15, tzinfo=UTC))
    assert [held.broker_status for held in found] == ["canceled"]
    assert served.asked[0].query["status"] == "all"
    assert served.asked[0].query["after"] == "2026-11-20T15:00:00.000000Z"


async def test_fills_follow_the_pages_and_stand_in_the_order_they_happened() -> None:
    first = [activity(id=f"x::{n}", cum_qty=str(40 * n)) for n in (2, 1)]
    second = [first[-1], activity(id="x::3", cum_qty="120")]
    third = [activity(id="x::4", cum_qty="160")]
    tokens: list[str | None] = []
    serving = pages(lambda q: tokens.append(q.get("page_token")), of=[first, second, third])
    async with talking(serving) as (broker, _):
        page = await broker.fills(after=datetime(2026, 11, 20, tzinfo=UTC), page_size=2)
    assert [report.exec_id for report in page.reports] == ["1", "2", "3", "4"]
    assert tokens == [None, "x::1", "x::3"]
    assert (page.complete, page.last_activity_id) == (True, "x::4")
    assert page.last_time == datetime(2026, 11, 20, 15, 0, 0, 120001, tzinfo=UTC)


async def test_fills_cut_off_by_the_page_limit_say_so() -> None:
    serving = pages(lambda _: None, of=[[activity(id="x::1")], [activity(id="x::2")]])
    async with talking(serving) as (broker, _):
        page = await broker.fills(after=None, page_size=1, max_pages=2)
    assert (page.complete, page.last_activity_id, len(page.reports)) == (False, "x::2", 2)


async def test_fills_of_one_order_stay_those_of_one_order_when_the_broker_ignores_the_filter() -> None:
    both = [activity(id="x::1", order_id="mine"), activity(id="x::2", order_id="other")]
    async with talking(answer(200, both)) as (broker, served):
        page = await broker.fills(after=None, order_id=OrderId("mine"))
    assert [report.exec_id for report in page.reports] == ["1"]
    assert served.asked[0].query["order_id"] == "mine"


@covers("FC:D-09")
async def test_a_missing_position_is_flat_and_a_broken_answer_is_not() -> None:
    async with talking(error(404, 40410000, "position does not exist")) as (broker, _):
        assert await broker.position(Symbol("AAPL")) == 0
    async with talking(answer(404, HTML)) as (broker, _):
        with pytest.raises(BrokerUnreadable):
            await broker.position(Symbol("AAPL"))


async def test_a_short_position_is_negative() -> None:
    held = {
        "symbol": "AAPL",
        "qty": "-40",
        "side": "short",
        "avg_entry_price": "100.5",
        "current_price": None,
    }
    async with talking(answer(200, [held])) as (broker, _):
        (position,) = await broker.positions()
    assert (position.qty, position.avg_entry_px) == (Decimal(-40), Decimal("100.5"))


@pytest.mark.parametrize(
    "broken",
    [{"equity": None}, {"cash": "much"}, {"account_number": 7}],
)
async def test_an_account_without_its_figures_is_not_read(broken: dict[str, Any]) -> None:
    async with talking(answer(200, ACCOUNT | broken)) as (broker, _):
        with pytest.raises(BrokerUnreadable):
            await broker.account()


async def test_the_account_and_the_clock_are_read_exactly() -> None:
    async with talking(answer(200, ACCOUNT | {"trading_blocked": True})) as (broker, served):
        account = await broker.account()
    assert (account.account_number, account.equity, account.blocked) == ("PA1", Decimal("100000.1"), True)
    assert served.asked[0].path == "/v2/account"
    hours = {
        "timestamp": "2026-11-20T10:00:00.123456789-05:00",
        "is_open": True,
        "next_open": "2026-11-23T09:30:00-05:00",
        "next_close": "2026-11-20T16:00:00-05:00",
    }
    async with talking(answer(200, hours)) as (broker, _):
        clock = await broker.clock()
    assert clock.timestamp == datetime(2026, 11, 20, 15, 0, 0, 123456, tzinfo=UTC)
    assert clock.next_close == datetime(2026, 11, 20, 21, tzinfo=UTC)


ACCOUNT = {
    "account_number": "PA1",
    "status": "ACTIVE",
    "equity": "100000.10",
    "cash": "100000.10",
    "buying_power": "200000.20",
    "trading_blocked": False,
}
