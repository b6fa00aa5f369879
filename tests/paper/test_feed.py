"""Prices: recorded days, invented days, and the walk through each."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.paper.bars import (
    SYMBOLS,
    TICK,
    Bar,
    Recording,
    invent_recording,
    read_recording,
    recorded_file,
)
from gateway.paper.feed import STEPS, Feed, walk

EPOCH = datetime(2026, 11, 21, 3, tzinfo=UTC)  # a Saturday


@pytest.fixture(scope="module")
def recording() -> Recording:
    path = recorded_file()
    assert path is not None, "the recording is part of the demo extra, which the tests install"
    return read_recording(path)


def bar(*prices: int) -> Bar:
    opened, high, low, close = (Decimal(ticks) * TICK for ticks in prices)
    return Bar(day=date(2008, 9, 2), open=opened, high=high, low=low, close=close, volume=1000)


def test_the_recording_has_four_symbols_over_the_same_days(recording: Recording) -> None:
    assert tuple(recording.bars) == SYMBOLS
    days = [[b.day for b in bars] for bars in recording.bars.values()]
    assert days[0] == days[1] == days[2] == days[3]
    assert recording.days == 2148
    assert recording.bars["AAPL"][recording.start].day == date(2008, 9, 2)


def test_recorded_prices_are_rounded_to_the_tick_and_otherwise_as_they_were(recording: Recording) -> None:
    by_day = {b.day: b for b in recording.bars["AAPL"]}
    last = by_day[date(2013, 3, 1)]
    assert (last.open, last.high, last.low, last.close) == tuple(
        Decimal(price) for price in ("438.00", "438.18", "429.98", "430.47")
    )
    assert last.volume == 19730300
    assert all(price % TICK == 0 for b in by_day.values() for price in (b.open, b.high, b.low, b.close))


def test_the_recording_is_not_adjusted_for_the_split_of_2005(recording: Recording) -> None:
    by_day = {b.day: b for b in recording.bars["AAPL"]}
    assert (by_day[date(2005, 2, 25)].close, by_day[date(2005, 2, 28)].open) == (
        Decimal("88.99"),
        Decimal("44.68"),
    )


def test_dividends_are_what_the_adjusted_closes_imply(recording: Recording) -> None:
    assert len(recording.dividends) == 92
    paid = {
        ("AAPL", date(2012, 8, 9)): "2.64",
        ("MSFT", date(2004, 11, 15)): "3.03",
        ("IBM", date(2008, 11, 6)): "0.53",
    }
    assert {key: str(recording.dividends[key]) for key in paid} == paid
    assert not recording.dividends.keys() & recording.splits.keys()


ticks = st.integers(100, 50_000)


@given(ticks, ticks, ticks, ticks, st.integers(0, 2**32))
def test_a_walk_goes_from_open_to_close_and_touches_high_and_low_exactly(
    a: int, b: int, c: int, d: int, seed: int
) -> None:
    low, opened, close, high = sorted((a, b, c, d))
    path = walk(bar(opened, high, low, close), seed, "AAPL")
    assert len(path) == STEPS
    assert (path[0], path[-1]) == (opened * TICK, close * TICK)
    assert (max(path), min(path)) == (high * TICK, low * TICK)


def test_the_walk_of_one_recorded_day_is_pinned(recording: Recording) -> None:
    path = walk(recording.bars["AAPL"][recording.start], 7, "AAPL")
    assert [str(price) for price in path[:3]] == ["172.40", "172.29", "172.54"]
    assert sha256(" ".join(map(str, path)).encode()).hexdigest()[:16] == "37927b6b57b3db5a"


def test_invented_days_depend_on_the_seed_and_the_symbol_alone() -> None:
    one, same, other = invent_recording(1), invent_recording(1, ("MSFT",)), invent_recording(2)
    assert one.bars["MSFT"] == same.bars["MSFT"]
    assert one.bars["MSFT"] != other.bars["MSFT"]
    for b in one.bars["AAPL"]:
        assert b.low <= min(b.open, b.close) <= max(b.open, b.close) <= b.high


def test_the_rolling_session_goes_on_over_the_weekend_and_over_the_end_of_the_recording(
    recording: Recording,
) -> None:
    feed = Feed(recording, seed=7, speed=60, epoch=EPOCH)
    assert feed.place(EPOCH).bar == recording.start
    day = timedelta(seconds=STEPS)
    assert feed.place(EPOCH + day).bar == recording.start + 1
    length = recording.days - recording.start
    assert feed.place(EPOCH + day * length - timedelta(seconds=1)).bar == recording.days - 1
    again = feed.place(EPOCH + day * length)
    assert (again.lap, again.bar, again.step) == (1, recording.start, 0)


def test_each_step_has_its_own_instant(recording: Recording) -> None:
    feed = Feed(recording, seed=7, speed=70, epoch=EPOCH)
    now, steps = EPOCH, []
    for _ in range(50):
        steps.append(feed.place(now).step)
        now = feed.next_step(now)
    assert steps == list(range(50))


def test_a_quote_stands_around_its_print(recording: Recording) -> None:
    feed = Feed(recording, seed=7, speed=60, epoch=EPOCH)
    tick = feed.tick("IBM", feed.place(EPOCH))
    assert (tick.bid, tick.ask) == (tick.price - TICK, tick.price + TICK)
    assert tick == feed.tick("IBM", feed.place(EPOCH))


def test_splits_on_the_way_are_found_and_history_can_be_adjusted_for_them() -> None:
    path = recorded_file()
    assert path is not None
    recording = read_recording(path, date(2005, 2, 25))
    feed = Feed(recording, seed=7, speed=60, epoch=EPOCH)
    before, after = feed.place(EPOCH), feed.place(EPOCH + timedelta(seconds=STEPS))
    assert feed.splits_passed(before) == []
    assert feed.splits_passed(after) == [("AAPL", date(2005, 2, 28), Decimal(2))]
    raw = feed.history("AAPL", after, 2)
    adjusted = feed.adjusted("AAPL", raw, after)
    assert (raw[-1].close, adjusted[-1].close) == (Decimal("88.99"), Decimal("44.50"))
    assert adjusted[-1].volume == raw[-1].volume * 2
