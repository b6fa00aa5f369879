"""The virtual session clock: always open for the demo, New York's hours when asked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from alpaca.trading.client import TradingClient

from gateway.paper.clock import AlwaysOpen, RegularHours, preceding_days
from tests.kit.exchange import Exchange
from tests.paper.tickets import submit

SATURDAY_NIGHT = "2026-11-21T22:30:00-05:00"
FRIDAY_EVENING = "2026-11-20T17:00:00-05:00"


@pytest.fixture
def recorded(tmp_path: Path) -> Iterator[Exchange]:
    exchange = Exchange.start(tmp_path, source="recorded", seed=7)
    yield exchange
    exchange.stop()


def client_of(exchange: Exchange) -> TradingClient:
    return TradingClient(exchange.key, exchange.secret, url_override=exchange.url, raw_data=True)


def advance(exchange: Exchange, **by: object) -> None:
    exchange.ctl("POST", "clock/advance", by)


def test_the_demo_trades_at_recorded_prices_on_a_saturday_night(recorded: Exchange) -> None:
    recorded.ctl("POST", "clock", {"mode": "manual", "now": SATURDAY_NIGHT})
    recorded.ctl("POST", "feed", {"source": "recorded", "speed": 60})
    client = client_of(recorded)
    clock = client.get_clock()
    assert (clock["is_open"], clock["timestamp"][:10], clock["timestamp"][-6:]) == (
        True,
        "2026-11-21",
        "-05:00",
    )

    order = submit(client, type="market", limit_price=None, qty="10")
    after = client.get_order_by_id(order["id"])
    assert (after["status"], after["filled_at"][:10]) == ("filled", "2026-11-22")
    assert "165" < after["filled_avg_price"] < "175"

    seen = set()
    for _ in range(20):
        advance(recorded, seconds=1)
        seen.add(client.get("/stocks/trades/latest", {"symbols": "AAPL"})["trades"]["AAPL"]["p"])
    assert len(seen) > 5


def test_the_clock_tells_the_wall_time_in_new_york(exchange: Exchange) -> None:
    clock = TradingClient(exchange.key, exchange.secret, url_override=exchange.url).get_clock()
    assert abs(clock.timestamp - datetime.now(UTC)) < timedelta(seconds=5)
    assert clock.timestamp.utcoffset() in {timedelta(hours=-5), timedelta(hours=-4)}
    assert clock.is_open
    assert clock.next_close > clock.timestamp


def test_outside_regular_hours_an_order_waits_for_the_open(exchange: Exchange) -> None:
    exchange.ctl("PUT", "config", {"session": "regular"})
    exchange.ctl("POST", "clock", {"mode": "manual", "now": FRIDAY_EVENING})
    client = client_of(exchange)
    clock = client.get_clock()
    assert (clock["is_open"], clock["next_open"][:16]) == (False, "2026-11-23T09:30")
    exchange.price("AAPL", "9.98", "10")
    order = submit(client)
    assert client.get_order_by_id(order["id"])["status"] == "accepted"
    advance(exchange, to="open")
    assert client.get_order_by_id(order["id"])["status"] == "filled"
    assert client.get_order_by_id(order["id"])["filled_at"] == "2026-11-23T14:30:00.000000Z"


def test_a_day_order_expires_at_the_close_and_a_gtc_order_does_not(exchange: Exchange) -> None:
    exchange.ctl("PUT", "config", {"session": "regular"})
    exchange.ctl("POST", "clock", {"mode": "manual", "now": "2026-11-20T12:00:00-05:00"})
    client = client_of(exchange)
    day, gtc = submit(client), submit(client, time_in_force="gtc")
    assert day["expires_at"] == "2026-11-20T21:00:00.000000Z"
    advance(exchange, to="close")
    after = client.get_order_by_id(day["id"])
    assert (after["status"], after["expired_at"]) == ("expired", "2026-11-20T21:00:00.000000Z")
    assert client.get_order_by_id(gtc["id"])["status"] == "new"
    advance(exchange, to="2027-02-18T16:14:59-05:00")
    assert client.get_order_by_id(gtc["id"])["status"] == "new"
    advance(exchange, seconds=1)
    assert client.get_order_by_id(gtc["id"])["status"] == "expired"


def test_a_scaled_clock_runs_faster(exchange: Exchange) -> None:
    exchange.ctl("POST", "clock", {"mode": "scaled", "speed": 100_000, "now": "2026-11-20T15:00:00Z"})
    exchange.arm("order.ack_delay", seconds=3_600)
    client = client_of(exchange)
    order = submit(client)
    exchange.ctl("POST", "quiesce", {"timeout_s": 3})
    assert client.get_order_by_id(order["id"])["status"] == "new"


def test_only_a_manual_clock_can_be_advanced(exchange: Exchange) -> None:
    with pytest.raises(AssertionError, match="422"):
        advance(exchange, seconds=1)


def test_the_calendar_lists_the_days_of_the_session(exchange: Exchange) -> None:
    client = client_of(exchange)
    query = {"start": "2026-11-20", "end": "2026-11-23"}
    assert [day["date"][-2:] for day in client.get("/calendar", query)] == ["20", "21", "22", "23"]
    exchange.ctl("PUT", "config", {"session": "regular"})
    assert [(d["date"][-2:], d["open"], d["close"]) for d in client.get("/calendar", query)] == [
        ("20", "09:30", "16:00"),
        ("23", "09:30", "16:00"),
    ]


def test_sessions_know_their_bounds_across_a_weekend_and_a_clock_change() -> None:
    friday = datetime(2026, 10, 30, 20, 0, tzinfo=UTC)  # 16:00 in New York: closed; clocks change on Sunday
    regular = RegularHours()
    assert not regular.is_open(friday)
    assert regular.is_open(friday - timedelta(seconds=1))
    assert regular.next_open(friday) == datetime(2026, 11, 2, 14, 30, tzinfo=UTC)
    assert regular.next_close(friday - timedelta(seconds=1)) == friday
    assert AlwaysOpen().next_close(datetime(2026, 11, 1, 3, tzinfo=UTC)) == datetime(
        2026, 11, 1, 4, tzinfo=UTC
    )
    assert preceding_days(regular, date(2026, 11, 23), 2) == [date(2026, 11, 20), date(2026, 11, 19)]
