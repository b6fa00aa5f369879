"""Faults by the dozen at the same time: whatever clients are told, the books stay right."""

from __future__ import annotations

import contextlib
import random
from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest
import requests
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient

from gateway.paper.catalogue import CATALOGUE
from tests.kit.exchange import Exchange
from tests.paper.tickets import submit

SLOW = {"http.hang", "http.refuse", "http.rate_limit", "http.auth", "order.lookup_lag"}
TROUBLE = (APIError, requests.RequestException, ValueError, TypeError, KeyError)


def trade(client: TradingClient, exchange: Exchange, draw: random.Random) -> None:
    """One thing a trader does, or a move of the market."""
    ask = draw.randint(950, 1050)
    exchange.price("AAPL", f"{ask - 1}e-2", f"{ask}e-2", ask_size="150", bid_size="150")
    match draw.randrange(4):
        case 0 | 1:
            limit = f"{ask + draw.randint(-20, 20)}"
            submit(client, side=draw.choice(["buy", "sell"]), limit_price=f"{Decimal(limit) / 100}")
        case 2:
            client.delete(f"/orders/{draw.choice(client.get_orders())['id']}")
        case 3:
            order = draw.choice(client.get_orders())
            client.patch(f"/orders/{order['id']}", {"limit_price": f"{ask / 100}"})


def check_books(truth: Any) -> None:
    """Orders, positions and cash are what the standing executions add up to."""
    filled: dict[str, Decimal] = defaultdict(Decimal)
    held, cash = Decimal(0), Decimal(100_000)
    for e in truth["executions"]["live"]:
        qty, signed = Decimal(e["qty"]), Decimal(e["qty"]) * (1 if e["side"] == "buy" else -1)
        filled[e["order_id"]] += qty
        held += signed
        cash -= signed * Decimal(e["price"])
    assert not [order for order in truth["orders"] if order["status"].startswith("pending")]
    (account,) = truth["accounts"].values()
    assert {o["id"]: Decimal(o["filled_qty"]) for o in truth["orders"] if Decimal(o["filled_qty"])} == dict(
        filled
    )
    assert sum(Decimal(p["qty"]) for p in account["positions"]) == held
    assert Decimal(account["cash"]) == cash


@pytest.mark.parametrize("seed", range(2))
def test_the_books_are_right_after_any_mixture_and_survive_a_kill(own_exchange: Exchange, seed: int) -> None:
    draw = random.Random(seed)
    own_exchange.reset(seed=seed)
    client = TradingClient(
        own_exchange.key, own_exchange.secret, url_override=own_exchange.url, raw_data=True
    )
    client._retry = 0
    for name in sorted(CATALOGUE.keys() - SLOW):
        specification = {"name": name, "times": draw.randint(1, 4), "probability": 0.3}
        if "every_s" in CATALOGUE[name].parameters:
            specification["params"] = {"every_s": 0.01}
        own_exchange.ctl("POST", "faults", specification)
    for _ in range(80):
        with contextlib.suppress(*TROUBLE, IndexError):
            trade(client, own_exchange, draw)
    own_exchange.ctl("DELETE", "faults")
    own_exchange.ctl("POST", "quiesce", {"timeout_s": 8})
    truth = own_exchange.truth()
    assert len(truth["executions"]["live"]) > 2
    check_books(truth)
    own_exchange.kill()
    own_exchange.restart()
    assert own_exchange.truth() == truth
