"""Reads that are late, incomplete, or not what the documents say."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient
from pydantic import ValidationError

from tests.paper.bench import Bench, shows


@shows("read.positions_lag")
def _(bench: Bench) -> None:
    later = bench.by_hand()
    later(10)
    bench.buy()
    bench.arm("read.positions_lag")
    assert bench.client.get_all_positions() == []
    later(2)
    assert [p["qty"] for p in bench.client.get_all_positions()] == ["100"]


@shows("read.account_lag")
def _(bench: Bench) -> None:
    later = bench.by_hand()
    later(10)
    bench.buy()
    bench.arm("read.account_lag")
    assert bench.client.get_account()["cash"] == "100000"
    later(2)
    assert bench.client.get_account()["cash"] == "99000"


@shows("read.activities_lag")
def _(bench: Bench) -> None:
    later = bench.by_hand()
    later(10)
    bench.buy()
    bench.arm("read.activities_lag")
    assert bench.fills() == []
    later(2)
    assert len(bench.fills()) == 1


@shows("read.activities_gap")
def _(bench: Bench) -> None:
    bench.buy()
    bench.arm("read.activities_gap")
    assert [len(bench.fills()) for _ in range(2)] == [0, 1]
    bench.arm("read.activities_gap", seconds=1)
    assert [len(bench.fills()) for _ in range(2)] == [0, 0]
    assert bench.took(lambda: _until(lambda: bool(bench.fills()))) > 0.05


def _until(holds: Any) -> None:
    while not holds():
        continue


@shows("read.list_gap")
def _(bench: Bench) -> None:
    bench.submit()
    bench.arm("read.list_gap")
    assert [len(bench.client.get_orders()) for _ in range(2)] == [0, 1]


@shows("read.page_repeat")
def _(bench: Bench) -> None:
    for _ in range(2):
        bench.buy(qty="1")
    first, second = bench.fills()
    bench.arm("read.page_repeat")
    assert [bench.fills(page_token=first["id"]) for _ in range(2)] == [[first, second], [second]]
    orders = bench.client.get("/orders", {"status": "all", "direction": "asc"})
    bench.arm("read.page_repeat")
    query = {"status": "all", "direction": "asc", "after": orders[0]["submitted_at"]}
    assert [bench.client.get("/orders", query) for _ in range(2)] == [orders, orders[1:]]


def _quote(bench: Bench) -> Any:
    return bench.client.get("/stocks/AAPL/quotes/latest")["quote"]


@shows("data.stale")
def _(bench: Bench) -> None:
    later = bench.by_hand()
    later(0)
    bench.offer()
    fresh = datetime.fromisoformat(_quote(bench)["t"])
    bench.arm("data.stale", symbol="AAPL", seconds=60)
    assert fresh - datetime.fromisoformat(_quote(bench)["t"]) == timedelta(seconds=60)


@shows("data.one_sided")
def _(bench: Bench) -> None:
    bench.offer()
    bench.arm("data.one_sided", side="bid")
    assert (_quote(bench)["bp"], _quote(bench)["ap"]) == (0, 10)


@shows("data.crossed")
def _(bench: Bench) -> None:
    bench.offer()
    bench.arm("data.crossed")
    assert (_quote(bench)["bp"], _quote(bench)["ap"]) == (10, 9.98)


@shows("data.outage")
def _(bench: Bench) -> None:
    bench.arm("data.outage", status=403)
    with pytest.raises(APIError) as caught:
        _quote(bench)
    assert caught.value.status_code == 403


def _now(bench: Bench) -> datetime:
    return datetime.fromisoformat(bench.client.get_clock()["timestamp"])


@shows("clock.skew")
def _(bench: Bench) -> None:
    bench.by_hand()
    right = _now(bench)
    opens = bench.client.get_clock()["next_open"]
    bench.arm("clock.skew", seconds=7)
    assert _now(bench) - right == timedelta(seconds=7)
    assert bench.client.get_clock()["next_open"] == opens
    order = bench.submit()
    told = bench.listener.next()[0]["timestamp"]
    for text in (order["created_at"], told):
        assert datetime.fromisoformat(text) - right == timedelta(seconds=7)


@shows("clock.step_back")
def _(bench: Bench) -> None:
    bench.by_hand()
    bench.arm("clock.step_back", match={"path": "/v2/clock"})
    stepped, right = _now(bench), _now(bench)
    assert right - stepped == timedelta(seconds=5)


@shows("schema.future")
def _(bench: Bench) -> None:
    bench.arm("schema.future", enums={"time_in_force": "gtn"})
    asset = bench.client.get_asset("AAPL")
    assert "easy_to_borrow" not in asset
    assert asset["novelty"] == "1"
    order = bench.submit()
    assert (order["time_in_force"], order["novelty"]) == ("gtn", "1")
    assert bench.listener.next()[0]["order"]["time_in_force"] == "gtn"
    typed = TradingClient(bench.exchange.key, bench.exchange.secret, url_override=bench.exchange.url)
    with pytest.raises(ValidationError):
        typed.get_orders()
