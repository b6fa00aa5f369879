"""What the broker says of the market and of our account, read or refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.adapters.alpaca_reports import Unparsable, parse_account, parse_clock

CLOCK: dict[str, Any] = {
    "timestamp": "2026-11-20T10:00:00.123456789-05:00",
    "is_open": True,
    "next_open": "2026-11-23T09:30:00-05:00",
    "next_close": "2026-11-20T16:00:00-05:00",
}
ACCOUNT: dict[str, Any] = {
    "account_number": "PA1",
    "status": "ACTIVE",
    "equity": "1000.10",
    "cash": "-5",
    "buying_power": "0",
}


def test_the_clock_is_read_in_utc() -> None:
    clock = parse_clock(CLOCK)
    assert clock.is_open
    assert clock.timestamp == datetime(2026, 11, 20, 15, 0, 0, 123456, tzinfo=UTC)
    assert clock.next_open == datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
    assert clock.next_close == datetime(2026, 11, 20, 21, 0, tzinfo=UTC)


@pytest.mark.parametrize("is_open", [None, "true", 1])
def test_a_market_that_is_neither_open_nor_closed_is_unparsable(is_open: object) -> None:
    with pytest.raises(Unparsable, match="is_open"):
        parse_clock({**CLOCK, "is_open": is_open})


@pytest.mark.parametrize("name", ["timestamp", "next_open", "next_close"])
@pytest.mark.parametrize("time", [None, 1763650800, "noon", "0001-01-01T00:00:00+14:00"])
def test_a_clock_without_its_times_is_unparsable(name: str, time: object) -> None:
    with pytest.raises(Unparsable, match=name):
        parse_clock({**CLOCK, name: time})


@pytest.mark.parametrize("flag", ["trading_blocked", "account_blocked", "trade_suspended_by_user"])
def test_an_account_is_blocked_by_any_flag_that_is_not_plainly_false(flag: str) -> None:
    assert not parse_account(ACCOUNT).blocked
    assert not parse_account({**ACCOUNT, flag: False}).blocked
    assert all(parse_account({**ACCOUNT, flag: said}).blocked for said in (True, "false", None))


@pytest.mark.parametrize("name", ["account_number", "status", "equity", "cash", "buying_power"])
def test_an_account_that_leaves_something_out_is_unparsable(name: str) -> None:
    with pytest.raises(Unparsable, match=name):
        parse_account({known: said for known, said in ACCOUNT.items() if known != name})
