"""Market data, by alpaca-py's own data client."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from alpaca.common.exceptions import APIError
from alpaca.data.historical.stock import StockHistoricalDataClient
from alpaca.data.requests import (
    StockBarsRequest,
    StockLatestBarRequest,
    StockLatestQuoteRequest,
    StockLatestTradeRequest,
    StockSnapshotRequest,
    StockTradesRequest,
)
from alpaca.data.timeframe import TimeFrame

from tests.kit.exchange import Exchange


@pytest.fixture
def market(exchange: Exchange) -> StockHistoricalDataClient:
    return StockHistoricalDataClient(exchange.key, exchange.secret, url_override=exchange.url)


@pytest.fixture
def raw(exchange: Exchange) -> StockHistoricalDataClient:
    return StockHistoricalDataClient(exchange.key, exchange.secret, url_override=exchange.url, raw_data=True)


def test_the_latest_quote_is_the_one_that_was_set(
    exchange: Exchange, market: StockHistoricalDataClient
) -> None:
    exchange.price("AAPL", "99.99", "100.01", bid_size="300", ask_size="200")
    asked = StockLatestQuoteRequest(symbol_or_symbols=["AAPL", "IBM"])
    quotes = market.get_stock_latest_quote(asked)
    assert list(quotes) == ["AAPL"]
    quote = quotes["AAPL"]
    assert (quote.bid_price, quote.ask_price, quote.bid_size, quote.ask_size) == (99.99, 100.01, 300, 200)
    assert datetime.now(UTC) - quote.timestamp < timedelta(seconds=5)


def test_a_quote_can_be_given_an_age(exchange: Exchange, market: StockHistoricalDataClient) -> None:
    exchange.price("AAPL", "99.99", "100.01", at="2026-11-20T15:00:00Z")
    quote = market.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols="AAPL"))["AAPL"]
    assert quote.timestamp == datetime(2026, 11, 20, 15, tzinfo=UTC)


def test_taken_size_is_no_longer_displayed(exchange: Exchange, market: StockHistoricalDataClient) -> None:
    exchange.price("AAPL", "9.99", "10.00", ask_size="500")
    buy = {"symbol": "AAPL", "qty": "200", "side": "buy", "type": "market", "time_in_force": "day"}
    exchange.ctl("POST", "foreign_order", buy)
    asked = StockLatestQuoteRequest(symbol_or_symbols="AAPL")
    assert market.get_stock_latest_quote(asked)["AAPL"].ask_size == 300


def test_twenty_complete_days_precede_today_even_on_a_weekend(
    exchange: Exchange, market: StockHistoricalDataClient
) -> None:
    exchange.ctl("POST", "clock", {"mode": "manual", "now": "2026-11-22T12:00:00Z"})
    start = datetime(2026, 10, 25, tzinfo=UTC)
    asked = StockBarsRequest(symbol_or_symbols="AAPL", timeframe=TimeFrame.Day, start=start)
    bars = market.get_stock_bars(asked)["AAPL"]
    assert len(bars) == 28
    assert bars[-1].timestamp == datetime(2026, 11, 21, 5, tzinfo=UTC)
    assert all(bar.low <= bar.open <= bar.high and bar.volume > 0 for bar in bars)


def test_history_is_limited_over_all_symbols_together_and_goes_on_by_token(
    exchange: Exchange, raw: StockHistoricalDataClient
) -> None:
    query = {"symbols": "AAPL,IBM", "timeframe": "1Day", "start": "2020-01-01", "limit": "300"}
    first = raw.get("/stocks/bars", query)
    assert {symbol: len(bars) for symbol, bars in first["bars"].items()} == {"AAPL": 60, "IBM": 60}
    page = raw.get("/stocks/bars", {**query, "limit": "100"})
    assert {symbol: len(bars) for symbol, bars in page["bars"].items()} == {"AAPL": 60, "IBM": 40}
    rest = raw.get("/stocks/bars", {**query, "limit": "100", "page_token": page["next_page_token"]})
    assert page["bars"]["IBM"] + rest["bars"]["IBM"] == first["bars"]["IBM"]
    assert rest["next_page_token"] is None
    backwards = raw.get("/stocks/bars", {**query, "sort": "desc"})
    assert backwards["bars"]["AAPL"] == first["bars"]["AAPL"][::-1]


def test_prints_become_trades_and_minute_bars(exchange: Exchange, market: StockHistoricalDataClient) -> None:
    exchange.ctl("POST", "clock", {"mode": "manual", "now": "2026-11-20T15:00:01Z"})
    for price, size in (("10", "5"), ("12", "7"), ("11", "1")):
        exchange.ctl("POST", "trade", {"symbol": "AAPL", "price": price, "size": size})
    bar = market.get_stock_latest_bar(StockLatestBarRequest(symbol_or_symbols="AAPL"))["AAPL"]
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (10, 12, 10, 11, 13)
    assert bar.timestamp == datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
    trade = market.get_stock_latest_trade(StockLatestTradeRequest(symbol_or_symbols="AAPL"))["AAPL"]
    assert (trade.price, trade.size) == (11, 1)
    start = datetime(2026, 11, 20, tzinfo=UTC)
    trades = market.get_stock_trades(StockTradesRequest(symbol_or_symbols="AAPL", start=start))["AAPL"]
    assert [t.size for t in trades] == [5, 7, 1]


def test_a_snapshot_has_everything_at_once(exchange: Exchange, market: StockHistoricalDataClient) -> None:
    exchange.price("AAPL", "99.99", "100.01", last="100", last_size="10")
    snapshot = market.get_stock_snapshot(StockSnapshotRequest(symbol_or_symbols="AAPL"))["AAPL"]
    assert snapshot.latest_trade.price == snapshot.minute_bar.close == snapshot.daily_bar.close == 100
    assert snapshot.latest_quote.bid_price == 99.99
    assert snapshot.previous_daily_bar.volume > 0


def test_numbers_are_json_numbers_here(exchange: Exchange, raw: StockHistoricalDataClient) -> None:
    exchange.price("AAPL", "99.99", "100.01")
    quote = raw.get("/stocks/AAPL/quotes/latest")
    assert quote["symbol"] == "AAPL"
    assert (quote["quote"]["bp"], quote["quote"]["as"]) == (99.99, 1_000_000)
    bars = raw.get("/stocks/AAPL/bars", {"timeframe": "1Day", "start": "2020-01-01"})["bars"]
    assert isinstance(bars[0]["o"], float | int)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/stocks/bars?symbols=AAPL&timeframe=1Year", "invalid timeframe"),
        ("/stocks/bars?symbols=AAPL&timeframe=0Min", "invalid timeframe"),
        ("/stocks/bars?timeframe=1Day", "symbols is required"),
        ("/stocks/bars?symbols=AAPL&timeframe=1Day&start=soon", "invalid date"),
        ("/stocks/rumours?symbols=AAPL", "invalid path: rumours"),
    ],
)
def test_a_question_that_makes_no_sense_is_invalid(
    raw: StockHistoricalDataClient, path: str, message: str
) -> None:
    with pytest.raises(APIError) as caught:
        raw.get(path)
    assert (caught.value.status_code, caught.value.message) == (422, message)
