"""`POST /orders` through every gate: against the same route without a ledger, with the stock recorder, and
against alpaca-py alone; and how long orders go on leaving once the kill switch is engaged.

Rows b, c and d. One gateway process, sixteen connections from another process. Run: `python -m bench.http`.
"""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import datetime
from http import HTTPStatus
from multiprocessing import get_context
from time import perf_counter
from typing import Final

import psycopg
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, TimeInForce
from alpaca.trading.requests import MarketOrderRequest

from bench.load import CONNECTIONS, Heard, heard, make
from bench.rows import Row, show
from bench.street import SYMBOLS, Served, Street, served, street

SECONDS: Final = 4.0
WARM_UP_SECONDS: Final = 1.0
ENGAGE_AFTER_SECONDS: Final = 1.5
LIMIT_ORDERS: Final = [
    f'{{"symbol":"{symbol}","side":"{side}","qty":10,"order_type":"limit","limit_price":"101.25"}}'
    for symbol in SYMBOLS
    for side in ("buy", "sell")
]
MARKET_ORDERS: Final = [
    f'{{"symbol":"{symbol}","side":"{side}","qty":1}}' for symbol in SYMBOLS for side in ("buy", "sell")
]


def hear(gateway: Served, bodies: list[str]) -> Heard:
    """Measure, after a warm-up that is not counted."""
    heard(gateway.offer(bodies, WARM_UP_SECONDS, "warm"))
    result = heard(gateway.offer(bodies, SECONDS, "measured"))
    if set(result.statuses) != {HTTPStatus.OK}:
        raise RuntimeError(f"not every order was taken: {dict(result.statuses)}")
    return result


def dry_run_rows(around: Street) -> list[Row]:
    found: dict[str, Heard] = {}
    for answering in ("whole", "no-ledger", "stock"):
        with served(around, answering) as gateway:
            found[answering] = hear(gateway, LIMIT_ORDERS)
    whole, ceiling, stock = found["whole"], found["no-ledger"], found["stock"]
    return [
        Row(
            name="b  POST /orders, all gates, DRY_RUN",
            measured=whole.words,
            yardstick=f"stock recorder, no gates: {stock.words}",
            ratio=whole.rate / stock.rate,
            aim="8x, p99 < 20 ms",
        ),
        Row(
            name="c  the same",
            measured=whole.words,
            yardstick=f"same route, no ledger: {ceiling.words}",
            ratio=whole.rate / ceiling.rate,
            aim="0.5x",
        ),
    ]


def exchange_rows(around: Street) -> list[Row]:
    with served(around, "whole", dry_run=False) as gateway:
        through_us = hear(gateway, MARKET_ORDERS)
        switch = kill_switch_row(around, gateway)
    exchange = around.exchange
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as other:
        alone = other.submit(alpaca_alone, exchange.key, exchange.secret, exchange.url).result()
    row = Row(
        name="d  POST /orders to the paper exchange",
        measured=through_us.words,
        yardstick=f"alpaca-py alone: {alone.words}",
        ratio=through_us.rate / alone.rate,
    )
    return [row, switch]


def alpaca_alone(key: str, secret: str, url: str) -> Heard:
    """The broker's own library against the exchange, in as many threads as there are connections."""
    waits: list[float] = []
    started = perf_counter()

    def caller(number: int) -> None:
        client = TradingClient(key, secret, paper=True, url_override=url)
        sent = 0
        while (asked := perf_counter()) - started < SECONDS:
            client.submit_order(
                MarketOrderRequest(
                    symbol=SYMBOLS[number % len(SYMBOLS)],
                    qty=1,
                    side=OrderSide.SELL if sent % 2 else OrderSide.BUY,
                    time_in_force=TimeInForce.DAY,
                )
            )
            sent += 1
            waits.append(1000 * (perf_counter() - asked))

    with ThreadPoolExecutor(CONNECTIONS) as threads:
        list(threads.map(caller, range(CONNECTIONS)))
    rate = len(waits) / (perf_counter() - started)
    return Heard(rate=rate, waits=sorted(waits), statuses=Counter({int(HTTPStatus.OK): len(waits)}))


def kill_switch_row(around: Street, gateway: Served) -> Row:
    """Engage it while sixteen callers submit: what the log says came after, and when the last order left."""
    with ThreadPoolExecutor(1) as other:
        storm = other.submit(make, gateway.offer(MARKET_ORDERS, 2 * ENGAGE_AFTER_SECONDS, "storm"))
        time.sleep(ENGAGE_AFTER_SECONDS)
        gateway.ask("POST", "/api/v1/kill-switch/engage", {"reason": "bench", "operator": "bench"})
        statuses = storm.result().statuses
    if not 0 < statuses[HTTPStatus.OK] < sum(statuses.values()):
        raise RuntimeError(f"the kill switch was not engaged amid orders: {dict(statuses)}")
    position, engaged_at = _engaged(gateway)
    return Row(
        name="   last order out after the kill switch",
        measured=f"{1000 * (_last_order(around) - engaged_at).total_seconds():+.1f} ms",
        yardstick=f"{_intents_after(gateway, position)} intents after position {position:,}",
        aim="< 50 ms, 0 intents",
    )


def _engaged(gateway: Served) -> tuple[int, datetime]:
    with psycopg.connect(gateway.database) as connection:
        row = connection.execute(
            "select position, recorded_at from ledger.events where topic like 'kill_switch.engaged.%'"
        ).fetchone()
    assert row is not None, "the answer came after the event"
    return row


def _intents_after(gateway: Served, position: int) -> int:
    with psycopg.connect(gateway.database) as connection:
        row = connection.execute(
            "select count(*) from ledger.events where position > %s and topic like 'order.submitted.%%'",
            (position,),
        ).fetchone()
    assert row is not None, "a count always has a row"
    return int(row[0])


def _last_order(around: Street) -> datetime:
    """When the exchange, whose clock is this machine's, received its last new order."""
    times = [
        str(request["received_at"])
        for request in around.exchange.ctl("GET", "requests?after=0")
        if request["method"] == "POST" and request["path"] == "/v2/orders"
    ]
    return datetime.fromisoformat(max(times))


def rows() -> list[Row]:
    with street() as around:
        return [*dry_run_rows(around), *exchange_rows(around)]


if __name__ == "__main__":
    show(rows())
