"""Corporate actions, fees and transfers: what happens to an account without a trade."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from alpaca.trading.client import TradingClient

from tests.kit.exchange import Exchange
from tests.paper.listener import Listener
from tests.paper.tickets import submit


def hold(exchange: Exchange, qty: str, price: str = "90") -> None:
    exchange.ctl("POST", "account", {"positions": {"AAPL": {"qty": qty, "price": price}}})


def activities(client: TradingClient, kind: str) -> list[Any]:
    return list(client.get(f"/account/activities/{kind}", {"direction": "asc"}))


def position(client: TradingClient) -> tuple[str, str, str]:
    held = client.get_open_position("AAPL")
    return held["qty"], held["avg_entry_price"], held["cost_basis"]


# Splits.


@pytest.mark.parametrize(
    ("ratio", "after", "sub_type"),
    [("2", ("20", "45", "900"), "FSPLIT"), ("0.1", ("1", "900", "900"), "RSPLIT")],
)
def test_a_split_changes_the_quantity_and_the_average_but_not_the_cost(
    exchange: Exchange, client: TradingClient, ratio: str, after: tuple[str, str, str], sub_type: str
) -> None:
    hold(exchange, "10")
    exchange.ctl("POST", "split", {"symbol": "AAPL", "ratio": ratio})
    assert position(client) == after
    assert client.get_account()["cash"] == "100000"
    out, into = activities(client, "SPLIT")
    assert [(row["qty"], row["net_amount"], row["symbol"]) for row in (out, into)] == [
        ("-10", "0", "AAPL"),
        (after[0], "0", "AAPL"),
    ]
    assert {row["activity_sub_type"] for row in (out, into)} == {sub_type}
    assert out["group_id"] == into["group_id"]


def test_a_split_of_a_short_position_multiplies_what_is_owed(
    exchange: Exchange, client: TradingClient
) -> None:
    hold(exchange, "-10")
    exchange.ctl("POST", "split", {"symbol": "AAPL", "ratio": "3"})
    assert position(client) == ("-30", "30", "-900")
    assert [row["qty"] for row in activities(client, "SPLIT")] == ["10", "-30"]


def test_a_split_of_what_nobody_holds_is_no_activity(exchange: Exchange, client: TradingClient) -> None:
    exchange.ctl("POST", "split", {"symbol": "AAPL", "ratio": "2"})
    assert client.get("/account/activities") == []


def test_the_market_goes_on_at_the_divided_price(exchange: Exchange, client: TradingClient) -> None:
    exchange.price("AAPL", "99.98", "100")
    hold(exchange, "10", "80")
    exchange.ctl("POST", "split", {"symbol": "AAPL", "ratio": "2"})
    held = client.get_open_position("AAPL")
    assert (held["current_price"], held["market_value"]) == ("50", "1000")
    bought = client.get_order_by_id(submit(client, type="market", limit_price=None, qty="1")["id"])
    assert bought["filled_avg_price"] == "50"


def test_a_split_cancels_resting_orders_unless_told_otherwise(
    exchange: Exchange, client: TradingClient, listener: Listener
) -> None:
    order = submit(client, time_in_force="gtc")
    exchange.ctl("POST", "split", {"symbol": "AAPL", "ratio": "2"})
    canceled = listener.next(2)[1]
    assert (canceled["event"], canceled["reason"]) == ("canceled", "CORPORATE_ACTION")
    assert client.get_order_by_id(order["id"])["status"] == "canceled"


def test_a_split_can_restate_resting_orders_and_leaves_what_has_traded(
    exchange: Exchange, client: TradingClient, listener: Listener
) -> None:
    order = submit(client, time_in_force="gtc")
    exchange.ctl("POST", f"orders/{order['id']}/fill", {"qty": "20", "price": "10"})
    exchange.ctl("POST", "split", {"symbol": "AAPL", "ratio": "2", "orders": "restate"})
    restated = listener.next(3)[2]
    assert (restated["event"], restated["reason"]) == ("restated", "CORPORATE_ACTION")
    now = client.get_order_by_id(order["id"])
    assert (now["qty"], now["filled_qty"], now["limit_price"]) == ("180", "20", "5")
    assert position(client) == ("40", "5", "200")
    exchange.price("AAPL", "4.98", "5")
    assert client.get_order_by_id(order["id"])["status"] == "filled"
    assert client.get_open_position("AAPL")["qty"] == "200"


def test_how_a_split_treats_orders_is_a_rule_that_can_be_set(
    exchange: Exchange, client: TradingClient
) -> None:
    exchange.ctl("PUT", "config", {"split_orders": "restate"})
    order = submit(client, qty="15", limit_price="1")
    exchange.ctl("POST", "split", {"symbol": "AAPL", "ratio": "0.1"})
    now = client.get_order_by_id(order["id"])
    assert (now["qty"], now["limit_price"]) == ("1", "10")  # whole shares stay whole
    exchange.ctl("POST", "split", {"symbol": "AAPL", "ratio": "0.1"})
    assert client.get_order_by_id(order["id"])["status"] == "canceled"


def test_a_trade_from_before_a_split_can_still_be_undone(exchange: Exchange, client: TradingClient) -> None:
    exchange.price("AAPL", "9.98", "10")
    submit(client)
    exchange.ctl("POST", "split", {"symbol": "AAPL", "ratio": "2"})
    (execution,) = exchange.truth()["executions"]["live"]
    exchange.ctl("POST", f"executions/{execution['id']}/bust", {})
    assert client.get_all_positions() == []
    assert client.get_account()["cash"] == "100000"


def test_a_restated_trailing_stop_goes_on_from_the_divided_mark(
    exchange: Exchange, client: TradingClient
) -> None:
    exchange.price("AAPL", "99.98", "100", last="100")
    hold(exchange, "10")
    trailing = {"side": "sell", "qty": "10", "type": "trailing_stop", "trail_percent": "10"}
    order = submit(client, limit_price=None, **trailing)
    exchange.ctl("POST", "split", {"symbol": "AAPL", "ratio": "2", "orders": "restate"})
    now = client.get_order_by_id(order["id"])
    assert (now["status"], now["qty"], now["hwm"], now["stop_price"]) == ("new", "20", "50", "45")
    exchange.price("AAPL", "59.98", "60", last="60")
    assert client.get_order_by_id(order["id"])["stop_price"] == "54"


def test_a_split_ends_the_orders_of_a_bracket_once(
    exchange: Exchange, client: TradingClient, listener: Listener
) -> None:
    exits = {"take_profit": {"limit_price": "12"}, "stop_loss": {"stop_price": "8"}}
    submit(client, order_class="bracket", **exits)
    exchange.ctl("POST", "split", {"symbol": "AAPL", "ratio": "0.001", "orders": "restate"})
    assert {order["status"] for order in exchange.truth()["orders"]} == {"canceled"}
    exchange.ctl("POST", "quiesce", {})
    ends = [
        event["data"]["order"]["id"] for event in exchange.ctl("GET", "events") if event["event"] != "new"
    ]
    assert len(ends) == len(set(ends)) == 3


# Dividends and transfers.


@pytest.mark.parametrize(("qty", "paid"), [("10", "2.4"), ("-10", "-2.4")])
def test_a_dividend_pays_the_holder_and_is_paid_by_the_short(
    exchange: Exchange, client: TradingClient, qty: str, paid: str
) -> None:
    hold(exchange, qty)
    exchange.ctl("POST", "dividend", {"symbol": "AAPL", "amount": "0.24"})
    (row,) = activities(client, "DIV")
    assert (row["qty"], row["per_share_amount"], row["net_amount"]) == (qty, "0.24", paid)
    assert Decimal(client.get_account()["cash"]) == 100_000 + Decimal(paid)
    assert client.get_open_position("AAPL")["qty"] == qty


def test_money_and_shares_come_and_go(exchange: Exchange, client: TradingClient) -> None:
    exchange.ctl("POST", "transfer", {"amount": "500.25"})
    exchange.ctl("POST", "transfer", {"amount": "-100"})
    exchange.ctl("POST", "transfer", {"symbol": "AAPL", "qty": "5", "price": "10"})
    assert client.get_account()["cash"] == "100400.25"
    assert position(client) == ("5", "10", "50")
    cash = [(row["activity_type"], row["net_amount"]) for row in activities(client, "TRANS")]
    assert cash == [("CSD", "500.25"), ("CSW", "-100")]
    (shares,) = activities(client, "JNLS")
    assert (shares["symbol"], shares["qty"], shares["price"], shares["net_amount"]) == (
        "AAPL",
        "5",
        "10",
        "0",
    )


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("split", {"symbol": "AAPL", "ratio": "0"}),
        ("dividend", {"symbol": "AAPL", "amount": "-1"}),
        ("transfer", {}),
        ("transfer", {"amount": "1", "symbol": "AAPL", "qty": "1", "price": "1"}),
    ],
)
def test_an_occasion_that_makes_no_sense_is_refused(
    exchange: Exchange, path: str, body: dict[str, str]
) -> None:
    with pytest.raises(AssertionError, match="422"):
        exchange.ctl("POST", path, body)


# Fees.


@pytest.fixture
def trading_day(exchange: Exchange) -> Exchange:
    """Noon of a Friday in New York; the clock moves by hand."""
    exchange.ctl("POST", "clock", {"mode": "manual", "now": "2026-11-20T17:00:00Z"})
    exchange.price("AAPL", "99.99", "100")
    return exchange


def buy_and_sell(client: TradingClient) -> None:
    for side in ("buy", "sell"):
        submit(client, side=side, type="market", limit_price=None)


def pass_midnight(exchange: Exchange) -> None:
    exchange.ctl("POST", "clock/advance", {"to": "2026-11-21T06:00:00Z"})


def test_fees_accrue_exactly_and_are_billed_after_the_day_to_the_next_cent(
    trading_day: Exchange, client: TradingClient
) -> None:
    buy_and_sell(client)
    # 9,999 dollars sold at 20.60 a million; 100 shares sold; 200 shares traded.
    exact = Decimal(9999) * Decimal("0.0000206") + 100 * Decimal("0.000195") + 200 * Decimal("0.0000265")
    account = client.get_account()
    assert Decimal(account["accrued_fees"]) == exact
    assert account["cash"] == "99999"
    assert activities(client, "FEE") == []

    pass_midnight(trading_day)
    rows = {row["activity_sub_type"]: row for row in activities(client, "FEE")}
    assert {kind: row["net_amount"] for kind, row in rows.items()} == {
        "REG": "-0.21",
        "TAF": "-0.02",
        "CAT": "-0.01",
    }
    assert {row["date"] for row in rows.values()} == {"2026-11-20"}
    assert {row["created_at"][:13] for row in rows.values()} == {"2026-11-21T05"}
    account = client.get_account()
    assert (account["cash"], account["accrued_fees"]) == ("99998.76", "0")
    books = trading_day.truth()["accounts"][trading_day.account]
    assert (books["fees"], books["cash"], len(books["activities"])) == ("0.24", "99998.76", 3)


def test_a_day_is_billed_once(trading_day: Exchange, client: TradingClient) -> None:
    buy_and_sell(client)
    pass_midnight(trading_day)
    trading_day.ctl("POST", "clock/advance", {"seconds": 5 * 86_400})
    assert len(activities(client, "FEE")) == 3


def test_a_buyer_pays_for_the_audit_trail_alone(trading_day: Exchange, client: TradingClient) -> None:
    submit(client, type="market", limit_price=None)
    pass_midnight(trading_day)
    assert [row["activity_sub_type"] for row in activities(client, "FEE")] == ["CAT"]


def test_a_trade_undone_on_its_day_costs_nothing(trading_day: Exchange, client: TradingClient) -> None:
    buy_and_sell(client)
    for execution in trading_day.truth()["executions"]["live"]:
        trading_day.ctl("POST", f"executions/{execution['id']}/bust", {})
    assert client.get_account()["accrued_fees"] == "0"
    pass_midnight(trading_day)
    assert activities(client, "FEE") == []


@pytest.mark.parametrize("rules", [{"fees": False}, {"profile": "alpaca"}])
def test_fees_can_be_left_out(trading_day: Exchange, client: TradingClient, rules: dict[str, object]) -> None:
    trading_day.ctl("PUT", "config", rules)
    buy_and_sell(client)
    pass_midnight(trading_day)
    assert activities(client, "FEE") == []


def test_the_rate_in_force_counts_and_one_execution_pays_at_most_the_cap(
    trading_day: Exchange, client: TradingClient
) -> None:
    rates = [
        {"kind": "TAF", "since": "2026-01-01", "per_share": "5", "cap": "0.5"},
        {"kind": "TAF", "since": "2027-01-01", "per_share": "9"},
    ]
    trading_day.ctl("PUT", "config", {"fee_rates": rates})
    buy_and_sell(client)
    assert client.get_account()["accrued_fees"] == "0.5"


def test_all_of_it_survives_a_kill_and_a_day_that_ended_meanwhile_is_billed(
    own_exchange: Exchange,
) -> None:
    client = TradingClient(
        own_exchange.key, own_exchange.secret, url_override=own_exchange.url, raw_data=True
    )
    own_exchange.ctl("POST", "clock", {"mode": "manual", "now": "2026-11-20T17:00:00Z"})
    own_exchange.price("AAPL", "99.99", "100")
    buy_and_sell(client)
    hold(own_exchange, "10")
    own_exchange.ctl("POST", "split", {"symbol": "AAPL", "ratio": "2"})
    own_exchange.ctl("POST", "dividend", {"symbol": "AAPL", "amount": "0.24"})
    own_exchange.ctl("POST", "transfer", {"amount": "7"})
    before, listed = own_exchange.truth(), client.get("/account/activities")

    own_exchange.kill()
    own_exchange.restart()
    assert own_exchange.truth() == before
    assert client.get("/account/activities") == listed

    pass_midnight(own_exchange)
    own_exchange.kill()
    own_exchange.restart()
    assert len(activities(client, "FEE")) == 3


# The recording.


def test_activities_of_all_kinds_share_one_list(trading_day: Exchange, client: TradingClient) -> None:
    submit(client, type="market", limit_price=None, qty="10")
    trading_day.ctl("POST", "clock/advance", {"seconds": 1})
    trading_day.ctl("POST", "dividend", {"symbol": "AAPL", "amount": "1"})
    trading_day.ctl("POST", "clock/advance", {"seconds": 1})
    submit(client, side="sell", type="market", limit_price=None, qty="10")
    rows = client.get("/account/activities")
    assert [row["activity_type"] for row in rows] == ["FILL", "DIV", "FILL"]
    page = client.get("/account/activities", {"page_size": "1", "page_token": rows[0]["id"]})
    assert page == rows[1:2]
    later = client.get("/account/activities", {"after": rows[1]["created_at"]})
    assert later == rows[:1]
    assert client.get("/account/activities", {"category": "non_trade_activity"}) == rows[1:2]


@pytest.mark.parametrize(
    ("shown", "quantities"), [("remove", []), ("keep", ["100"]), ("negative_row", ["100", "-100"])]
)
def test_how_an_undone_execution_shows_is_a_rule_that_can_be_set(
    exchange: Exchange, client: TradingClient, shown: str, quantities: list[str]
) -> None:
    exchange.ctl("PUT", "config", {"activities_bust": shown})
    exchange.price("AAPL", "9.98", "10")
    exchange.arm("fill.bust")
    submit(client)
    assert [row["qty"] for row in activities(client, "FILL")] == quantities


def test_the_recording_pays_its_dividends_once_whatever_restarts(own_exchange: Exchange) -> None:
    """From 2008-09-02 on, IBM pays on 2008-11-06 for the first time, which is the 47th day."""
    own_exchange.reset(seed=7)
    client = TradingClient(
        own_exchange.key, own_exchange.secret, url_override=own_exchange.url, raw_data=True
    )
    own_exchange.ctl("POST", "account", {"positions": {"IBM": {"qty": "10", "price": "90"}}})
    own_exchange.ctl("POST", "clock", {"mode": "manual", "now": "2026-11-20T17:00:00Z"})
    one_day_a_second = 390 * 60
    own_exchange.ctl("POST", "feed", {"source": "recorded", "speed": one_day_a_second})
    own_exchange.ctl("POST", "clock", {"mode": "manual", "now": "2026-11-20T17:00:45Z"})
    own_exchange.ctl("POST", "clock/advance", {"seconds": 0})
    assert activities(client, "DIV") == []
    own_exchange.ctl("POST", "clock", {"mode": "manual", "now": "2026-11-20T17:00:48Z"})
    own_exchange.ctl("POST", "clock/advance", {"seconds": 0})
    paid = activities(client, "DIV")
    assert [(row["symbol"], row["per_share_amount"], row["net_amount"]) for row in paid] == [
        ("IBM", "0.53", "5.3")
    ]
    own_exchange.kill()
    own_exchange.restart()
    own_exchange.ctl("POST", "clock/advance", {"seconds": 0.1})
    assert activities(client, "DIV") == paid
