"""The demo's own arithmetic, against the vectors every book of this house has to give."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.demo.books import Books, Holding, trades_of

D = Decimal


def after(*trades: tuple[str, str]) -> Holding:
    holding = Holding()
    for shares, price in trades:
        holding = holding.traded(D(shares), D(price))
    return holding


@pytest.mark.parametrize(
    ("trades", "qty", "average", "realized"),
    [
        ([("100", "150")], "100", "150", "0"),
        ([("100", "100"), ("50", "120")], "150", "106.666667", "0"),
        ([("100", "100"), ("-50", "120")], "50", "100", "1000"),
        ([("50", "100"), ("-100", "120")], "-50", "120", "1000"),
        ([("-50", "100"), ("80", "90")], "30", "90", "500"),
        ([("0.4", "10"), ("0.35", "10.5"), ("-0.75", "11")], "0", "0", "0.575"),
    ],
)
def test_a_trade_opens_adds_closes_or_flips(
    trades: list[tuple[str, str]], qty: str, average: str, realized: str
) -> None:
    holding = after(*trades)
    assert (holding.qty, holding.average, holding.realized) == (D(qty), D(average), D(realized))


def test_over_a_round_trip_no_cent_is_created_or_lost() -> None:
    holding = after(("1", "10"), ("2", "11"), ("-1", "12"), ("-2", "12"))
    assert holding == Holding(realized=D("4.0000000000"))


def execution(number: int, side: str, qty: str, price: str) -> dict[str, str]:
    return {
        "id": f"e{number}",
        "order_id": "o1",
        "symbol": "AAPL",
        "side": side,
        "qty": qty,
        "price": price,
    }


def test_a_busted_execution_is_in_no_holding() -> None:
    truth = {
        "orders": [{"id": "o1", "client_order_id": "c1"}],
        "executions": {
            "live": [execution(1, "buy", "100", "10"), execution(3, "sell", "100", "18")],
            "busted": [execution(2, "buy", "100", "20")],
        },
        "accounts": {"PA1": {"cash": "800", "positions": []}},
    }
    books = Books.of(truth)
    assert books.holdings() == {"AAPL": Holding(realized=D(800))}
    assert books.spent == D(-800)


def test_only_the_orders_asked_for_are_counted() -> None:
    truth = {
        "orders": [{"id": "o1", "client_order_id": "c1"}],
        "executions": {"live": [execution(1, "buy", "100", "10")], "busted": []},
        "accounts": {"PA1": {"cash": "0", "positions": []}},
    }
    assert Books.of(truth).holdings(["another"]) == {}


def test_the_ledgers_trades_are_its_fills_without_those_undone() -> None:
    def fill(exec_id: str, side: str) -> SimpleNamespace:
        trade = {"exec_id": exec_id, "last_qty": "10", "last_px": "5"}
        return SimpleNamespace(topic="order.filled", data={"side": side, "trade": trade})

    busted = SimpleNamespace(topic="order.fill_busted", data={"ref_exec_id": "e1"})
    told: list[Any] = [fill("e1", "buy"), fill("e2", "sell"), busted]
    assert trades_of(told) == {"e2": (D(-10), D(5))}
