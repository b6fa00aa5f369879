"""The same seed and the same inputs give the same world, faults included; the typed client reads it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import CorporateActionType
from alpaca.trading.requests import GetCorporateAnnouncementsRequest, GetOptionContractsRequest

from tests.kit.exchange import Exchange
from tests.paper.tickets import submit

CHANCY = ("fill.partial", "fill.id_mismatch", "order.silent_cancel", "order.restate", "ws.lose", "fill.bust")


def play(exchange: Exchange, client: TradingClient, seed: int) -> tuple[Any, Any, Any]:
    """Twenty orders under faults that strike by chance; time stands still."""
    exchange.reset(seed=seed)
    exchange.ctl("POST", "clock", {"mode": "manual", "now": "2026-11-20T17:00:00Z"})
    for name in CHANCY:
        exchange.ctl("POST", "faults", {"name": name, "times": -1, "probability": 0.4})
    exchange.price("AAPL", "9.98", "10", ask_size="1100")
    for number in range(20):
        submit(client, client_order_id=f"order-{number}")
    exchange.ctl("POST", "split", {"symbol": "AAPL", "ratio": "2"})
    hits = [fault["hits"] for fault in exchange.ctl("GET", "faults")["armed"]]
    return exchange.truth(), exchange.ctl("GET", "events"), hits


def test_a_run_can_be_played_again(exchange: Exchange, client: TradingClient) -> None:
    first = play(exchange, client, 7)
    assert all(first[2])
    assert play(exchange, client, 7) == first
    assert play(exchange, client, 8)[2] != first[2]


def test_the_typed_client_reads_what_a_day_of_all_kinds_leaves(
    exchange: Exchange, client: TradingClient
) -> None:
    play(exchange, client, 7)
    exchange.ctl("DELETE", "faults")
    typed = TradingClient(exchange.key, exchange.secret, url_override=exchange.url)
    account = typed.get_account()
    assert account.accrued_fees == client.get_account()["accrued_fees"] != "0"
    held = [(p.symbol, p.qty) for p in typed.get_all_positions()]
    assert held == [(p["symbol"], p["qty"]) for p in client.get_all_positions()] != []
    assert typed.get_orders() == []
    announced = GetCorporateAnnouncementsRequest(
        ca_types=[CorporateActionType.SPLIT], since=date(2026, 11, 1), until=date(2026, 11, 20)
    )
    with pytest.warns(DeprecationWarning):
        assert typed.get_corporate_announcements(announced) == []
    assert typed.get_option_contracts(GetOptionContractsRequest()).option_contracts == []
