"""The catalogue's broker: what it may send that nobody should, and what we make of it."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from gateway.adapters.alpaca_reports import Unparsable, interpret, parse_order
from gateway.aggregates.reports import ReportKind
from gateway.aggregates.vocabulary import ReportSource
from gateway.ports import BrokerUnreadable, Unknown, Unreadable
from tests.adapters.said import ID, TICKET, activity, fill, order
from tests.adapters.talking import HTML, error, talking
from tests.adapters.wire import Asked, Behaviour, answer, cut, message
from tests.kit.covers import covers

STREAM = ReportSource.STREAM
JSON = {"content-type": "application/json"}
PATIENT = {"connect_timeout": 5.0, "read_timeout": 5.0, "deadline": 10.0}


def said(body: Any) -> bytes:
    return json.dumps(body).encode()


@covers("BI:B-57")
@pytest.mark.parametrize("written", ["100.25", 100.25])
def test_a_price_is_a_decimal_however_it_is_written(written: object) -> None:
    assert interpret(said(fill(price=written)), STREAM).last_px == Decimal("100.25")
    report = interpret(said(order(limit_price=written)), STREAM)
    assert report.order is not None
    assert report.order.limit_px == Decimal("100.25")


@covers("BI:B-57")
def test_a_price_that_is_null_is_unknown_and_not_zero() -> None:
    assert interpret(said(fill(price=None)), STREAM).last_px is None
    assert parse_order(order(filled_avg_price=None)).filled_avg_px is None


@covers("BI:B-58")
@pytest.mark.parametrize("event", ["teleported", "", "FILL\u202e", "fill fill"])
def test_an_event_nobody_knows_is_kept_and_moves_nothing(event: str) -> None:
    try:
        assert interpret(said(fill(event=event)), STREAM).kind is ReportKind.UNKNOWN
    except Unparsable:
        assert event == ""


@covers("BI:B-59")
@pytest.mark.parametrize("execution_id", [None, ""])
def test_an_execution_without_a_name_still_says_how_much_in_all(execution_id: str | None) -> None:
    """Order and cumulative quantity are its identity."""
    report = interpret(said(fill(execution_id=execution_id)), STREAM)
    assert (report.exec_id, report.cum_qty) == (None, Decimal(40))


@covers("BI:B-60")
def test_an_instant_without_a_zone_is_none_and_the_fact_is_kept() -> None:
    report = interpret(said(fill(timestamp="2026-11-20T15:00:00", at=None)), STREAM)
    assert report.kind is ReportKind.TRADE
    assert report.transact_time is None or report.transact_time.tzinfo is not None


@covers("BI:B-60")
async def test_fills_whose_times_run_backwards_are_all_read() -> None:
    """Nanoseconds are cut, and the order of facts never hangs on them alone."""
    times = ["2026-11-20T15:00:02.000000001Z", "2026-11-20T15:00:01.999999999Z", "2026-11-20T15:00:00Z"]
    listed = [
        activity(id=f"x::{number}", transaction_time=at, cum_qty=str(10 * number))
        for number, at in enumerate(times)
    ]
    async with talking(answer(200, listed)) as (broker, _):
        page = await broker.fills(after=None)
    assert {report.exec_id for report in page.reports} == {"0", "1", "2"}
    assert page.complete


def going_round(*pages: list[dict[str, Any]]) -> Behaviour:
    served = itertools.cycle(pages)

    async def behave(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(message(200, next(served)))

    return behave


@covers("BI:B-61")
@pytest.mark.parametrize(
    "pages",
    [
        pytest.param([[activity(id="x::1"), activity(id="x::2")]], id="the same page for ever"),
        pytest.param(
            [[activity(id="x::1"), activity(id="x::2")], [activity(id="x::3"), activity(id="x::4")]],
            id="two pages that follow each other",
        ),
    ],
)
async def test_pages_that_go_round_are_found_out(pages: list[list[dict[str, Any]]]) -> None:
    """Not read to the end is no evidence of absence."""
    async with talking(going_round(*pages)) as (broker, served):
        with pytest.raises(BrokerUnreadable):
            await broker.fills(after=None, page_size=2)
    assert len(served.asked) <= 3


@covers("BI:B-61")
async def test_a_page_of_orders_that_goes_round_is_found_out() -> None:
    async with talking(answer(200, [order(id=f"o-{number}") for number in range(500)])) as (broker, served):
        with pytest.raises(BrokerUnreadable):
            await broker.orders_since(datetime(2026, 11, 20, tzinfo=UTC))
    assert len(served.asked) <= 3


@covers("BI:B-61")
async def test_an_answer_larger_than_any_list_is_not_read() -> None:
    """A page of 40 MB."""
    async with talking(answer(200, b"[" + b" " * 40_000_000 + b"]")) as (broker, _):
        with pytest.raises(BrokerUnreadable):
            await broker.open_orders()


UNREADABLE: dict[str, Behaviour] = {
    "BI:B-62 an error with 200": error(200, 50010000, "internal server error occurred"),
    "BI:B-62 a warning with 200": answer(200, {"warning": "try later"}),
    "BI:B-63 html that says it is JSON": answer(200, HTML, JSON),
    "BI:B-63 html that says so with 404": answer(404, HTML, JSON),
    "BI:B-64 gzip that is none": answer(200, said(order()), {"content-encoding": "gzip"}),
    "BI:B-64 gzip that ends too soon": answer(
        200, gzip.compress(said(order()))[:-20], {"content-encoding": "gzip"}
    ),
    "BI:B-64 a bomb": answer(200, gzip.compress(b" " * 50_000_000), {"content-encoding": "gzip"}),
    "BI:B-64 a reset in the middle": cut(order(), after=100),
}


@covers("SEC:S-42")
@pytest.mark.parametrize("behaves", UNREADABLE.values(), ids=UNREADABLE.keys())
async def test_what_cannot_be_read_proves_nothing(behaves: Behaviour) -> None:
    """On a POST the outcome is unknown; a look-up, a list and a position find nothing out."""
    async with talking(behaves, **PATIENT) as (broker, served):
        assert isinstance(await broker.submit(ID, TICKET), Unknown)
        assert [asked.method for asked in served.asked] == ["POST"]
        assert isinstance(await broker.order_by_client_id(ID), Unreadable)
        with pytest.raises(BrokerUnreadable):
            await broker.open_orders()
        with pytest.raises(BrokerUnreadable):
            await broker.positions()
