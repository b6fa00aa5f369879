"""Every fault of the catalogue, armed by name, with its effect as a client or a listener sees it."""

from __future__ import annotations

import pytest
from alpaca.trading.client import TradingClient

from gateway.paper.catalogue import CATALOGUE
from tests.kit.exchange import Exchange
from tests.paper import rows_http, rows_orders, rows_reads, rows_stream
from tests.paper.bench import ROWS, Bench
from tests.paper.listener import Listener

ROW_FILES = (rows_http, rows_orders, rows_stream, rows_reads)

PROMISED = {
    "http": "status status_after hang reset close truncate drip body redirect latency refuse rate_limit auth",
    "order": "lookup_lag response_order ack_delay async_reject late_accept stuck cancel_reject fill_on_cancel"
    " fill_after_terminal cancel_204_filled silent_cancel replace_race cancel_all_partial restate"
    " unknown_status self_block",
    "fill": "partial same_ms slippage starve over bust correct chain id_mismatch",
    "ws": "drop freeze mute lose duplicate replay reorder delay malformed unknown_event upgrade auth"
    " one_connection big_frame position_lie",
    "sse": "dropped",
    "read": "positions_lag account_lag activities_lag activities_gap list_gap page_repeat",
    "data": "stale one_sided crossed outage",
    "clock": "skew step_back",
    "schema": "future",
}


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_fault_does_what_the_catalogue_says(
    name: str, exchange: Exchange, client: TradingClient, listener: Listener
) -> None:
    bench = Bench(exchange, client, listener)
    ROWS[name](bench)
    assert all(bench.hits()), "a fault of the row never struck"


def test_the_catalogue_is_complete_and_every_fault_has_a_row(exchange: Exchange) -> None:
    listed = {kind["name"] for kind in exchange.ctl("GET", "faults")["catalogue"]}
    promised = {f"{stage}.{name}" for stage, names in PROMISED.items() for name in names.split()}
    assert listed == promised == set(ROWS)


def test_the_catalogue_says_how_each_fault_is_armed(exchange: Exchange) -> None:
    for listed in exchange.ctl("GET", "faults")["catalogue"]:
        kind = CATALOGUE[listed["name"]]
        assert listed["sentence"] == kind.sentence
        assert kind.sentence.endswith(".")
        defaults = {name: about["default"] for name, about in listed["parameters"].items()}
        plain = {name: kind.default(name) for name in defaults}
        if kind.name != "http.refuse":  # that one would strike at once
            fault = exchange.ctl("POST", "faults", {"name": kind.name, "params": plain})
            assert fault["times"] == listed["times"]
            shown = {name: value for name, value in fault["params"].items() if name in defaults}
            assert shown == defaults


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ({"name": "http.magic"}, "unknown fault"),
        ({"name": "http.reset", "params": {"seconds": 1}}, "has no parameter seconds"),
        ({"name": "order.stuck", "params": {"status": "new"}}, "takes no status new"),
        ({"name": "fill.partial", "params": {"slices": "many"}}, "Expected `int`"),
        ({"name": "fill.partial", "time": 2}, "unknown field"),
    ],
)
def test_what_does_not_fit_the_catalogue_is_refused(
    exchange: Exchange, fault: dict[str, object], why: str
) -> None:
    with pytest.raises(AssertionError, match=f"422.*{why}"):
        exchange.ctl("POST", "faults", fault)
