"""The kill switch and the breaker hold, whatever becomes of Redis and of the process."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import Any

import pytest
import redis

from gateway.adapters.embedded import EmbeddedValkey
from tests.contract.conftest import CreateTestApp
from tests.contract.steps import holds, resting_order
from tests.kit.covers import covers
from tests.kit.house import House

REFUSALS = {"kill_switch_engaged", "kill_switch_unavailable"}


async def refusal(house: House) -> str:
    """Why an order is refused now, or "" when it is not."""
    response = await house.submit()
    return "" if response.status_code == 200 else str(response.json()["code"])


async def watch(house: House, until: str) -> list[str]:
    """Every answer to an order until this one comes."""
    seen: list[str] = []

    async def answered() -> bool:
        seen.append(await refusal(house))
        return seen[-1] == until

    await house.until(answered, what=f"the answer {until!r}")
    return seen


@covers("FC:F-07", "FM:F-042", "INV-15")
async def test_a_flush_while_engaged_stays_engaged(house: House, redis_url: str) -> None:
    await house.engage_kill_switch()
    with redis.Redis.from_url(redis_url) as server:
        server.flushdb()
    assert set(await watch(house, "kill_switch_engaged")) <= REFUSALS
    status = (await house.client.get("/api/v1/kill-switch/status")).json()
    assert (status["state"], status["mirror"]) == ("ENGAGED", "in_sync")
    assert house.posts() == 0


async def test_a_flush_while_tripped_stays_tripped(house: House, redis_url: str) -> None:
    await house.trip_circuit_breaker()
    with redis.Redis.from_url(redis_url) as server:
        server.flushdb()
    assert "" not in await watch(house, "circuit_breaker_tripped")


@covers("FM:F-047")
async def test_a_flush_in_peace_blocks_for_moments_only_and_keeps_the_room(
    house: House, redis_url: str
) -> None:
    await resting_order(house, qty=990)
    with redis.Redis.from_url(redis_url) as server:
        server.flushdb()
    await watch(house, "")
    beyond = await house.submit(type="limit", limit_price="90", qty=1)
    assert (beyond.status_code, beyond.json()["would_be"]) == (422, "1001")


@covers("FM:F-041", "FC:F-07")
async def test_a_redis_that_comes_back_empty_is_filled_again(
    create_test_app: CreateTestApp, private_valkey: EmbeddedValkey
) -> None:
    async with create_test_app(redis_url=private_valkey.url) as house:
        await house.engage_kill_switch()
        private_valkey.kill()
        assert await refusal(house) == "kill_switch_unavailable"
        EmbeddedValkey.start(private_valkey.directory, persist=False)
        assert set(await watch(house, "kill_switch_engaged")) <= REFUSALS
        await house.disengage_kill_switch()
        assert await refusal(house) == ""


@covers("FM:F-045", "INV-15", "FC:F-10")
@pytest.mark.parametrize("key", ["kill_switch:state", "circuit_breaker:state", "mirror:ready"])
async def test_garbage_in_a_key_refuses_until_the_mirror_is_rebuilt(
    house: House, redis_url: str, key: str
) -> None:
    await house.engage_kill_switch()
    with redis.Redis.from_url(redis_url) as server:
        server.delete(key)
        server.set(key, "nonsense")
    seen = await watch(house, "kill_switch_engaged")
    assert "" not in seen
    assert house.posts() == 0


@covers("FC:F-07", "FC:F-09", "FM:F-043")
async def test_a_failover_to_a_copy_that_lags_behind_lets_nothing_through(
    house: House, redis_url: str
) -> None:
    """The copy knows neither of the engagement nor of the order that took the room."""
    with redis.Redis.from_url(redis_url) as server:
        copy = {key: server.dump(key) for key in server.scan_iter()}
        await resting_order(house, qty=990)
        await house.engage_kill_switch()
        server.flushdb()
        for key, value in copy.items():
            server.restore(key, 0, value)
    assert set(await watch(house, "kill_switch_engaged")) <= REFUSALS
    await house.disengage_kill_switch()
    beyond = await house.submit(type="limit", limit_price="90", qty=11)
    assert (beyond.status_code, beyond.json()["would_be"]) == (422, "1001")


@covers("FM:F-044")
async def test_a_redis_that_answers_nobody_is_refused_within_a_second_and_holds_up_nobody_else(
    create_test_app: CreateTestApp, private_valkey: EmbeddedValkey
) -> None:
    """Neither open nor closed: connections are taken and nothing comes back."""
    as_deployed = {"REDIS_TIMEOUT_SECONDS": "0.15"}
    async with create_test_app(redis_url=private_valkey.url, environment=as_deployed) as house:
        os.kill(private_valkey.pid, signal.SIGSTOP)
        try:
            started = time.monotonic()
            assert await refusal(house) == "kill_switch_unavailable"
            assert time.monotonic() - started < 1
            refused = asyncio.gather(*(refusal(house) for _ in range(20)))
            started = time.monotonic()
            assert (await house.client.get("/api/v1/positions")).status_code == 200
            assert time.monotonic() - started < 1
            assert set(await refused) == {"kill_switch_unavailable"}
        finally:
            os.kill(private_valkey.pid, signal.SIGCONT)
        await watch(house, "")


@covers("FM:F-052")
async def test_engaging_without_redis_answers_and_holds_once_it_is_back(
    create_test_app: CreateTestApp, private_valkey: EmbeddedValkey
) -> None:
    async with create_test_app(redis_url=private_valkey.url) as house:
        private_valkey.stop()
        body = {"reason": "everything is on fire", "operator": "alice"}
        engaged = await house.client.post("/api/v1/kill-switch/engage", json=body)
        assert engaged.status_code == 200, engaged.text
        assert (engaged.json()["state"], engaged.json()["mirror"]) == ("ENGAGED", "pending")
        EmbeddedValkey.start(private_valkey.directory)
        assert set(await watch(house, "kill_switch_engaged")) <= REFUSALS
        assert house.posts() == 0


@covers("FM:F-054")
async def test_without_redis_nothing_is_released_and_everything_can_be_stopped(
    create_test_app: CreateTestApp, private_valkey: EmbeddedValkey
) -> None:
    async with create_test_app(redis_url=private_valkey.url) as house:
        await house.engage_kill_switch()
        private_valkey.stop()
        post = house.client.post
        released = await post("/api/v1/kill-switch/disengage", json={"operator": "alice"})
        assert (released.status_code, released.json()["code"]) == (503, "kill_switch_unavailable")
        tripped = await post("/api/v1/circuit-breaker/trip", json={"reason": "a test says so"})
        assert (tripped.status_code, tripped.json()["state"]) == (200, "TRIPPED")
        reset = await post("/api/v1/circuit-breaker/reset", json={"reason": "a test says so"})
        assert (reset.status_code, reset.json()["code"]) == (503, "circuit_breaker_unavailable")
        status = (await house.client.get("/api/v1/kill-switch/status")).json()
        assert (status["state"], status["mirror"]) == ("ENGAGED", "unreachable")
        await house.until(lambda: _misses_redis(house), what="degraded health")


async def _misses_redis(house: House) -> bool:
    health = await house.client.get("/health")
    assert health.status_code == 200
    return (health.json()["status"], health.json()["redis_connected"]) == ("degraded", False)


@covers("FC:F-07")
async def test_the_kill_switch_survives_a_restart_of_the_process(create_test_app: CreateTestApp) -> None:
    async with create_test_app() as house:
        await house.engage_kill_switch()
        await house.engage_kill_switch(scope="symbol", target="MSFT")
    async with create_test_app() as house:
        assert await refusal(house) == "kill_switch_engaged"
        await house.disengage_kill_switch()
        assert await refusal(house) == ""
        assert (await house.submit(symbol="MSFT")).json()["code"] == "kill_switch_engaged"


async def test_a_flush_between_two_processes_changes_nothing(
    create_test_app: CreateTestApp, redis_url: str
) -> None:
    async with create_test_app() as house:
        await house.engage_kill_switch()
    with redis.Redis.from_url(redis_url) as server:
        server.flushdb()
    async with create_test_app() as house:
        assert await refusal(house) == "kill_switch_engaged"


async def test_engaging_twice_and_disengaging_twice_is_refused(house: House) -> None:
    await house.engage_kill_switch()
    body = {"reason": "once more", "operator": "alice"}
    again = await house.client.post("/api/v1/kill-switch/engage", json=body)
    assert (again.status_code, again.json()["code"]) == (400, "kill_switch_already_engaged")
    await house.disengage_kill_switch()
    off = await house.client.post("/api/v1/kill-switch/disengage", json={"operator": "alice"})
    assert (off.status_code, off.json()["code"]) == (400, "kill_switch_not_engaged")


@covers("FC:F-03")
async def test_no_order_leaves_after_the_engagement_was_answered(house: House) -> None:
    """Orders keep coming from many callers; whatever starts after the answer never reaches the exchange."""
    answers: list[Any] = []
    stop = asyncio.Event()

    async def caller(number: int) -> None:
        count = 0
        while not stop.is_set():
            count += 1
            name = f"c{number}-{count}"
            answers.append(await house.submit(qty=1, client_order_id=name, type="limit", limit_price="90"))

    callers = [asyncio.create_task(caller(number)) for number in range(4)]
    await asyncio.sleep(0.3)
    await house.engage_kill_switch()
    await asyncio.wait_for(_settled(house), 5)
    posts = house.posts()
    await asyncio.sleep(0.2)
    stop.set()
    await asyncio.gather(*callers)
    assert house.posts() == posts
    codes = {answer.status_code for answer in answers}
    assert codes == {200, 503}
    refused = {answer.json()["code"] for answer in answers if answer.status_code == 503}
    assert "kill_switch_engaged" in refused
    assert refused <= REFUSALS  # for the moments in which Redis has not heard of it yet


async def _settled(house: House) -> None:
    """Until the submissions that had their last look before the engagement are over."""
    while house.gateway.submit_order.in_flight:
        await asyncio.sleep(0.01)


async def test_what_reduces_and_what_is_told_goes_on_while_engaged(house: House) -> None:
    order = await resting_order(house)
    await house.engage_kill_switch()
    house.exchange.price("AAPL", "89.98", "89.99")
    await house.until_status(order["client_order_id"], "filled")
    assert await holds(house, "10")
