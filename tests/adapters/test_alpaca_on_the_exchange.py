"""The broker on the local exchange: one order's life, and one POST whatever becomes of the answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from gateway.adapters.alpaca import AlpacaBroker, AlpacaSettings
from gateway.adapters.system_clock import SystemClock
from gateway.aggregates.reports import ReportKind
from gateway.aggregates.vocabulary import ClientOrderId, OrderId, OrdStatus, OrdType, Symbol
from gateway.ports import Absent, Accepted, CancelRefused, CancelTaken, Duplicate, Found, Rejected, Unknown
from tests.adapters.said import TICKET
from tests.kit.covers import covers
from tests.kit.exchange import Exchange


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    exchange = Exchange.start(tmp_path_factory.mktemp("exchange"))
    yield exchange
    exchange.stop()


@pytest.fixture
def exchange(running: Exchange) -> Exchange:
    running.reset()
    return running


@pytest.fixture
async def broker(exchange: Exchange) -> AsyncIterator[AlpacaBroker]:
    settings = AlpacaSettings(
        key=exchange.key, secret=exchange.secret, base_url=exchange.url + "/", read_timeout=0.5, deadline=1.5
    )
    broker = AlpacaBroker(settings, clock=SystemClock())
    yield broker
    broker.close()


@pytest.fixture
def name() -> ClientOrderId:
    return ClientOrderId(uuid4().hex)


def posts(exchange: Exchange) -> int:
    return sum(asked["method"] == "POST" for asked in requests(exchange))


def requests(exchange: Exchange) -> list[Any]:
    found = exchange.ctl("GET", "requests?after=0")
    return list(found["requests"] if isinstance(found, dict) else found)


async def test_an_order_lives_from_submission_to_cancel(
    exchange: Exchange, broker: AlpacaBroker, name: ClientOrderId
) -> None:
    assert await broker.order_by_client_id(name) == Absent()
    accepted = await broker.submit(name, TICKET)
    assert isinstance(accepted, Accepted)
    order_id = accepted.order.order_id
    exchange.ctl("POST", f"orders/{order_id}/fill", {"qty": "1", "price": "150.05"})

    assert [held.order_id for held in await broker.open_orders()] == [order_id]
    (fill,) = (await broker.fills(after=datetime.now(UTC) - timedelta(hours=1), order_id=order_id)).reports
    assert (fill.kind, fill.last_qty, fill.last_px) == (ReportKind.TRADE, Decimal(1), Decimal("150.05"))
    assert await broker.position(Symbol("AAPL")) == 1
    assert await broker.position(Symbol("MSFT")) == 0
    assert [(held.symbol, held.qty) for held in await broker.positions()] == [("AAPL", 1)]

    assert await broker.cancel(order_id) == CancelTaken()
    found = await broker.order_by_id(order_id)
    assert isinstance(found, Found)
    assert (found.order.status, found.order.filled_qty) == (OrdStatus.CANCELED, Decimal(1))
    assert await broker.open_orders() == ()
    assert [held.order_id for held in await broker.orders_since(datetime.now(UTC) - timedelta(hours=1))] == [
        order_id
    ]
    assert isinstance(await broker.cancel(order_id), CancelRefused)


async def test_the_account_is_a_paper_account(exchange: Exchange, broker: AlpacaBroker) -> None:
    account = await broker.account()
    assert (account.account_number, account.blocked) == (exchange.account, False)
    assert (await broker.clock()).next_close > (await broker.clock()).timestamp


@covers("FM:F-070")
async def test_a_second_post_under_one_id_is_a_duplicate(broker: AlpacaBroker, name: ClientOrderId) -> None:
    assert isinstance(await broker.submit(name, TICKET), Accepted)
    assert await broker.submit(name, TICKET) == Duplicate()


async def test_the_exchanges_verdict_is_kept_verbatim(broker: AlpacaBroker, name: ClientOrderId) -> None:
    outcome = await broker.submit(name, replace(TICKET, limit_px=Decimal("290.123")))
    assert isinstance(outcome, Rejected)
    assert outcome.code == "42210000"
    assert "sub-penny" in outcome.message


async def test_an_unknown_order_cannot_be_canceled(broker: AlpacaBroker) -> None:
    assert isinstance(await broker.cancel(OrderId(str(uuid4()))), CancelRefused)


@pytest.mark.parametrize(
    "fault",
    [
        {"name": "http.status_after", "status": 504},
        {"name": "http.status_after", "status": 500},
        {"name": "http.status_after", "status": 502, "body": "<html>", "content_type": "text/html"},
        {"name": "http.reset", "phase": "after"},
        {"name": "http.close", "phase": "after"},
        {"name": "http.hang", "phase": "after", "seconds": 2},
        {"name": "http.body", "body": "[]"},
        {"name": "http.redirect", "status": 307, "location": "http://127.0.0.1:1/v2/orders"},
    ],
    ids=lambda fault: " ".join(str(value) for value in fault.values()),
)
async def test_an_order_taken_with_its_answer_lost_is_unknown_and_found_by_its_id(
    exchange: Exchange, broker: AlpacaBroker, name: ClientOrderId, fault: dict[str, Any]
) -> None:
    fault = dict(fault)
    exchange.arm(fault.pop("name"), match={"method": "POST", "path": "/v2/orders"}, **fault)
    assert isinstance(await broker.submit(name, TICKET), Unknown)
    assert posts(exchange) == 1
    found = await broker.order_by_client_id(name)
    assert isinstance(found, Found)
    assert found.order.ord_type is OrdType.LIMIT
