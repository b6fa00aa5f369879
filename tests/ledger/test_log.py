"""Reading: filters, times, waiting at the head, and events nobody can read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta

import psycopg
import pytest

from gateway.ledger.envelope import Recorded, StreamPoisoned, Undecodable
from gateway.ledger.ledger import Ledger
from tests.kit.covers import covers
from tests.ledger.accounts import CATALOG, Account, cause, close, deposit, note, open_account, switch
from tests.ledger.waiting import until

A, B = "account-a", "account-b"
BAD_EVENT = """
    insert into ledger.events (position, stream, version, topic, body, occurred_at, actor, actor_kind,
        command_id, command_index, correlation_id, source, build)
    select (select max(position) from ledger.events) + 1, %(stream)s,
           1 + coalesce((select max(version) from ledger.events where stream = %(stream)s), 0),
           %(topic)s, %(body)s, now(), 'x', 'user', gen_random_uuid()::text, 0, 'c', 'api', 'b'
"""


def write_unreadable(url: str, stream: str, topic: str = "account.exploded.v9", body: bytes = b"{}") -> None:
    with psycopg.connect(url) as owner:
        owner.execute(BAD_EVENT, {"stream": stream, "topic": topic, "body": body})


async def first_after(events: AsyncIterator[list[Recorded]]) -> list[Recorded]:
    return await anext(events)


async def test_reading_filters_by_stream_by_name_and_by_position(ledger: Ledger) -> None:
    for stream in (A, B):
        await ledger.writer.change([], open_account(stream), cause(), new=[stream])
    await ledger.writer.change([A], deposit(A, times=2), cause("twice"))
    await ledger.writer.change([], note("x"), cause(), new=["notes"])

    async def positions(**filters: object) -> list[int]:
        events = await ledger.log.read(**{"after": 0, "limit": 10} | filters)  # type: ignore[arg-type]
        return [event.position for event in events]

    assert await positions() == [1, 2, 3, 4, 5]
    assert await positions(after=2, limit=2) == [3, 4]
    assert await positions(stream=A) == [1, 3, 4]
    assert await positions(stream=A, upto=3) == [1, 3]
    assert await positions(name="account.") == [1, 2, 3, 4]
    assert await positions(name="account.opened") == [1, 2]
    assert await positions(name="account.open") == []
    assert [event.position for event in await ledger.log.stream(A, upto=3)] == [1, 3]
    assert [[e.position for e in batch] async for batch in ledger.log.scan(batch=2)] == [[1, 2], [3, 4], [5]]
    assert [[e.position for e in batch] async for batch in ledger.log.scan(after=1, upto=3)] == [[2, 3]]


async def test_a_time_stands_for_the_last_position_recorded_by_then(ledger: Ledger) -> None:
    times = []
    for _ in range(5):
        change = await ledger.writer.change([A], deposit(A, times=2), cause())
        times.append(change.events[0].recorded_at)
    tick = timedelta(microseconds=1)
    assert [await ledger.log.position_at(time) for time in times] == [2, 4, 6, 8, 10]
    assert [await ledger.log.position_at(time - tick) for time in times] == [0, 2, 4, 6, 8]
    assert await ledger.log.position_at(times[-1] + timedelta(days=1)) == 10


async def test_an_empty_ledger_has_head_zero(ledger: Ledger) -> None:
    assert await ledger.log.head() == 0
    assert await ledger.log.read(0, 10) == []
    assert [batch async for batch in ledger.log.scan()] == []


async def test_a_follower_in_the_same_process_is_woken_at_once(ledger: Ledger) -> None:
    following = ledger.log.follow(0)
    waiting = asyncio.create_task(first_after(following))
    await asyncio.sleep(0.05)
    started = time.monotonic()
    await ledger.writer.change([A], deposit(A), cause())
    assert [event.position for event in await waiting] == [1]
    assert time.monotonic() - started < 0.2


async def test_a_follower_in_another_process_is_woken_by_notify(ledger: Ledger, database: str) -> None:
    async with Ledger.opened(database, CATALOG, build="other") as other:
        following = other.log.follow(0)
        for position in range(1, 4):
            waiting = asyncio.create_task(first_after(following))
            await asyncio.sleep(0.1)
            started = time.monotonic()
            await ledger.writer.change([A], deposit(A), cause())
            assert [event.position for event in await waiting] == [position]
            assert time.monotonic() - started < 0.3


async def test_a_follower_whose_listener_was_killed_still_sees_everything(
    ledger: Ledger, database: str
) -> None:
    async with Ledger.opened(database, CATALOG, build="other") as other:
        following = other.log.follow(0)
        waiting = asyncio.create_task(first_after(following))
        await asyncio.sleep(0.1)
        with psycopg.connect(database, autocommit=True) as owner:
            killed = owner.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = current_database() and query = 'listen stored_events'"
            ).fetchall()
        assert len(killed) == 2
        await ledger.writer.change([A], deposit(A), cause())
        async with asyncio.timeout(3):
            assert [event.position for event in await waiting] == [1]


async def test_no_wake_up_is_missed_between_looking_and_waiting(ledger: Ledger, database: str) -> None:
    async with Ledger.opened(database, CATALOG, build="other") as other:
        seen: list[int] = []

        async def follow() -> None:
            async for events in other.log.follow(0, batch=7):
                seen.extend(event.position for event in events)

        following = asyncio.create_task(follow())
        for pause in range(60):
            await ledger.writer.change([A], deposit(A), cause())
            await asyncio.sleep(pause % 5 / 1000)
        await until(lambda: len(seen) >= 60, within=3)
        following.cancel()
        assert seen == list(range(1, 61))


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("account.exploded.v9", b"{}"),
        ("account.deposited.v2", b'{"amount": "much"}'),
        ("account.deposited.v2", b"not json"),
        ("account.deposited.v1", b"{}"),
        ("nonsense", b"\xff"),
    ],
)
async def test_an_event_nobody_can_read_poisons_its_own_stream_only(
    ledger: Ledger, database: str, topic: str, body: bytes
) -> None:
    await ledger.writer.change([], open_account(A), cause(), new=[A])
    await ledger.writer.change([], open_account(B), cause(), new=[B])
    write_unreadable(database, A, topic, body)
    with pytest.raises(StreamPoisoned):
        await ledger.writer.change([A], deposit(A), cause())
    with pytest.raises(StreamPoisoned):
        await ledger.writer.change([A], close(A), cause())
    assert (await ledger.writer.change([B], deposit(B), cause())).states[B].deposits == 1
    assert list(ledger.ailments) == ["ledger:poisoned"]
    assert [name for name, _ in ledger.desk.live("account-")] == [B]
    with pytest.raises(StreamPoisoned):
        ledger.desk.state(A)
    read = (await ledger.log.read(2, 1))[0]
    assert isinstance(read.event, Undecodable)
    assert (read.event.topic, read.body) == (topic, body)


async def test_a_poisoned_safety_stream_hides_nothing_from_whoever_asks_the_desk(
    ledger: Ledger, database: str
) -> None:
    await ledger.writer.change(["switch-x"], switch("switch-x", on=True), cause())
    write_unreadable(database, "switch-x")
    await ledger.writer.look([])
    with pytest.raises(StreamPoisoned):
        list(ledger.desk.live("switch-"))


@covers("FC:G-04", "FM:F-124")
async def test_an_older_shape_is_brought_up_to_date_when_it_is_read(ledger: Ledger, database: str) -> None:
    await ledger.writer.change([], open_account(A), cause(), new=[A])
    write_unreadable(database, A, "account.deposited.v1", b'{"cents": "12.5"}')
    state, version = await ledger.load(A)
    assert (str(state.balance), version) == ("12.5", 2)
    old = (await ledger.log.stream(A))[1]
    assert (old.name, old.schema_version, old.body) == ("account.deposited", 1, b'{"cents": "12.5"}')


async def test_a_stream_of_a_kind_this_build_does_not_know_is_read_past(
    ledger: Ledger, database: str
) -> None:
    await ledger.writer.change([], open_account(A), cause(), new=[A])
    write_unreadable(database, "future-1")
    assert await ledger.load(A) == (Account(), 1)
    assert (await ledger.writer.change([A], deposit(A), cause())).position == 3
