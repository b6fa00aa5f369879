"""Orders of every kind that somebody enters at the broker: the ledger ends with what the broker has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderClass, OrderSide, TimeInForce
from alpaca.trading.requests import (
    LimitOrderRequest,
    MarketOrderRequest,
    OrderRequest,
    ReplaceOrderRequest,
    StopLossRequest,
    TakeProfitRequest,
    TrailingStopOrderRequest,
)

from tests.contract.steps import holds
from tests.kit.exchange import Exchange
from tests.kit.house import House

BUY = {"symbol": "AAPL", "side": OrderSide.BUY, "time_in_force": TimeInForce.DAY}


@pytest.fixture
async def broker_side(exchange: Exchange) -> AsyncIterator[TradingClient]:
    """Somebody else with the keys of the same account."""
    client = TradingClient(exchange.key, exchange.secret, url_override=exchange.url, raw_data=True)
    yield client
    client._session.close()


async def enter(client: TradingClient, asked: OrderRequest) -> str:
    order = await asyncio.to_thread(client.submit_order, asked)
    assert isinstance(order, dict)
    return str(order["id"])


async def agrees(house: House, qty: str) -> None:
    """The ledger holds that many shares, and so does the broker."""
    await house.until(lambda: holds(house, qty), what=f"{qty} shares")
    (account,) = house.exchange.truth()["accounts"].values()
    held = [Decimal(position["qty"]) for position in account["positions"]]
    assert held == ([Decimal(qty)] if Decimal(qty) else [])


async def test_a_sum_of_money_and_part_of_a_share(house: House, broker_side: TradingClient) -> None:
    await enter(broker_side, MarketOrderRequest(**BUY, notional=1000))
    await agrees(house, "9.999000099")
    await enter(broker_side, MarketOrderRequest(**BUY, qty=0.5))
    await agrees(house, "10.499000099")


async def test_a_bracket_from_its_entry_to_its_exit(house: House, broker_side: TradingClient) -> None:
    bracket = MarketOrderRequest(
        **BUY,
        qty=10,
        order_class=OrderClass.BRACKET,
        take_profit=TakeProfitRequest(limit_price=110),
        stop_loss=StopLossRequest(stop_price=90),
    )
    await enter(broker_side, bracket)
    await agrees(house, "10")
    house.exchange.price("AAPL", "110", "110.02", bid_size="4")
    await agrees(house, "6")
    house.exchange.price("AAPL", "89.98", "90")
    await agrees(house, "0")


async def test_a_trailing_stop(house: House, broker_side: TradingClient) -> None:
    await enter(broker_side, MarketOrderRequest(**BUY, qty=10))
    await agrees(house, "10")
    selling = {**BUY, "side": OrderSide.SELL}
    await enter(broker_side, TrailingStopOrderRequest(**selling, qty=10, trail_percent=2))
    house.exchange.price("AAPL", "109.99", "110.01")
    house.exchange.price("AAPL", "107.50", "107.52")
    await agrees(house, "0")


async def test_a_chain_of_replacements(house: House, broker_side: TradingClient) -> None:
    order_id = await enter(broker_side, LimitOrderRequest(**BUY, qty=10, limit_price=90))
    for limit_price in (91, 92, 101):
        change = ReplaceOrderRequest(limit_price=limit_price)
        order = await asyncio.to_thread(broker_side.replace_order_by_id, order_id, change)
        assert isinstance(order, dict)
        order_id = str(order["id"])
    await agrees(house, "10")


async def test_a_short_sale(house: House, broker_side: TradingClient) -> None:
    await enter(broker_side, MarketOrderRequest(**{**BUY, "side": OrderSide.SELL}, qty=10))
    await agrees(house, "-10")
