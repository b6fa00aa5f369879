"""Room in Redis: exact under races, once per order, and always what the ledger says in the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal

import pytest
import redis

from gateway.adapters.redis_link import RedisLink
from gateway.adapters.redis_reservations import RedisReservations
from gateway.adapters.redis_safety import RedisSafetyMirror
from gateway.aggregates.vocabulary import ClientOrderId, Side, Symbol
from gateway.ports import MirroredRoom, MirrorUnavailable, Reservation, SafetyState
from tests.kit.covers import covers

AAPL = Symbol("AAPL")
BUY, SELL = Side.BUY, Side.SELL
GENERATION = "ledger-1"


@pytest.fixture
async def link(redis_url: str) -> AsyncIterator[RedisLink]:
    link = RedisLink(redis_url, timeout=1.0)
    yield link
    await link.close()


@pytest.fixture
def mirror(link: RedisLink) -> RedisSafetyMirror:
    return RedisSafetyMirror(link, generation=GENERATION)


@pytest.fixture
def room(link: RedisLink) -> RedisReservations:
    return RedisReservations(link, generation=GENERATION)


@pytest.fixture
def server(redis_url: str) -> redis.Redis:
    return redis.Redis.from_url(redis_url)


def ledger(qty: str = "0", *, version: int = 1, **leaves: tuple[Side, str]) -> MirroredRoom:
    return MirroredRoom(
        symbol=AAPL,
        qty=Decimal(qty),
        version=version,
        leaves={ClientOrderId(name): (side, Decimal(shares)) for name, (side, shares) in leaves.items()},
    )


async def build(mirror: RedisSafetyMirror, *rooms: MirroredRoom) -> None:
    await mirror.rebuild(SafetyState(position=100, rooms=rooms))


async def take(room: RedisReservations, name: str, side: Side, qty: str, limit: str = "1000") -> Reservation:
    return await room.reserve(
        ClientOrderId(name), symbol=AAPL, side=side, qty=Decimal(qty), limit=Decimal(limit)
    )


@pytest.mark.parametrize(
    ("held", "side", "qty", "granted", "would_be"),
    [
        (ledger("0", a=(BUY, "801")), BUY, "300", False, "1101"),
        (ledger("600"), SELL, "1600", True, "1000"),
        (ledger("600"), SELL, "1601", False, "1001"),
        (ledger("0", a=(SELL, "900")), BUY, "1000", True, "1000"),
        (ledger("0", a=(SELL, "900")), BUY, "1001", False, "1001"),
        (ledger("2000"), SELL, "500", True, "-1500"),
        (ledger("-2000"), BUY, "500", True, "-1500"),
        (ledger("999.999999999"), BUY, "0.000000001", True, "1000"),
        (ledger("999.999999999"), BUY, "0.000000002", False, "1000.000000001"),
        (ledger("0.1", a=(BUY, "0.2")), BUY, "999.7", True, "1000"),
    ],
)
async def test_room_is_the_worst_case_of_one_side(
    mirror: RedisSafetyMirror,
    room: RedisReservations,
    held: MirroredRoom,
    side: Side,
    qty: str,
    granted: bool,
    would_be: str,
) -> None:
    await build(mirror, held)
    taken = await take(room, "new", side, qty)
    assert taken == Reservation(granted=granted, fresh=True, would_be=Decimal(would_be))


async def test_positions_of_billions_of_shares_are_counted_to_the_last_fraction(
    mirror: RedisSafetyMirror, room: RedisReservations
) -> None:
    await build(mirror, ledger("8000000000.000000001"))
    assert not (await take(room, "a", BUY, "1", limit="8000000001")).granted
    assert (await take(room, "b", BUY, "0.999999999", limit="8000000001")).granted


async def test_a_quantity_too_large_to_count_is_refused_not_wrapped(
    mirror: RedisSafetyMirror, room: RedisReservations
) -> None:
    await build(mirror)
    with pytest.raises(MirrorUnavailable):
        await take(room, "a", BUY, "1e30")


async def test_the_same_order_takes_room_once(mirror: RedisSafetyMirror, room: RedisReservations) -> None:
    await build(mirror)
    taken = await asyncio.gather(*(take(room, "same", BUY, "100") for _ in range(20)))
    assert sorted(reservation.fresh for reservation in taken) == [False] * 19 + [True]
    assert all(reservation.granted for reservation in taken)
    assert (await take(room, "other", BUY, "900")).granted


async def test_a_refusal_takes_nothing(mirror: RedisSafetyMirror, room: RedisReservations) -> None:
    await build(mirror, ledger("700"))
    assert not (await take(room, "large", BUY, "301")).granted
    assert (await take(room, "small", BUY, "300")).granted


async def test_room_given_back_can_be_taken_again_and_only_once(
    mirror: RedisSafetyMirror, room: RedisReservations
) -> None:
    await build(mirror)
    await take(room, "a", BUY, "1000")
    for _ in range(2):
        await room.give_back(ClientOrderId("a"), AAPL)
    assert (await take(room, "b", BUY, "1000")).would_be == 1000


async def test_room_the_ledger_has_recorded_is_not_given_back(
    mirror: RedisSafetyMirror, room: RedisReservations
) -> None:
    await build(mirror)
    await take(room, "a", BUY, "600")
    await mirror.publish_room(ledger(a=(BUY, "600")))
    await room.give_back(ClientOrderId("a"), AAPL)
    assert not (await take(room, "b", BUY, "500")).granted


async def test_four_clients_of_fifty_against_120_take_exactly_120(
    mirror: RedisSafetyMirror, redis_url: str
) -> None:
    await build(mirror)
    links = [RedisLink(redis_url, timeout=1.0) for _ in range(4)]
    rooms = [RedisReservations(link, generation=GENERATION) for link in links]
    taken = await asyncio.gather(
        *(
            take(room, f"{client}-{number}", BUY, "1", limit="120")
            for number in range(50)
            for client, room in enumerate(rooms)
        )
    )
    assert sum(reservation.granted for reservation in taken) == 120
    for link in links:
        await link.close()


async def test_room_of_a_mirror_never_built_or_lost_is_unavailable(
    mirror: RedisSafetyMirror, room: RedisReservations, server: redis.Redis
) -> None:
    with pytest.raises(MirrorUnavailable):
        await take(room, "a", BUY, "1")
    await build(mirror, ledger("900"))
    await take(room, "under-way", BUY, "50")
    server.delete("position_reservation:AAPL")
    await room.give_back(ClientOrderId("under-way"), AAPL)
    with pytest.raises(MirrorUnavailable):
        await take(room, "a", BUY, "1")
    server.flushdb()
    with pytest.raises(MirrorUnavailable):
        await take(room, "a", BUY, "1")
    with pytest.raises(MirrorUnavailable):
        await room.give_back(ClientOrderId("a"), AAPL)
    await build(mirror, ledger("900"))
    assert not (await take(room, "a", BUY, "101")).granted


async def test_garbage_in_a_room_is_unavailable(
    mirror: RedisSafetyMirror, room: RedisReservations, server: redis.Redis
) -> None:
    await build(mirror, ledger())
    server.hset("position_reservation:AAPL", "long", "many")
    with pytest.raises(MirrorUnavailable):
        await take(room, "a", BUY, "1")


async def test_a_symbol_the_ledger_never_touched_starts_empty(
    mirror: RedisSafetyMirror, room: RedisReservations
) -> None:
    await build(mirror)
    assert (await take(room, "a", BUY, "1000")).granted
    assert not (await take(room, "b", BUY, "1")).granted


async def test_publishing_a_room_follows_an_order_from_request_to_fill(
    mirror: RedisSafetyMirror, room: RedisReservations
) -> None:
    await build(mirror)
    await take(room, "a", BUY, "100")
    await take(room, "b", BUY, "50")
    await mirror.publish_room(ledger(version=1, a=(BUY, "100")))
    assert (await take(room, "probe-1", BUY, "0")).would_be == 150, "b is still under way"
    await mirror.publish_room(ledger("40", version=2, a=(BUY, "60")))
    assert (await take(room, "probe-2", BUY, "0")).would_be == 150
    await mirror.publish_room(ledger("100", version=3))
    assert (await take(room, "probe-3", BUY, "0")).would_be == 150
    await mirror.publish_room(ledger("100", version=4, b=(BUY, "50")))
    await mirror.publish_room(ledger("100", version=5))
    assert (await take(room, "probe-4", BUY, "0")).would_be == 100, "b was canceled"


async def test_an_order_over_before_anybody_looked_holds_no_room(
    mirror: RedisSafetyMirror, room: RedisReservations
) -> None:
    await build(mirror)
    await take(room, "quick", BUY, "100")
    over = replace(ledger("100", version=3), recorded=frozenset({ClientOrderId("quick")}))
    await mirror.publish_room(over)
    assert (await take(room, "probe", BUY, "0")).would_be == 100


async def test_an_older_room_changes_nothing_but_what_is_over(
    mirror: RedisSafetyMirror, room: RedisReservations
) -> None:
    await build(mirror, ledger("500", version=7))
    await take(room, "quick", BUY, "100")
    await mirror.publish_room(replace(ledger(version=6), recorded=frozenset({ClientOrderId("quick")})))
    assert (await take(room, "probe", BUY, "0")).would_be == 500


async def test_a_rebuild_keeps_what_is_under_way(mirror: RedisSafetyMirror, room: RedisReservations) -> None:
    await build(mirror)
    await take(room, "a", BUY, "300")
    await build(mirror, ledger("10"))
    assert (await take(room, "probe", BUY, "0")).would_be == 310


async def test_drift_is_zero_while_redis_and_ledger_agree(
    mirror: RedisSafetyMirror, room: RedisReservations
) -> None:
    held = ledger("100", a=(BUY, "40"), b=(SELL, "10"))
    await build(mirror, held)
    await take(room, "under-way", BUY, "5")
    assert await room.drift([held], older_than_seconds=60) == 0


@covers("FC:F-15")
async def test_drift_is_counted_in_shares_and_corrected(
    mirror: RedisSafetyMirror, room: RedisReservations, server: redis.Redis
) -> None:
    held = ledger("100", a=(BUY, "40"))
    await build(mirror, held)
    server.hincrby("position_reservation:AAPL", "long", 7_500_000_000)
    assert await room.drift([held], older_than_seconds=60) == Decimal("7.5")
    assert await room.drift([held], older_than_seconds=60) == 0


@covers("FC:F-15")
async def test_a_token_nobody_recorded_is_a_leak_once_it_is_old(
    mirror: RedisSafetyMirror, room: RedisReservations
) -> None:
    await build(mirror)
    await take(room, "crashed", BUY, "300")
    assert await room.drift([], older_than_seconds=60) == 0
    assert await room.drift([], older_than_seconds=-1) == 300
    assert (await take(room, "probe", BUY, "0")).would_be == 0


@covers("FM:F-048", "FC:F-15")
async def test_a_token_that_vanished_while_its_order_works_is_still_counted_and_restored(
    mirror: RedisSafetyMirror, room: RedisReservations, server: redis.Redis
) -> None:
    held = ledger(a=(BUY, "800"))
    await build(mirror, held)
    server.delete("position_reservation:AAPL:token:a")
    assert not (await take(room, "b", BUY, "300")).granted
    assert await room.drift([held], older_than_seconds=60) == 0
    assert not (await take(room, "a", BUY, "800")).fresh


async def test_looking_for_a_difference_finds_what_an_audit_would_and_changes_nothing(
    mirror: RedisSafetyMirror, room: RedisReservations, server: redis.Redis
) -> None:
    held = ledger("100", a=(BUY, "40"), b=(SELL, "10.5"))
    await build(mirror, held)
    await take(room, "under-way", BUY, "5")
    assert await room.difference([held], older_than_seconds=60) == 0
    server.hincrby("position_reservation:AAPL", "long", 7_500_000_000)
    for _ in range(2):
        assert await room.difference([held], older_than_seconds=60) == Decimal("7.5")
    assert await room.difference([held], older_than_seconds=-1) == Decimal("12.5")
    assert await room.drift([held], older_than_seconds=60) == Decimal("7.5")


@pytest.mark.parametrize("field", ["version", "long"])
async def test_a_room_of_garbage_is_no_difference_but_no_mirror(
    mirror: RedisSafetyMirror, room: RedisReservations, server: redis.Redis, field: str
) -> None:
    held = ledger("100")
    await build(mirror, held)
    server.hset("position_reservation:AAPL", field, "rubbish")
    with pytest.raises(MirrorUnavailable):
        await room.difference([held], older_than_seconds=60)
