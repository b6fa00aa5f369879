"""The control plane itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alpaca.trading.client import TradingClient

from gateway.paper import house
from gateway.paper.app import create_app
from gateway.paper.house import House, Opening
from tests.kit.exchange import Exchange
from tests.paper.tickets import submit


async def test_it_answers_to_this_machine_only(tmp_path: Path) -> None:
    app = create_app(House(tmp_path, Opening(source="manual")))
    statuses = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        statuses.append(message.get("status"))

    for host in ("203.0.113.5", "::1", "127.0.0.1"):
        scope = {"type": "http", "method": "GET", "path": "/_ctl/truth", "headers": [], "query_string": b""}
        await app({**scope, "client": (host, 1)}, receive, send)
    assert [status for status in statuses if status] == [403, 200, 200]


async def test_without_the_recording_the_synthetic_feed_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house, "recorded_file", lambda: None)
    opened = house.House(tmp_path, Opening(source="recorded", seed=7))
    assert opened.kernel.world.fed.source == "synthetic"
    assert opened.market.latest_quote("AAPL")
    opened.journal.close()


def test_a_reset_forgets_orders_faults_rules_and_keys(exchange: Exchange, client: TradingClient) -> None:
    submit(client)
    exchange.arm("http.status", status=500, times=-1)
    other = {"key_id": "other", "secret": "other", "account": "PA2"}
    exchange.ctl("PUT", "config", {"session": "regular", "keys": [other]})
    exchange.reset(cash="500")
    assert exchange.truth()["orders"] == []
    assert exchange.ctl("GET", "faults")["armed"] == []
    assert exchange.ctl("GET", "config")["session"] == "always"
    assert client.get_account()["cash"] == "500"
    exchange.reset()
    assert client.get_account()["cash"] == "100000"


def test_rules_survive_a_restart(own_exchange: Exchange) -> None:
    own_exchange.ctl("PUT", "config", {"session": "regular", "profile": "alpaca"})
    own_exchange.kill()
    own_exchange.restart()
    config = own_exchange.ctl("GET", "config")
    assert (config["session"], config["profile"]) == ("regular", "alpaca")


def test_the_alpaca_profile_fills_in_full_at_the_quote(exchange: Exchange, client: TradingClient) -> None:
    exchange.ctl("PUT", "config", {"profile": "alpaca"})
    exchange.price("AAPL", "9.98", "10", ask_size="1")
    assert client.get_order_by_id(submit(client)["id"])["filled_qty"] == "100"
    resting = submit(client, limit_price="9.5")
    exchange.price("AAPL", "9.30", "9.40", ask_size="1")
    assert client.get_order_by_id(resting["id"])["filled_avg_price"] == "9.4"


def test_another_feed_can_take_over_and_orders_stay(exchange: Exchange, client: TradingClient) -> None:
    order = submit(client, limit_price="0.5")
    exchange.ctl("POST", "feed", {"source": "synthetic", "speed": 60})
    quotes = client.get("/stocks/quotes/latest", {"symbols": "AAPL,MSFT,IBM,GOOG"})["quotes"]
    assert len(quotes) == 4
    assert client.get_order_by_id(order["id"])["status"] == "new"


def test_without_a_seed_no_two_worlds_share_an_id(exchange: Exchange, client: TradingClient) -> None:
    ids = []
    for _ in range(2):
        exchange.reset(seed=None)
        ids.append(submit(client)["id"])
    assert ids[0] != ids[1]


def test_events_say_what_became_of_them(exchange: Exchange, client: TradingClient) -> None:
    submit(client)
    submit(client)
    events = exchange.ctl("GET", "events")
    assert [(e["number"], e["event"], e["delivery"]) for e in events] == [(1, "new", {}), (2, "new", {})]
    assert exchange.ctl("GET", "events?after=1") == events[1:]


def test_quiesce_tells_when_something_stays_pending(exchange: Exchange, client: TradingClient) -> None:
    exchange.arm("order.ack_delay", seconds=60)
    submit(client)
    with pytest.raises(AssertionError, match="504"):
        exchange.ctl("POST", "quiesce", {"timeout_s": 0.05})
