"""Commands that wait together share a round trip, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.adapters.embedded import EmbeddedValkey
from gateway.adapters.redis_link import MirrorTimedOut, RedisLink, Script
from gateway.ports import MirrorUnavailable

ECHO = Script("return ARGV[1]")


@pytest.fixture
async def link(redis_url: str) -> AsyncIterator[RedisLink]:
    link = RedisLink(redis_url, timeout=1.0)
    yield link
    await link.close()


async def test_each_of_many_callers_hears_its_own_answer(link: RedisLink) -> None:
    answers = await asyncio.gather(*(link.run(ECHO, (), (str(n),)) for n in range(100)))
    assert answers == [str(n).encode() for n in range(100)]


async def test_what_waits_together_takes_one_connection(link: RedisLink) -> None:
    numbers = await asyncio.gather(*(link.command("CLIENT", "ID") for _ in range(20)))
    assert len(set(numbers)) == 1


async def test_a_refused_command_spoils_no_other(link: RedisLink) -> None:
    answers: list[object] = await asyncio.gather(
        link.command("NO-SUCH-COMMAND"), link.run(ECHO, (), ("here",)), return_exceptions=True
    )
    assert isinstance(answers[0], MirrorUnavailable)
    assert answers[1] == b"here"


async def test_a_command_whose_caller_gave_up_is_never_sent(private_valkey: EmbeddedValkey) -> None:
    link = RedisLink(private_valkey.url, timeout=0.5)
    try:
        await link.command("SET", "orders", 0)
        await link.command("CLIENT", "PAUSE", 300)
        under_way = asyncio.create_task(link.command("GET", "orders"))
        await asyncio.sleep(0.05)
        given_up = asyncio.create_task(link.command("INCR", "orders"))
        await asyncio.sleep(0.05)
        given_up.cancel()
        await under_way
        assert await link.command("GET", "orders") == b"0"
    finally:
        await link.close()


async def test_a_server_that_hangs_is_given_up_and_used_again_when_it_is_back(
    private_valkey: EmbeddedValkey,
) -> None:
    link = RedisLink(private_valkey.url, timeout=0.1)
    try:
        await link.command("CLIENT", "PAUSE", 600)
        with pytest.raises(MirrorTimedOut):
            await link.ping()
        await asyncio.sleep(0.7)
        await link.ping()
    finally:
        await link.close()
